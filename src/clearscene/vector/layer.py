"""Layers of geometries with fields: what the writers take and what is read from any OGR file."""

import codecs
import sqlite3
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyogrio
import shapely
from numpy.typing import NDArray
from rasterio.crs import CRS
from rasterio.errors import CRSError

from clearscene.atomic import output_error
from clearscene.errors import ClearsceneError, OutputError, VectorError
from clearscene.vector.outline import Geometries

__all__ = ["Column", "Layer", "Table", "output_errors", "read_layer", "write_layer"]

Column = NDArray[np.generic] | Sequence[object]

SHAPEFILE_CODECS = ("utf-8", "gb18030")
"""Tried in this order on a Shapefile that does not say its encoding; the second holds all of GBK."""


@dataclass(frozen=True, eq=False)
class Layer:
    """A named layer to be written; every field has one value a geometry."""

    name: str
    """Name of the layer, a table in a GeoPackage."""
    geometry_type: str
    """As in OGR: Polygon, MultiPolygon, LineString, Point, ...; a Multi type also takes single parts."""
    geometries: Geometries
    """(n,) shapely geometries in map coordinates (x, y)."""
    fields: Mapping[str, Column] = field(default_factory=dict)
    """Column name to (n,) values: text, integers, floats or booleans. None and NaN are written as
    NULL; the type is that of the array, and of a list the first that holds all values (text if empty)."""
    crs: CRS | None = None
    """None: coordinates are x = col, y = -row in pixels."""

    def __post_init__(self) -> None:
        for name, values in self.fields.items():
            if len(values) != len(self.geometries):
                raise VectorError(
                    f"Field {name!r} of layer {self.name!r} has {len(values)} values"
                    f" for {len(self.geometries)} geometries."
                )


@dataclass(frozen=True, eq=False)
class Table:
    """A layer as read; every array has n entries."""

    fields: dict[str, NDArray[np.generic]]
    """Column name to values; NULL is None in text and NaN in numbers."""
    geometries: Geometries
    """Shapely geometries; None where a feature has none."""
    crs: CRS | None
    """None if the file has no CRS, or the undefined one."""
    path: Path
    """The file, for messages."""

    def __len__(self) -> int:
        return len(self.geometries)

    def column(self, name: str) -> NDArray[np.generic]:
        """The values (feature,) of a field.

        Raises:
            VectorError: There is no such field.
        """
        if name not in self.fields:
            raise VectorError(
                f"{self.path} has no field {name!r}.", hint=f"Its fields are {', '.join(self.fields) or 'none'}."
            )
        return self.fields[name]


def read_layer(path: Path, layer: str | None = None) -> Table:
    """Read a layer of any file that OGR opens; without a name, the first one.

    A Shapefile is read in the encoding of its `.cpg`; without one, as UTF-8 and, where that is
    impossible, as GB 18030, which holds all of GBK and GB 2312.

    Raises:
        VectorError: There is no such file or layer, or it cannot be read.
    """
    path = Path(path)
    if not path.exists():
        raise VectorError(f"There is no file {path}.", hint="Check the path.")
    name = _layer_name(path, layer)
    reasons = []
    for encoding in _encodings(path):
        try:
            meta, _, wkb, columns = pyogrio.raw.read(path, layer=name, encoding=encoding, force_2d=True)
        except UnicodeDecodeError as error:
            reasons.append(str(error))
            continue
        except (ValueError, RuntimeError) as error:
            raise VectorError(f"{path} cannot be read as vector data: {error}") from error
        geometries = shapely.from_wkb(wkb) if wkb is not None else np.full(len(columns[0]), None, object)
        fields = dict(zip(map(str, meta["fields"]), columns, strict=True))
        return Table(fields, np.asarray(geometries), _read_crs(meta["crs"], path), path)
    raise VectorError(
        f"The text in {path} cannot be decoded: {'; '.join(reasons)}.",
        hint=f"Write the name of its encoding into {path.with_suffix('.cpg').name}.",
    )


def write_layer(
    path: Path, layer: Layer, driver: str, *, options: Mapping[str, str], encoding: str | None = None
) -> None:
    """Write a layer with an OGR driver; a layer of another name that is in the file already stays.

    Not atomic, and errors are those of OGR: the callers write into a temporary place, within
    `output_errors` of the place that was asked for.
    """
    names, values, masks = list(layer.fields), [], []
    for column in layer.fields.values():
        data, is_null = _typed(column)
        values.append(data)
        masks.append(is_null if is_null.any() else None)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "'crs' was not provided")  # a scene without CRS is a valid input
        pyogrio.raw.write(
            path,
            shapely.to_wkb(layer.geometries),
            values,
            names,
            field_mask=masks,
            layer=layer.name,
            driver=driver,
            geometry_type=layer.geometry_type,
            crs=layer.crs.to_wkt() if layer.crs else None,
            encoding=encoding,
            promote_to_multi=layer.geometry_type.startswith("Multi"),
            layer_options=dict(options),
        )


@contextmanager
def output_errors(path: Path) -> Iterator[None]:
    """Turn what goes wrong while `path` is written into an OutputError."""
    try:
        yield
    except ClearsceneError:
        raise
    except (OSError, ValueError, RuntimeError, sqlite3.Error) as error:  # those of pyogrio are RuntimeErrors
        failure = output_error(error, path)
        hint = failure.hint or "Check that the folder is writable and the disk not full."
        raise OutputError(failure.message, hint=hint) from error


def _layer_name(path: Path, layer: str | None) -> str:
    """The layer asked for, or the first with geometries."""
    try:
        listed = pyogrio.list_layers(path)
    except RuntimeError as error:
        raise VectorError(
            f"{path} cannot be opened as vector data: {error}",
            hint="GeoPackage, Shapefile, GeoJSON and all else that OGR reads is taken.",
        ) from error
    spatial = [str(name) for name, kind in listed if kind is not None]
    if layer is None and spatial:
        return spatial[0]
    if layer is not None and layer in listed[:, 0]:
        return layer
    wanted = f"layer {layer!r}" if layer is not None else "layer with geometries"
    raise VectorError(f"{path} has no {wanted}.", hint=f"Its layers are {', '.join(map(str, listed[:, 0])) or 'none'}.")


def _encodings(path: Path) -> tuple[str | None, ...]:
    """Encodings to try; None leaves it to the format."""
    if path.suffix.lower() != ".shp":
        return (None,)
    said = next((path.with_suffix(suffix) for suffix in (".cpg", ".CPG") if path.with_suffix(suffix).exists()), None)
    if said is None:
        return SHAPEFILE_CODECS
    name = said.read_text("ascii", errors="replace").strip()
    name = {"65001": "utf-8", "GBK": "gb18030", "936": "gb18030"}.get(name.upper(), name)
    try:
        return (codecs.lookup(name).name,)
    except LookupError:
        return SHAPEFILE_CODECS


def _read_crs(text: str | None, path: Path) -> CRS | None:
    """The CRS of a layer; the undefined systems of a GeoPackage are none."""
    if not text or '"Undefined ' in text:
        return None
    try:
        return CRS.from_user_input(text)
    except CRSError as error:
        raise VectorError(f"The CRS of {path} is not understood: {error}") from error


def _typed(values: Column) -> tuple[NDArray[np.generic], NDArray[np.bool_]]:
    """Values as an array that OGR takes, and where they are NULL."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "iufb":
        return values, np.isnan(values) if values.dtype.kind == "f" else np.zeros(len(values), np.bool_)
    items = [None if isinstance(v, float) and np.isnan(v) else v for v in values]
    is_null = np.array([v is None for v in items], np.bool_)
    known = [v for v in items if v is not None]
    for kind, types in ((bool, (bool, np.bool_)), (int, (int, np.integer)), (float, (int, float, np.number))):
        if known and all(isinstance(v, types) for v in known):
            return np.array([kind() if v is None else v for v in items], kind), is_null
    return np.array([None if v is None else str(v) for v in items], object), is_null
