"""Files of a fusion that appear together or not at all."""

import shutil
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from clearscene.atomic import output_error
from clearscene.errors import ClearsceneError, OutputError
from clearscene.fusion.result import FuseReport, read_report
from clearscene.masking.inputs import absolute

__all__ = ["check_free", "check_out", "finished", "is_own_output", "record_of", "staged", "without_own_outputs"]

SUFFIXES = (".tif", ".tiff")
ENDS = ("_count.tif", "_source.tif", "_share.tif", "_quality.tif", "_date.tif", ".json", ".html")
"""Of the files beside the result."""


def check_out(out: Path, inputs: Iterable[str] = ()) -> None:
    """Make sure that the result has a name that a COG can have, and that nothing it is made from is written over.

    Raises:
        OutputError: It has another suffix, or is a folder; or a file to be written is one of the inputs.
    """
    if out.suffix.lower() not in SUFFIXES or out.is_dir():
        raise OutputError(
            f"{out} is a folder." if out.is_dir() else f"{out} does not end in .tif.", hint="Give a file, as fused.tif."
        )
    written = {str(path.resolve()) for path in (out, *(out.with_name(f"{out.stem}{end}") for end in ENDS))}
    for path in inputs:
        if absolute(path) in written:
            raise OutputError(
                f"{path} is read, and would be written over with --out {out}.", hint="Give --out another name."
            )


def without_own_outputs(paths: Sequence[str], named: Iterable[str]) -> list[str]:
    """The paths but for results of ours that lie in a folder or match a pattern; what was `named` itself stays."""
    named = set(named)
    return [path for path in paths if path in named or not is_own_output(Path(path))]


def is_own_output(path: Path) -> bool:
    """True for a raster that a record of ours beside it names."""
    stems = [path.stem, *(path.stem.removesuffix(Path(end).stem) for end in ENDS if path.name.endswith(end))]
    for record in (path.with_name(f"{stem}.json") for stem in dict.fromkeys(stems)):
        try:
            if path.name in read_report(record).files.values():
                return True
        except (OSError, ValueError):
            continue
    return False


def check_free(out: Path) -> None:
    """Make sure that a file that is no fusion of ours is not lost.

    Raises:
        OutputError: There is such a file.
    """
    if out.exists():
        raise OutputError(
            f"{out} is there, and no finished fusion: there is no record {record_of(out).name} that fits it.",
            hint="Give --out another name, or --overwrite.",
        )


def record_of(out: Path) -> Path:
    """The JSON record beside a result."""
    return out.with_suffix(".json")


@contextmanager
def staged(out: Path) -> Iterator[Path]:
    """A folder beside `out` to work in; its files go to the folder of `out` when the block ends well.

    Law: after an exception all is as it was. The record goes last, and an older one is removed first, so that a
    record never stands beside files of another run; files that only the older one names are removed.

    Raises:
        OutputError: The folder cannot be written to.
    """
    work = out.parent / f".{out.stem}.{uuid4().hex[:8]}.part"
    try:
        work.mkdir(parents=True)
        yield work
        _publish(work, out)
    except ClearsceneError:
        raise
    except OSError as error:
        raise output_error(error, out) from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _publish(work: Path, out: Path) -> None:
    record = record_of(out)
    made = sorted((path for path in work.iterdir() if path.is_file()), key=lambda path: path.name == record.name)
    stale = _named_by(record) - {path.name for path in made}
    record.unlink(missing_ok=True)
    for name in stale:
        (out.parent / name).unlink(missing_ok=True)
    for path in made:
        path.replace(out.parent / path.name)


def _named_by(record: Path) -> set[str]:
    """Names of the files of an older run, with what GDAL keeps beside them."""
    try:
        files = read_report(record).files.values()
    except (OSError, ValueError):
        return set()
    plain = {name for name in files if Path(name).name == name}  # a record may come from anyone
    return plain | {f"{name}.aux.xml" for name in plain}


def finished(out: Path) -> FuseReport | None:
    """The report of a fusion that is there with all its files, or None."""
    try:
        report = read_report(record_of(out))
    except (OSError, ValueError):
        return None
    return report if all((out.parent / name).is_file() for name in report.files.values()) else None
