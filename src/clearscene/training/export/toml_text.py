"""Write plain values as TOML; the standard library only reads it."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["to_toml"]

_BARE = re.compile(r"[A-Za-z0-9_-]+")


def to_toml(values: Mapping[str, Any]) -> str:
    """The values as a TOML document: tables for mappings, arrays of tables for lists of mappings.

    Law: `tomllib.loads(to_toml(values)) == values` for texts, whole numbers, floats, truth values, lists
    and mappings of them with texts as keys; None has no place in TOML and its key is left out.

    Raises:
        TypeError: A value is of another type.
    """
    return _table(values, ()).lstrip("\n")


def _table(values: Mapping[str, Any], path: tuple[str, ...]) -> str:
    """The plain keys of a table first, then its tables: what comes after a header belongs to it."""
    text = "".join(f"{_key(k)} = {_value(v)}\n" for k, v in values.items() if v is not None and not _is_table(v))
    for key, value in values.items():
        inner = (*path, key)
        header = ".".join(map(_key, inner))
        if isinstance(value, Mapping):
            text += f"\n[{header}]\n{_table(value, inner)}"
        elif _is_table(value):
            text += "".join(f"\n[[{header}]]\n{_table(entry, inner)}" for entry in value)
    return text


def _is_table(value: object) -> bool:
    """True for what gets a header of its own."""
    if isinstance(value, Mapping):
        return True
    is_list = isinstance(value, Sequence) and not isinstance(value, str) and len(value) > 0
    return is_list and all(isinstance(entry, Mapping) for entry in value)  # type: ignore[attr-defined]


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else _text(key)


def _value(value: object) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case float():
            return repr(float(value))
        case str():
            return _text(value)
        case Mapping():
            return "{ " + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items()) + " }"
        case Sequence():
            return "[" + ", ".join(map(_value, value)) + "]"
    raise TypeError(f"{value!r} of {type(value).__name__} cannot be written as TOML")


def _text(text: str) -> str:
    """A basic string: JSON's escapes are TOML's, but for DEL, which TOML wants escaped too."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
