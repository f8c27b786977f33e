"""Whether images can be fused: their bands, data types and scaling."""

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np

from clearscene.errors import BandError, ClearsceneError, SceneError
from clearscene.fusion.failure import ImageError
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
        BandError: The images have no band in common.
        ImageError: One image is unlike most of the others, or lacks what is asked for: it can be left out.
        SceneError: They differ in data type or in how values become reflectance, and none is in the majority.
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


def _odd_one(
    images: Sequence[FuseImage], are_alike: Callable[[FuseImage, FuseImage], bool]
) -> tuple[FuseImage, FuseImage, bool] | None:
    """An image that is unlike most others, one of these, and whether these are more than half of all.

    None if all are alike. Law: of the images without the odd one, more than half are still alike.
    """
    groups: list[list[FuseImage]] = []
    for image in images:
        group = next((group for group in groups if are_alike(group[0], image)), None)
        if group is None:
            groups.append([image])
        else:
            group.append(image)
    if len(groups) == 1:
        return None
    usual = max(groups, key=len)
    odd = next(image for image in images if not are_alike(usual[0], image))
    return odd, usual[0], 2 * len(usual) > len(images)


def _unlike(message: str, odd: FuseImage, *, hint: str, may_go: bool) -> SceneError:
    """What to raise for an image that is unlike the others; it may go if they are the majority."""
    if may_go:
        return ImageError.of(SceneError(message, hint=hint), odd.path)
    why = "No more than half of the images are alike, so that --on-error skip cannot tell which to leave out."
    return SceneError(message, hint=f"{hint} {why}")


def _bands(images: Sequence[FuseImage], use: Sequence[str]) -> tuple[tuple[str, ...], list[str]]:
    """The bands to fuse, in the order of the first image, and a note of those that are left out."""
    for image in images:
        lacking = [name for name in use if name not in image.bands]
        if lacking:
            error = BandError(
                f"{image.path} lacks {', '.join(lacking)}; it has {', '.join(image.bands)}.",
                hint="Name its bands with --bands, as red=3,green=2,blue=1, or use others.",
            )
            raise ImageError.of(error, image.path)
    if use:
        return tuple(use), []
    common = tuple(name for name in images[0].bands if all(name in image.bands for image in images))
    if not common:
        raise _no_common_band(images)
    rest = {name: None for image in images for name in image.bands if name not in common}
    note = f"Left out, because not every image has them: {', '.join(rest)}."
    return common, [note] if rest else []


def _no_common_band(images: Sequence[FuseImage]) -> ClearsceneError:
    """The error of images without a common band; of one image, if the bands of most have none of its."""
    error = BandError(
        f"The {len(images)} images have no band in common: {_by_bands(images)}.",
        hint="Leave out what is no image of the place, or name bands with --bands, as red=1,green=2,blue=3.",
    )
    usual, number = Counter(image.bands for image in images).most_common(1)[0]
    stranger = next((image for image in images if not set(image.bands) & set(usual)), None)
    return ImageError.of(error, stranger.path) if stranger and 2 * number > len(images) else error


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
    found = _odd_one(images, lambda one, other: one.dtype == other.dtype)
    if found is not None:
        odd, usual, may_go = found
        raise _unlike(
            f"{odd.path} is {odd.dtype}, {usual.path} is {usual.dtype}: their values are not of one scale.",
            odd,
            hint="Convert one with gdal_translate -ot ... -scale ..., or use --reflectance if both say how values"
            " become reflectance.",
            may_go=may_go,
        )


def _check_known(images: Sequence[FuseImage]) -> None:
    """Refuse an image of whole numbers that nobody can turn into reflectance."""
    for image in images:
        if np.dtype(image.dtype).kind in "iu" and not image.has_scale:
            error = SceneError(
                f"{image.path} ({image.dtype}) does not say how its values become reflectance.",
                hint="Say it with --scale and --offset, or leave out --reflectance.",
            )
            raise ImageError.of(error, image.path)


def _check_scaling(images: Sequence[FuseImage], bands: Sequence[str]) -> None:
    for band in bands:
        found = _odd_one(images, partial(_mean_the_same, band=band))
        if found is not None:
            odd, usual, may_go = found
            raise _unlike(
                f"The values of band {band} mean different things: reflectance is value * {_line(odd, band)} in"
                f" {odd.path}, value * {_line(usual, band)} in {usual.path}.",
                odd,
                hint="Use --reflectance to turn each into reflectance by its own scale first.",
                may_go=may_go,
            )


def _mean_the_same(one: FuseImage, other: FuseImage, band: str) -> bool:
    return all(math.isclose(a, b, rel_tol=1e-6) for a, b in zip(one.lines[band], other.lines[band], strict=True))


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
