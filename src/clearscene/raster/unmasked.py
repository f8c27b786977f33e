"""A view of a raster without the masks that GDAL derives from a band called alpha."""

from xml.etree.ElementTree import Element, SubElement, tostring

from rasterio.dtypes import dtype_rev, typename_fwd
from rasterio.io import DatasetReader

__all__ = ["unmasked"]

OUTSIDE = -1e30
"""A value that no band holds."""


def unmasked(dataset: DatasetReader) -> str:
    """A VRT, as XML to open, with the bands and nodata of a dataset and no color interpretation.

    Law: values at full size are those of the dataset; at reduced size no band masks another. NAIP
    calls its near-infrared band alpha, and GDAL would average water, which is black there, as transparent.
    """
    path = next(iter(dataset.files), dataset.name)  # the name without the /vsi prefix is no file for GDAL
    root = Element("VRTDataset", rasterXSize=str(dataset.width), rasterYSize=str(dataset.height))
    for number, dtype, nodata in zip(dataset.indexes, dataset.dtypes, dataset.nodatavals, strict=True):
        band = SubElement(root, "VRTRasterBand", dataType=typename_fwd[dtype_rev[dtype]], band=str(number))
        # A nodata value that the source lacks makes GDAL resample the band of the VRT, not that of the source.
        SubElement(band, "NoDataValue").text = repr(OUTSIDE if nodata is None else nodata)
        source = SubElement(band, "SimpleSource")
        SubElement(source, "SourceFilename", relativeToVRT="0").text = path
        SubElement(source, "SourceBand").text = str(number)
    return tostring(root, encoding="unicode")
