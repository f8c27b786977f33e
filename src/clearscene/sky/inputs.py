"""Which photos a batch holds."""

import glob
from collections.abc import Iterable
from pathlib import Path

from clearscene.errors import OptionError
from clearscene.sky.names import HEATMAP_END, PHOTO_SUFFIXES, is_heatmap_name, is_mask_name

__all__ = ["find_photos"]


def find_photos(words: Iterable[str]) -> dict[Path, Path | None]:
    """Photos named by files, folders and patterns, each once, in order; with the folder that was named for them.

    Of a folder all photos at any depth are taken, but for what is hidden, what is called like a mask, and heat maps
    beside their photo or its mask. What is not there is a photo that fails by itself.

    Raises:
        OptionError: A folder or a pattern holds no photo, or nothing was named.
    """
    found: dict[Path, Path | None] = {}
    for word in words:
        for photo, root in _photos_of(word):
            found.setdefault(photo, root)
    if not found:
        raise OptionError("No photo was named.", hint="Name photos, a folder of them, or a pattern.")
    return found


def _photos_of(word: str) -> list[tuple[Path, Path | None]]:
    path = Path(word)
    if path.is_dir():
        children = (child for child in path.rglob("*") if _is_photo(child.relative_to(path)) and child.is_file())
        inside = _without_heatmaps(sorted(children))
        if not inside:
            raise OptionError(f"The folder {word} holds no photo ({', '.join(PHOTO_SUFFIXES)}).")
        return [(photo, path) for photo in inside]
    if path.exists() or not glob.has_magic(word):
        return [(path, None)]
    matches = [Path(match) for match in sorted(glob.glob(word, recursive=True))]  # noqa: PTH207  # may be absolute
    photos = _without_heatmaps([match for match in matches if _is_photo(Path(match.name)) and match.is_file()])
    if not photos:
        raise OptionError(f"The pattern {word} matches no photo.", hint="Put it in quotes, and check the folder.")
    return [(photo, None) for photo in photos]


def _is_photo(place: Path) -> bool:
    is_hidden = any(part.startswith(".") for part in place.parts)
    return place.suffix.lower() in PHOTO_SUFFIXES and not is_hidden and not is_mask_name(place.name)


def _without_heatmaps(photos: list[Path]) -> list[Path]:
    suspects = [photo for photo in photos if photo.name.endswith(HEATMAP_END)]
    beside = {folder: [file.name for file in folder.iterdir()] for folder in {photo.parent for photo in suspects}}
    dropped = {photo for photo in suspects if is_heatmap_name(photo.name, beside[photo.parent])}
    return [photo for photo in photos if photo not in dropped]
