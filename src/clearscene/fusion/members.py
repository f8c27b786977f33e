"""The images opened on the common grid, with masks, shifts, tone and quality."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window

from clearscene.errors import OptionError
from clearscene.fusion.aligning import AlignedImage, HeldImage
from clearscene.fusion.engine import RESERVED_BYTES, Member
from clearscene.fusion.image import FuseImage
from clearscene.fusion.masks import AlignedMask
from clearscene.fusion.methods.median import combine as median
from clearscene.fusion.methods.method import Floats
from clearscene.fusion.options import FuseOptions
from clearscene.fusion.placing import coarser, common_window
from clearscene.fusion.quality import QualityMap, QualityModel, write_quality
from clearscene.fusion.shifting import Shift, estimate_shift
from clearscene.fusion.tone import ToneLine, fit_tone
from clearscene.fusion.viewing import common_stretch, display_bands
from clearscene.fusion.warped import COARSEST
from clearscene.grid import Grid, slices
from clearscene.raster.stretch import Stretch
from clearscene.stream import ordered_map

__all__ = [
    "Overview",
    "Quality",
    "Setting",
    "dark_rim",
    "find_reference",
    "fit_tones",
    "judge_all",
    "judge_small",
    "look_over",
    "look_over_all",
    "open_members",
    "register_all",
    "stretch_of",
]

OVERVIEW = 512
"""Pixels of the longer side of the overview on which tones are fitted."""
WARPED_PIXELS = 512 * 128 * COARSEST**2
"""Of a file below one of GDAL's blocks, at most."""
WINDOWS = 9
"""That a shift is estimated on, at most."""
NEARLY = 0.8
"""Of the most good pixels that an image has; fewer make no reference."""

Shifts = Mapping[str, Shift | None]


@dataclass(frozen=True)
class Setting:
    """What is common to all images while they are opened."""

    grid: Grid
    bands: tuple[str, ...]
    options: FuseOptions
    masks: Mapping[str, str]
    """Mask of each image by the image's path."""

    def open(
        self, image: FuseImage, *, grid: Grid | None = None, shift: Shift | None = None, bands: Sequence[str] = ()
    ) -> AlignedImage:
        """An image on the grid, or another one."""
        return AlignedImage(
            image,
            grid or self.grid,
            tuple(bands) or self.bands,
            resampling=Resampling[self.options.resampling],
            shift=_move(shift),
            as_reflectance=self.options.reflectance,
        )

    def open_mask(
        self, image: FuseImage, *, grid: Grid | None = None, shift: Shift | None = None
    ) -> AlignedMask | None:
        """The mask of an image, if it has one."""
        path = self.masks.get(image.path)
        return None if path is None else AlignedMask(path, grid or self.grid, shift=_move(shift))


def _move(shift: Shift | None) -> tuple[float, float]:
    return (0.0, 0.0) if shift is None else (shift.row, shift.col)


@dataclass(frozen=True, eq=False)
class Overview:
    """An image, small."""

    data: Floats
    """(band, row, col)."""
    valid: NDArray[np.bool_]
    good: NDArray[np.bool_]
    """Valid and not masked, (row, col)."""


def look_over(image: FuseImage, setting: Setting, *, shift: Shift | None = None) -> Overview:
    """Read an image at most 512 pixels wide and high."""
    grid, _ = coarser(setting.grid, OVERVIEW)
    with ExitStack() as stack:
        reader = stack.enter_context(setting.open(image, grid=grid, shift=shift))
        pixels = reader.read(grid.window)
        good = pixels.valid
        mask = setting.open_mask(image, grid=grid, shift=shift)
        if mask is not None:
            good = good & ~stack.enter_context(mask).bad(grid.window)
        return Overview(np.asarray(pixels.data, reader.dtype), pixels.valid, good)


def look_over_all(images: Sequence[FuseImage], setting: Setting) -> Iterator[Overview]:
    """Overviews of all images in their order, as many read at once as the memory limit holds.

    What lies under one of GDAL's blocks is read as a whole, and as much again is reduced at a time, four bytes a band.
    """
    needed = 2 * WARPED_PIXELS * len(setting.bands) * 4
    fitting = (setting.options.memory_limit_mb * 1_000_000 - RESERVED_BYTES) // needed
    workers = max(1, min(setting.options.workers, fitting))
    return ordered_map(lambda image: look_over(image, setting), images, workers=workers)


def find_reference(
    images: Sequence[FuseImage], views: Sequence[Overview], wanted: str, *, qualities: Sequence[float] = ()
) -> int:
    """Place of the reference: the image named, or the best of those with nearly the most good pixels.

    The best one has the highest of the `qualities`; without them it is the most usual one, nearest to the median of all
    overviews, which may be cloudy if most images are. Overviews are of one band here.

    Raises:
        OptionError: No image has that name, or more than one.
    """
    if not wanted and qualities:
        n_good = np.array([view.good.sum() for view in views])
        return int(np.argmax(np.where(n_good >= NEARLY * n_good.max(), qualities, -np.inf)))
    if not wanted:
        return _most_usual([view.data[0] for view in views], [view.good for view in views])
    found = [place for place, image in enumerate(images) if wanted in (image.name, image.path)]
    if len(found) != 1:
        names = ", ".join(image.name for image in images)
        raise OptionError(f"--reference {wanted!r} is not one of the images.", hint=f"They are {names}.")
    return found[0]


def _most_usual(pictures: Sequence[Floats], goods: Sequence[NDArray[np.bool_]]) -> int:
    """Place of the picture (row, col) that is nearest to the median of all where good; ties go to the first."""
    stack, good = np.stack(pictures)[:, np.newaxis], np.stack(goods)
    middle, _ = median(stack, good.astype(stack.dtype), temperature=1.0)
    n_good = good.sum(axis=(1, 2))
    off = [
        np.abs(picture - middle[0])[here].mean() if here.any() else np.inf
        for picture, here in zip(pictures, goods, strict=True)
    ]
    return int(np.argmin(np.where(n_good >= NEARLY * n_good.max(), off, np.inf)))


@dataclass(frozen=True, eq=False)
class Quality:
    """What a quality model says of an image, small."""

    mean: float
    """Where the image is good; -inf if it is nowhere."""
    is_clear: NDArray[np.bool_]
    """Where it is more likely good than bad, (row, col) of an overview; everywhere if the model cannot tell."""


def judge_small(
    images: Sequence[FuseImage],
    goods: Sequence[NDArray[np.bool_]],
    setting: Setting,
    model: QualityModel,
    *,
    folder: Path,
    stretch: Stretch,
) -> list[Quality]:
    """The quality of each image, small, that is good at `goods` (row, col). Files in `folder`."""
    folder.mkdir()
    grid, _ = coarser(setting.grid, OVERVIEW)
    small = replace(setting, grid=grid)
    maps = judge_all(
        images, small, model, folder=folder, shifts={}, stretch=stretch, progress=lambda _: None, are_small=True
    )
    result = []
    for image, good in zip(images, goods, strict=True):
        quality = maps[image.path].read(grid.window)
        mean = float(quality[good].mean()) if good.any() else -np.inf
        result.append(Quality(mean, quality >= 0 if model.tells_good else np.ones_like(good)))
    return result


def dark_rim(data: Floats, valid: NDArray[np.bool_]) -> float:
    """Share of the valid pixels (row, col) that are 0 in all bands (band, row, col) and hang on to the border."""
    black = valid & (data == 0).all(axis=0)
    _, labels = cv2.connectedComponents(black.view(np.uint8), connectivity=4)
    border = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    rim = np.isin(labels, border[border > 0])
    return float(rim.sum() / max(1, valid.sum()))


def register_all(
    images: Sequence[FuseImage],
    setting: Setting,
    reference: int,
    *,
    qualities: Sequence[Quality] = (),
    progress: Callable[[float], None],
) -> dict[str, Shift | None]:
    """The shift of every image against the reference, by path; None where it cannot be told.

    Clouds drift: what is masked, or by its quality more likely bad than good, says nothing of where an image lies.
    """
    clear = {image.path: quality.is_clear for image, quality in zip(images, qualities, strict=bool(qualities))}
    band = (display_bands(setting.bands)[len(display_bands(setting.bands)) // 2],)  # green, or the one there is
    result: dict[str, Shift | None] = {}
    with ExitStack() as fixed_stack:
        held = _reader(fixed_stack, images[reference], setting, band=band, clear=clear.get(images[reference].path))
        fixed = lru_cache(maxsize=2 * WINDOWS)(held)  # images of one extent ask for the same

        def shift_of(image: FuseImage) -> Shift | None:
            if image is images[reference]:
                return Shift(0.0, 0.0, 0)
            common = common_window(images[reference].grid, image.grid, setting.grid)
            if common is None:
                return None
            with ExitStack() as stack:
                moving = _reader(stack, image, setting, band=band, clear=clear.get(image.path))
                return estimate_shift(fixed, moving, common)

        shifts = ordered_map(shift_of, images, workers=setting.options.workers)
        for image, shift in zip(images, shifts, strict=True):
            result[image.path] = shift
            progress(len(result) / len(images))
    return result


def _reader(
    stack: ExitStack,
    image: FuseImage,
    setting: Setting,
    *,
    band: tuple[str, ...],
    clear: NDArray[np.bool_] | None,
) -> Callable[[Window], tuple[Floats, NDArray[np.bool_]]]:
    """Reads a window of one band, and where it is good; `clear` (row, col) is that of the overview."""
    aligned = stack.enter_context(setting.open(image, bands=band))
    mask = setting.open_mask(image)
    if mask is not None:
        stack.enter_context(mask)
    _, factor = coarser(setting.grid, OVERVIEW)

    def read(window: Window) -> tuple[Floats, NDArray[np.bool_]]:
        pixels = aligned.read(window)
        good = pixels.valid if mask is None else pixels.valid & ~mask.bad(window)
        if clear is not None:
            rows, cols = (np.arange(span.start, span.stop) // factor for span in slices(window))
            good = good & clear[np.ix_(rows, cols)]
        return np.asarray(pixels.data[0], aligned.dtype), good

    return read


def fit_tones(
    images: Sequence[FuseImage], setting: Setting, reference: int, *, shifts: Shifts, qualities: Sequence[Quality] = ()
) -> dict[str, tuple[ToneLine, ...] | None]:
    """The lines of every image but the reference, by path; None where none could be fitted.

    Where there are qualities, what is more likely bad than good does not count. They are those of the images before
    they were moved: a few pixels at the edge of a cloud are borne by the fit.
    """
    clear = [quality.is_clear for quality in qualities] or [np.ones((1, 1), np.bool_)] * len(images)
    fixed = look_over(images[reference], setting, shift=shifts.get(images[reference].path))
    result: dict[str, tuple[ToneLine, ...] | None] = {}
    for place, image in enumerate(images):
        if place != reference:
            moving = look_over(image, setting, shift=shifts.get(image.path))
            good = moving.good & fixed.good & clear[place] & clear[reference]
            result[image.path] = fit_tone(moving.data, fixed.data, good)
    return result


def stretch_of(images: Sequence[FuseImage], setting: Setting, overviews: Sequence[Floats]) -> Stretch:
    """The stretch that all images share; `overviews` are valid display values, flat."""
    band = display_bands(setting.bands)[0]
    return common_stretch(images, overviews, band=band, as_reflectance=setting.options.reflectance)


def open_members(
    stack: ExitStack,
    images: Sequence[FuseImage],
    setting: Setting,
    *,
    shifts: Shifts,
    tones: Mapping[str, tuple[ToneLine, ...] | None],
    maps: Mapping[str, QualityMap],
) -> tuple[Member, ...]:
    """Open all images; `stack` closes them."""
    members = []
    for image in images:
        shift = shifts.get(image.path)
        mask = setting.open_mask(image, shift=shift)
        if mask is not None:
            stack.enter_context(mask)
        aligned = stack.enter_context(setting.open(image, shift=shift))
        members.append(Member(aligned, mask, maps.get(image.path), tones.get(image.path)))
    return tuple(members)


def judge_all(
    images: Sequence[FuseImage],
    setting: Setting,
    model: QualityModel,
    *,
    folder: Path,
    shifts: Shifts,
    stretch: Stretch,
    progress: Callable[[float], None],
    are_small: bool = False,
) -> dict[str, QualityMap]:
    """Quality maps of all images, by path; files in `folder`. Small images are read once as a whole."""
    result = {}
    for place, image in enumerate(images):
        bands = model.bands_of(image.bands)
        target = QualityMap(folder / f"quality-{place}.tif", setting.grid)
        aligned = AlignedImage(
            image,
            setting.grid,
            bands,
            resampling=Resampling[setting.options.resampling],
            shift=_move(shifts.get(image.path)),
            as_reflectance=setting.options.reflectance or model.sees_reflectance,
        )

        def watch(share: float, place: int = place) -> None:
            progress((place + share) / len(images))

        with aligned:
            source = HeldImage(aligned) if are_small else aligned
            write_quality(source, model, target, stretch=stretch, options=setting.options, progress=watch)
        result[image.path] = target
    return result
