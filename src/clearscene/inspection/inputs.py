"""Which scenes a batch holds, and in which folder each one's result lies."""

import glob
import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from clearscene.batch import SUFFIXES, hint_deeper, scene_name
from clearscene.errors import OptionError
from clearscene.raster.sensors.opening import holds_product

__all__ = ["find_scenes", "result_folders"]


def find_scenes(words: Iterable[str]) -> list[str]:
    """Scenes named by files, folders, patterns (`*.tif`), URLs and /vsi paths, each once, in order.

    Files of a folder are taken in the order of their names, its subfolders are not. Rasters that an
    inspection left, beside their `report.json`, are no scenes.

    Raises:
        OptionError: A pattern matches nothing, or a folder holds no raster, or a satellite product.
    """
    found: dict[str, None] = {}
    for word in words:
        for path in _scenes_of(word):
            found[path] = None
    if not found:
        raise OptionError("No scene was named.", hint="Name files, folders or patterns such as orthos/*.tif.")
    return list(found)


def _scenes_of(word: str) -> list[str]:
    path = Path(word)
    if "://" in word or word.startswith("/vsi") or path.is_file():
        return [word]
    if path.is_dir() and holds_product(path):
        raise OptionError(
            f"{word} is a satellite product, whose bands are files of their own; inspect looks at pictures.",
            hint="Make one with gdalbuildvrt -separate rgb.vrt RED.tif GREEN.tif BLUE.tif; or use clearscene mask,"
            " which reads products.",
        )
    if path.is_dir():
        inside = sorted(str(p) for p in path.iterdir() if _is_raster(p))
        if not inside:
            raise OptionError(
                f"The folder {word} holds no raster ({', '.join(SUFFIXES)}).",
                hint=hint_deeper(path, _is_raster) or "Name the files themselves if they have another suffix.",
            )
        return inside
    matches = sorted(p for p in glob.glob(word, recursive=True) if _is_scene(Path(p)))  # noqa: PTH207  # may be absolute
    if not matches and glob.has_magic(word):
        raise OptionError(f"The pattern {word} matches no file.", hint="Put it in quotes, and check the folder.")
    # A file that is not there is a scene that fails by itself: the rest of the batch goes on.
    return matches or [word]


def _is_raster(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES and _is_scene(path)


def _is_scene(path: Path) -> bool:
    return path.is_file() and not (path.parent / "report.json").exists()


def result_folders(scenes: Sequence[str], out: Path) -> list[Path]:
    """The folder of each scene's result: `out/<name>`, and `-2`, `-3` ... where a name is taken.

    A folder that holds a result of the same scene is that scene's folder again, so that a batch
    which is run twice finds its own results. Any other folder that is there and holds something is
    somebody else's: it is left alone, and counts as taken.
    """
    taken: set[str] = set()
    folders = []
    for scene in scenes:
        folder = _free_folder(scene, out, taken)
        taken.add(folder.name.casefold())
        folders.append(folder)
    return folders


def _free_folder(scene: str, out: Path, taken: set[str]) -> Path:
    name, number = scene_name(scene), 1
    while True:
        folder = out / (name if number == 1 else f"{name}-{number}")
        if folder.name.casefold() not in taken and (_is_free(folder) or _owner(folder) == _absolute(scene)):
            return folder
        number += 1


def _is_free(folder: Path) -> bool:
    return not folder.exists() or (folder.is_dir() and not any(folder.iterdir()))


def _owner(folder: Path) -> str | None:
    """The scene that a result folder belongs to; None if it holds no result."""
    try:
        record = json.loads((folder / "report.json").read_text(encoding="utf-8"))
        return str(record["scene"]["path"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _absolute(scene: str) -> str:
    return scene if "://" in scene or scene.startswith("/vsi") else str(Path(scene).resolve())
