"""What lies in a product: the files of a folder, a zip or a tar, read without unpacking."""

import os
import tarfile
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path, PurePosixPath

from clearscene.errors import SceneError

__all__ = ["Contents", "contents_of", "is_archive"]

LARGEST_TEXT = 64 * 2**20
"""Metadata of a product have some megabytes at most; more is no metadata."""

MOST_FILES = 20_000
DEEPEST = 6
"""Levels of folders that are looked into; a SAFE has five."""


class Contents(ABC):
    """The files of a product by their names inside it, with forward slashes."""

    path: Path
    names: tuple[str, ...]

    @abstractmethod
    def gdal_path(self, name: str) -> str:
        """The name under which GDAL opens a file."""

    @abstractmethod
    def _bytes(self, name: str) -> bytes: ...

    @property
    def name(self) -> str:
        """Name of the folder or archive without its suffix."""
        name = self.path.resolve().name
        for suffix in (".gz", ".tgz", ".tar", ".zip", ".SAFE"):
            name = name.removesuffix(suffix)
        return name

    def text(self, name: str) -> str:
        """Read a text file.

        Raises:
            SceneError: It is too large, cannot be read, or is not text.
        """
        try:
            return self._bytes(name).decode("utf-8-sig")
        except (OSError, EOFError, ValueError, zipfile.BadZipFile, tarfile.TarError, NotImplementedError) as error:
            raise SceneError(
                f"{name} in {self.path} cannot be read: {error}.", hint="Copy or download the product again."
            ) from error


class _Folder(Contents):
    def __init__(self, path: Path) -> None:
        self.path, self.names = path, tuple(sorted(_walk(path)))

    def gdal_path(self, name: str) -> str:
        return str(self.path / name)

    def _bytes(self, name: str) -> bytes:
        return _limited((self.path / name).stat().st_size, (self.path / name).read_bytes)


class _Zip(Contents):
    def __init__(self, path: Path) -> None:
        self.path = path
        with zipfile.ZipFile(path) as archive:
            self.names = tuple(sorted(info.filename for info in archive.infolist() if not info.is_dir()))

    def gdal_path(self, name: str) -> str:
        return f"/vsizip/{{{self.path.resolve()}}}/{name}"

    def _bytes(self, name: str) -> bytes:
        with zipfile.ZipFile(self.path) as archive:
            return _limited(archive.getinfo(name).file_size, lambda: archive.read(name))


class _Tar(Contents):
    def __init__(self, path: Path) -> None:
        self.path = path
        with tarfile.open(path) as archive:
            members = {_plain(info.name): info.name for info in archive if info.isfile()}
        self._inside = members
        self.names = tuple(sorted(members))

    def gdal_path(self, name: str) -> str:
        return f"/vsitar/{{{self.path.resolve()}}}/{name}"

    def _bytes(self, name: str) -> bytes:
        with tarfile.open(self.path) as archive:
            info = archive.getmember(self._inside[name])
            file = archive.extractfile(info)
            return _limited(info.size, file.read) if file else b""


def is_archive(path: Path) -> bool:
    """True for a name that says zip or tar."""
    return path.name.lower().endswith((".zip", ".tar", ".tar.gz", ".tgz"))


def contents_of(path: Path) -> Contents:
    """List a folder, a zip or a tar.

    Raises:
        SceneError: It cannot be read, or is cut short.
    """
    try:
        if path.is_dir():
            return _Folder(path)
        return _Zip(path) if path.name.lower().endswith(".zip") else _Tar(path)
    except (OSError, EOFError, zipfile.BadZipFile, tarfile.TarError) as error:
        raise SceneError(
            f"{path} cannot be read: {error}.", hint="It may be cut short: copy or download it again."
        ) from error


def _walk(root: Path) -> list[str]:
    """Files under a folder, relative to it."""
    names: list[str] = []
    for folder, inner, files in os.walk(root):
        place = Path(folder).relative_to(root)
        if len(place.parts) >= DEEPEST:
            inner.clear()
        names += [(place / file).as_posix() for file in files]
        if len(names) > MOST_FILES:
            raise SceneError(f"{root} holds more than {MOST_FILES:,} files.", hint="Give the folder of one product.")
    return names


def _plain(name: str) -> str:
    return PurePosixPath(name).as_posix()  # "./a" and "a" are one file


def _limited(size: int, read: Callable[[], bytes]) -> bytes:
    if size > LARGEST_TEXT:
        raise ValueError(f"{size:,} bytes are no metadata")
    return read()
