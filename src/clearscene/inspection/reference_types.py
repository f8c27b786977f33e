"""The defect types of polygons that an inspector brings, from whatever field holds them."""

from collections.abc import Sequence
from typing import Any

from clearscene.errors import VectorError
from clearscene.inspection.polygon_file import PolygonFile, defect_of
from clearscene.inspection.taxonomy import TYPES

__all__ = ["types_of"]

_TYPE_FIELDS = (
    "type",
    "type_id",
    "type_en",
    "type_zh",
    "category_id",
    "category_i",
    "class",
    "defect",
    "label",
    "labels",
    "类型",
    "错误类型",
)


def types_of(file: PolygonFile, field: str | None) -> list[str]:
    """The type of each polygon, by the field asked for, or the first usual one of which most values are types.

    Raises:
        VectorError: There is no such field, or it holds a value that is no type.
    """
    field = _guessed(file) if field is None else field
    names = []
    for number, value in zip(file.ids, file.column(field), strict=True):
        defect = defect_of(value)
        if defect is None:
            known = ", ".join(f"{t.id} {t.title} {t.title_zh}" for t in TYPES)
            raise VectorError(
                f"{file.path}: the field {field} holds {value!r}, which is no type (feature id {number} in QGIS).",
                hint=f"Types are {known}. If another field holds the types, name it with --type-field.",
            )
        names.append(defect.name)
    return names


def _guessed(file: PolygonFile) -> str:
    """The first usual field of which most values are types; else the first usual one with any value, to be judged."""
    fields = {name.lower(): name for name in file.fields}
    usual = [fields[name] for name in _TYPE_FIELDS if name in fields]
    likely = [name for name in usual if _share_of_types(file.fields[name]) > 0.5]
    filled = [name for name in usual if any(value is not None for value in file.fields[name]) or not file.ids]
    if not likely and not filled:
        raise VectorError(
            f"No field of {file.path} holds the types of its polygons.",
            hint=f"Name it with --type-field; its fields are {', '.join(file.fields) or 'none'}.",
        )
    return (likely or filled)[0]


def _share_of_types(values: Sequence[Any]) -> float:
    return sum(defect_of(value) is not None for value in values) / max(1, len(values))
