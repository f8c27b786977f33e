"""A folder that appears whole or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from clearscene.atomic import output_error
from clearscene.errors import ClearsceneError, OutputError

__all__ = ["staged_folder"]


@contextmanager
def staged_folder(path: Path, *, overwrite: bool = False, marker: str = "model.toml") -> Iterator[Path]:
    """Give an empty folder beside `path`; what is written there becomes `path` at the end.

    Laws: whoever looks at `path` sees the old folder or the whole new one; after an exception the old one
    is as it was and nothing temporary is left. Only a folder that holds `marker`, or nothing, is replaced.

    Raises:
        OutputError: `path` exists and may not be replaced, or something cannot be written.
    """
    path = Path(path)
    _check(path, overwrite=overwrite, marker=marker)
    part = path.with_name(f".{path.name}.{uuid4().hex[:8]}.part")
    try:
        part.mkdir(parents=True)
        yield part
        _swap(part, path)
    except ClearsceneError:
        raise
    except OSError as error:
        raise output_error(error, path) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _swap(part: Path, path: Path) -> None:
    """Put `part` where `path` is; the old folder comes back if that fails."""
    if not path.exists():
        part.rename(path)
        return
    old = part.with_suffix(".old")
    path.rename(old)
    try:
        part.rename(path)
    except BaseException:
        old.rename(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _check(path: Path, *, overwrite: bool, marker: str) -> None:
    if not path.exists():
        return
    if not path.is_dir() or (any(path.iterdir()) and not (path / marker).is_file()):
        raise OutputError(f"{path} exists and is no model folder.", hint="Choose another name.")
    if any(path.iterdir()) and not overwrite:
        raise OutputError(f"{path} holds a model already.", hint="Use --overwrite, or choose another name.")
