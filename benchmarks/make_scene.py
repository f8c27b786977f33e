"""Large generated scenes for the benchmarks.

    python benchmarks/make_scene.py --size 10000x10000 --out big.tif     # a COG, every pixel drawn
    python benchmarks/make_scene.py --size 60000x60000 --out huge.vrt    # a mosaic, 3.6 Gpx, 10 GB unpacked

The `.tif` is a scene of `clearscene synth scene`, with collar, defects and truth.

The `.vrt` repeats one drawn sheet of 4096 x 4096 px (`<stem>_sheet.tif`, no collar, defects in it)
until the size is filled; the last column and row of sheets are cut. It reads as real imagery at full
size, tile after tile unpacked by GDAL, and takes some 40 MB on disk. Beside its edges lies a black
collar of 500 px. No truth is written: it measures memory and time, not accuracy.
"""

import argparse
import resource
import time
from pathlib import Path
from xml.etree import ElementTree

import rasterio

from clearscene.cli.synth import parse_size
from clearscene.synth.scene import SceneSpec, make_scene

SHEET = 4096
COLLAR = 500


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", default="10000x10000", help="width x height")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--out", type=Path, required=True, help="a .tif, or a .vrt for the mosaic")
    options = parser.parse_args()
    width, height = parse_size(options.size)
    start = time.perf_counter()
    if options.out.suffix == ".vrt":
        make_mosaic(options.out, width=width, height=height, seed=options.seed)
    else:
        make_scene(SceneSpec(height, width, seed=options.seed), options.out)
    seconds = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    size = sum(path.stat().st_size for path in options.out.parent.glob(f"{options.out.stem}*")) / 1e6
    print(f"{options.out}: {width} x {height} px, {seconds:.1f} s, peak {peak:.0f} MB, {size:.0f} MB on disk")


def make_mosaic(out: Path, *, width: int, height: int, seed: int) -> None:
    """Write a VRT of one sheet repeated, and the sheet beside it."""
    sheet = out.with_name(f"{out.stem}_sheet.tif")
    make_scene(SceneSpec(SHEET, SHEET, seed=seed, has_collar=False), sheet)
    with rasterio.open(sheet) as raster:
        crs, transform = raster.crs.to_wkt(), raster.transform.to_gdal()
    root = ElementTree.Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
    ElementTree.SubElement(root, "SRS").text = crs
    ElementTree.SubElement(root, "GeoTransform").text = ", ".join(map(repr, transform))
    for band, color in enumerate(("Red", "Green", "Blue"), start=1):
        element = ElementTree.SubElement(root, "VRTRasterBand", dataType="Byte", band=str(band))
        ElementTree.SubElement(element, "ColorInterp").text = color
        for top in range(COLLAR, height - COLLAR, SHEET):
            for left in range(COLLAR, width - COLLAR, SHEET):
                rows, cols = min(SHEET, height - COLLAR - top), min(SHEET, width - COLLAR - left)
                _add_source(element, sheet.name, band, (left, top, cols, rows))
    ElementTree.indent(root)
    ElementTree.ElementTree(root).write(out, encoding="utf-8")


def _add_source(element: ElementTree.Element, name: str, band: int, place: tuple[int, int, int, int]) -> None:
    """One sheet at (left, top, columns, rows)."""
    left, top, cols, rows = map(str, place)
    source = ElementTree.SubElement(element, "SimpleSource")
    ElementTree.SubElement(source, "SourceFilename", relativeToVRT="1").text = name
    ElementTree.SubElement(source, "SourceBand").text = str(band)
    ElementTree.SubElement(
        source,
        "SourceProperties",
        RasterXSize=str(SHEET),
        RasterYSize=str(SHEET),
        DataType="Byte",
        BlockXSize="512",
        BlockYSize="512",
    )  # without it every open of the mosaic would open the sheet to ask
    ElementTree.SubElement(source, "SrcRect", xOff="0", yOff="0", xSize=cols, ySize=rows)
    ElementTree.SubElement(source, "DstRect", xOff=left, yOff=top, xSize=cols, ySize=rows)


if __name__ == "__main__":
    main()
