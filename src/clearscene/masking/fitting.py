"""Does a masker fit a scene? An error where it cannot work, notes where it works less well."""

from collections.abc import Sequence

from clearscene.errors import OptionError
from clearscene.masking.combine import Doubled
from clearscene.masking.engine import known_classes
from clearscene.masking.masker import Masker, select_bands
from clearscene.masking.source import Source

__all__ = ["check_source", "source_notes"]


def check_source(source: Source, masker: Masker) -> tuple[str, ...]:
    """The bands to read.

    Raises:
        BandError: The scene lacks one.
        OptionError: The masker does not take what the values are, or the scene lacks what `--fine` needs.
    """
    traits = masker.traits
    absent = [name for name in traits.bands if name in traits.optional and name not in source.bands]
    if absent and isinstance(masker, Doubled):
        raise OptionError(
            f"{source.path} has no {', '.join(absent)}: at twice the resolution surf and beaches would be cloud.",
            hint="Leave out --fine.",
        )
    if source.kind not in traits.kinds:
        names = " and ".join(origin.name for origin in traits.origins)
        words = {"toa": "top-of-atmosphere reflectance", "surface": "surface reflectance", "display": "display color"}
        raise OptionError(
            f"{source.path} holds {words[source.kind]}; {names} takes {' or '.join(words[k] for k in traits.kinds)}.",
            hint="Use another --model, or name the scale of the values with --scale.",
        )
    return select_bands(traits, source.bands, source.path)


def source_notes(masker: Masker, *, wanted: int, bands: Sequence[str], pixel: tuple[float, float] | None) -> list[str]:
    """What a user should know about how a masker fits a scene, one sentence each."""
    traits, notes = masker.traits, []
    names = " and ".join(origin.name for origin in traits.origins)
    absent = [name for name in traits.bands if name not in bands]
    if absent:
        notes.append(f"The scene has no {', '.join(absent)}; {names} works without, less surely.")
    if known_classes(masker, wanted) < wanted:
        notes.append(f"{names} knows {known_classes(masker, wanted)} classes, not {wanted}; the mask has as many.")
    if pixel and traits.pixel_range_m:
        low, high = traits.pixel_range_m
        size = max(pixel)
        if size < low * 0.9 or size > high * 1.1:
            advice = f"; use --resolution {low:g}" if size < low else ""
            notes.append(f"Pixels of {size:.3g} m are outside of the {low:g} to {high:g} m that {names} knows{advice}.")
    return notes
