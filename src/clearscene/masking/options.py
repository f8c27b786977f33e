"""What a user can choose for a cloud mask, checked before a scene is read."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import get_args

from clearscene.errors import OptionError
from clearscene.masking.classes import Classes
from clearscene.raster.sensors.product import Kind

__all__ = ["COARSE_M", "DEFAULT_MODEL", "FINEST_WIDE_M", "LEAST_MEMORY_MB", "WIDE_M", "MaskOptions"]

DEFAULT_MODEL = "cloud-rgbn"
COARSE_M = 25.0
"""Pixels of this area on, as those of Landsat, are looked at enlarged by the shipped model: many clouds and shadows are
of a few of them, and a scene has few."""
WIDE_M = 40.0
"""Pixels by which veils are looked for besides: a tile then shows 20 km, and what lies around a veil."""
FINEST_WIDE_M = 7.5
"""Pixels below this are not looked at so by themselves: snow, beaches and roofs are not told from veils there."""
MOST_TTA = 7
LEAST_MEMORY_MB = 600
"""Enough for any scene of one tile of the shipped model, with one worker; larger ones need more."""


@dataclass(frozen=True)
class MaskOptions:
    """How scenes are masked. Every default is written here and nowhere else."""

    models: tuple[str, ...] = (DEFAULT_MODEL,)
    """Names of shipped models or peers, or model folders; of several, the mean of the probabilities counts, of each
    class among those that know it."""
    bands: Mapping[str, int] | None = None
    """Common name to 1-based band, of plain rasters."""
    scale: float | None = None
    """Reflectance = value * scale + offset, of plain rasters."""
    offset: float | None = None
    nodata: float | None = None
    """Value without data in all bands: of plain rasters beside what they say themselves, of arrays in its place."""
    kind: Kind | None = None
    """What plain rasters and arrays hold: toa or surface reflectance, or display; None is toa, or display of 8 bits."""
    resolution: float | None = None
    """Pixel size to work and answer at, meters; None is that of the finest visible band. Of arrays, the size of
    their pixels."""
    classes: Classes = 3
    """4 clear, thick, thin, shadow; 3 with thick and thin as one, since the shipped model draws that line badly; 2 with
    shadow counted as clear."""
    buffer_m: float = 0.0
    """Meters by which clouds and shadows are grown."""
    tta: int = 0
    """Most further looks at a tile, turned and flipped, 0 to 7; only tiles with isolated pixels get them."""
    fast: bool = False
    """Look at half the resolution; the mask stays on the grid of the scene."""
    fine: bool | None = None
    """Look at twice the resolution: finer edges in four times the time; needs near infrared. The mask stays on the
    grid of the scene. None: where pixels are of `COARSE_M` or more, there is near infrared, and all models are of the
    shipped one's kind, with the normalization bright_level."""
    wide: bool | None = None
    """Look at pixels of about `WIDE_M` as well, for veils: at 10 m a twelfth more tiles, at 20 m a quarter. None: where
    pixels are of `FINEST_WIDE_M` to `COARSE_M`, all models are of that kind, and `fast` is not wanted."""
    confidence: bool = False
    """Write `_confidence.tif`, one band a class, in percent."""
    vector: str = ""
    """Polygon file to write: empty or gpkg."""
    qa: bool = False
    """Compare with the quality band that comes with the product."""
    device: str = "auto"
    """Where models run: auto, cpu, cuda, openvino."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Threads."""
    memory_limit_mb: int = 2000
    """What the process should stay below, MB; `LEAST_MEMORY_MB` or more."""

    def record(self) -> dict[str, str]:
        """What bears on the mask and its files, by the name of the option; defaults are left out."""
        told = {
            "model": "" if self.models == (DEFAULT_MODEL,) else ",".join(self.models),
            "bands": ",".join(f"{name}={band}" for name, band in (self.bands or {}).items()),
            "scale": "" if self.scale is None else f"{self.scale:g}",
            "offset": "" if self.offset is None else f"{self.offset:g}",
            "nodata": "" if self.nodata is None else f"{self.nodata:.17g}",
            "kind": self.kind or "",
            "resolution": "" if self.resolution is None else f"{self.resolution:g}",
            "classes": str(self.classes),
            "buffer": f"{self.buffer_m:g}" if self.buffer_m else "",
            "tta": str(self.tta) if self.tta else "",
            "fast": "yes" if self.fast else "",
            "fine": "" if self.fine is None else ("yes" if self.fine else "no"),
            "wide": "" if self.wide is None else ("yes" if self.wide else "no"),
            "confidence": "yes" if self.confidence else "",
            "vector": self.vector,
            "qa": "yes" if self.qa else "",
        }
        return {name: value for name, value in told.items() if value}

    def __post_init__(self) -> None:
        if not self.models:
            raise OptionError("--model names no model.", hint="Leave it out for the shipped one.")
        if self.classes not in (4, 3, 2):
            raise OptionError(f"--classes {self.classes} is not known.", hint="Choose 4, 3 or 2.")
        if not 0 <= self.tta <= MOST_TTA:
            raise OptionError(
                f"--tta {self.tta} is not between 0 and {MOST_TTA}.", hint="A tile has 8 turns and flips."
            )
        if self.fast and self.fine:
            raise OptionError("--fast looks at half the resolution, --fine at twice.", hint="Choose one of them.")
        if not (math.isfinite(self.buffer_m) and self.buffer_m >= 0):
            raise OptionError(f"--buffer {self.buffer_m:g} is no length in meters.", hint="Give one, as 100.")
        if self.vector not in ("", "gpkg"):
            raise OptionError(f"--vector {self.vector!r} is not known.", hint="Choose gpkg.")
        self._check_line()
        self._check_running()

    def _check_line(self) -> None:
        """What makes values of stored numbers."""
        if self.scale is not None and not (math.isfinite(self.scale) and self.scale > 0):
            raise OptionError(f"--scale {self.scale:g} makes no reflectance.", hint="Give a number above 0, as 0.0001.")
        if self.offset is not None and not math.isfinite(self.offset):
            raise OptionError(f"--offset {self.offset:g} makes no reflectance.", hint="Give a number, as -0.1.")
        if self.nodata is not None and math.isinf(self.nodata):
            raise OptionError(f"--nodata {self.nodata} is no value of a raster.", hint="Give a number, as 0.")
        if self.kind is not None and self.kind not in get_args(Kind):
            raise OptionError(f"--kind {self.kind!r} is not known.", hint=f"Choose {', '.join(get_args(Kind))}.")

    def _check_running(self) -> None:
        """Threads and memory."""
        if self.workers < 1:
            raise OptionError(f"--workers {self.workers} is less than 1.", hint="Use --workers 1 or more.")
        if self.memory_limit_mb < LEAST_MEMORY_MB:
            raise OptionError(
                f"--memory-limit {self.memory_limit_mb} MB is too small to work in.",
                hint=f"Give it {LEAST_MEMORY_MB} or more.",
            )
