"""The QGIS style as a document, and names and blobs of the formats."""

from xml.etree import ElementTree

import pytest
import shapely

from clearscene.errors import VectorError
from clearscene.vector.formats import short_names
from clearscene.vector.geopackage import decode, encode
from clearscene.vector.style import Category, Style, qml

STYLE = Style(
    """CASE WHEN "status" = 'rejected' THEN 'rejected' ELSE "type" END""",
    [Category("cloud", "Cloud 云 <&>", "#4f9dde"), Category("rejected", "Rejected", "#777777", is_hatched=True)],
)


def symbol_options(root, name):
    symbol = root.find(f"renderer-v2/symbols/symbol[@name='{name}']")
    return {o.get("name"): o.get("value") for o in symbol.findall("layer/Option/Option")}


def test_qml_has_one_symbol_a_category_and_one_for_the_rest():
    root = ElementTree.fromstring(qml(STYLE))
    renderer = root.find("renderer-v2")
    assert root.tag == "qgis"
    assert root.get("labelsEnabled") == "0"
    assert renderer.get("type") == "categorizedSymbol"
    assert renderer.get("attr") == STYLE.expression
    categories = renderer.findall("categories/category")
    assert [c.get("value") for c in categories] == ["cloud", "rejected", ""]
    assert categories[0].get("label") == "Cloud 云 <&>"
    assert {c.get("symbol") for c in categories} == {s.get("name") for s in renderer.findall("symbols/symbol")}


def test_fill_is_translucent_outline_solid_and_rejected_hatched():
    root = ElementTree.fromstring(qml(STYLE))
    cloud, rejected = symbol_options(root, "0"), symbol_options(root, "1")
    assert cloud["outline_color"] == "79,157,222,255"
    assert cloud["color"].startswith("79,157,222,")
    assert 0 < int(cloud["color"].split(",")[3]) < 200
    assert (cloud["style"], rejected["style"]) == ("solid", "b_diagonal")


def test_old_and_new_qgis_read_the_same_properties():
    layer = ElementTree.fromstring(qml(STYLE)).find("renderer-v2/symbols/symbol/layer")
    assert layer.get("class") == "SimpleFill"
    new = {o.get("name"): o.get("value") for o in layer.findall("Option/Option")}
    assert new == {p.get("k"): p.get("v") for p in layer.findall("prop")}


def test_short_names_are_unique_and_fit():
    names = ["area_fraction", "area_fraction_mean", "AREA_FRACTION_MAX", "类型", "type"]
    short = short_names(names)
    assert list(short) == names
    assert short["area_fraction"] == "area_fract"
    assert short["area_fraction_mean"] == "area_fra_1"
    assert short["AREA_FRACTION_MAX"] == "AREA_FRA_2"
    assert len({s.lower() for s in short.values()}) == len(names)
    assert all(len(s.encode()) <= 10 for s in short.values())


@pytest.mark.parametrize(
    "geometry",
    [
        shapely.Polygon([(0, 0), (3, 0), (0, 2)]),
        shapely.MultiPolygon([shapely.box(-5, 1, 2, 3), shapely.box(8, 8, 9, 9)]),
        shapely.LineString([(1, 2), (3, 5)]),
        shapely.Polygon(),
    ],
)
def test_blob_round_trip(geometry):
    assert decode(encode(geometry, 4547)).equals_exact(geometry)


def test_blob_without_bounds_and_in_big_endian_is_read():
    point = shapely.LineString([(1, 2), (3, 5)])
    blob = b"GP\x00\x00" + (4326).to_bytes(4, "big") + shapely.to_wkb(point, byte_order=0)
    assert decode(blob).equals(point)


@pytest.mark.parametrize("blob", [b"", b"PNG\x00 and more", b"GP\x00\x0f12345678", b"GP\x00\x001234broken"])
def test_what_is_no_blob_is_an_error(blob):
    with pytest.raises(VectorError):
        decode(blob)
