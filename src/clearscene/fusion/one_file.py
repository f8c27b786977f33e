"""A product of several files as one raster: a GDAL virtual raster that names them."""

from pathlib import Path
from xml.etree.ElementTree import Element, ElementTree, SubElement, indent

from rasterio.dtypes import dtype_rev, typename_fwd

from clearscene.atomic import replacing
from clearscene.fusion.image import FuseImage, Part
from clearscene.fusion.placing import place_of
from clearscene.raster.bands import COLORS
from clearscene.raster.gdal import open_quietly

__all__ = ["write_as_one_file"]


def write_as_one_file(image: FuseImage, path: Path) -> None:
    """Write a virtual raster of an image's bands on the grid of its finest visible one, with names and scaling.

    Coarser bands are shown in larger pixels. The files themselves stay where they are.

    Raises:
        SceneError: A file cannot be opened.
        OutputError: The virtual raster cannot be written.
    """
    grid = image.grid
    root = Element("VRTDataset", rasterXSize=str(grid.width), rasterYSize=str(grid.height))
    if grid.crs is not None:
        SubElement(root, "SRS").text = grid.crs.to_wkt()
    SubElement(root, "GeoTransform").text = ", ".join(map(repr, grid.transform.to_gdal()))
    dtype = typename_fwd[dtype_rev[image.dtype]]
    sources = {name: (part, band) for part in image.parts for name, band in part.bands.items()}
    for number, name in enumerate(image.bands, start=1):
        part, band = sources[name]
        element = SubElement(root, "VRTRasterBand", dataType=dtype, band=str(number))
        _describe(element, image, name)
        _add_source(element, image, part, band)
    indent(root)
    with replacing(path) as unfinished:
        ElementTree(root).write(unfinished, encoding="utf-8")


def _describe(element: Element, image: FuseImage, name: str) -> None:
    """Name, color, nodata value and scaling of a band."""
    SubElement(element, "Description").text = name
    if image.nodata is not None:
        SubElement(element, "NoDataValue").text = repr(image.nodata)
    if name in COLORS:
        SubElement(element, "ColorInterp").text = name.title()
    if image.has_scale:
        scale, offset = image.lines[name]
        SubElement(element, "Offset").text, SubElement(element, "Scale").text = repr(offset), repr(scale)


def _add_source(element: Element, image: FuseImage, part: Part, band: int | str) -> None:
    """The file of a band, and where its pixels lie on the grid."""
    left, top, right, bottom = place_of(part.grid, image.grid)
    with part.open() as scene:
        number = scene.bands[band] if isinstance(band, str) else band
        with open_quietly(part.path) as dataset:  # GDAL's own name of it: an address is not one that it knows
            name = dataset.files[0] if dataset.files else part.path
    source = SubElement(element, "SimpleSource")
    SubElement(source, "SourceFilename", relativeToVRT="0").text = name
    SubElement(source, "SourceBand").text = str(number)
    height, width = part.grid.height, part.grid.width
    SubElement(source, "SrcRect", xOff="0", yOff="0", xSize=str(width), ySize=str(height))
    x, y = repr(left), repr(top)
    SubElement(source, "DstRect", xOff=x, yOff=y, xSize=repr(right - left), ySize=repr(bottom - top))
