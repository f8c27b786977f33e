"""Which scenes a batch of masks holds, and how their files are named."""

import glob
from collections.abc import Iterable, Sequence
from pathlib import Path

from clearscene.batch import SUFFIXES, hint_deeper, scene_name
from clearscene.errors import OptionError
from clearscene.masking.result import read_report
from clearscene.raster.sensors import landsat, sentinel2, stac
from clearscene.raster.sensors.contents import is_archive

__all__ = ["absolute", "find_products", "mask_stems", "product_name"]

OWN = ("_mask", "_confidence", "_qa")
"""Ends of the names of our own rasters."""

ENDS = (".gz", ".tgz", ".tar", ".zip", ".safe")
"""What archives and products end in, from the outside in."""

METADATA = (sentinel2.METADATA, landsat.METADATA, landsat.IMAGE)


def find_products(words: Iterable[str]) -> list[str]:
    """Scenes named by files, products, folders, patterns, addresses and /vsi paths, each once, in order.

    A SAFE or Landsat folder is one scene. Of any other folder the products, archives and rasters in it are
    taken, by name; what is deeper is not. Masks that lie beside their `_mask.json` are no scenes. A pattern that ends
    in .json or .geojson stands for the STAC Items among its files, but not those of masks.

    Raises:
        OptionError: A pattern matches nothing, or a folder holds no scene.
    """
    found = [path for word in words for path in _scenes_of(word)]
    if not found:
        raise OptionError("No scene was named.", hint="Name a product, a raster, a folder or a pattern.")
    return list(dict.fromkeys(found))


def _scenes_of(word: str) -> list[str]:
    path = Path(word)
    if "://" in word or word.startswith("/vsi") or path.is_file() or (path.is_dir() and _is_product(path)):
        return [word]
    if path.is_dir():
        inside = sorted(str(child) for child in path.iterdir() if _is_scene(child))
        if not inside:
            raise OptionError(
                f"The folder {word} holds no product and no raster ({', '.join(SUFFIXES)}).",
                hint=hint_deeper(path, _is_scene)
                or "Name a SAFE or Landsat folder, an archive of one, or the rasters themselves.",
            )
        return inside
    is_wanted = stac.is_item_file if stac.recognize(word) else _is_scene
    matches = sorted(match for match in glob.glob(word, recursive=True) if is_wanted(Path(match)))  # noqa: PTH207  # may be absolute
    if not matches and glob.has_magic(word):
        what = "STAC Item" if stac.recognize(word) else "scene"
        raise OptionError(f"The pattern {word} matches no {what}.", hint="Put it in quotes, and check the folder.")
    return matches or [word]  # what is not there is a scene that fails by itself: the batch goes on


def _is_scene(path: Path) -> bool:
    if path.name.startswith("."):
        return False
    if path.is_dir():
        return _is_product(path)
    return is_archive(path) or (path.suffix.lower() in SUFFIXES and not _is_own(path))


def _is_product(folder: Path) -> bool:
    """True for a folder that is one product by its name, or by the files that lie right in it."""
    if folder.name.upper().endswith(".SAFE"):
        return True
    return any(pattern.fullmatch(child.name) for child in folder.iterdir() for pattern in METADATA)


def _is_own(path: Path) -> bool:
    end = next((end for end in OWN if path.stem.endswith(end)), None)
    return end is not None and path.with_name(f"{path.stem.removesuffix(end)}_mask.json").is_file()


def product_name(path: str) -> str:
    """The name of a scene, fit to be part of a file name: that of a SAFE without .SAFE, of a file without suffix."""
    place = Path(path.split("?")[0].rstrip("/")) if "://" in path else Path(path)
    if any(pattern.fullmatch(place.name) for pattern in METADATA[:2]):
        place = place.resolve().parent
    name = place.name
    for suffix in ENDS:
        name = name[: -len(suffix)] if name.lower().endswith(suffix) else name
    is_product = name != place.name or place.is_dir()  # a dot inside the name of a product is no suffix
    return scene_name(f"{name}.product" if is_product else path)


def mask_stems(scenes: Sequence[str], out: Path) -> list[str]:
    """Names of the results, `NAME` of `NAME_mask.tif`, with `-2`, `-3` ... where a name is taken.

    A name under which `out` holds a mask of the same scene is that scene's again; one of another scene is taken.
    """
    taken: set[str] = set()
    stems = []
    for scene in scenes:
        name, number = product_name(scene), 1
        stem = name
        while stem.casefold() in taken or not _is_free(out / f"{stem}_mask.json", scene):
            number += 1
            stem = f"{name}-{number}"
        taken.add(stem.casefold())
        stems.append(stem)
    return stems


def _is_free(record: Path, scene: str) -> bool:
    """True if there is no mask of this name, or one of this scene, or one whose record cannot be read."""
    try:
        path = read_report(record).scene.path
    except (OSError, ValueError):
        return True
    return path == absolute(scene)


def absolute(scene: str) -> str:
    """A path that stays the same wherever the command is run; addresses are left alone."""
    return scene if "://" in scene or scene.startswith("/vsi") else str(Path(scene).resolve())
