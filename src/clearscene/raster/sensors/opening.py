"""Which reader understands a path: Sentinel-2, Landsat, a STAC Item, or any raster."""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

from clearscene.errors import OptionError, SceneError
from clearscene.raster.gdal import is_local
from clearscene.raster.sensors import landsat, plain, sentinel2, stac
from clearscene.raster.sensors.contents import Contents, contents_of, is_archive
from clearscene.raster.sensors.plausible import empty_notes, value_notes
from clearscene.raster.sensors.product import Kind, Product
from clearscene.raster.sensors.reflectance import ReflectanceScene

__all__ = ["holds_product", "open_reflectance", "product_of"]


class Sensor(NamedTuple):
    """A reader of products that are a folder or an archive."""

    metadata: re.Pattern[str]
    """Names of its metadata files."""
    recognize: Callable[[Contents], bool]
    describe: Callable[[Contents], Product]


SENSORS = (
    Sensor(sentinel2.METADATA, sentinel2.recognize, sentinel2.describe),
    Sensor(landsat.METADATA, landsat.recognize, landsat.describe),
)


def open_reflectance(
    path: str | Path,
    *,
    bands: Mapping[str, int] | None = None,
    scale: float | None = None,
    offset: float | None = None,
    resolution: float | None = None,
    nodata: float | None = None,
    kind: Kind | None = None,
) -> ReflectanceScene:
    """Open a product or raster so that it reads as reflectance; see `ReflectanceScene`.

    A Sentinel-2 SAFE or Landsat folder, zip or tar, or a metadata file in it; a STAC Item (.json file
    or address, or an Item's address in a STAC API); or anything GDAL reads. Reflectance is stored
    value * scale + offset: `bands`, `scale`, `offset`, `nodata` (a stored value without data in all bands) and
    `kind` are for plain rasters, `scale` and `offset` for Items as well. `resolution` is in meters; without it, that of
    the finest visible band.

    Law: opening reads metadata only, of plain rasters and Items also 16 small windows, whose values
    are warned of in `notes` if they do not look like reflectance, or like pixels without data that nobody names.

    Raises:
        SceneError: It is missing, broken, of a level that holds no reflectance, or of no known kind.
        BandError: Bands asked for are not there.
        OptionError: An option does not fit this kind of scene.
        MissingExtraError: A STAC Item, and pystac is not installed.
    """
    product = product_of(path, bands=bands, scale=scale, offset=offset, nodata=nodata, kind=kind)
    scene = ReflectanceScene(product, resolution=resolution)
    if not _is_product(path):
        try:
            scene.notes += value_notes(scene) if product.kind != "display" else []
            scene.notes += empty_notes(scene, zeros={band.name: band.offset for band in product.bands})
        except BaseException:
            scene.close()
            raise
    return scene


def product_of(
    path: str | Path,
    *,
    bands: Mapping[str, int] | None = None,
    scale: float | None = None,
    offset: float | None = None,
    nodata: float | None = None,
    kind: Kind | None = None,
    needs_color: bool = True,
) -> Product:
    """What can be known of a product or raster without reading pixels; arguments and errors as `open_reflectance`."""
    if stac.recognize(path):
        _refuse(path, "a STAC Item", {"--bands": bands, "--nodata": nodata, "--kind": kind})
        return stac.describe(path, scale=scale, offset=offset)
    if not _is_product(path):
        return plain.describe(
            path, bands=bands, scale=scale, offset=offset, nodata=nodata, kind=kind, needs_color=needs_color
        )
    given = {"--bands": bands, "--scale": scale, "--offset": offset, "--nodata": nodata, "--kind": kind}
    _refuse(path, "a product with metadata", given)
    contents = contents_of(_folder(Path(path)))
    reader = next((sensor for sensor in SENSORS if sensor.recognize(contents)), None)
    if reader is None:
        raise _unknown(contents)
    return reader.describe(contents)


def holds_product(folder: Path) -> bool:
    """True if a folder holds the metadata file of a product, so that its rasters are bands of one scene."""
    return any(sensor.metadata.fullmatch(file.name) for file in folder.iterdir() for sensor in SENSORS)


def _is_product(path: str | Path) -> bool:
    """True for a folder, an archive, or a metadata file of a product."""
    if not is_local(path):
        return False
    file = Path(path)
    if not file.exists():
        raise SceneError(f"There is no file {path}.", hint="Check the path.")
    return file.is_dir() or is_archive(file) or _folder(file) != file


def _folder(file: Path) -> Path:
    """The folder of a metadata file; anything else stays."""
    is_metadata = any(sensor.metadata.fullmatch(file.name) for sensor in SENSORS)
    return file.resolve().parent if is_metadata and file.is_file() else file


def _refuse(path: str | Path, what: str, options: Mapping[str, object]) -> None:
    given = [name for name, value in options.items() if value is not None]
    if given:
        does = "does" if len(given) == 1 else "do"
        raise OptionError(
            f"{path} is {what}, which says itself what its bands and values are; {', '.join(given)} {does} not fit.",
            hint=f"Leave out {' and '.join(given)}.",
        )


def _unknown(contents: Contents) -> SceneError:
    some = ", ".join(contents.names[:5]) or "nothing"
    more = f" and {len(contents.names) - 5} more files" if len(contents.names) > 5 else ""
    rasters = [name for name in contents.names if name.lower().endswith((".tif", ".tiff", ".jp2", ".img"))]
    hint = "Give a SAFE folder or zip, a Landsat folder or tar, or a raster."
    if rasters:
        hint = f"Give one raster, as {contents.gdal_path(rasters[0])}."
    return SceneError(f"{contents.path} holds no Sentinel-2 or Landsat product: it has {some}{more}.", hint=hint)
