"""Shapefile and GeoJSON, for those who cannot take a GeoPackage."""

import shutil
import struct
import tempfile
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from clearscene.atomic import replacing
from clearscene.errors import OptionError
from clearscene.vector.layer import Column, Layer, output_errors, write_layer

__all__ = ["short_names", "write_geojson", "write_shapefile"]

SHORT = 10
"""Longest field name of a dBASE table, in bytes."""

TEXT_BYTES = 254
"""Longest text of a dBASE table, in bytes."""

SIDECARS = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".qix", ".sbn", ".sbx")
"""What belongs to a Shapefile; an index left from an older one would be wrong, so it goes too."""

PIXEL_NOTE = "Coordinates are pixels of a scene without CRS: x = column, y = -row, from the upper left corner."


def short_names(names: Iterable[str]) -> dict[str, str]:
    """Map field names to what a Shapefile can hold: at most 10 letters, digits and underscores, unique.

    A name that is too long is cut; if that name is taken, a number takes the place of its end:
    `area_fraction_mean` becomes `area_fract`, then `area_fraction` becomes `area_fra_1`.
    """
    result: dict[str, str] = {}
    taken: set[str] = set()
    for name in names:
        safe = "".join(c if c.isascii() and c.isalnum() else "_" for c in name) or "_"
        short, number = safe[:SHORT], 0
        while short.lower() in taken:  # a dBASE name has no case
            number += 1
            short = f"{safe[: SHORT - 1 - len(str(number))]}_{number}"
        taken.add(short.lower())
        result[name] = short
    return result


def write_shapefile(path: Path, layer: Layer, *, encoding: Literal["UTF-8", "GBK"] = "UTF-8") -> dict[str, str]:
    """Write a layer as a Shapefile with its `.prj` (if it has a CRS) and `.cpg`; return name -> short name.

    The files are made in a folder beside `path` and moved, the `.shp` last. Text longer than 254
    bytes is cut at a whole character; true and false are written as 1 and 0.

    Raises:
        OptionError: The encoding cannot hold a text of the layer.
        OutputError: The files cannot be written.
    """
    names = short_names(layer.fields)
    fields = {names[name]: _dbase(name, values, encoding) for name, values in layer.fields.items()}
    with output_errors(path), tempfile.TemporaryDirectory(prefix=f".{path.stem}-", dir=path.parent) as folder:
        made = Path(folder) / path.name
        short = replace(layer, name=path.stem, fields=fields)
        write_layer(made, short, "ESRI Shapefile", options={}, encoding=encoding)
        _check_sizes(made, n=len(layer.geometries))
        for suffix in reversed(SIDECARS):
            if made.with_suffix(suffix).exists():
                shutil.move(made.with_suffix(suffix), path.with_suffix(suffix))
            else:
                path.with_suffix(suffix).unlink(missing_ok=True)
    return names


def write_geojson(path: Path, layer: Layer) -> None:
    """Write a layer as GeoJSON by RFC 7946: longitude and latitude on WGS 84, shells counterclockwise.

    Without a CRS the coordinates stay pixels and the member `description` says so.

    Raises:
        OutputError: The file cannot be written.
    """
    lonlat = {"RFC7946": "YES", "COORDINATE_PRECISION": "9"}  # 0.1 mm, below any pixel
    options = lonlat if layer.crs else {"DESCRIPTION": PIXEL_NOTE}
    with output_errors(path), replacing(path) as temporary:
        write_layer(temporary, replace(layer, name=path.stem), "GeoJSON", options=options)
        _check_end(temporary)


def _check_sizes(path: Path, *, n: int) -> None:
    """Fail where a file is shorter than its header says: OGR reports no error of the last write."""
    for suffix in (".shp", ".shx"):
        file = path.with_suffix(suffix)
        with file.open("rb") as stream:
            said = int.from_bytes(stream.read(28)[24:], "big") * 2  # the header counts 16-bit words
        if file.stat().st_size != said or (suffix == ".shx" and said != 100 + 8 * n):
            raise OSError(f"{file.name} was cut off at {file.stat().st_size} bytes")
    table = path.with_suffix(".dbf")
    with table.open("rb") as stream:
        _, records, header, record = struct.unpack("<4sIHH", stream.read(12))
    if records != n or table.stat().st_size < header + n * record:
        raise OSError(f"{table.name} was cut off at {table.stat().st_size} bytes")


def _check_end(path: Path) -> None:
    """Fail where a GeoJSON file does not end as it should: OGR reports no error of the last write."""
    with path.open("rb") as stream:
        stream.seek(-min(16, path.stat().st_size), 2)
        end = stream.read()
    if not end.endswith(b"]\n}\n"):
        raise OSError(f"the file was cut off at {path.stat().st_size} bytes")


def _dbase(name: str, values: Column, encoding: str) -> Column:
    """Values as a dBASE table can hold them."""
    array = np.asarray(values)
    if array.dtype.kind == "b":
        return array.astype(np.int32)
    if array.dtype.kind not in "OU":
        return values
    return [_cut(name, text, encoding) if isinstance(text, str) else text for text in array.tolist()]


def _cut(name: str, text: str, encoding: str) -> str:
    """Text of at most 254 bytes in an encoding."""
    try:
        return text.encode(encoding)[:TEXT_BYTES].decode(encoding, errors="ignore")
    except UnicodeEncodeError as error:
        raise OptionError(
            f"Field {name!r} holds {text!r}, which {encoding} cannot write.", hint="Use the encoding UTF-8."
        ) from error
