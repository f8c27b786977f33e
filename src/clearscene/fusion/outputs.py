"""The rasters of a fusion, written window by window."""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling

from clearscene.fusion.engine import Piece
from clearscene.fusion.methods.method import Floats
from clearscene.grid import Grid
from clearscene.raster.cog import CogWriter

__all__ = ["FuseWriters", "Plan", "Totals", "chance_of", "days_of", "encoded", "name_with_date"]

NO_SHARE = 255
MOST_LOGIT = 30.0


@dataclass(frozen=True)
class Plan:
    """What is written."""

    image: str
    """Name of the result, with its suffix."""
    bands: tuple[str, ...]
    dtype: str
    nodata: float | None
    """None if every pixel is certain to have data."""
    names: tuple[str, ...]
    """Of the images, with their dates."""
    days: tuple[int, ...]
    """Date of each image as YYYYMMDD, 0 if unknown."""
    shares: bool
    quality: bool
    """Only of models that tell good from bad."""
    dates: bool
    scaling: tuple[tuple[float, float], ...] | None = None
    """Scale and offset from stored values to reflectance, by band; None if nobody knows or values are reflectance."""

    @property
    def stem(self) -> str:
        """What the names of all files begin with."""
        return Path(self.image).stem

    @property
    def files(self) -> dict[str, str]:
        """Names of the rasters by their key in the record."""
        more = {"share": self.shares, "quality": self.quality, "date": self.dates}
        ends = {"count": "_count", "source": "_source", **{key: f"_{key}" for key, wanted in more.items() if wanted}}
        return {"image": self.image, **{key: f"{self.stem}{end}.tif" for key, end in ends.items()}}


@dataclass
class Totals:
    """Pixels counted on the way."""

    n_images: int
    filled: int = 0
    unseen: int = 0
    all_masked: int = 0
    all_doubtful: int = 0
    nudged: int = 0
    valid: NDArray[np.int64] = field(init=False)
    good: NDArray[np.int64] = field(init=False)
    won: NDArray[np.int64] = field(init=False)
    share: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.valid, self.good, self.won = (np.zeros(self.n_images, np.int64) for _ in range(3))
        self.share = np.zeros(self.n_images)

    def add(self, piece: Piece) -> None:
        """Count a window."""
        seen, unmasked = piece.valid.any(axis=0), piece.unmasked.any(axis=0)
        self.filled += int((piece.source > 0).sum())
        self.unseen += int((~seen).sum())
        self.all_masked += int((seen & ~unmasked).sum())
        self.all_doubtful += int((unmasked & ~piece.good.any(axis=0)).sum())
        self.valid += piece.valid.sum(axis=(1, 2))
        self.good += piece.good.sum(axis=(1, 2))
        self.won += np.bincount(piece.source.ravel(), minlength=self.n_images + 1)[1:]
        self.share += piece.share.sum(axis=(1, 2), dtype=np.float64)


class FuseWriters:
    """All rasters of a fusion, open together; they become COGs when the `with` block ends well."""

    def __init__(self, folder: Path, grid: Grid, plan: Plan) -> None:
        self._plan, self._stack = plan, ExitStack()
        self._writers = {
            key: CogWriter(folder / name, grid, **_format_of(key, plan)) for key, name in plan.files.items()
        }

    def __enter__(self) -> Self:
        for writer in self._writers.values():
            self._stack.enter_context(writer)
        return self

    def __exit__(self, *error: Any) -> None:
        self._stack.__exit__(*error)

    def tag(self, tags: Mapping[str, str]) -> None:
        """Set metadata of the fused image."""
        self._writers["image"].tag(tags)

    def write(self, piece: Piece) -> int:
        """Write a window; the number of pixels that had to be moved off the nodata value."""
        row, col = round(piece.window.row_off), round(piece.window.col_off)
        plan, has_data = self._plan, piece.source > 0
        image, n_nudged = encoded(piece.composite, has_data, dtype=plan.dtype, nodata=plan.nodata)
        layers: dict[str, NDArray[np.generic]] = {
            "image": image,
            "count": piece.count[np.newaxis],
            "source": piece.source[np.newaxis],
        }
        if plan.shares:
            layers["share"] = percent(piece.share, has_data)
        if plan.quality and piece.quality is not None:
            layers["quality"] = percent(chance_of(piece.quality), piece.valid)
        if plan.dates:
            layers["date"] = np.array((0, *plan.days), np.int32)[piece.source][np.newaxis]
        for key, array in layers.items():
            self._writers[key].write(array.astype(_format_of(key, plan)["dtype"], copy=False), row, col)
        return n_nudged


def _format_of(key: str, plan: Plan) -> dict[str, Any]:
    small = "uint8" if len(plan.names) <= np.iinfo(np.uint8).max else "uint16"
    if key == "image":
        return {
            "dtype": plan.dtype,
            "n_bands": len(plan.bands),
            "nodata": plan.nodata,
            "descriptions": plan.bands,
            "scaling": plan.scaling,
            "resampling": Resampling.average,
        }
    if key == "source":
        categories = {0: "no data", **{place + 1: name for place, name in enumerate(plan.names)}}
        return {"dtype": small, "nodata": 0, "categories": categories, "descriptions": ("winning image",)}
    if key in ("share", "quality"):
        names = plan.names
        return {"dtype": "uint8", "n_bands": len(names), "nodata": NO_SHARE, "descriptions": names}
    if key == "date":
        return {"dtype": "int32", "nodata": 0, "descriptions": ("date as YYYYMMDD",)}
    return {"dtype": small, "descriptions": ("images that are good here",)}


def percent(part: Floats, told: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """Parts of 1 (image, row, col) as percent, 255 where not `told`."""
    return np.where(told, np.rint(100 * part), NO_SHARE).astype(np.uint8)


def chance_of(logit: Floats) -> Floats:
    """How likely an image is good, 0 to 1: the logistic function of its quality."""
    return np.asarray(1 / (1 + np.exp(-np.clip(logit, -MOST_LOGIT, MOST_LOGIT))), np.float32)


def encoded(
    composite: Floats, has_data: NDArray[np.bool_], *, dtype: str, nodata: float | None
) -> tuple[NDArray[Any], int]:
    """Values (band, row, col) in the type of the file, and how many pixels were moved off the nodata value.

    Law: whole numbers are the nearest that the type holds; the pixel is nodata in all bands exactly where not
    `has_data`. A pixel with data that would be nodata in all bands is moved by one level in its first band, to the
    side where the type has room.
    """
    kind: np.dtype[Any] = np.dtype(dtype)
    filled = np.where(has_data, composite, 0)
    if kind.kind in "iu":
        limits = np.iinfo(kind)
        filled = np.clip(np.rint(filled), limits.min, limits.max)
    result = filled.astype(kind)
    if nodata is None:
        return result, 0
    empty = kind.type(nodata)
    clash = has_data & (np.isnan(result) if np.isnan(empty) else result == empty).all(axis=0)
    if clash.any():
        result[0][clash] = _beside(empty, kind)
    result[:, ~has_data] = empty
    return result, int(clash.sum())


def _beside(value: Any, kind: np.dtype[Any]) -> Any:
    """The next value of a type."""
    if kind.kind == "f":
        return np.nextafter(value, kind.type(0)) if value else np.nextafter(value, kind.type(1))
    return value + 1 if value < np.iinfo(kind).max else value - 1


def name_with_date(name: str, date: str) -> str:
    """A name for people: with the day in front, unless the name says it."""
    day = date[:10]
    return name if not day or day in name else f"{day} {name}"


def days_of(dates: Sequence[str]) -> tuple[int, ...]:
    """Dates as numbers YYYYMMDD, 0 where unknown."""
    return tuple(int(date[:10].replace("-", "")) if date else 0 for date in dates)
