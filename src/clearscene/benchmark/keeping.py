"""What is finished: keys of trainings and cells, so that a run goes on where it ended."""

import hashlib
import json
from pathlib import Path
from typing import Any

from clearscene.atomic import output_error, replacing
from clearscene.benchmark.results import Cell

__all__ = ["digest", "is_trained", "kept_cell", "read_key", "weights_of", "write_key"]

KEY = "benchmark.json"
WEIGHTS = (".pt", ".onnx", ".toml")


def digest(values: Any) -> str:
    """SHA-256 of values as JSON. Law: the order of keys changes nothing."""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def read_key(folder: Path) -> str:
    """The key that a training was begun with; empty if there is none."""
    return str(_read(folder).get("key", ""))


def is_trained(folder: Path, key: str) -> bool:
    """True if a training of this key is finished."""
    return _read(folder) == {"key": key, "done": True}


def write_key(folder: Path, key: str, *, is_done: bool) -> None:
    """Say what a training is of, and whether it is finished.

    Raises:
        OutputError: The folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise output_error(error, folder) from error
    with replacing(folder / KEY) as part:
        part.write_text(json.dumps({"key": key, "done": is_done}) + "\n", encoding="utf-8")


def weights_of(folder: Path | None) -> list[str]:
    """SHA-256 of each file of weights and its settings in a folder, by name; none where it cannot be read.

    Law: a file that is touched changes nothing, another byte does.
    """
    try:
        files = sorted(path for path in folder.iterdir() if path.suffix in WEIGHTS) if folder else []
        return [f"{path.name} {_sha256(path)}" for path in files]
    except OSError:
        return []


def _sha256(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def kept_cell(path: Path, key: str) -> Cell | None:
    """The finished cell of this key; failed ones are tried again."""
    try:
        cell = Cell.model_validate_json(path.read_bytes())
    except (OSError, ValueError):
        return None
    return cell if cell.status == "done" and cell.key == key else None


def _read(folder: Path) -> dict[str, Any]:
    try:
        return dict(json.loads((folder / KEY).read_text(encoding="utf-8")))
    except (OSError, ValueError):
        return {}
