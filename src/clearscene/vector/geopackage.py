"""GeoPackages: written in one step with the QGIS style inside, and edited through plain sqlite.

A GeoPackage is an SQLite database (OGC 12-128r19). Its geometries are blobs: a header with the
number of the CRS and the bounds, then well-known binary. Triggers keep the spatial index right on
every edit; they call SQL functions named ST_* that sqlite lacks and `edit` brings.
"""

import sqlite3
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import shapely
from shapely.errors import ShapelyError
from shapely.geometry.base import BaseGeometry

from clearscene.atomic import replacing
from clearscene.errors import OutputError, VectorError
from clearscene.vector.layer import Layer, output_errors, write_layer
from clearscene.vector.style import Style, qml

__all__ = ["decode", "edit", "encode", "unwritable", "write_geopackage"]

Bounds = tuple[float, float, float, float]

UNDEFINED_CARTESIAN = -1
"""`srs_id` of coordinates that are no place on Earth."""

ENVELOPE_DOUBLES = (0, 4, 6, 6, 8)
"""Numbers in the bounds of a blob, by the code in its flags: none, xy, xyz, xym, xyzm."""

# The columns QGIS makes for itself; it looks a style up by catalog and schema '' and the names.
LAYER_STYLES = """
CREATE TABLE layer_styles (
  id INTEGER PRIMARY KEY AUTOINCREMENT NOT NULL,
  f_table_catalog TEXT(256), f_table_schema TEXT(256), f_table_name TEXT(256), f_geometry_column TEXT(256),
  styleName TEXT(30), styleQML TEXT, styleSLD TEXT, useAsDefault BOOLEAN,
  description TEXT, owner TEXT(30), ui TEXT(30),
  update_time DATETIME DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ','now'))
);
INSERT INTO gpkg_contents (table_name, data_type, identifier, description, srs_id)
VALUES ('layer_styles', 'attributes', 'layer_styles', 'QGIS styles', 0);
"""

INSERT_STYLE = """
INSERT INTO layer_styles (f_table_catalog, f_table_schema, f_table_name, f_geometry_column,
  styleName, styleQML, styleSLD, useAsDefault, description, owner)
VALUES ('', '', ?, 'geom', ?, ?, '', 1, 'clearscene', '')
"""


def write_geopackage(path: Path, layers: Sequence[Layer], *, styles: Mapping[str, Style] | None = None) -> None:
    """Write the layers into a new GeoPackage; an older file of this name is replaced in one step.

    `styles` maps the name of a layer to its style, which QGIS then applies on opening. Without a
    CRS a layer gets the undefined Cartesian system, srs_id -1.

    Raises:
        OutputError: The file cannot be written.
    """
    with output_errors(path), replacing(path) as temporary:
        for layer in layers:
            options = {} if layer.crs else {"SRID": str(UNDEFINED_CARTESIAN)}
            write_layer(temporary, layer, "GPKG", options=options)
        with closing(sqlite3.connect(temporary)) as database, database:
            _check_index(database, layers)
            database.executescript(LAYER_STYLES)
            for name, style in (styles or {}).items():
                database.execute(INSERT_STYLE, (name, name, qml(style)))


@contextmanager
def edit(path: Path, *, timeout_s: float = 5.0) -> Iterator[sqlite3.Connection]:
    """Open a GeoPackage for plain SQL on its features; commit at the end, or undo all on an error.

    Rows are `sqlite3.Row`. Geometries are blobs: see `encode` and `decode`. The spatial index, the
    feature count, the bounds and the time of the last change follow every edit. `timeout_s` is how long to wait for
    another program that is writing.

    Raises:
        VectorError: The file is missing or is no GeoPackage.
        OutputError: It is read-only, or another program is writing to it.
    """
    if not Path(path).is_file():
        raise VectorError(f"There is no file {path}.", hint="Check the path.")
    with closing(sqlite3.connect(path, timeout=timeout_s)) as database:
        _register(database)
        try:
            tables = database.execute("SELECT table_name, column_name FROM gpkg_geometry_columns").fetchall()
        except sqlite3.DatabaseError as error:
            if "locked" in str(error):
                raise unwritable(path, error) from error
            raise VectorError(f"{path} is not a GeoPackage: {error}") from error
        database.row_factory = sqlite3.Row
        try:
            with database:
                yield database
                if database.total_changes:
                    for table, column in tables:
                        _refresh(database, table, column)
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) and "readonly" not in str(error):
                raise
            raise unwritable(path, error) from error


def unwritable(path: Path, error: Exception) -> OutputError:
    """The error for a GeoPackage that sqlite cannot write, in words that say what to do."""
    text = str(error)
    if "locked" in text:
        return OutputError(
            f"{path} is locked by another program.",
            hint="Save the edits in QGIS and close the layer there, or close the program that holds the file.",
        )
    if "readonly" in text:
        return OutputError(f"{path} is read-only.", hint="Make the file and its folder writable.")
    return OutputError(
        f"{path} cannot be written: {text}.", hint="Check that the folder is writable and the disk not full."
    )


def encode(geometry: BaseGeometry, srs_id: int) -> bytes:
    """A geometry as a GeoPackage blob, with its bounds; `srs_id` is that of the layer."""
    is_empty = geometry.is_empty
    flags = 1 | (0 if is_empty else 1 << 1) | is_empty << 4  # little-endian, xy bounds, empty
    left, bottom, right, top = geometry.bounds
    bounds = b"" if is_empty else struct.pack("<4d", left, right, bottom, top)
    flat = shapely.force_2d(geometry)
    return struct.pack("<2sBBi", b"GP", 0, flags, srs_id) + bounds + bytes(shapely.to_wkb(flat, byte_order=1))


def decode(blob: bytes) -> BaseGeometry:
    """The geometry in a GeoPackage blob.

    Raises:
        VectorError: The blob is no GeoPackage geometry.
    """
    try:
        geometry: BaseGeometry = shapely.from_wkb(blob[_header_size(blob) :])
        return geometry
    except ShapelyError as error:
        raise VectorError(f"A geometry of {len(blob)} bytes cannot be decoded: {error}") from error


def _check_index(database: sqlite3.Connection, layers: Sequence[Layer]) -> None:
    """Fail where a spatial index is not whole: on a full disk OGR leaves it out without a word."""
    for layer in layers:
        (n,) = database.execute(f"SELECT count(*) FROM {_quoted(f'rtree_{layer.name}_geom')}").fetchone()
        wanted = int((~shapely.is_missing(layer.geometries) & ~shapely.is_empty(layer.geometries)).sum())
        if n != wanted:
            raise sqlite3.DatabaseError(f"the spatial index of {layer.name!r} holds {n} of {wanted} geometries")


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _header_size(blob: bytes) -> int:
    code = blob[3] >> 1 & 7 if len(blob) > 8 and blob[:2] == b"GP" else len(ENVELOPE_DOUBLES)
    if code >= len(ENVELOPE_DOUBLES):
        raise VectorError(f"A blob that starts with {blob[:4]!r} is not a GeoPackage geometry.")
    return 8 + 8 * ENVELOPE_DOUBLES[code]


def _bounds(blob: bytes) -> Bounds | None:
    """Left, bottom, right, top of a blob, from its header where that has them; None if it is empty."""
    size = _header_size(blob)
    if blob[3] >> 4 & 1:
        return None
    if size > 8:
        left, right, bottom, top = struct.unpack_from("<4d" if blob[3] & 1 else ">4d", blob, 8)
        return None if np.isnan(left) else (left, bottom, right, top)
    geometry = decode(blob)
    return None if geometry.is_empty else geometry.bounds


def _register(database: sqlite3.Connection) -> None:
    """Add the functions that the triggers of the spatial index call."""

    def side(index: int) -> Callable[[bytes | None], float | None]:
        def value(blob: bytes | None) -> float | None:
            bounds = _bounds(blob) if blob is not None else None
            return bounds[index] if bounds else None

        return value

    def is_empty(blob: bytes | None) -> int | None:
        return None if blob is None else int(_bounds(blob) is None)

    database.create_function("ST_IsEmpty", 1, is_empty, deterministic=True)
    for index, name in enumerate(("ST_MinX", "ST_MinY", "ST_MaxX", "ST_MaxY")):
        database.create_function(name, 1, side(index), deterministic=True)


def _refresh(database: sqlite3.Connection, table: str, column: str) -> None:
    """Bring the bounds and the time of the last change of a layer up to date."""
    name, blob = _quoted(table), _quoted(column)
    blobs = (row[0] for row in database.execute(f"SELECT {blob} FROM {name} WHERE {blob} IS NOT NULL"))
    found = [bounds for bounds in map(_bounds, blobs) if bounds is not None]
    left, bottom, right, top = zip(*found, strict=True) if found else ((None,),) * 4
    database.execute(
        "UPDATE gpkg_contents SET min_x = ?, min_y = ?, max_x = ?, max_y = ?,"
        " last_change = strftime('%Y-%m-%dT%H:%M:%fZ','now') WHERE table_name = ?",
        (min(left), min(bottom), max(right), max(top), table),
    )
