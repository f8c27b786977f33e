"""Which models there are: those in the package and those that a user names."""

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from importlib.resources import files
from pathlib import Path

from clearscene.errors import ModelError
from clearscene.models.manifest import Manifest, load_manifest

__all__ = ["ModelInfo", "available_models", "find_model", "shipped_folder"]


@dataclass(frozen=True)
class ModelInfo:
    """A model folder that was found; only its manifest has been read."""

    folder: Path
    manifest: Manifest
    is_shipped: bool
    size_bytes: int


def shipped_folder() -> Path:
    """Where the weights inside the package lie; the folder need not exist."""
    return Path(str(files("clearscene"))) / "weights"


def available_models(paths: Sequence[Path | str] = ()) -> list[ModelInfo]:
    """Models of the package, then those in `paths`, each a model folder or a folder of model folders.

    An empty list means that there are none. Sorted by name inside each place.

    Raises:
        ModelError: A path does not exist or holds no model, or a manifest is wrong.
    """
    found = [_info(folder, is_shipped=True) for folder in _model_folders(shipped_folder())]
    for path in map(Path, paths):
        folders = _model_folders(path)
        if not folders:
            raise ModelError(
                f"{path} holds no model.",
                hint="Name a folder with model.onnx and model.toml, or a folder of such.",
            )
        found += [_info(folder, is_shipped=False) for folder in folders]
    return found


def find_model(
    name_or_path: str | Path, *, paths: Sequence[Path | str] = (), task: str = "", others: Sequence[str] = ()
) -> ModelInfo:
    """The model with this name, or in this folder.

    Of those that could have been meant, the hint of the error names models of this `task` (empty: of all), and
    `others` that the caller knows.

    Raises:
        ModelError: There is none, or its manifest is wrong.
    """
    folder = Path(name_or_path)
    if (folder / "model.toml").is_file():
        return _info(folder, is_shipped=False)
    models = available_models(paths)
    for info in models:
        if info.manifest.name == str(name_or_path):
            return info
    names = [*(info.manifest.name for info in models if task in ("", info.manifest.task)), *others]
    near = get_close_matches(str(name_or_path), names, n=1)
    meant = f"Did you mean {near[0]}? " if near else ""
    raise ModelError(
        f"There is no model {str(name_or_path)!r}.",
        hint=f"{meant}Models here: {', '.join(names) or 'none'}. Or give the path of a model folder.",
    )


def _model_folders(path: Path) -> list[Path]:
    if (path / "model.toml").is_file():
        return [path]
    return sorted(manifest.parent for manifest in path.glob("*/model.toml"))


def _info(folder: Path, *, is_shipped: bool) -> ModelInfo:
    size = sum(item.stat().st_size for item in folder.iterdir() if item.is_file())
    return ModelInfo(folder, load_manifest(folder), is_shipped, size)
