"""Files of a mask that appear together or not at all."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

from clearscene.atomic import output_error
from clearscene.errors import ClearsceneError
from clearscene.masking.result import MaskReport, read_report

__all__ = ["finished", "staged"]


@contextmanager
def staged(out: Path, stem: str) -> Iterator[Path]:
    """A folder inside `out` to work in; its files go to `out` when the block ends well.

    Law: after an exception `out` is as it was. The record `STEM_mask.json` goes last, and an older one is
    removed first, so that a record never stands beside files of another run. What an older record names and
    this run did not make is removed.

    Raises:
        OutputError: `out` cannot be written to.
    """
    work = out / f".{stem}.{uuid4().hex[:8]}.part"
    try:
        work.mkdir(parents=True)
        yield work
        _publish(work, out, stem)
    except ClearsceneError:
        raise
    except OSError as error:
        raise output_error(error, out / f"{stem}_mask.tif") from error
    finally:
        shutil.rmtree(work, ignore_errors=True)


def _publish(work: Path, out: Path, stem: str) -> None:
    record = out / f"{stem}_mask.json"
    made = sorted(work.iterdir(), key=lambda path: path.name == record.name)
    stale = _named_by(record) - {path.name for path in made}
    record.unlink(missing_ok=True)
    for name in stale:
        (out / name).unlink(missing_ok=True)
    for path in made:
        path.replace(out / path.name)


def _named_by(record: Path) -> set[str]:
    """Names of the files of an older run, with what GDAL keeps beside them."""
    try:
        files = read_report(record).files.values()
    except (OSError, ValueError):
        return set()
    plain = {name for name in files if Path(name).name == name}  # a record may come from anyone
    return plain | {f"{name}.aux.xml" for name in plain}


def finished(out: Path, stem: str) -> MaskReport | None:
    """The report of a mask that is there with all its files, or None."""
    try:
        report = read_report(out / f"{stem}_mask.json")
    except (OSError, ValueError):
        return None
    return report if all((out / name).is_file() for name in report.files.values()) else None
