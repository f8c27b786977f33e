"""Cloud masks of the images: found by name, or made; read on the common grid."""

import glob
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from rasterio.enums import Resampling
from rasterio.windows import Window

from clearscene.errors import ClearsceneError, ModelError, OptionError
from clearscene.fusion.failure import ImageError
from clearscene.fusion.image import FuseImage
from clearscene.fusion.lying import shifted
from clearscene.fusion.options import FuseOptions
from clearscene.fusion.warped import Warped
from clearscene.grid import Grid
from clearscene.masking.inputs import absolute
from clearscene.masking.options import MaskOptions
from clearscene.masking.result import read_report
from clearscene.masking.scene import mask_scene, prepare_mask
from clearscene.models.zoo import find_model
from clearscene.raster.gdal import block_cache, open_dataset, open_quietly
from clearscene.raster.georeference import grid_of

__all__ = ["AlignedMask", "make_masks", "match_masks", "require_mask_model"]

END = "_mask"
UNKNOWN = 255


class AlignedMask:
    """A mask on the common grid, by the nearest pixel: 0 is good; all else is not, nor what the mask does not cover."""

    def __init__(self, path: str, grid: Grid, *, shift: tuple[float, float] = (0.0, 0.0)) -> None:
        """Open a mask; `shift` is that of its image.

        Raises:
            SceneError: It cannot be opened.
        """
        with open_dataset(path) as dataset, block_cache():
            source, _ = grid_of(dataset)
        self._warped = Warped(
            lambda: open_quietly(path),
            shifted(source, grid, shift),
            grid,
            resampling=Resampling.nearest,
            nodata=UNKNOWN,
            name=path,
        )

    def bad(self, window: Window) -> NDArray[np.bool_]:
        """(row, col), True where the image is not to be used; any thread may call."""
        pixels = self._warped.read(window, [1])
        return np.asarray(~pixels.valid | (pixels.data[0] != 0))

    def close(self) -> None:
        """Close the file."""
        self._warped.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def match_masks(images: Sequence[FuseImage], words: Sequence[str]) -> dict[str, str]:
    """The mask of each image, by the image's path.

    A mask belongs to the image that its record `NAME_mask.json` names; without one, to the image whose name it
    has, with or without `_mask` at the end. The order in which masks are given says nothing.

    Raises:
        OptionError: An image has no mask or more than one; names it.
    """
    files = [file for word in words for file in _files_of(word)]
    result = {}
    for image in images:
        found = [file for file in files if _recorded(file) == absolute(image.path)]
        found = found or [file for file in files if _named(file) == image.name.casefold()]
        others = [file for file in dict.fromkeys(found) if absolute(file) != absolute(image.path)]
        if len(others) != 1:
            said = f"{len(others)} masks fit it: {', '.join(others)}" if others else "no mask fits it"
            raise OptionError(
                f"--masks: {image.path}: {said} ({len(files)} masks are given).",
                hint=f"Name its mask {image.name}{END}.tif, as `clearscene mask` does.",
            )
        result[image.path] = others[0]
    return result


def require_mask_model(name: str) -> None:
    """Make sure before any work that `--masks auto` has a cloud model.

    Raises:
        OptionError: There is none of that name; says what else can be done.
    """
    try:
        find_model(name)
    except ModelError as error:
        raise OptionError(
            f"--masks auto needs the cloud model {name}, which is not here.",
            hint="Give the folder of a cloud model with --mask-model, or masks that you have with --masks FILE...,"
            " or leave out --masks.",
        ) from error


def make_masks(
    images: Sequence[FuseImage], options: FuseOptions, folder: Path, *, progress: Callable[[float], None]
) -> dict[str, str]:
    """Mask the images into `folder`; the mask of each by the image's path.

    Raises:
        ImageError: An image cannot be masked.
        ClearsceneError: The model cannot be loaded.
    """
    folder.mkdir(parents=True, exist_ok=True)
    prepared = prepare_mask(
        MaskOptions(
            models=(options.mask_model,),
            bands=options.bands,
            scale=options.scale,
            offset=options.offset,
            device=options.device,
            workers=options.workers,
            memory_limit_mb=options.memory_limit_mb,
        )
    )
    result = {}
    for place, image in enumerate(images):
        stem = f"{place}-{image.name}"
        try:
            own = replace(prepared.options, nodata=image.parts[0].given_nodata)
            mask_scene(image.path, folder, stem, replace(prepared, options=own))
        except OptionError:
            raise  # no image is to blame
        except ClearsceneError as error:
            raise ImageError.of(error, image.path) from error
        result[image.path] = str(folder / f"{stem}{END}.tif")
        progress((place + 1) / len(images))
    return result


def _files_of(word: str) -> list[str]:
    if Path(word).is_dir():
        return sorted(str(path) for path in Path(word).iterdir() if path.stem.endswith(END) and path.suffix == ".tif")
    found = sorted(glob.glob(word, recursive=True))  # noqa: PTH207  # may be absolute
    if not found:
        raise OptionError(f"--masks {word}: there is no such file.", hint="Check the path; put patterns in quotes.")
    return found


def _recorded(file: str) -> str | None:
    """Path of the scene that a mask of ours was made from."""
    try:
        return read_report(Path(file).with_suffix(".json")).scene.path
    except (OSError, ValueError):
        return None


def _named(file: str) -> str:
    return Path(file).stem.removesuffix(END).casefold()
