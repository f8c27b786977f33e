"""Files of polygons, reopened by GDAL and by plain sqlite."""

import json
import resource
import sqlite3

import numpy as np
import pyogrio
import pytest
import shapely
from affine import Affine
from rasterio.crs import CRS

from clearscene.errors import OptionError, OutputError, VectorError
from clearscene.runs import Runs
from clearscene.vector.formats import PIXEL_NOTE, write_geojson, write_shapefile
from clearscene.vector.geopackage import decode, edit, encode, write_geopackage
from clearscene.vector.layer import Layer, read_layer
from clearscene.vector.outline import outlines, to_map
from clearscene.vector.style import Category, Style, qml, write_qml

GAUSS_KRUGER = CRS.from_epsg(4547)  # CGCS2000, central meridian 114 E
ROTATED = Affine.translation(500_000, 3_300_000) * Affine.rotation(12) * Affine.scale(0.5, -0.4)
STYLE = Style("type", [Category("cloud", "云", "#4f9dde")])


def geometries(transform=ROTATED):
    mask = np.zeros((17, 23), bool)
    mask[2:9, 3:11] = mask[12:14, 15:20] = True
    mask[4:6, 5:7] = mask[14, 20] = False
    mask[14, 20] = True  # touches the second by a corner
    runs = Runs.from_mask(mask)
    return to_map(outlines(runs, runs.label(reach=1)), transform)


def layer(name="defects", crs=GAUSS_KRUGER, **extra):
    fields = {
        "type": ["cloud", "stripe"],
        "type_zh": ["云", "条带噪声"],
        "area_m2": np.array([10.4, np.nan]),
        "area_px": np.array([52, 11]),
        "remark": ["", None],
        "is_draft": [True, False],
        **extra,
    }
    return Layer(name, "MultiPolygon", geometries(), fields, crs)


@pytest.fixture
def folder(tmp_path):
    place = tmp_path / "质检 结果"
    place.mkdir()
    return place


def assert_same(table, written):
    assert shapely.equals(table.geometries, written.geometries).all()
    assert table.column("type_zh").tolist() == ["云", "条带噪声"]
    assert table.column("area_px").tolist() == [52, 11]
    assert table.column("area_m2")[0] == 10.4
    assert np.isnan(table.column("area_m2")[1])


def test_geopackage_round_trip(folder):
    path, scene = folder / "缺陷 1.gpkg", Layer("scene", "Polygon", geometries()[:1], {"score": [87.5]}, GAUSS_KRUGER)
    write_geopackage(path, [layer(), scene], styles={"defects": STYLE})
    table = read_layer(path)
    assert_same(table, layer())
    assert table.crs.to_epsg() == 4547
    assert table.column("is_draft").tolist() == [True, False]
    assert read_layer(path, "scene").column("score").tolist() == [87.5]
    assert pyogrio.list_layers(path)[:, 0].tolist() == ["defects", "scene", "layer_styles"]
    assert [p.name for p in folder.iterdir()] == ["缺陷 1.gpkg"]


def test_null_is_null(folder):
    path = folder / "a.gpkg"
    write_geopackage(path, [layer(length_m=[None, None], count=[3, None])])
    with sqlite3.connect(path) as database:
        rows = database.execute("SELECT area_m2, remark, length_m, count FROM defects").fetchall()
    assert rows == [(10.4, "", None, 3), (None, None, None, None)]


def test_geopackage_holds_the_style_as_qgis_looks_for_it(folder):
    path = folder / "a.gpkg"
    write_geopackage(path, [layer()], styles={"defects": STYLE})
    with sqlite3.connect(path) as database:
        found = database.execute(
            "SELECT styleQML FROM layer_styles WHERE f_table_catalog = '' AND f_table_schema = ''"
            " AND f_table_name = 'defects' AND f_geometry_column = 'geom' AND useAsDefault"
        ).fetchall()
        (column,) = database.execute("SELECT column_name FROM gpkg_geometry_columns").fetchone()
    assert found == [(qml(STYLE),)]
    assert column == "geom"


def test_scene_without_crs_gets_the_undefined_cartesian_system(folder):
    path = folder / "a.gpkg"
    write_geopackage(path, [layer(crs=None)])
    assert read_layer(path).crs is None
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT srs_id FROM gpkg_geometry_columns").fetchone() == (-1,)
        assert database.execute("SELECT srs_id FROM gpkg_contents").fetchone() == (-1,)


def test_no_findings_still_make_a_layer_with_typed_columns(folder):
    path, none = folder / "a.gpkg", np.empty(0)
    fields = {"type": [], "area_m2": none, "area_px": none.astype(np.int64)}
    write_geopackage(path, [Layer("defects", "MultiPolygon", np.empty(0, object), fields, GAUSS_KRUGER)])
    table = read_layer(path)
    assert len(table) == 0
    assert [table.column(n).dtype.kind for n in fields] == ["O", "f", "i"]


def test_edits_by_plain_sql_keep_the_spatial_index_right(folder):
    path = folder / "a.gpkg"
    write_geopackage(path, [layer()])
    far = shapely.box(600_000, 3_400_000, 600_010, 3_400_010)
    with edit(path) as database:
        first = database.execute("SELECT fid, geom FROM defects ORDER BY fid").fetchone()
        assert decode(first["geom"]).equals(geometries()[0])
        database.execute("UPDATE defects SET geom = ?, type = 'blur' WHERE fid = 1", (encode(far, 4547),))
        database.execute("INSERT INTO defects (geom, type) VALUES (?, 'added')", (encode(far, 4547),))
        database.execute("DELETE FROM defects WHERE fid = 2")
    assert read_layer(path).column("type").tolist() == ["blur", "added"]
    assert pyogrio.read_info(path, layer="defects", force_feature_count=True)["features"] == 2
    found = pyogrio.raw.read(path, layer="defects", bbox=(599_999, 3_399_999, 600_001, 3_400_001))[3]
    assert len(found[0]) == 2
    gone = pyogrio.raw.read(path, layer="defects", bbox=tuple(shapely.total_bounds(geometries())))[3]
    assert len(gone[0]) == 0
    assert pyogrio.read_info(path, layer="defects")["total_bounds"] == far.bounds


def test_empty_and_missing_geometries_leave_the_index(folder):
    path = folder / "a.gpkg"
    write_geopackage(path, [layer()])
    with edit(path) as database:
        database.execute("UPDATE defects SET geom = ? WHERE fid = 1", (encode(shapely.Polygon(), 4547),))
        database.execute("UPDATE defects SET geom = NULL WHERE fid = 2")
        assert database.execute("SELECT count(*) FROM rtree_defects_geom").fetchone()[0] == 0
        database.execute("UPDATE defects SET geom = ? WHERE fid = 2", (encode(geometries()[1], 4547),))
        assert database.execute("SELECT id FROM rtree_defects_geom").fetchone()[0] == 2


def test_an_edit_that_fails_is_undone(folder):
    path = folder / "a.gpkg"
    write_geopackage(path, [layer()])
    with pytest.raises(sqlite3.OperationalError, match="no such table"), edit(path) as database:
        database.execute("DELETE FROM defects").connection.execute("DELETE FROM no_table")
    assert len(read_layer(path)) == 2


def test_a_locked_geopackage_is_a_clear_error(folder):
    path = folder / "a.gpkg"
    write_geopackage(path, [layer()])
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        with pytest.raises(OutputError, match="locked"), edit(path, timeout_s=0.05) as database:
            database.execute("DELETE FROM defects")
    finally:
        other.close()


@pytest.mark.parametrize("encoding", ["UTF-8", "GBK"])
def test_shapefile_round_trip(folder, encoding):
    path = folder / "缺陷.shp"
    names = write_shapefile(path, layer(area_fraction=[0.25, 0.5], area_fraction_mean=[1, 2]), encoding=encoding)
    table = read_layer(path)
    assert_same(table, layer())
    assert (folder / "缺陷.cpg").read_text().strip() == encoding
    assert table.crs.to_epsg(confidence_threshold=20) == 4547
    assert table.column(names["area_fraction"]).tolist() == [0.25, 0.5]
    assert table.column(names["area_fraction_mean"]).tolist() == [1, 2]
    assert "条带噪声".encode(encoding) in (folder / "缺陷.dbf").read_bytes()
    assert {p.suffix for p in folder.iterdir()} == {".shp", ".shx", ".dbf", ".prj", ".cpg"}


def test_shapefile_without_cpg_is_read_in_either_encoding(folder):
    for encoding in ("UTF-8", "GBK"):
        path = folder / f"{encoding}.shp"
        write_shapefile(path, layer(), encoding=encoding)
        path.with_suffix(".cpg").unlink()
        raw = bytearray(path.with_suffix(".dbf").read_bytes())
        raw[29] = 0  # the language driver, which old tools leave empty
        path.with_suffix(".dbf").write_bytes(raw)
        assert_same(read_layer(path), layer())


def test_shapefile_drops_what_an_older_one_left(folder):
    path = folder / "a.shp"
    for suffix in (".prj", ".qix"):
        path.with_suffix(suffix).write_text("of another file")
    write_shapefile(path, layer(crs=None))
    assert {p.suffix for p in folder.iterdir()} == {".shp", ".shx", ".dbf", ".cpg"}
    assert read_layer(path).crs is None


def test_long_chinese_text_is_cut_at_a_character(folder):
    path = folder / "a.shp"
    write_shapefile(path, layer(note=["说明" * 100, "短"]))
    assert read_layer(path).column("note").tolist() == [("说明" * 100)[:84], "短"]


def test_gbk_cannot_hold_everything(folder):
    with pytest.raises(OptionError, match="remark2"):
        write_shapefile(folder / "a.shp", layer(remark2=["🛰", ""]), encoding="GBK")
    assert list(folder.iterdir()) == []


def test_geojson_is_wgs84_and_counterclockwise(folder):
    path = folder / "缺陷.geojson"
    write_geojson(path, layer())
    table, collection = read_layer(path), json.loads(path.read_text("utf-8"))
    assert table.crs.to_epsg() == 4326
    assert "crs" not in collection
    assert collection["features"][1]["properties"]["area_m2"] is None
    left, bottom, right, top = shapely.total_bounds(table.geometries)
    assert 113.99 < left < right < 114.01
    assert 29.8 < bottom < top < 29.9
    shells = shapely.get_exterior_ring(shapely.get_parts(table.geometries))
    assert shapely.is_ccw(shells).all()


def test_geojson_without_crs_says_that_it_holds_pixels(folder):
    path = folder / "a.geojson"
    write_geojson(path, layer(crs=None))
    assert json.loads(path.read_text("utf-8"))["description"] == PIXEL_NOTE
    found, written = (shapely.get_parts(g) for g in (read_layer(path).geometries, geometries()))
    assert shapely.equals_exact(found, written, 1e-6, normalize=True).all()


def test_qml_beside_a_file(folder):
    write_qml(folder / "缺陷.qml", STYLE)
    assert (folder / "缺陷.qml").read_text("utf-8") == qml(STYLE)


def test_errors_name_what_is_there(folder):
    path = folder / "a.gpkg"
    write_geopackage(path, [layer()])
    with pytest.raises(VectorError, match="There is no file"):
        read_layer(folder / "b.gpkg")
    with pytest.raises(VectorError, match=r"no layer 'scene'.*defects"):
        read_layer(path, "scene")
    with pytest.raises(VectorError, match=r"no field 'kind'.*type_zh"):
        read_layer(path).column("kind")
    (folder / "text.gpkg").write_text("not a database")
    with pytest.raises(VectorError, match="cannot be opened"):
        read_layer(folder / "text.gpkg")
    with pytest.raises(VectorError, match="not a GeoPackage"), edit(folder / "text.gpkg"):
        pass
    with pytest.raises(VectorError, match="There is no file"), edit(folder / "b.gpkg"):
        pass
    with pytest.raises(VectorError, match="3 values for 2"):
        layer(wrong=[1, 2, 3])


def size_limited(write, path, limit):
    """Run `write` on a disk that is full after `limit` bytes of a file."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        write(path)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("suffix", ["gpkg", "shp", "geojson"])
def test_full_disk_leaves_a_whole_file_or_none(folder, suffix):
    n, path = 700, folder / f"a.{suffix}"
    boxes = shapely.box(np.arange(n), 0, np.arange(n) + 1, 1)
    many = Layer("defects", "MultiPolygon", boxes, {"number": np.arange(n)}, GAUSS_KRUGER)
    write = {
        "gpkg": lambda p: write_geopackage(p, [many], styles={"defects": STYLE}),
        "shp": lambda p: write_shapefile(p, many),
        "geojson": lambda p: write_geojson(p, many),
    }[suffix]
    write(path)
    size, refused = path.stat().st_size, 0
    for limit in [*range(size // 3, size, size // 9), size - 1]:
        for file in folder.iterdir():
            file.unlink()
        try:
            size_limited(write, path, limit)
        except OutputError:
            refused += 1
            assert list(folder.iterdir()) == []
            continue
        assert len(read_layer(path)) == n
    assert refused > 2


def test_a_folder_that_is_not_there_is_an_output_error(folder):
    for write in (write_shapefile, write_geojson):
        with pytest.raises(OutputError):
            write(folder / "none" / "a.x", layer())
