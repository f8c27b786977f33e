"""What is wrong in a file that pydantic has checked, in one line for people."""

from collections.abc import Iterator, Sequence
from difflib import get_close_matches
from typing import Any, get_args

from pydantic import BaseModel, ValidationError

__all__ = ["describe_errors", "names_unknown_section"]


def describe_errors(error: ValidationError, whole: str, model: type[BaseModel] | None = None) -> str:
    """All wrong keys on one line: where, what is wrong, and the value if it is short; `whole` names the file.

    An unknown key is told with one of `model` that it may have been meant for: what the file was checked by.
    Law: what a check of ours says stands in its own words, without the mark that pydantic puts before them.
    """
    parts = []
    found = error.errors(include_url=False)
    deeper = {item["loc"][:n] for item in found for n in range(len(item["loc"]))}
    for item in found:
        if item["loc"] in deeper and len(found) > 1:
            continue  # it only follows from what is wrong inside
        where = ".".join(str(step) for step in item["loc"]) or whole
        if item["type"] == "extra_forbidden":
            parts.append(f"{where}: no such key{_meant(item['loc'], model)}")
            continue
        value = "" if isinstance(item["input"], dict | BaseModel) else f" (found {item['input']!r:.60})"
        parts.append(f"{where}: {_worded(item['msg'])}{value}")
    return "; ".join(parts)


def names_unknown_section(error: ValidationError) -> bool:
    """True if a key of the file itself, not of one of its sections, is unknown or missing."""
    return any(item["type"] in ("extra_forbidden", "missing") and len(item["loc"]) == 1 for item in error.errors())


def _worded(message: str) -> str:
    if message == "Field required":
        return "is missing"
    return message.removeprefix("Value error, ").replace("Input should be ", "must be ", 1)


def _meant(place: Sequence[int | str], model: type[BaseModel] | None) -> str:
    """The key beside it that is most like the one at `place`; else, in a section, those that there are."""
    *sections, key = place
    models = [] if model is None else [model]
    for step in sections:
        inner = [field.annotation for one in models for name, field in one.model_fields.items() if name == step]
        models = [one for annotation in inner for one in _models_in(annotation)] if inner else models
    known = [name for one in models for name in one.model_fields]
    near = get_close_matches(str(key), known, n=1)
    if near:
        return f"; perhaps {'.'.join(map(str, (*sections, near[0])))} is meant"
    return f"; there are {', '.join(known)}" if sections and known else ""


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    """The models of an annotation, such as that of `tuple[Model, ...] | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models_in(part)
