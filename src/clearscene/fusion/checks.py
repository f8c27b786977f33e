"""Whether images can be fused: their bands, data types and scaling."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from clearscene.errors import BandError, SceneError
from clearscene.fusion.image import FuseImage
from clearscene.fusion.options import FuseOptions

__all__ = ["Agreed", "agree"]


@dataclass(frozen=True)
class Agreed:
    """What all images have in common."""

    bands: tuple[str, ...]
    dtype: str
    """Of the result."""
    nodata: float | None
    """Declared by the images; None if by none."""
    notes: tuple[str, ...]


def agree(images: Sequence[FuseImage], options: FuseOptions) -> Agreed:
    """Find the bands, the data type and the nodata value of the result.

    Raises:
        BandError: The images have no band in common, or lack one that is asked for.
        SceneError: They differ in data type or in how values become reflectance.
    """
    bands, notes = _bands(images, options.use)
    if options.reflectance:
        _check_known(images)
    else:
        _check_types(images)
        _check_scaling(images, bands)
    declared = sorted({image.nodata for image in images if image.nodata is not None}, key=repr)
    if len(declared) > 1:
        notes.append(f"The images declare different nodata values, {', '.join(f'{v:g}' for v in declared)}.")
    if options.reflectance:
        return Agreed(bands, "float32", float("nan"), tuple(notes))
    dtype = images[0].dtype
    return Agreed(bands, dtype, _fitting(declared, dtype), tuple(notes))


def _bands(images: Sequence[FuseImage], use: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """The bands to fuse, in the order of the first image, and a note of those that are left out."""
    for image in images:
        lacking = [name for name in use if name not in image.bands]
        if lacking:
            raise BandError(
                f"{image.path} lacks {', '.join(lacking)}; it has {', '.join(image.bands)}.",
                hint="Name its bands with --bands, as red=3,green=2,blue=1, or use others.",
            )
    if use:
        return tuple(use), []
    common = tuple(name for name in images[0].bands if all(name in image.bands for image in images))
    if not common:
        raise BandError(
            f"The {len(images)} images have no band in common: {_by_bands(images)}.",
            hint="Leave out what is no image of the place, or name bands with --bands, as red=1,green=2,blue=3.",
        )
    rest = {name: None for image in images for name in image.bands if name not in common}
    note = f"Left out, because not every image has them: {', '.join(rest)}."
    return common, [note] if rest else []


def _by_bands(images: Sequence[FuseImage]) -> str:
    """Which images have which bands, the fewest first: what does not belong is mostly one."""
    names: dict[tuple[str, ...], list[str]] = {}
    for image in images:
        names.setdefault(image.bands, []).append(image.name)
    said = []
    for bands, having in sorted(names.items(), key=lambda item: len(item[1])):
        rest = f" and {len(having) - 2} more" if len(having) > 3 else ""
        told = ", ".join(having[:2] if rest else having) + rest
        said.append(f"{told} {'has' if len(having) == 1 else 'have'} {', '.join(bands)}")
    return "; ".join(said)


def _check_types(images: Sequence[FuseImage]) -> None:
    first = images[0]
    other = next((image for image in images if image.dtype != first.dtype), None)
    if other is not None:
        raise SceneError(
            f"{other.path} is {other.dtype}, {first.path} is {first.dtype}: their values are not of one scale.",
            hint="Convert one with gdal_translate -ot ... -scale ..., or use --reflectance if both say how values"
            " become reflectance.",
        )


def _check_known(images: Sequence[FuseImage]) -> None:
    """Refuse an image of whole numbers that nobody can turn into reflectance."""
    for image in images:
        if np.dtype(image.dtype).kind in "iu" and not image.has_scale:
            raise SceneError(
                f"{image.path} ({image.dtype}) does not say how its values become reflectance.",
                hint="Say it with --scale and --offset, or leave out --reflectance.",
            )


def _check_scaling(images: Sequence[FuseImage], bands: Sequence[str]) -> None:
    first = images[0]
    for image in images:
        for band in bands:
            if not np.allclose(image.lines[band], first.lines[band], rtol=1e-6, atol=0):
                raise SceneError(
                    f"The values of band {band} mean different things: reflectance is value * {_line(image, band)} in"
                    f" {image.path}, value * {_line(first, band)} in {first.path}.",
                    hint="Use --reflectance to turn each into reflectance by its own scale first.",
                )


def _line(image: FuseImage, band: str) -> str:
    scale, offset = image.lines[band]
    return f"{scale:.6g} {'-' if offset < 0 else '+'} {abs(offset):.6g}"


def _fitting(declared: Sequence[float], dtype: str) -> float | None:
    """The first declared value that the type can hold."""
    kind = np.dtype(dtype)
    if kind.kind == "f":
        return declared[0] if declared else float("nan")
    limits = np.iinfo(kind)
    return next((v for v in declared if math.isfinite(v) and v == int(v) and limits.min <= v <= limits.max), None)
