"""Files that appear whole or not at all."""

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from clearscene.errors import ClearsceneError, OutputError

__all__ = ["output_error", "replacing"]

FREE_SPACE = "Free some space there, or write to another disk."
PERMISSION = "Check who owns it, or write to another folder."
OTHER_FOLDER = "Write to another folder."

REASONS = {
    errno.ENOSPC: ("there is no space left on the disk", FREE_SPACE),
    errno.EDQUOT: ("the disk quota is used up", FREE_SPACE),
    errno.EFBIG: (
        "the file grows past the size limit of the disk or of this shell",
        "Write to another disk; see `ulimit -f`.",
    ),
    errno.EACCES: ("permission is denied", PERMISSION),
    errno.EPERM: ("permission is denied", PERMISSION),
    errno.EROFS: ("the disk is read-only", OTHER_FOLDER),
    errno.ENOENT: ("its folder does not exist", "Make the folder first."),
    errno.ENOTDIR: ("a part of its path is a file, not a folder", OTHER_FOLDER),
    errno.EISDIR: ("a folder of that name is in the way", "Remove the folder, or choose another name."),
    errno.ENAMETOOLONG: ("its name is too long", "Choose a shorter name."),
}
"""What an error number means for someone who wants a file, and what to do."""

TELL_TALES = {
    "no space left": errno.ENOSPC,
    "file too large": errno.EFBIG,
    "permission denied": errno.EACCES,
    "read-only file system": errno.EROFS,
    "no such file or directory": errno.ENOENT,
    "is a directory": errno.EISDIR,
}
"""Words by which libraries that swallow the error number still name it."""


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`; what is written there becomes `path` at the end.

    Law: whoever looks at `path` sees the old file or the whole new one, never a part. After an
    exception (Ctrl-C too) the old file is as it was, and nothing temporary is left: files whose
    names start with the temporary name (journals, sidecars) go as well. The temporary name keeps
    the suffix, because some writers choose the format by it.

    Raises:
        OutputError: Whatever `OSError` the block or the move raised, with the path and a remedy.
    """
    path = Path(path)
    part = path.with_name(f".{path.stem}.{uuid4().hex[:8]}.part{path.suffix}")
    try:
        yield part
        part.replace(path)
    except ClearsceneError:
        raise
    except OSError as error:
        raise output_error(error, path) from error
    finally:
        _sweep(part)


def output_error(error: Exception, path: Path) -> OutputError:
    """The `OutputError` that says why `path` cannot be written, and what to do."""
    number = error.errno if isinstance(error, OSError) else None  # errors of GDAL have an `errno` of another kind
    text = " ".join(str(error.__cause__ or error).split()).rstrip(".")
    reason, hint = REASONS.get(number or _number_in(text), (text, "Check the space and the rights in its folder."))
    return OutputError(f"{path} cannot be written: {reason}.", hint=hint)


def _number_in(text: str) -> int:
    """The error number that a message of a library names in words, or 0."""
    lower = text.lower()
    return next((number for words, number in TELL_TALES.items() if words in lower), 0)


def _sweep(part: Path) -> None:
    """Remove a temporary file and everything that a writer has put beside it under its name."""
    if not part.parent.is_dir():
        return
    for leftover in part.parent.iterdir():
        if leftover.name.startswith(part.name):
            leftover.unlink(missing_ok=True)
