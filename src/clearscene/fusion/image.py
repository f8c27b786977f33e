"""An image that takes part: what is known of it before its pixels are read."""

import datetime
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count
from pathlib import Path, PurePath

import numpy as np

from clearscene.errors import ClearsceneError, OptionError
from clearscene.fusion.failure import ImageError
from clearscene.grid import Grid
from clearscene.masking.inputs import absolute, product_name
from clearscene.raster.bands import COLORS
from clearscene.raster.scene import Scene, open_scene
from clearscene.raster.sensors.opening import product_of
from clearscene.raster.sensors.placing import pixel_area
from clearscene.raster.sensors.product import Band, Kind, Product, Source

__all__ = ["FuseImage", "Part", "describe_image", "in_order", "told_apart"]

DATE_IN_NAME = re.compile(r"(?<!\d)((?:19|20)\d\d)[-_]?(0[1-9]|1[0-2])[-_]?(0[1-9]|[12]\d|3[01])(?!\d)")


@dataclass(frozen=True)
class Part:
    """Bands of an image that lie in one file."""

    path: str
    given: Mapping[str, int] | None
    """How bands are named on opening."""
    bands: Mapping[str, int | str]
    """Name or number in the file, by common name."""
    nodata: float | None
    """Stored value that means no data, where the product's format says so and the file may not."""
    grid: Grid
    given_nodata: float | None = None
    """Stored value that means no data, by the user, where nothing in the file says what has data."""

    def open(self) -> Scene:
        """The file, to be closed by the caller."""
        return open_scene(self.path, self.given, nodata=self.given_nodata, needs_color=False)


@dataclass(frozen=True)
class FuseImage:
    """One of the images that are fused."""

    path: str
    """As given."""
    name: str
    """Of the product or file, fit to be part of a file name."""
    date: str
    """YYYY-MM-DD, or ISO 8601 with the time; empty if unknown."""
    dtype: str
    parts: tuple[Part, ...]
    lines: Mapping[str, tuple[float, float]]
    """Scale and offset from stored values to reflectance, by common name of the band, in the order of the bands."""
    kind: Kind
    nodata: float | None
    """Declared value."""
    is_full: bool
    """True if every pixel has data: there is no nodata value, no mask, no alpha, and no number that is not finite."""
    has_scale: bool
    """True if the image itself or its product says how values become reflectance."""
    notes: tuple[str, ...] = ()

    @property
    def bands(self) -> tuple[str, ...]:
        """Common names."""
        return tuple(self.lines)

    @property
    def grid(self) -> Grid:
        """Of the finest file that holds a visible band."""
        visible = [part for part in self.parts if set(part.bands) & set(COLORS)] or [*self.parts]
        return min((part.grid for part in visible), key=pixel_area)

    @property
    def key(self) -> tuple[bool, str, str, str]:
        """Place in the order of the images, which is that of dates, then names, whatever order they are given in."""
        return (not self.date, self.date, self.name, absolute(self.path))


def in_order(images: Iterable[FuseImage]) -> list[FuseImage]:
    """Images by date, those without one last, then by name. Law: the order they come in does not matter."""
    return sorted(images, key=lambda image: image.key)


def told_apart(images: Iterable[FuseImage]) -> list[FuseImage]:
    """The images, those of one name renamed by the folders they lie in: `clear/B.tif` becomes `clear_B`.

    Laws: no two names are the same, whatever the case of the letters; a name that no other image has is kept.
    """
    images = list(images)
    by_name: dict[str, list[FuseImage]] = defaultdict(list)
    for image in images:
        by_name[image.name.casefold()].append(image)
    taken = {name for name, same in by_name.items() if len(same) == 1}
    renamed: dict[str, str] = {}
    for same in by_name.values():
        if len(same) > 1:
            names = _by_folder(sorted(same, key=lambda image: absolute(image.path)), taken)
            taken |= {name.casefold() for name in names.values()}
            renamed |= names
    return [replace(image, name=renamed.get(image.path, image.name)) for image in images]


def _by_folder(same: Sequence[FuseImage], taken: set[str]) -> dict[str, str]:
    """Names by path, with as few folders in front as tell them apart; else numbered."""
    folders = {image.path: PurePath(absolute(image.path)).parent.parts[1:] for image in same}
    for depth in range(1, max(map(len, folders.values())) + 1):
        names = {image.path: "_".join([*folders[image.path][-depth:], image.name]) for image in same}
        if len({name.casefold() for name in names.values()} - taken) == len(same):
            return names
    free = (number for number in count(1) if not taken & {f"{image.name}-{number}".casefold() for image in same})
    return {image.path: f"{image.name}-{number}" for image, number in zip(same, free, strict=False)}


def describe_image(
    path: str,
    bands: Mapping[str, int] | None = None,
    *,
    scale: float | None = None,
    offset: float | None = None,
    nodata: float | None = None,
) -> FuseImage:
    """Understand an image: a raster, a satellite product, a STAC Item; the other arguments as `open_reflectance`.

    `nodata` is the stored value that means no data in a plain raster in which nothing says what has data.

    Raises:
        ImageError: It cannot be opened; names it.
        OptionError: An option does not fit this kind of image.
    """
    try:
        product = product_of(path, bands=bands, scale=scale, offset=offset, needs_color=False)
        parts, scenes = _parts(product, nodata), []
        for part in parts:
            with part.open() as scene:
                scenes.append(scene)
    except OptionError:  # what was asked for does not fit: no reason to do without the image
        raise
    except ClearsceneError as error:
        raise ImageError.of(error, path) from error
    dtype = np.result_type(*(scene.dtype for scene in scenes)).name
    declared = next((scene.nodata for scene in scenes if scene.nodata is not None), None)
    by_format = next((part.nodata for part in parts if part.nodata is not None), None)
    date, notes = _date(product, product_name(path))
    is_display = product.kind == "display"
    return FuseImage(
        path=path,
        name=product_name(path),
        date=date,
        dtype=dtype,
        parts=parts,
        lines={band.name: (1.0, 0.0) if is_display else (band.scale, band.offset) for band in product.bands},
        kind=product.kind,
        nodata=by_format if declared is None else declared,
        is_full=by_format is None and all(_is_full(scene) for scene in scenes),
        has_scale=any((band.scale, band.offset) != (1.0, 0.0) for band in product.bands) and not is_display,
        notes=(*product.notes, *notes),
    )


def _parts(product: Product, nodata: float | None) -> tuple[Part, ...]:
    """The bands by the file that holds them at their finest."""
    by_file: dict[str, list[Band]] = {}
    for band in product.bands:
        by_file.setdefault(_finest(band).path, []).append(band)
    parts = []
    for path, bands in by_file.items():
        numbers = {band.name: _finest(band).band for band in bands}
        given = product.given if product.is_self_named else {"gray": min(map(int, numbers.values()))}
        with open_scene(path, given, needs_color=False) as scene:
            by_user = nodata if scene.is_unmasked else None
            parts.append(Part(path, given, numbers, bands[0].nodata, scene.grid, by_user))
    return tuple(parts)


def _finest(band: Band) -> Source:
    return min(band.sources, key=lambda source: source.gsd or 0.0)


def _is_full(scene: Scene) -> bool:
    return np.dtype(scene.dtype).kind in "iu" and scene.is_unmasked


def _date(product: Product, name: str) -> tuple[str, list[str]]:
    """When an image was taken: by its metadata, else by its name."""
    if product.datetime:
        return product.datetime, []
    found = DATE_IN_NAME.search(Path(name).name)
    if not found:
        return "", []
    date = "-".join(found.groups())
    try:
        datetime.date.fromisoformat(date)
    except ValueError:  # as the 30th of February
        return "", []
    return date, [f"The date {date} is that in the name."]
