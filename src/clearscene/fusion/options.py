"""What a user can choose for a fusion, checked before an image is read."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from pathlib import Path
from typing import Literal

from clearscene.errors import OptionError
from clearscene.fusion.methods.choose import METHOD_NAMES, Method
from clearscene.masking.options import DEFAULT_MODEL

__all__ = ["FuseOptions"]

CHOICES = {
    "method": ("auto", *METHOD_NAMES),
    "tone": ("none", "match"),
    "extent": ("union", "intersection"),
    "resampling": ("nearest", "bilinear", "cubic", "average"),
    "on_error": ("stop", "skip"),
    "all_bad": ("auto", "nodata", "least"),
}


@dataclass(frozen=True)
class FuseOptions:
    """How images are fused: each field is the option of `clearscene fuse` of that name (`all_bad` is `--all-bad`).

    Every default is written here and nowhere else.
    """

    method: Method | Literal["auto"] = "auto"
    """`auto` is `learned` where there is a quality model, else `medoid`."""
    model: Path | None = None
    """Folder of a quality model; None takes the shipped one, if there is any."""
    temperature: float = 1.0
    """Of the softmax across images: small sharpens, large averages."""
    masks: tuple[str, ...] = ()
    """Cloud masks, files or folders of them; or `auto` alone, which masks with `mask_model`."""
    mask_model: str = DEFAULT_MODEL
    """Cloud model of `--masks auto`: the name of a shipped one, or a folder."""
    all_bad: Literal["auto", "nodata", "least"] = "auto"
    """Where every image is bad: no data, or the images all the same. `auto`: no data where all are masked, and the
    least bad where a quality model alone takes all for bad; the count is 0 there."""
    tone: Literal["none", "match"] = "none"
    """`match` brings each image to the tone of the reference before they are combined."""
    feather: int | None = None
    """Pixels over which an image fades in beside its clouds and edges; None is 0, and 16 with `tone` match."""
    reference: str = ""
    """Name of the image whose tone and place are kept; empty is the clearest, by quality, masks or what is usual."""
    align: bool = False
    """Shift the images onto the reference by phase correlation."""
    bands: Mapping[str, int] | None = None
    """Common name to 1-based band, of plain rasters."""
    scale: float | None = None
    """Reflectance = value * scale + offset, of plain rasters."""
    offset: float | None = None
    nodata: float | None = None
    """Stored value that means no data in plain rasters that do not declare one."""
    use: tuple[str, ...] = ()
    """Common names of the bands to fuse; empty takes those that all images have."""
    reflectance: bool = False
    """Turn stored values into reflectance (float32) by each image's own scale and offset."""
    like: str = ""
    """Raster whose grid is taken."""
    bounds: tuple[float, float, float, float] | None = None
    """Left, bottom, right, top in the CRS of the result."""
    resolution: float | None = None
    """Length of a pixel, meters; None is that of the finest image."""
    extent: Literal["union", "intersection"] = "union"
    """What ground is taken, without `like` and `bounds`."""
    resampling: str = "bilinear"
    """How values come onto the common grid: nearest, bilinear, cubic or average."""
    quality: bool = False
    """Write `_share.tif`, the share of each image, percent, and with a model that tells good from bad `_quality.tif`,
    how likely each image is good, percent."""
    dates: bool = False
    """Write `_date.tif`: the date of the winning image as YYYYMMDD."""
    inspect: bool = False
    """Inspect every image and the result."""
    on_error: Literal["stop", "skip"] = "stop"
    """`skip` leaves out an image that cannot be read."""
    device: str = "auto"
    """Where models run: auto, cpu, cuda, openvino."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Threads."""
    memory_limit_mb: int = 2000
    """What the process should stay below, MB."""

    @property
    def feather_px(self) -> int:
        """Pixels over which an image fades in."""
        return (16 if self.tone == "match" else 0) if self.feather is None else self.feather

    def record(self) -> dict[str, str]:
        """What was chosen, by the name of the option; what is not as by default, and nothing that is about running."""
        told = {name: getattr(self, name) for name in self.__dataclass_fields__ if name not in RUNNING}
        default = FuseOptions()
        return {name: _say(value) for name, value in told.items() if value != getattr(default, name)}

    def __post_init__(self) -> None:
        for name, choices in CHOICES.items():
            if getattr(self, name) not in choices:
                option = f"--{name.replace('_', '-')}"
                raise OptionError(f"{option} {getattr(self, name)!r} is not known.", hint=f"Use {', '.join(choices)}.")
        if not _is_positive(self.temperature):
            raise OptionError(f"--temperature {self.temperature} is not above 0.", hint="Use 1, or less to sharpen.")
        if self.feather is not None and not 0 <= self.feather <= MOST_FEATHER:
            raise OptionError(f"--feather {self.feather} is not between 0 and {MOST_FEATHER} pixels.")
        if self.bounds is not None and not _is_box(self.bounds):
            raise OptionError(f"--bounds {self.bounds} hold no ground.", hint="Give left, bottom, right, top.")
        if self.resolution is not None and not _is_positive(self.resolution):
            raise OptionError(f"--resolution {self.resolution} is no length in meters.", hint="Give one, as 10.")
        if self.use and all(name.isdecimal() for name in self.use):
            raise OptionError(f"--use {','.join(self.use)}: bands are named, as red,green,blue; see --bands.")
        if len(set(self.use)) < len(self.use):
            raise OptionError(f"--use {','.join(self.use)} names a band twice.")
        self._check_values()
        self._check_running()

    def _check_values(self) -> None:
        """Refuse a scale and an offset that make no reflectance of any value."""
        if self.scale is not None and not _is_positive(self.scale):
            raise OptionError(f"--scale {self.scale} makes no reflectance.", hint="Give a number above 0, as 0.0001.")
        if self.offset is not None and not math.isfinite(self.offset):
            raise OptionError(f"--offset {self.offset} is no number.", hint="Give one, as -0.1.")
        if self.nodata is not None and math.isinf(self.nodata):
            raise OptionError(f"--nodata {self.nodata} is no value of a raster.", hint="Give a number, as 0.")
        if self.offset and self.scale is None:
            raise OptionError(
                f"--offset {self.offset:g} says nothing without --scale: reflectance is value * scale + offset.",
                hint="Name --scale too, as 0.0001.",
            )

    def _check_running(self) -> None:
        """Refuse what does not go together, and what cannot be run."""
        if self.like and (self.bounds or self.resolution):
            raise OptionError("--like gives the whole grid; --bounds and --resolution do not go with it.")
        if isinstance(self.masks, str):
            raise OptionError(f"masks={self.masks!r} is no tuple.", hint=f'Write masks=("{self.masks}",).')
        if "auto" in self.masks and len(self.masks) > 1:
            raise OptionError("--masks auto goes with no other mask.", hint="Give auto, or files.")
        if self.mask_model != DEFAULT_MODEL and self.masks != ("auto",):
            raise OptionError("--mask-model is the model of --masks auto, which is not asked for.")
        if self.workers < 1:
            raise OptionError(f"--workers {self.workers} is less than 1.")
        if self.memory_limit_mb < 600:
            raise OptionError(
                f"--memory-limit {self.memory_limit_mb} MB is too small to work in.", hint="Use 600 or more."
            )


RUNNING = ("device", "workers", "memory_limit_mb", "on_error")
MOST_FEATHER = 64


def _is_positive(value: float) -> bool:
    return isinstance(value, Real) and math.isfinite(value) and value > 0


def _is_box(bounds: tuple[float, ...]) -> bool:
    return len(bounds) == 4 and bounds[0] < bounds[2] and bounds[1] < bounds[3]


def _say(value: object) -> str:
    if isinstance(value, Mapping):
        return ",".join(f"{name}={band}" for name, band in value.items())
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return "yes" if value is True else str(value)
