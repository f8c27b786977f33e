"""How tools that build models from photos want masks to be called, and which of a folder belongs to a photo.

| tool | mask of photos/DSC1.JPG | source |
|---|---|---|
| Metashape | DSC1_mask.png (template {filename}_mask.png) | user manual, Import Masks |
| COLMAP | DSC1.JPG.png in the same folder layout as the photos | documentation, option mask_path |
| OpenDroneMap | DSC1_mask.png beside the photo; any format of its | documentation, Using Image Masks |
| plain | DSC1_mask.png | |

In all of them what is black is left out and what is white is kept.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath

from clearscene.sky.options import Target

__all__ = [
    "HEATMAP_END",
    "MASK_END",
    "PHOTO_SUFFIXES",
    "existing_mask",
    "heatmap_name",
    "is_heatmap_name",
    "is_mask_name",
    "mask_name",
    "relative_places",
]

MASK_END, HEATMAP_END = "_mask", "_sky.jpg"
PHOTO_SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".webp", ".bmp")


def mask_name(photo: str, target: Target) -> str:
    """File name of the mask of a photo's file name; always PNG, since a JPEG blurs the edge of a mask."""
    return f"{photo}.png" if target == "colmap" else f"{PurePosixPath(photo).stem}{MASK_END}.png"


def heatmap_name(photo: str) -> str:
    """File name of the picture of the probability."""
    return f"{PurePosixPath(photo).stem}{HEATMAP_END}"


def is_mask_name(name: str) -> bool:
    """True for what looks like a mask, so that a folder of photos can hold both."""
    stem = PurePosixPath(name).stem
    is_of_colmap = PurePosixPath(stem).suffix.lower() in PHOTO_SUFFIXES and name.lower().endswith(".png")
    return stem.endswith(MASK_END) or is_of_colmap


def is_heatmap_name(name: str, beside: Iterable[str]) -> bool:
    """True for `x_sky.jpg` if the file names `beside` it have a photo x or its mask; alone it is a photo."""
    if not name.endswith(HEATMAP_END):
        return False
    wanted = name.removesuffix(HEATMAP_END)
    return any(_photo_stem(other) == wanted for other in beside)


def _photo_stem(name: str) -> str:
    """Of a photo, or of the photo that a mask belongs to; empty for other files."""
    path = PurePosixPath(name)
    if path.suffix.lower() not in PHOTO_SUFFIXES:
        return ""
    is_of_colmap = is_mask_name(name) and not path.stem.endswith(MASK_END)
    return PurePosixPath(path.stem).stem if is_of_colmap else path.stem.removesuffix(MASK_END)


def existing_mask(folder: Path, place: PurePosixPath) -> Path | None:
    """The mask in `folder` of the photo at `place` (relative), under the name that any of the tools knows; or None."""
    names = [
        mask_name(place.name, "metashape"),
        mask_name(place.name, "colmap"),
        f"{place.stem}{MASK_END}{place.suffix}",
    ]
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
