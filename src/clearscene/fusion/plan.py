"""What is decided before pixels are combined: the method, the nodata value, which shifts are made."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from clearscene.errors import BandError, ModelError, OptionError
from clearscene.fusion.checks import Agreed
from clearscene.fusion.image import FuseImage
from clearscene.fusion.lying import shifted, whole_offset
from clearscene.fusion.masks import require_mask_model
from clearscene.fusion.methods.choose import Method
from clearscene.fusion.methods.method import Floats
from clearscene.fusion.options import FuseOptions
from clearscene.fusion.quality import QualityModel, find_quality_model, load_quality_model
from clearscene.fusion.shifting import WARN_PX, Shift, told
from clearscene.grid import Grid
from clearscene.models.session import choose_device
from clearscene.raster.stretch import BRIGHTEST, DARKEST

__all__ = [
    "Prepared",
    "applied",
    "check_scale",
    "collar_warnings",
    "fitted",
    "judged_as",
    "level_warnings",
    "listed",
    "nodata_for",
    "prepare_fuse",
    "scaling_for",
    "shift_warnings",
    "tone_warnings",
]

WITH_QUALITY = ("learned", "best")
WITHOUT_FADING = ("median", "medoid")
MASKED_SO = "clouds are masked by the values as they are. Name --scale, as 0.0001."
USUAL_SCALE = 1e-4
"""Of Sentinel-2, MODIS and most mosaics of reflectance in 16 bits."""
UNLIKE = 100.0
"""Times as bright as the others, or as dark: no such image shows the place in the same unit."""
DARK_RIM = 0.005
"""Of the valid pixels, that are black and hang on to the border."""
MOST_LINES = 3
"""Images that are warned of one by one."""
SMALLEST_PX = 0.1
"""Shifts below this are not made: resampling would cost more than it mends."""


@dataclass(frozen=True)
class Prepared:
    """The options, with the method that they lead to."""

    options: FuseOptions
    method: Method
    model: QualityModel | None
    notes: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    @property
    def tells_good(self) -> bool:
        """True if there is a model that tells good pixels from bad ones."""
        return self.model is not None and self.model.tells_good


def prepare_fuse(options: FuseOptions) -> Prepared:
    """Choose the method and load the model, so that every mistake in the options shows before work starts.

    Raises:
        ModelError: `learned` is asked for and there is no quality model, or the model is broken.
        OptionError: Options do not go together.
    """
    choose_device(options.device)
    if options.masks == ("auto",):
        require_mask_model(options.mask_model)
    method = options.method
    _check_used(options)
    if method != "auto" and method not in WITH_QUALITY:
        return Prepared(options, method, None)
    folder = find_quality_model(options.model)
    if folder is not None:
        model = load_quality_model(folder, device=options.device)
        return Prepared(options, "learned" if method == "auto" else method, model)
    if method == "learned":
        raise ModelError(
            "--method learned needs a quality model, and none comes with this installation.",
            hint="Name a model folder with --model, or use --method medoid, median or geomedian.",
        )
    if method == "best":
        if not options.masks:
            raise OptionError(
                "--method best has nothing to rank the images by: there are no masks and no quality model.",
                hint="Give --masks, which ranks by the distance to the next cloud, or --model.",
            )
        return Prepared(options, "best", None, ("Ranked by the distance to the next masked pixel.",))
    note = "No quality model is installed, so the method is medoid; name a model with --model, or another --method."
    return Prepared(options, "medoid", None, (note, *_unused(options)))


def _check_used(options: FuseOptions) -> None:
    """Refuse an option that the method makes no use of."""
    method = options.method
    if method == "auto":
        return
    if options.model is not None and method not in WITH_QUALITY:
        raise OptionError(f"--model is not used by --method {method}.", hint="Use --method learned or best.")
    if options.temperature != 1 and method != "learned":
        raise OptionError(f"--temperature is not used by --method {method}.", hint="Use --method learned.")
    if options.feather and method in WITHOUT_FADING:
        raise OptionError(
            f"--feather is not used by --method {method}, which counts every good image alike.",
            hint=f"Leave it out, or use another method than {' or '.join(WITHOUT_FADING)}.",
        )


def fitted(prepared: Prepared, images: Sequence[FuseImage]) -> Prepared:
    """The method for these images: where none was asked for and they lack bands of the model, the medoid.

    Raises:
        BandError: `learned` or `best` was asked for, and an image lacks a band.
    """
    model = prepared.model
    unscaled = [image.name for image in images if _is_unscaled(image)]
    if model is None:
        if prepared.options.masks == ("auto",) and unscaled:
            return replace(prepared, warnings=(*prepared.warnings, f"{_unsaid(unscaled)}; {MASKED_SO}"))
        return prepared
    try:
        for image in images:
            model.bands_of(image.bands)
    except BandError as error:
        if prepared.options.method != "auto" or prepared.options.model is not None:
            raise
        note = f"The method is medoid: {error.message}"
        return Prepared(prepared.options, "medoid", None, (*prepared.notes, note, *_unused(prepared.options)))
    if model.sees_reflectance and unscaled:
        warning = (
            f"{_unsaid(unscaled)}; quality is judged as if it were value * {USUAL_SCALE:g}. If that is wrong, name"
            " --scale, or clouds may be taken for clear ground."
        )
        return replace(prepared, warnings=(*prepared.warnings, warning))
    return prepared


def _unused(options: FuseOptions) -> list[str]:
    """What to say of options of which the medoid makes no use."""
    given = [*(["--temperature"] if options.temperature != 1 else []), *(["--feather"] if options.feather else [])]
    return [f"The medoid makes no use of {' and '.join(given)}."] if given else []


def _unsaid(names: Sequence[str]) -> str:
    return f"{listed(names)}: nothing says how values become reflectance"


def judged_as(images: Sequence[FuseImage]) -> list[FuseImage]:
    """The images with the usual scale where none is known; only what judges quality may read them by it."""
    usual = (USUAL_SCALE, 0.0)
    return [
        replace(image, lines=dict.fromkeys(image.lines, usual)) if _is_unscaled(image) else image for image in images
    ]


def listed(names: Sequence[str]) -> str:
    """Names one after the other, at most three of them."""
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def _is_unscaled(image: FuseImage) -> bool:
    """True for whole numbers that are neither a picture nor known reflectance."""
    return image.kind != "display" and np.dtype(image.dtype).kind in "iu" and not image.has_scale


def applied(shifts: Mapping[str, Shift | None], options: FuseOptions) -> dict[str, Shift]:
    """The shifts that are made."""
    if not options.align:
        return {}
    return {path: shift for path, shift in shifts.items() if shift is not None and shift.length > SMALLEST_PX}


def shift_warnings(images: Sequence[FuseImage], shifts: Mapping[str, Shift | None], options: FuseOptions) -> list[str]:
    """What to say of images that lie beside the reference; many of them share one line."""
    unknown = [image.name for image in images if shifts.get(image.path) is None]
    if options.align:
        return [f"{listed(unknown)} is not moved: its shift against the reference cannot be told."] if unknown else []
    found = [(image.name, shifts.get(image.path)) for image in images]
    beside = [(name, shift) for name, shift in found if shift is not None and shift.length > WARN_PX]
    if len(beside) > MOST_LINES:
        name, shift = max(beside, key=lambda item: item[1].length)
        return [
            f"{len(beside)} of {len(images)} images lie more than {WARN_PX:g} pixels beside the reference, {name}"
            f" {shift.length:.1f}; --align moves them."
        ]
    return [
        f"{name} lies {shift.length:.1f} pixels beside the reference; --align moves it {told(shift.row, shift.col)}."
        for name, shift in beside
    ]


def check_scale(images: Sequence[FuseImage], samples: Sequence[Floats], options: FuseOptions) -> None:
    """Refuse a `--scale` by which the values of an image are no reflectance; `samples` are its stored ones, flat.

    Raises:
        OptionError: Half of them are above 2, or nearly all are black.
    """
    if options.scale is None:
        return
    for image, values in zip(images, samples, strict=True):
        lit = values[values != 0]
        if not lit.size or image.kind == "display":
            continue
        low, high = (options.scale * float(v) + (options.offset or 0.0) for v in np.percentile(lit, (50, 99)))
        if low <= BRIGHTEST and high >= DARKEST:
            continue
        what = f"half of them are above {low:.3g}" if low > BRIGHTEST else f"nearly all are below {high:.2g}"
        raise OptionError(
            f"--scale {options.scale:g} does not make reflectance, 0 to 1, of the values of {image.name}: {what}.",
            hint="Most products have 0.0001. It counts for all images: where they differ, write each one's own into its"
            " file with gdal_edit.py -scale 0.0001 0.0001 ... -offset ..., and leave --scale out.",
        )


def level_warnings(images: Sequence[FuseImage], samples: Sequence[Floats]) -> list[str]:
    """What to say of images whose values are of another order than those of the others; `samples` are theirs, flat.

    No scene is a hundred times as bright as another of the same place, cloud against water included.
    """
    levels = [float(np.median(values)) if values.size else math.nan for values in samples]
    usual = float(np.nanmedian(levels)) if np.isfinite(levels).any() else 0.0
    return [
        f"{image.name}: half of its values are below {level:.3g}, of the images together {usual:.3g}. Do they mean the"
        " same? Check its scale, or leave it out."
        for image, level in zip(images, levels, strict=True)
        if usual > 0 and level > 0 and not 1 / UNLIKE < level / usual < UNLIKE
    ]


def collar_warnings(images: Sequence[FuseImage], dark_rims: Sequence[float]) -> list[str]:
    """What to say of images around which there is black that nothing declares as nodata; shares of valid pixels."""
    told = zip(images, dark_rims, strict=True)
    dark = [image.name for image, share in told if share > DARK_RIM and image.is_full]
    if not dark:
        return []
    return [
        f"{listed(dark)}: black along the border counts as data, because no nodata value is declared; --nodata 0 leaves"
        " it out."
    ]


def scaling_for(
    agreed: Agreed, images: Sequence[FuseImage], options: FuseOptions
) -> tuple[tuple[float, float], ...] | None:
    """Scale and offset by which the values of the result become reflectance: those of the images."""
    if options.reflectance or not images[0].has_scale:
        return None
    return tuple(images[0].lines[band] for band in agreed.bands)


def tone_warnings(prepared: Prepared) -> list[str]:
    """What to say of tones that are fitted on clouds, too."""
    if prepared.options.tone != "match" or prepared.options.masks or prepared.tells_good:
        return []
    return ["Without masks clouds count as ground when tones are fitted: give --masks auto, or a folder of masks."]


def nodata_for(
    agreed: Agreed,
    images: Sequence[FuseImage],
    grid: Grid,
    *,
    options: FuseOptions,
    shifts: Mapping[str, Shift],
    tells_good: bool = False,
) -> float | None:
    """The nodata value of the result: that of the images; none if one of them is sure to fill all; else 0.

    Of signed whole numbers it is the lowest instead of 0, of floating point NaN.
    """
    if agreed.nodata is not None:
        return agreed.nodata
    by_masks = bool(options.masks) and options.all_bad != "least"
    may_be_left = by_masks or (tells_good and options.all_bad == "nodata")
    if not may_be_left and any(_fills(image, grid, shifts.get(image.path)) for image in images):
        return None
    kind = np.dtype(agreed.dtype)
    return 0.0 if kind.kind == "u" else float(np.iinfo(kind).min)


def _fills(image: FuseImage, grid: Grid, shift: Shift | None) -> bool:
    """True if an image has data at every pixel of the grid for certain."""
    source = shifted(image.grid, grid, (shift.row, shift.col) if shift else (0.0, 0.0))
    place = whole_offset(source, grid)
    if not image.is_full or len(image.parts) > 1 or place is None:
        return False
    row, col = place
    return row <= 0 and col <= 0 and row + source.height >= grid.height and col + source.width >= grid.width
