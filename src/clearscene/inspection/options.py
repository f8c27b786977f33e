"""What a user can choose for an inspection, checked before a scene is read."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from clearscene.errors import OptionError
from clearscene.inspection.taxonomy import TYPES, DefectType

__all__ = ["FORMATS", "Encoding", "InspectOptions", "Lang", "Mode"]

Mode = Literal["default", "paper"]
Lang = Literal["en", "zh"]
Encoding = Literal["UTF-8", "GBK"]
FORMATS = ("gpkg", "shp", "geojson")


@dataclass(frozen=True)
class InspectOptions:
    """How scenes are inspected. Every default is written here and nowhere else."""

    types: tuple[DefectType, ...] = TYPES
    """What to look for."""
    bands: Mapping[str, int] | None = None
    """Common name to 1-based band, where the file does not say."""
    scale: float | None = None
    """Reflectance is value * `scale` + `offset`; None: as the file's metadata say, if they do."""
    offset: float = 0.0
    """Goes with `scale`."""
    standard: str = "gbt24356"
    """Name of a shipped standard, or path of a TOML file."""
    model: Path | None = None
    """Folder of a model; None takes the shipped one, if there is any."""
    satellite: bool | None = None
    """Look for clouds and shadows with the model for cloud masks too. None: where pixels are known to be of 5 m or
    more; on others it is asked about the shadows that were found; not at all if `model` names another model."""
    device: str = "auto"
    """Where models run: auto, cpu, cuda, openvino."""
    stripe_mode: Mode = "default"
    """`default`, or `paper` for the published stripe rule."""
    missing_mode: Mode = "default"
    """`default`, or `paper` for the published rule of missing pixels."""
    units: str = ""
    """Map sheets to score one by one: `grid:500m`, `grid:1024px` or a polygon file."""
    aoi: Path | None = None
    """Polygons: only inside them is inspected."""
    ignore: Path | None = None
    """Polygons of known-good areas: inside them nothing is inspected."""
    formats: tuple[str, ...] = ("gpkg",)
    """Polygon files to write; the GeoPackage is always written."""
    encoding: Encoding = "UTF-8"
    """Text encoding of a Shapefile: UTF-8 or GBK."""
    confidence: bool = False
    """Write `confidence.tif`, one band a type, in percent."""
    lang: Lang = "en"
    """Language of the report: en or zh."""
    pdf: bool = False
    """Write `report.pdf` as well."""
    workers: int = field(default_factory=lambda: os.cpu_count() or 1)
    """Threads."""
    memory_limit_mb: int = 2000
    """What the process should stay below, MB."""
    max_drawn: int = 5000
    """Findings of one type that get a polygon of their own, the largest first; the rest is counted."""
    max_crops: int = 60
    """Findings that are pictured in the report."""

    @property
    def reflectance(self) -> tuple[float, float] | None:
        """Scale and offset, if they are given."""
        return None if self.scale is None else (self.scale, self.offset)

    def record(self) -> dict[str, str]:
        """What bears on the findings and the score, by the name of the option; defaults are left out.

        Two runs of one scene with the same record find the same.
        """
        told = {
            "types": "" if self.types == TYPES else ",".join(t.name for t in self.types),
            "bands": ",".join(f"{name}={band}" for name, band in (self.bands or {}).items()),
            "scale": "" if self.scale is None else repr(self.scale),
            "offset": repr(self.offset) if self.offset else "",
            "standard": self.standard,
            "model": "" if self.model is None else str(self.model),
            "satellite": "" if self.satellite is None else ("yes" if self.satellite else "no"),
            "stripe-mode": "" if self.stripe_mode == "default" else self.stripe_mode,
            "missing-mode": "" if self.missing_mode == "default" else self.missing_mode,
            "units": self.units,
            "aoi": "" if self.aoi is None else str(self.aoi),
            "ignore": "" if self.ignore is None else str(self.ignore),
        }
        return {name: value for name, value in told.items() if value}

    def __post_init__(self) -> None:
        _among("--lang", self.lang, ("en", "zh"))
        _among("--stripe-mode", self.stripe_mode, ("default", "paper"))
        _among("--missing-mode", self.missing_mode, ("default", "paper"))
        _among("--device", self.device, ("auto", "cpu", "cuda", "openvino"))
        _among("--encoding", self.encoding, ("UTF-8", "GBK"))
        for name in self.formats:
            _among("--format", name, FORMATS)
        if self.scale is not None and not 0 < self.scale < math.inf:
            raise OptionError(f"--scale {self.scale} is no number above 0.", hint="0.0001 is that of Sentinel-2.")
        if self.offset and self.scale is None:
            raise OptionError(f"--offset {self.offset} goes with a --scale.", hint="Name both, or neither.")
        if not abs(self.offset) <= 1:
            raise OptionError(
                f"--offset {self.offset} is not between -1 and 1: it is of reflectance, as -0.1.",
                hint="Multiply an offset in digital numbers by the scale: -1000 x 0.0001 is -0.1.",
            )
        if self.workers < 1:
            raise OptionError(f"--workers {self.workers} is less than 1.")
        if self.memory_limit_mb < 500:
            raise OptionError(
                f"--memory-limit {self.memory_limit_mb} MB is too small to work in.", hint="Give it 500 or more."
            )


def _among(option: str, value: str, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise OptionError(f"{option} {value!r} is not known.", hint=f"Choose from {', '.join(allowed)}.")
