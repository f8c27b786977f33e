"""How tools that build models from photos want masks to be called, and which of a folder belongs to a photo.

| tool | mask of photos/DSC1.JPG | source |
|---|---|---|
| Metashape | DSC1_mask.png (template {filename}_mask.png) | user manual, Import Masks |
| COLMAP | DSC1.JPG.png in the same folder layout as the photos | documentation, option mask_path |
| OpenDroneMap | DSC1_mask.JPG beside the photo | documentation, Using Image Masks |
| plain | DSC1_mask.png | |

In all of them what is black is left out and what is white is kept.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath

from clearscene.sky.options import Target

__all__ = ["MASK_END", "existing_mask", "heatmap_name", "is_mask_name", "mask_name", "relative_places"]

MASK_END = "_mask"
ODM_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff")


def mask_name(photo: str, target: Target) -> str:
    """File name of the mask of a photo's file name. Law: two names that differ have masks that differ by tool."""
    path = PurePosixPath(photo)
    if target == "colmap":
        return f"{photo}.png"
    if target == "odm" and path.suffix.lower() in ODM_SUFFIXES:
        return f"{path.stem}{MASK_END}{path.suffix}"
    return f"{path.stem}{MASK_END}.png"


def heatmap_name(photo: str) -> str:
    """File name of the picture of the probability."""
    return f"{PurePosixPath(photo).stem}_sky.jpg"


def is_mask_name(name: str) -> bool:
    """True for what looks like a mask or a heat map of ours, so that a folder of photos can hold both."""
    stem = PurePosixPath(name).stem
    is_of_colmap = PurePosixPath(stem).suffix.lower() in ODM_SUFFIXES and name.lower().endswith(".png")
    return stem.endswith((MASK_END, "_sky")) or is_of_colmap


def existing_mask(folder: Path, place: PurePosixPath) -> Path | None:
    """The mask in `folder` of the photo at `place` (relative), under the name that any of the tools knows; or None."""
    names = [mask_name(place.name, target) for target in ("metashape", "colmap", "odm")]
    plain = [f"{place.stem}.png", place.name]  # one mask a photo, in a folder of their own
    for parent in dict.fromkeys((folder / place.parent, folder)):
        for name in dict.fromkeys([*names, *plain]):
            if (parent / name).is_file():
                return parent / name
    return None


def relative_places(photos: Sequence[Path], roots: Mapping[Path, Path]) -> dict[Path, PurePosixPath]:
    """Where the mask of each photo goes below the folder of the masks: as the photo lies below its root.

    `roots` gives the folder that was named for a photo; photos that were named themselves have none.
    """
    places = {}
    for photo in photos:
        root = roots.get(photo)
        places[photo] = PurePosixPath((photo.relative_to(root) if root else Path(photo.name)).as_posix())
    return places
