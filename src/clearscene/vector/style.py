"""QGIS styles: polygons colored by category, as QGIS itself writes them (QML).

A style stands in the `layer_styles` table of a GeoPackage or in a `.qml` file beside any other
format; QGIS applies both without being asked.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from clearscene.atomic import replacing

__all__ = ["Category", "Style", "qml", "write_qml", "write_raster_qml"]

FILL_ALPHA = 90
"""Opacity of the fill, of 255: the imagery below stays readable."""
OTHER_COLOR = "#808080"
DOCTYPE = "<!DOCTYPE qgis PUBLIC 'http://mrcc.com/qgis.dtd' 'SYSTEM'>\n"


@dataclass(frozen=True)
class Category:
    """The look of the features with one value."""

    value: str
    """Value of the style's expression."""
    label: str
    """Text in the legend."""
    color: str
    """`#rrggbb`."""
    is_hatched: bool = False
    """Hatched lines in place of a fill, for what no longer counts."""


@dataclass(frozen=True)
class Style:
    """Colors by category."""

    expression: str
    """A field, such as `type`, or a QGIS expression."""
    categories: Sequence[Category]
    """In the order of the legend."""
    other: str = "other"
    """Legend text of all other values, drawn gray so that nothing is invisible."""


def qml(style: Style) -> str:
    """The style as a QML document."""
    root = ElementTree.Element("qgis", version="3.28.0", styleCategories="Symbology|Labeling", labelsEnabled="0")
    renderer = ElementTree.SubElement(
        root,
        "renderer-v2",
        type="categorizedSymbol",
        attr=style.expression,
        symbollevels="0",
        forceraster="0",
        enableorderby="0",
        referencescale="-1",
    )
    categories = ElementTree.SubElement(renderer, "categories")
    symbols = ElementTree.SubElement(renderer, "symbols")
    shown = [*style.categories, Category("", style.other, OTHER_COLOR)]  # an empty value stands for all others
    for number, category in enumerate(shown):
        ElementTree.SubElement(
            categories,
            "category",
            symbol=str(number),
            value=category.value,
            label=category.label,
            render="true",
            type="string",
        )
        _add_symbol(symbols, str(number), category)
    ElementTree.SubElement(renderer, "rotation")
    ElementTree.SubElement(renderer, "sizescale")
    ElementTree.SubElement(root, "blendMode").text = "0"
    ElementTree.SubElement(root, "featureBlendMode").text = "0"
    ElementTree.SubElement(root, "layerGeometryType").text = "2"
    ElementTree.indent(root)
    return DOCTYPE + ElementTree.tostring(root, encoding="unicode") + "\n"


def write_qml(path: Path, style: Style) -> None:
    """Write the style beside a file, so that QGIS finds it: `defects.qml` for `defects.shp`."""
    with replacing(path) as temporary:
        temporary.write_text(qml(style), encoding="utf-8")


def write_raster_qml(path: Path, categories: Sequence[Category]) -> None:
    """Write the style of a class map beside it; values that no category names are clear.

    The color table inside a GeoTIFF has no transparency, so without this the background is black.
    """
    root = ElementTree.Element("qgis", version="3.28.0", styleCategories="Symbology")
    renderer = ElementTree.SubElement(ElementTree.SubElement(root, "pipe"), "rasterrenderer")
    renderer.attrib.update({"type": "paletted", "band": "1", "opacity": "1", "alphaBand": "-1", "nodataColor": ""})
    palette = ElementTree.SubElement(renderer, "colorPalette")
    for category in categories:
        entry = {"value": category.value, "color": category.color, "alpha": "255"}
        ElementTree.SubElement(palette, "paletteEntry", entry, label=category.label)
    ElementTree.indent(root)
    with replacing(path) as part:
        ElementTree.ElementTree(root).write(part, encoding="utf-8", xml_declaration=False)


def _add_symbol(symbols: ElementTree.Element, name: str, category: Category) -> None:
    symbol = ElementTree.SubElement(
        symbols, "symbol", type="fill", name=name, alpha="1", clip_to_extent="1", force_rhr="0"
    )
    layer = ElementTree.SubElement(symbol, "layer", {"class": "SimpleFill"}, enabled="1", locked="0")
    layer.set("pass", "0")
    options = ElementTree.SubElement(layer, "Option", type="Map")
    for key, value in _fill(category).items():
        ElementTree.SubElement(options, "Option", type="QString", name=key, value=value)
    for key, value in _fill(category).items():  # QGIS before 3.18 reads these instead
        ElementTree.SubElement(layer, "prop", k=key, v=value)


def _fill(category: Category) -> dict[str, str]:
    """Properties of a SimpleFill symbol layer."""
    color = category.color.lstrip("#")
    rgb = ",".join(str(int(color[i : i + 2], 16)) for i in (0, 2, 4))
    return {
        "border_width_map_unit_scale": "3x:0,0,0,0,0,0",
        "color": f"{rgb},{255 if category.is_hatched else FILL_ALPHA}",
        "joinstyle": "bevel",
        "offset": "0,0",
        "offset_map_unit_scale": "3x:0,0,0,0,0,0",
        "offset_unit": "MM",
        "outline_color": f"{rgb},255",
        "outline_style": "dash" if category.is_hatched else "solid",
        "outline_width": "0.4",
        "outline_width_unit": "MM",
        "style": "b_diagonal" if category.is_hatched else "solid",
    }
