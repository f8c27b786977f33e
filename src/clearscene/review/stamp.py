"""Whether a GeoPackage was written since somebody looked, without reading its tables."""

import contextlib
import os
from pathlib import Path

__all__ = ["Stamp"]

_COUNTER_AT, _COUNTER_SIZE = 24, 4
"""Where the header of an SQLite file counts the transactions that changed it (SQLite file format, 1.3.7)."""


class Stamp:
    """Reads a value that differs whenever the file, or its write-ahead log, was written in between.

    The file stays open while this lives: closing it would drop the locks that sqlite holds on it in
    this process (a rule of POSIX locks).
    """

    def __init__(self, path: Path) -> None:
        self._path, self._log = path, path.with_name(path.name + "-wal")
        self._handle: int | None = None

    def read(self) -> tuple[int, ...]:
        """The value now."""
        values = [self.counter()]
        for part in (self._path, self._log):
            with contextlib.suppress(OSError):
                status = part.stat()
                values += [status.st_mtime_ns, status.st_size, status.st_ino]
        return tuple(values)

    def counter(self) -> int:
        """How often the file was changed, by the header of it; 0 where that cannot be read."""
        if not hasattr(os, "pread"):  # Windows: time and size must do
            return 0
        with contextlib.suppress(OSError):
            if self._handle is None:
                self._handle = os.open(self._path, os.O_RDONLY)
            return int.from_bytes(os.pread(self._handle, _COUNTER_SIZE, _COUNTER_AT), "big")
        return 0

    def __del__(self) -> None:
        if self._handle is not None:
            with contextlib.suppress(OSError):
                os.close(self._handle)
