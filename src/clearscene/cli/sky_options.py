"""What can be said to `clearscene sky`, by the panels of its help; the defaults are those of `SkyOptions`."""

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from clearscene.cli.option import option

__all__ = [
    "AsJson", "Check", "Device", "For", "Heatmap", "Invert", "Merge", "Mirror", "Model", "Out", "Overwrite", "Photos",
    "Quiet", "Refine", "Threshold", "Workers",
]  # fmt: skip

_look = partial(option, panel="How to mask")
_output = partial(option, panel="Output")
_running = partial(option, panel="Running")

Photos = Annotated[
    list[str], typer.Argument(metavar="PHOTO...", help="Photos (JPEG, PNG, TIFF ...), folders of them, patterns.")
]

Out = Annotated[Path, _output("Folder of the masks.", "--out", "-o")]
For = Annotated[
    str,
    _output(
        "Names of the masks: metashape NAME_mask.png, colmap NAME.jpg.png, odm NAME_mask.png upright, plain.", "--for"
    ),
]
Merge = Annotated[Path | None, _output("Folder of masks that exist: what either hides is hidden.")]
Heatmap = Annotated[bool, _output("Also write NAME_sky.jpg, the probability.", "--heatmap")]
Invert = Annotated[bool, _output("255 for sky and 0 for the rest.", "--invert")]

Threshold = Annotated[int, _look("Sky from this probability on, in 256ths.")]
Refine = Annotated[bool, _look("Follow the photo's own edges.", "--refine/--no-refine")]
Mirror = Annotated[bool, _look("Look at the mirrored photo too.", "--mirror/--no-mirror")]
Check = Annotated[bool, _look("Mask nothing where no credible sky is.", "--sky-check/--no-sky-check")]
Model = Annotated[str, _look("A shipped model or a model folder.")]

Device = Annotated[str, _running("auto, cpu, cuda or openvino.")]
Workers = Annotated[int, _running("Threads.", show_default="all cores")]
Overwrite = Annotated[bool, _running("Mask again what is done already.", "--overwrite")]
AsJson = Annotated[bool, _running("Print sky.json instead of the table.", "--json")]
Quiet = Annotated[bool, _running("No progress bar.", "--quiet", "-q")]
