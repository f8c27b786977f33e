"""A run folder as it was left on disk: its record, its grid, its standard, and the `defects` layer."""

import hashlib
import os
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import shapely
from affine import Affine
from pydantic import ValidationError
from rasterio.crs import CRS
from shapely.geometry.base import BaseGeometry

from clearscene.atomic import replacing
from clearscene.errors import OutputError, ResultError
from clearscene.grid import Grid
from clearscene.inspection.layers import defect_columns, plain_rows, scene_columns, unit_columns
from clearscene.inspection.polygon_file import to_pixels
from clearscene.inspection.result import Report, SceneInfo
from clearscene.inspection.standard import Standard, load_standard, standard_text
from clearscene.vector.geopackage import decode, edit, unwritable
from clearscene.vector.layer import Column

__all__ = [
    "STANDARD_NAME",
    "Row",
    "RunFolder",
    "check_writable",
    "grid_of",
    "keep_standard",
    "open_run",
    "remember_shapes",
    "write_layers",
]

GIVE_RUN = "Give the folder that clearscene inspect made for one scene, or the defects.gpkg in it."

STANDARD_NAME = "standard.toml"
"""A copy of the standard in the run folder, if there is one, is used when the run is scored again."""

_SHAPES = "clearscene_shapes"
"""Table with a hash of each polygon as last scored. It is not registered as a layer, so QGIS does not list it."""


@dataclass(frozen=True, eq=False)
class Row:
    """A feature of the `defects` layer that has a shape."""

    fid: int
    values: dict[str, Any]
    """By column; None where the file has null."""
    polygon: BaseGeometry
    """In pixel coordinates."""
    is_as_scored: bool | None
    """True if the shape is the one that was last scored, False if not, None if the file does not tell."""

    def text(self, column: str) -> str:
        """A value as text without spaces around it, "" where there is none."""
        value = self.values.get(column)
        return "" if value is None else str(value).strip()


@dataclass(frozen=True, eq=False)
class RunFolder:
    """What an inspection left."""

    folder: Path
    gpkg: Path
    report: Report

    @cached_property
    def grid(self) -> Grid:
        """The grid of the scene."""
        return grid_of(self.report.scene)

    def standard(self) -> Standard:
        """The standard that the run was scored by.

        Raises:
            StandardError: It is no shipped one, and the folder keeps no copy of it.
        """
        kept = self.folder / STANDARD_NAME
        return load_standard(kept if kept.exists() else self.report.score.standard)

    def rows(self, fids: Collection[int] | None = None) -> list[Row]:
        """The features of the `defects` layer as they stand, in the order of the file; those of `fids` only, if given.

        Raises:
            ResultError: The file has no such layer, or cannot be read.
        """
        try:
            with edit(self.gpkg) as database:
                column, key = _defects_column(database), _key_column(database)
                shapes = _hashes(database)
                found = _features(database, key, fids)
        except sqlite3.DatabaseError as error:
            raise ResultError(f"The layer defects of {self.gpkg} cannot be read: {error}.") from error
        return [
            _row(dict(values), column=column, key=key, shapes=shapes, grid=self.grid)
            for values in found
            if values[column] is not None
        ]

    def unit_polygons(self) -> dict[str, BaseGeometry]:
        """The polygons of the `units` layer in pixel coordinates, by name; none if there is no such layer."""
        with edit(self.gpkg) as database:
            column = _geometry_column(database, "units")
            if column is None:
                return {}
            found = database.execute(f'SELECT "name", "{column}" AS shape FROM "units"').fetchall()
        shapes = {str(row["name"]): row["shape"] for row in found if row["shape"] is not None}
        return {name: to_pixels(decode(shape), self.grid) for name, shape in shapes.items()}


def open_run(path: str | Path) -> RunFolder:
    """Open a run by its folder, or by the GeoPackage in it.

    Raises:
        ResultError: The folder, its `report.json` or its GeoPackage is missing or cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise ResultError(f"There is no file or folder {path}.", hint=GIVE_RUN)
    folder, gpkg = (path, path / "defects.gpkg") if path.is_dir() else (path.parent, path)
    record = folder / "report.json"
    for needed in (gpkg, record):
        if not needed.is_file():
            raise ResultError(
                f"There is no {needed.name} in {folder.resolve()}.",
                hint=GIVE_RUN,
            )
    try:
        report = Report.model_validate_json(record.read_text("utf-8"))
    except (ValidationError, UnicodeDecodeError, OSError) as error:
        raise ResultError(f"{record} cannot be read: {error}", hint="Inspect the scene again.") from error
    return RunFolder(folder, gpkg, report)


def keep_standard(folder: Path, name_or_path: str | Path) -> None:
    """Copy a standard into a run folder, where scoring again finds it.

    Raises:
        StandardError: There is no such standard.
        OutputError: The copy cannot be written.
    """
    text = standard_text(name_or_path)
    with replacing(folder / STANDARD_NAME) as part:
        part.write_text(text, "utf-8")


def grid_of(scene: SceneInfo) -> Grid:
    """The grid that a report describes."""
    crs = None if scene.crs is None else CRS.from_user_input(scene.crs)
    return Grid(scene.height, scene.width, Affine(*scene.transform), crs)


def check_writable(gpkg: Path) -> None:
    """Refuse a GeoPackage that cannot be written, or that another program is editing.

    Raises:
        OutputError: As said.
    """
    if not _may_write(gpkg.parent):  # sqlite keeps its journal there, and tells so on the first change only
        raise OutputError(f"{gpkg.parent} is read-only.", hint="Make the file and its folder writable.")
    try:
        with closing(sqlite3.connect(gpkg, timeout=1, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")  # of a read-only file sqlite makes a plain reading transaction
            database.execute("UPDATE gpkg_contents SET table_name = table_name WHERE 0")
            database.execute("ROLLBACK")
    except sqlite3.DatabaseError as error:
        raise unwritable(gpkg, error) from error


def _may_write(folder: Path) -> bool:
    """Whether this process may make files in a folder."""
    return os.access(folder, os.W_OK, effective_ids=os.access in os.supports_effective_ids)


def remember_shapes(gpkg: Path) -> None:
    """Keep a hash of each polygon of the `defects` layer, by finding id, inside the GeoPackage.

    With it `rescore` tells the polygons that a person has drawn or moved from those that stand as
    detected, and leaves the detected sizes of the latter alone.

    Raises:
        OutputError: The file cannot be written.
    """
    try:
        with edit(gpkg) as database:
            _keep_hashes(database, _defects_column(database))
    except sqlite3.DatabaseError as error:
        raise unwritable(gpkg, error) from error


def write_layers(gpkg: Path, report: Report, fids: Sequence[int]) -> None:
    """Bring the attributes of the layers up to a report: `defects`, `scene` and `units`, all of it or nothing.

    Shapes stay as they are, and their hashes are kept as in `remember_shapes`. Layers and columns
    that the file lacks are left out.

    Args:
        gpkg: The GeoPackage of the run.
        report: What is written.
        fids: Feature id in `defects` of each finding of the report.

    Raises:
        OutputError: The file cannot be written, for example because QGIS holds unsaved edits.
    """
    try:
        with edit(gpkg) as database:
            key = _key_column(database)
            _update(database, "defects", defect_columns(report.findings), {key: fids})
            _update(database, "scene", scene_columns(report), {})
            _update(database, "units", unit_columns(report.units), {"name": [unit.unit for unit in report.units]})
            _keep_hashes(database, _defects_column(database))
    except sqlite3.DatabaseError as error:
        raise unwritable(gpkg, error) from error


def _update(
    database: sqlite3.Connection, table: str, columns: Mapping[str, Column], where: Mapping[str, Sequence[object]]
) -> None:
    """Write rows into a table, each where the columns of `where` have its values."""
    present = {str(info["name"]) for info in database.execute(f'PRAGMA table_info("{table}")')}
    kept = {name: values for name, values in columns.items() if name in present and name not in where}
    if not kept:
        return
    assignments = ", ".join(f'"{name}" = ?' for name in kept)
    condition = " WHERE " + " AND ".join(f'"{name}" = ?' for name in where) if where else ""
    for i, row in enumerate(plain_rows(kept)):
        place = [values[i] for values in where.values()]
        database.execute(f'UPDATE "{table}" SET {assignments}{condition}', [*row.values(), *place])


def _features(database: sqlite3.Connection, key: str, fids: Collection[int] | None) -> list[sqlite3.Row]:
    """Rows of `defects` in the order of their ids; few are asked for by their ids, many are picked out."""
    query = f'SELECT * FROM "defects" ORDER BY "{key}"'
    if fids is None:
        return database.execute(query).fetchall()
    if len(fids) > 500:
        return [values for values in database.execute(query) if values[key] in fids]
    marks = ", ".join("?" * len(fids))
    query = f'SELECT * FROM "defects" WHERE "{key}" IN ({marks}) ORDER BY "{key}"'
    return database.execute(query, list(fids)).fetchall()


def _row(values: dict[str, Any], *, column: str, key: str, shapes: Mapping[int, str], grid: Grid) -> Row:
    fid, blob = int(values.pop(key)), values.pop(column)
    geometry = decode(blob)
    known = shapes.get(values["id"]) if isinstance(values.get("id"), int) else None
    is_as_scored = None if not shapes else known == _hash(geometry)
    return Row(fid, values, to_pixels(geometry, grid), is_as_scored)


def _defects_column(database: sqlite3.Connection) -> str:
    column = _geometry_column(database, "defects")
    if column is None:
        raise sqlite3.DatabaseError("there is no layer of this name")
    return column


def _geometry_column(database: sqlite3.Connection, layer: str) -> str | None:
    """Name of the geometry column of a layer; None if there is no such layer."""
    query = "SELECT column_name FROM gpkg_geometry_columns WHERE table_name = ?"
    found = database.execute(query, (layer,)).fetchone()
    return None if found is None else str(found[0])


def _key_column(database: sqlite3.Connection) -> str:
    info = database.execute('PRAGMA table_info("defects")')
    return next(str(column["name"]) for column in info if column["pk"])


def _hashes(database: sqlite3.Connection) -> dict[int, str]:
    exists = database.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (_SHAPES,)).fetchone()
    return {row[0]: row[1] for row in database.execute(f"SELECT id, hash FROM {_SHAPES}")} if exists else {}


def _keep_hashes(database: sqlite3.Connection, column: str) -> None:
    query = f'SELECT "id", "{column}" FROM "defects" WHERE "id" IS NOT NULL AND "{column}" IS NOT NULL'
    hashes = [(row[0], _hash(decode(row[1]))) for row in database.execute(query)]
    database.execute(f"DROP TABLE IF EXISTS {_SHAPES}")
    database.execute(f"CREATE TABLE {_SHAPES} (id INTEGER PRIMARY KEY, hash TEXT NOT NULL)")
    database.executemany(f"INSERT OR IGNORE INTO {_SHAPES} VALUES (?, ?)", hashes)


def _hash(geometry: BaseGeometry) -> str:
    """A hash of a shape: the same wherever its rings start and whatever way they turn."""
    wkb = bytes(shapely.to_wkb(shapely.normalize(geometry), byte_order=1))
    return hashlib.sha1(wkb, usedforsecurity=False).hexdigest()
