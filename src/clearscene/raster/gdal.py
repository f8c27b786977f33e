"""How clearscene talks to GDAL: its options, opening, and what its errors mean to people."""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock, local
from typing import Any

import rasterio
from rasterio._err import CPLE_BaseError  # private, but `rasterio.shutil` raises it bare
from rasterio.errors import NotGeoreferencedWarning, RasterioError, RasterioIOError
from rasterio.io import DatasetReader

from clearscene.errors import SceneError

__all__ = [
    "GDAL_ERRORS",
    "block_cache",
    "is_local",
    "no_place_needed",
    "open_dataset",
    "open_quietly",
    "reading",
    "reason_of",
]

CACHE_BYTES = 96 * 2**20
"""Size of GDAL's block cache: three rows of 512 px tiles of a 60,000 px wide gray scene, one in color.

rasterio takes bytes, where GDAL's own option of that name takes MB.
"""

OPTIONS: dict[str, Any] = {
    "GDAL_CACHEMAX": CACHE_BYTES,  # the default, 5 % of the machine, defeats any promise about memory
    "GDAL_ERROR_ON_LIBJPEG_WARNING": True,  # else a damaged JPEG tile comes back as gray, without a word
    "GDAL_HTTP_MAX_RETRY": 3,
    "GDAL_HTTP_RETRY_DELAY": 1,
    "GDAL_HTTP_CONNECTTIMEOUT": 20,
    "GDAL_HTTP_LOW_SPEED_TIME": 60,  # a server that has gone silent for a minute counts as failed
    "GDAL_HTTP_LOW_SPEED_LIMIT": 1,
}

GDAL_ERRORS = (RasterioError, CPLE_BaseError)
"""What rasterio raises when GDAL fails."""

_warnings_lock = Lock()


class _DamageListener(logging.Filter):
    """Catches what libjpeg says of damaged tiles of a TIFF, which GDAL passes on as a warning only.

    Without it such tiles would come back as noise, and count as clean.
    """

    WORDS = ("Corrupt JPEG data", "Premature end of JPEG")

    def __init__(self) -> None:
        super().__init__()
        self.heard = local()

    def filter(self, record: logging.LogRecord) -> bool:
        """Keep what is said of damage for the thread that listens, and let everything else through."""
        text = record.getMessage()
        heard = getattr(self.heard, "texts", None)
        if heard is None or not any(word in text for word in self.WORDS):
            return True
        heard.append(text)
        return False


_listener = _DamageListener()
for _name in ("rasterio._err", "rasterio._env"):
    logging.getLogger(_name).addFilter(_listener)


def block_cache() -> rasterio.Env:
    """A context in which GDAL runs with our options; cheap enough to enter for every read."""
    return rasterio.Env(**OPTIONS)


@contextmanager
def reading() -> Iterator[None]:
    """Our options for GDAL around a read, after which damage it was only warned of is an error.

    The block that was damaged is then in the cache of the dataset, and would not be complained of
    again: close the dataset after an error.
    """
    with block_cache():
        texts: list[str] = []
        _listener.heard.texts = texts
        try:
            yield
        finally:
            _listener.heard.texts = None
    if texts:
        raise RasterioIOError(texts[0].removeprefix("CPLE_AppDefined:"))


ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")


def open_dataset(path: str | Path, level: int | None = None) -> DatasetReader:
    """Open a raster for reading, or its overview number `level`, counted from 0.

    Raises:
        SceneError: It is missing, empty, no raster, broken, or a container of several rasters.
    """
    _check_file(path)
    if is_local(path) and str(path).lower().endswith(ARCHIVES):  # GDAL takes the bytes of some for a picture
        raise SceneError(
            f"{path} is an archive, not a raster.",
            hint="Unpack it, or name a raster inside as /vsitar/... or /vsizip/...; mask and fuse read products as they"
            " are.",
        )
    try:
        with block_cache():
            dataset = open_quietly(path, level)
    except GDAL_ERRORS as error:
        raise _cannot_open(path, error) from error
    if dataset.count == 0:
        inner = dataset.subdatasets
        dataset.close()
        raise SceneError(f"{path} holds {len(inner)} rasters, not one.", hint=_name_some(inner))
    return dataset


@contextmanager
def no_place_needed() -> Iterator[None]:
    """Open rasters without the warning that they have no georeference: the scene's notes say so."""
    with _warnings_lock, warnings.catch_warnings():  # the filters are shared by all threads
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        yield


def open_quietly(source: str | Path, level: int | None = None) -> DatasetReader:
    """Open for reading, or an overview in its place, without that warning."""
    with no_place_needed():
        return rasterio.open(source) if level is None else rasterio.open(source, OVERVIEW_LEVEL=level)


def reason_of(error: BaseException) -> str:
    """GDAL's own words for an error, from the bottom of the chain, on one line."""
    while error.__cause__ is not None:
        error = error.__cause__
    return " ".join(str(error).split()).rstrip(".")


def is_local(path: str | Path) -> bool:
    """True for a plain file name; False for an address, a /vsi path, or a GDAL connection string."""
    text = str(path)
    return isinstance(path, Path) or not re.match(r"/vsi|<|[A-Za-z][\w+.-]+:", text)


def _check_file(path: str | Path) -> None:
    """Say what is wrong with a local file before GDAL says it less well."""
    if not is_local(path):
        return
    file = Path(path)
    if not file.exists():
        raise SceneError(f"There is no file {path}.", hint="Check the path.")
    if file.is_file() and file.stat().st_size == 0:
        raise SceneError(f"{path} is empty (0 bytes).", hint="Copy or download it again.")


def _cannot_open(path: str | Path, error: Exception) -> SceneError:
    reason = reason_of(error)
    if "not recognized" in reason or "Is a directory" in reason:
        return SceneError(
            f"{path} is not a raster that GDAL can read.",
            hint="Give a GeoTIFF, COG, JPEG 2000, VRT, PNG, JPEG or ERDAS .img file.",
        )
    hint = "The file may be cut short: copy or download it again." if is_local(path) else "Check the address."
    if "Range downloading not supported" in reason:
        hint = "Its server gives no parts of files: download the files, and name what was downloaded."
    return SceneError(f"{path} cannot be opened: {reason}.", hint=hint)


def _name_some(inner: list[str], limit: int = 8) -> str:
    """Tell which rasters of a container can be opened."""
    if not inner:
        return "It has no raster inside."
    more = f", and {len(inner) - limit} more" if len(inner) > limit else ""
    return f"Open one of them: {', '.join(inner[:limit])}{more}."
