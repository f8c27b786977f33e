"""Runs to be reviewed: a generated scene with known defects, inspected once a session and copied for each test."""

import atexit
import shutil
import warnings
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import numpy as np
import shapely
from rasterio.errors import NotGeoreferencedWarning

from clearscene.inspection.inspect import inspect_scene
from clearscene.inspection.inspector import prepare
from clearscene.inspection.options import InspectOptions
from clearscene.vector.geopackage import edit
from tests.scenes import TRANSFORM, UTM, defective, write_scene


@cache
def _inspected(has_crs: bool) -> Path:
    """Folder with `scene.tif` and `out/scene`; it stays for the session."""
    folder = Path(mkdtemp(prefix="review-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    place = {"crs": UTM, "transform": TRANSFORM} if has_crs else {"crs": None, "transform": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        scene = write_scene(folder / "scene.tif", defective().data, **place)
    inspect_scene(scene, folder / "out" / "scene", prepare(InspectOptions(confidence=True, formats=("gpkg", "shp"))))
    return folder


def make_run(folder: Path, *, has_crs: bool = True) -> Path:
    """A run folder of its own, with the scene beside it; returns the run folder."""
    source = _inspected(has_crs)
    shutil.copytree(source, folder)
    run = next((folder / "out").glob("*/report.json")).parent
    record = run / "report.json"
    record.write_text(record.read_text("utf-8").replace(str(source), str(folder)), "utf-8")
    return run


def rows_of(run: Path) -> dict[int, dict]:
    """Every column of every finding by feature id, as sqlite has it."""
    with edit(run / "defects.gpkg") as database:
        return {row["fid"]: dict(row) for row in database.execute("SELECT * FROM defects ORDER BY fid")}


def is_indexed(run: Path) -> bool:
    """Whether the spatial index and the feature count are those of the rows."""
    with edit(run / "defects.gpkg") as database:
        keys = {row[0] for row in database.execute("SELECT fid FROM defects")}
        indexed = {row[0] for row in database.execute("SELECT id FROM rtree_defects_geom")}
        query = "SELECT feature_count FROM gpkg_ogr_contents WHERE table_name = 'defects'"
        (count,) = database.execute(query).fetchone()
        (sound,) = database.execute("PRAGMA integrity_check").fetchone()
    return keys == indexed and count == len(keys) and sound == "ok"


def square(col: float, row: float, size: float = 20) -> dict:
    """A square as GeoJSON in scene pixels."""
    return shapely.geometry.mapping(shapely.box(col, row, col + size, row + size))


def area_of(geojson: dict) -> float:
    return float(shapely.area(shapely.geometry.shape(geojson)))


def is_close(one: np.ndarray, two: np.ndarray, tolerance: float) -> bool:
    return bool(np.abs(one.astype(float) - two.astype(float)).max() <= tolerance)
