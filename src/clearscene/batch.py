"""What every batch of scenes needs, whatever is done to them: names, the state of files, and failures."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["SUFFIXES", "Failure", "file_state", "hint_deeper", "scene_name", "what_changed"]

SUFFIXES = (".tif", ".tiff", ".jp2", ".img", ".vrt", ".png", ".jpg", ".jpeg", ".bmp", ".ecw", ".sid", ".webp")
"""What is taken from a folder; a file named by itself may have any suffix that GDAL reads."""


@dataclass(frozen=True)
class Failure:
    """A scene of which nothing could be made."""

    name: str
    """Of the scene."""
    path: str
    """As the user gave it."""
    error: str
    """What is wrong."""
    hint: str = ""
    """What to do about it; may be empty."""
    seconds: float = 0.0
    """Until it failed."""


def scene_name(path: str) -> str:
    """The name of a scene: its file name without suffix, without what a folder name cannot hold."""
    stem = Path(path.split("?")[0].rstrip("/")).name
    stem = stem.rsplit(".", 1)[0] if "." in stem.strip(".") else stem
    return "".join("_" if c in '<>:"/\\|?*' or ord(c) < 32 else c for c in stem).strip(" .") or "scene"


def hint_deeper(folder: Path, is_scene: Callable[[Path], bool]) -> str:
    """What to type for a folder whose scenes lie in its subfolders, which are not searched; empty if none does."""
    found = next((path for path in folder.rglob("*") if path.parent != folder and is_scene(path)), None)
    if found is None:
        return ""
    pattern = f", or '{folder / '**' / '*'}{found.suffix}' in quotes" if found.suffix else ""
    return f"There are some in its subfolders, which are not searched: name {found.parent}{pattern}."


def file_state(path: str) -> str:
    """Size and time of change of a local file, by which another file in its place is noticed; else empty."""
    try:
        stat = Path(path).stat()
    except OSError:
        return ""
    return f"{stat.st_size}-{stat.st_mtime_ns}"


def what_changed(
    *,
    options: tuple[Mapping[str, str], Mapping[str, str]],
    files: tuple[str, str],
    models: tuple[Mapping[str, str], Mapping[str, str]],
) -> str:
    """Why a result that is there may not be what is asked for now, each by what was and what is; empty if it is.

    `files` are states of the scene's file. Of models, version by name, those count that are in both: which of them
    look at a scene depends on the scene.
    """
    if options[0] != options[1]:
        return "with other options"
    if files[0] != files[1]:
        return "before the file changed"
    older = [name for name, version in models[0].items() if models[1].get(name, version) != version]
    return f"by another version of the model {' and '.join(older)}" if older else ""
