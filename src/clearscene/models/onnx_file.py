"""Look into an ONNX file before any runtime opens it, without the onnx package.

A runtime that loads a file may follow the paths in it (external weights, cached contexts) and look
for operators in libraries. `check_onnx` walks the file's protobuf structure, which is plain data,
and refuses whatever reaches outside the folder. Field numbers are those of `onnx.proto` (ONNX IR).
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from clearscene.errors import ModelError

__all__ = ["OnnxSummary", "check_onnx"]

MAX_MODEL_BYTES = 1 << 30
"""Largest model with its external weights: 1 GiB."""

MAX_DEPTH = 32
"""Deepest nesting of subgraphs."""

KNOWN_DOMAINS = {"", "ai.onnx", "ai.onnx.ml", "com.microsoft"}
"""Operators that onnxruntime has compiled in; everything else needs a library from somewhere."""

REFUSED_OPERATORS = {"EPContext", "PyOp", "PythonOp"}
"""Operators that open other files or run code."""

# Message fields that hold messages, per message: field number -> kind of message.
_NESTED = {
    "model": {7: "graph", 8: "opset", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "function": {7: "node", 9: "opset", 11: "attribute"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {13: "entry"},
}


@dataclass
class OnnxSummary:
    """What a file uses."""

    opsets: dict[str, int] = field(default_factory=dict)
    """Operator domain to version."""
    operators: set[tuple[str, str]] = field(default_factory=set)
    """(domain, operator) of every node, subgraphs included."""
    functions: set[str] = field(default_factory=set)
    """Domains of the functions that the file defines itself."""
    external: set[str] = field(default_factory=set)
    """Locations of external weights, as written in the file."""


def check_onnx(path: Path) -> OnnxSummary:
    """Read the structure of an ONNX file and refuse what is not self-contained.

    Raises:
        ModelError: The file is missing, too large, not ONNX, uses operators of unknown domains, or names
            external weights that are not plain files in its own folder.
    """
    if not path.is_file():
        raise ModelError(f"{path.parent} has no {path.name}.", hint="A model folder holds model.onnx and model.toml.")
    _check_size(path, path.stat().st_size)
    summary = OnnxSummary()
    try:
        _walk(memoryview(path.read_bytes()), "model", summary, 0)
    except (IndexError, ValueError, RecursionError) as error:
        raise ModelError(f"{path} is not an ONNX file: {error}.") from error
    if not summary.opsets or not summary.operators:
        raise ModelError(f"{path} is not an ONNX file: it names no operators.")
    _check_operators(path, summary)
    _check_external(path, summary)
    return summary


def _check_operators(path: Path, summary: OnnxSummary) -> None:
    foreign = sorted({domain for domain, _ in summary.operators} - KNOWN_DOMAINS - summary.functions)
    refused = sorted(name for _, name in summary.operators if name in REFUSED_OPERATORS)
    if foreign or refused:
        raise ModelError(
            f"{path} uses operators that are not part of ONNX Runtime: {', '.join(foreign + refused)}.",
            hint="Libraries of custom operators are code and are never loaded; export with standard operators.",
        )


def _check_external(path: Path, summary: OnnxSummary) -> None:
    """External weights must be plain names of plain files beside the model."""
    total = path.stat().st_size
    for location in sorted(summary.external):
        plain = location not in ("", ".", "..") and not set(location) & set("/\\:\0")
        weights = path.parent / location if plain else path
        if not plain or weights.is_symlink() or not weights.is_file():
            raise ModelError(
                f"{path} names external weights {location!r}, which is not a file in the model's folder.",
                hint="External weights must lie beside model.onnx, under a plain name.",
            )
        total += weights.stat().st_size
        _check_size(path, total)


def _check_size(path: Path, size: int) -> None:
    if size > MAX_MODEL_BYTES:
        raise ModelError(f"{path} with its weights has {size} bytes; the limit is {MAX_MODEL_BYTES}.")


def _walk(data: memoryview, kind: str, summary: OnnxSummary, depth: int) -> None:
    """Visit one message and those inside it."""
    if depth > MAX_DEPTH:
        raise ValueError(f"subgraphs are nested more than {MAX_DEPTH} deep")
    nested = _NESTED.get(kind, {})
    texts: dict[int, str] = {}
    version = 0
    for number, value in _fields(data):
        if isinstance(value, int):
            version = value if number == 2 else version
        elif number in nested:
            _walk(value, nested[number], summary, depth + 1)
        elif kind in ("node", "opset", "function", "entry") and number in (1, 2, 4, 7, 10):
            texts[number] = bytes(value).decode("utf-8")
    _note(kind, texts, version, summary)


def _note(kind: str, texts: dict[int, str], version: int, summary: OnnxSummary) -> None:
    """Take down what a message says."""
    if kind == "node":
        summary.operators.add((texts.get(7, ""), texts.get(4, "")))
    elif kind == "opset":
        summary.opsets[texts.get(1, "")] = version
    elif kind == "function":
        summary.functions.add(texts.get(10, ""))
    elif kind == "entry" and texts.get(1) == "location":
        summary.external.add(texts.get(2, ""))


def _fields(data: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Field number and value of each field of a protobuf message."""
    at, end = 0, len(data)
    while at < end:
        key, at = _varint(data, at)
        if key >= 1 << 32:  # protobuf would cut it to 32 bits and read another field than we do
            raise ValueError(f"field tag {key} at byte {at} is longer than 32 bits")
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(data, at)
            yield number, value
            continue
        if wire == 2:
            length, at = _varint(data, at)
        elif wire in (1, 5):
            length = 8 if wire == 1 else 4
        else:
            raise ValueError(f"unknown wire type {wire} at byte {at}")
        if number == 0 or length > end - at:
            raise ValueError(f"field {number} of {length} bytes at byte {at} runs past the end")
        yield number, data[at : at + length]
        at += length


def _varint(data: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError(f"a number at byte {at} is too long")
