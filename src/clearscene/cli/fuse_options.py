"""What can be said to `clearscene fuse`, by the panels of its help; the defaults are those of `FuseOptions`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from clearscene.cli.option import option

__all__ = [
    "Align", "AllBad", "Bands", "Bounds", "Dates", "Device", "Extent", "FailUnder", "Feather", "Inspect", "Like",
    "MaskModel", "Masks", "MemoryLimit", "Method", "Model", "Nodata", "Offset", "OnError", "Out", "Overwrite",
    "Quality", "Quiet", "Reference", "Reflectance", "Resampling", "Resolution", "Scale", "Scenes", "Temperature",
    "Tone", "Use", "Workers",
]  # fmt: skip


_how = partial(option, panel="How to fuse")
_where = partial(option, panel="Where")
_read = partial(option, panel="How to read")
_output = partial(option, panel="Output")
_running = partial(option, panel="Running")

Scenes = Annotated[
    list[str],
    typer.Argument(
        metavar="SCENE...", help="Rasters, satellite products or STAC Items of one place, folders of these, patterns."
    ),
]

Method = Annotated[
    str,
    _how(
        "learned, mean, median, medoid, geomedian, best or first.",
        show_default="learned with a quality model, else medoid",
    ),
]
Model = Annotated[Path | None, _how("Folder of a quality model.")]
Temperature = Annotated[float, _how("Of the softmax across images, times the model's own: less is sharper.")]
Masks = Annotated[
    list[str] | None, _how("Cloud masks, by the names of the images, or folders of them; auto makes them. Repeatable.")
]
MaskModel = Annotated[str, _how("Cloud model of --masks auto.")]
AllBad = Annotated[
    str,
    _how("Where every image is bad: nodata or least.", show_default="nodata where masked, least by quality alone"),
]
Tone = Annotated[str, _how("none, or match: bring all to the tone of the reference.")]
Feather = Annotated[int | None, _how("Pixels over which an image fades in.", show_default="0, with --tone match 16")]
Reference = Annotated[str, _how("Image whose tone and place are kept.", show_default="the clearest")]

Align = Annotated[bool, _where("Shift images onto the reference.", "--align")]
Like = Annotated[str, _where("Raster whose grid to take.")]
Bounds = Annotated[str, _where("left,bottom,right,top in the CRS of the result.")]
Resolution = Annotated[float | None, _where("Pixel size, meters.", show_default="that of the finest image")]
Extent = Annotated[str, _where("union or intersection of the images.")]
Resampling = Annotated[str, _where("nearest, bilinear, cubic or average.")]

Bands = Annotated[str, _read("Bands by name, such as red=1,green=2,blue=3,nir=4.")]
Use = Annotated[str, _read("Bands to fuse, such as red,green,blue.", show_default="all in common")]
Scale = Annotated[float | None, _read("Reflectance = value * scale + offset.")]
Offset = Annotated[float | None, _read("See --scale.")]
Nodata = Annotated[float | None, _read("Value that means no data, in rasters that do not declare one.")]
Reflectance = Annotated[bool, _read("Fuse reflectance (float32), not stored values.", "--reflectance")]

Out = Annotated[Path, _output("GeoTIFF to write.", "--out", "-o")]
Quality = Annotated[bool, _output("Write quality and share of each image.", "--quality")]
Dates = Annotated[bool, _output("Write the date of the winning image.", "--dates")]
Inspect = Annotated[bool, _output("Score each image and the result.", "--inspect")]
FailUnder = Annotated[float | None, _output("Exit with 1 if less of the result is filled, percent.")]

OnError = Annotated[str, _running("stop, or skip: leave out an image that cannot be used.")]
Overwrite = Annotated[bool, _running("Fuse again what is done already, or write over another file.", "--overwrite")]
Device = Annotated[str, _running("auto, cpu, cuda or openvino.")]
Workers = Annotated[int, _running("Threads.", show_default="all cores")]
MemoryLimit = Annotated[int, _running("What to stay below, MB.")]
Quiet = Annotated[bool, _running("No progress bar.", "--quiet", "-q")]
