"""Does a masker fit a scene? How it looks at it, an error where it cannot work, notes where it works less well."""

import math
from collections.abc import Collection, Sequence

from clearscene.errors import OptionError
from clearscene.masking.combine import Doubled, Halved, Wide
from clearscene.masking.engine import known_classes
from clearscene.masking.masker import NAME_BANDS, Masker, by_names, select_bands
from clearscene.masking.options import COARSE_M, FINEST_WIDE_M, WIDE_M, MaskOptions
from clearscene.masking.source import Source
from clearscene.raster.sensors import ReflectanceScene

__all__ = ["check_source", "fitted", "source_notes"]

SMALLEST_FACTOR, LARGEST_FACTOR = 2, 16
DEFAULT_FACTOR = 4
"""Of pixels whose size nobody knows."""
SMALL_SIDE = 96
"""Scenes of fewer pixels than a square of this side are masked less surely: what lies around a cloud is not seen."""


def fitted(
    masker: Masker, options: MaskOptions, *, bands: Collection[str], pixel: tuple[float, float] | None
) -> Masker:
    """The masker as it looks at a scene with these bands and this size of pixels, meters or None.

    Unless the options say otherwise, models of the shipped one's kind (`Traits.has_further_looks`) see coarse pixels
    (`COARSE_M`) at twice the resolution if all of their bands are there, and finer ones, from `FINEST_WIDE_M` on, by
    pixels of about `WIDE_M` as well.
    """
    size = math.sqrt(pixel[0] * pixel[1]) if pixel else None
    is_ours = _has_further_looks(masker, options)
    is_coarse = size is not None and size >= COARSE_M
    plain = masker.inner if isinstance(masker, Doubled | Halved) else masker
    if is_ours and options.fine is None and is_coarse and set(masker.traits.bands) <= set(bands):
        masker = Doubled(masker)
    is_usual = is_ours and size is not None and FINEST_WIDE_M <= size < COARSE_M
    if is_usual if options.wide is None else options.wide:
        factor = min(max(round(WIDE_M / size), SMALLEST_FACTOR), LARGEST_FACTOR) if size else DEFAULT_FACTOR
        return Wide(masker, plain, factor)
    return masker


def _has_further_looks(masker: Masker, options: MaskOptions) -> bool:
    return masker.traits.has_further_looks and not options.fast


def _near(masker: Masker) -> Masker:
    """Who looks at the scene by its own pixels."""
    return masker.near if isinstance(masker, Wide) else masker


def check_source(source: Source, masker: Masker) -> tuple[str, ...]:
    """The bands to read.

    Raises:
        BandError: The scene lacks one.
        OptionError: The masker does not take what the values are, or the scene lacks what `--fine` needs.
    """
    traits = masker.traits
    absent = [name for name in traits.bands if name in traits.optional and name not in source.bands]
    if absent and isinstance(_near(masker), Doubled):
        raise OptionError(
            f"{source.path} has no {', '.join(absent)}: at twice the resolution surf and beaches would be cloud.",
            hint="Leave out --fine.",
        )
    if source.kind not in traits.kinds:
        words = {"toa": "top-of-atmosphere reflectance", "surface": "surface reflectance", "display": "display color"}
        taken = " or ".join(words[kind] for kind in words if kind in traits.kinds)
        more = ""
        if _says_nothing(source):
            is_color = source.kind == "display"
            more = ", or name the scale of the values with --scale (in Python scale=)" if is_color else ""
            more = ", or --kind toa if that is what the values are (in Python kind=)" if not is_color else more
        raise OptionError(
            f"{source.path} holds {words[source.kind]}; {by_names(traits, 'take')} {taken}.",
            hint=f"Use another --model (in Python models=){more}.",
        )
    named = "Use another --model (in Python models=), or a product that has them."
    return select_bands(traits, source.bands, source.path, hint=NAME_BANDS if _says_nothing(source) else named)


def _says_nothing(source: Source) -> bool:
    """True where a user names bands and scale: an array or a plain raster, no product and no Item."""
    return not isinstance(source, ReflectanceScene) or source.sensor == "raster"


def source_notes(
    masker: Masker,
    options: MaskOptions,
    *,
    bands: Sequence[str],
    pixel: tuple[float, float] | None,
    n_pixels: int | None = None,
) -> list[str]:
    """What a user should know about how a masker fits a scene, one sentence each."""
    traits, notes, wanted = masker.traits, list[str](), options.classes
    absent = [name for name in traits.bands if name not in bands]
    if absent:
        notes.append(f"The scene has no {', '.join(absent)}; {by_names(traits, 'work')} without, less surely.")
    if n_pixels is not None and n_pixels < SMALL_SIDE**2:
        notes.append(f"Masks of scenes this small, under {SMALL_SIDE} x {SMALL_SIDE} px, are uncertain.")
    if known_classes(masker, wanted) < wanted:
        known = known_classes(masker, wanted)
        notes.append(f"{by_names(traits, 'know')} {known} classes, not {wanted}; the mask has as many.")
    if pixel is None and options.wide is None and _has_further_looks(masker, options):
        notes.append(
            "The size of its pixels is not known, so it is not looked at once more for veils: --wide suits pixels of"
            " 10 to 20 m, --fine those of 30 m, and to arrays MaskOptions(resolution=10) tells the size."
        )
    if pixel and options.fine is None and isinstance(_near(masker), Doubled):
        size = max(pixel)
        notes.append(
            f"Pixels of {size:.3g} m are seen enlarged twice, in four times the time; --no-fine leaves it out."
        )
    if pixel and traits.pixel_range_m:
        low, high = traits.pixel_range_m
        size = max(pixel)
        if size < low * 0.9 or size > high * 1.1:
            advice = f"; use --resolution {low:g}" if size < low else ""
            known_by = by_names(traits, "know")
            length = f"{size:.3g}" if size < 100 else f"{size:.0f}"
            notes.append(f"Pixels of {length} m are outside of the {low:g} to {high:g} m that {known_by}{advice}.")
    return notes
