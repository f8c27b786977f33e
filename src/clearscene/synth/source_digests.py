"""Digests of the images that chips were cut from, so that a set does not go on over changed ones."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from clearscene.errors import DatasetError
from clearscene.synth.sources import Source, label_path

__all__ = ["check_unchanged", "digest_of", "digests_of"]

WHOLE = 4 << 20
"""Bytes up to which a file is read whole."""
BLOCKS, BLOCK = 16, 1 << 16
"""Of a larger file, so many blocks of so many bytes, spread evenly from its first byte to its last."""


def digests_of(sources: Sequence[Source]) -> dict[str, str]:
    """A digest by image, under the key of its scene and its name; labels are part of it.

    Law: equal files give equal digests wherever they lie.

    Raises:
        DatasetError: A file cannot be read.
    """
    found: dict[str, str] = {}
    for source in sources:
        digest = digest_of(source.path)
        if source.labels is not None:
            digest += "+" + digest_of(label_path(source.path, source.labels))
        found[f"{source.scene}: {source.path.name}"] = digest
    return found


def digest_of(path: Path) -> str:
    """16 hexadecimal digits by the size and the bytes of a file; above 4 MiB by 16 parts of it.

    Raises:
        DatasetError: It cannot be read.
    """
    try:
        size = path.stat().st_size
        digest = hashlib.sha256(str(size).encode())
        with path.open("rb") as file:
            if size <= WHOLE:
                digest.update(file.read())
            for i in range(BLOCKS if size > WHOLE else 0):
                file.seek(i * (size - BLOCK) // (BLOCKS - 1))
                digest.update(file.read(BLOCK))
    except OSError as error:
        raise DatasetError(f"{path} cannot be read: {error.strerror}.", hint="Mend it, or exclude it.") from error
    return digest.hexdigest()[:16]


def check_unchanged(made: Mapping[str, str], now: Mapping[str, str], folder: Path) -> None:
    """Nothing if chips that were made from `made` can go on with `now`.

    Raises:
        DatasetError: An image was changed, added or removed; the first is named.
    """
    for text, names in (
        ("was changed", [name for name in made if name in now and made[name] != now[name]]),
        ("is gone", [name for name in made if name not in now]),
        ("is new", [name for name in now if name not in made]),
    ):
        if names:
            more = f" ({len(names) - 1} more)" if len(names) > 1 else ""
            raise DatasetError(
                f"{folder} was begun with other images: {names[0]} {text}{more}.",
                hint="Bring the old images back, use --overwrite, or write to another folder.",
            )
