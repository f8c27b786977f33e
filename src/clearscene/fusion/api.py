"""The call for Python users: many images in, one image and its record out."""

from collections.abc import Sequence
from pathlib import Path

from clearscene.fusion.options import FuseOptions
from clearscene.fusion.plan import prepare_fuse
from clearscene.fusion.result import FuseReport
from clearscene.fusion.run import Progress, fuse_images, silent
from clearscene.fusion.staging import without_own_outputs
from clearscene.masking.inputs import find_products

__all__ = ["fuse"]


def fuse(
    scenes: Sequence[str | Path] | str | Path,
    out: str | Path,
    *,
    options: FuseOptions | None = None,
    progress: Progress = silent,
) -> FuseReport:
    """Fuse images of one place into one, as `clearscene fuse` does.

    Laws: the order of `scenes` does not matter; one image gives itself; every value lies within those of the images
    that count at that pixel and band: those that are good, or where none is the least bad (`FuseOptions.all_bad`).

    Args:
        scenes: Rasters, satellite products or STAC Items, of any extent, resolution and CRS, and of one data type
            unless `options.reflectance`; or one folder or pattern of them.
        out: The GeoTIFF to write; what else is written lies beside it. Unlike by the command, it is replaced if it is
            there.
        options: Everything that can be chosen; the defaults if left out.
        progress: Called with the stage and its share that is done.

    Returns:
        What the JSON record holds.

    Raises:
        ClearsceneError: An image cannot be read, images do not fit each other, an option does not fit, or nothing
            can be written.
    """
    if isinstance(scenes, str | Path):
        paths = without_own_outputs(find_products([str(scenes)]), [str(scenes)])
    else:
        paths = [str(scene) for scene in scenes]
    return fuse_images(paths, Path(out), prepare_fuse(options or FuseOptions()), progress=progress)
