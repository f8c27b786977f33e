"""Cut a published data set into chips: scenes are dealt to splits first, then cut."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from rasterio.windows import Window

from clearscene.datasets.layout import SceneEntry
from clearscene.datasets.prepared import PreparedSet
from clearscene.datasets.prepared_record import IGNORE, PreparedRecord, Split
from clearscene.datasets.prepared_writer import PreparedAbout, PreparedWriter
from clearscene.datasets.reader import DatasetReader, OpenScene
from clearscene.datasets.spec import Choice
from clearscene.datasets.splitting import USUAL_SHARES, Shares, published_splits, split_scenes
from clearscene.errors import DatasetError, OptionError

__all__ = ["PrepareOptions", "chip_starts", "prepare"]

MAX_SIZE = 2048
Advance = Callable[[str, int, int], None]
"""Called with the name of a scene, its number from 1, and the number of scenes."""


@dataclass(frozen=True)
class PrepareOptions:
    """How a set is cut."""

    bands: tuple[str, ...] = ()
    """Empty: the usual ones of the data set."""
    classes: Choice | None = None
    """None: 2 for sets about clouds, their own for others."""
    size: int = 256
    overlap: int = 64
    """Pixels that neighbors share; the last of a row or column may share more."""
    split: Literal["scene", "published"] = "scene"
    shares: Shares = USUAL_SHARES
    """Of the scenes; with a published split only that of validation, where none was published."""
    seed: int = 0
    least_labeled: float = 0.0
    """Chips of which no more than this share is labeled and has data are left out."""
    is_partial: bool = False
    """Go on with what is there of a download."""

    def __post_init__(self) -> None:
        if not 16 <= self.size <= MAX_SIZE or not 0 <= self.overlap < self.size:
            raise OptionError(
                f"Chips of {self.size} px that share {self.overlap} px cannot be cut.",
                hint=f"The size is 16 to {MAX_SIZE}, the overlap less than the size, as 256 and 64.",
            )
        if not 0 <= self.least_labeled < 1:
            raise OptionError(f"A share of {self.least_labeled} cannot be.", hint="Use 0 or more, less than 1.")


def prepare(
    reader: DatasetReader,
    out: Path | str,
    options: PrepareOptions,
    *,
    overwrite: bool = False,
    advance: Advance | None = None,
) -> PreparedSet:
    """Write a prepared set.

    Laws: all chips of a scene, and of all scenes of its ground, are in one split; every labeled pixel of a scene
    that has data is in a chip (unless `least_labeled` is set); the same download and options give the same digests.
    Memory: the mask of one scene and the pixels of one chip.

    Raises:
        DatasetError: The download is not complete, a file is broken, or the folder `out` is taken.
        BandError, OptionError: The bands, classes or splits do not fit the data set.
        OutputError: The set cannot be written.
    """
    spec = reader.spec
    if not options.is_partial or not reader.entries:
        reader.require_complete()
    choice = options.classes or ("2" if spec.is_about_clouds else "own")
    bands, table = spec.choose_bands(options.bands), spec.table(choice)
    entries, left_out = _with_labels(reader.entries, choice)
    splits, how = _splits(reader, entries, options)
    about = PreparedAbout(
        dataset=spec.name,
        bands=bands,
        classes=table.classes,
        scaling=spec.scaling,
        license=spec.license,
        size=options.size,
        overlap=options.overlap,
        seed=options.seed,
        notes={"split": how, "left_out": left_out, "missing": len(reader.missing), "class_choice": choice},
    )
    chosen = [entry for entry in entries if entry.id in splits]
    with PreparedWriter(out, about, overwrite=overwrite) as writer:
        for number, entry in enumerate(chosen, start=1):
            if advance:
                advance(entry.id, number, len(chosen))
            scene = reader.scene(entry, bands=bands, classes=choice)
            for record, image, mask in _chips(scene, splits[entry.id], options):
                writer.add(record, image, mask)
    return PreparedSet.open(out)


def chip_starts(length: int, size: int, overlap: int) -> list[int]:
    """Where chips start along a side.

    Laws: every pixel is in a chip; none reaches beyond the end unless the side is shorter than a chip; neighbors
    share `overlap` pixels, the last two maybe more.
    """
    last = max(0, length - size)
    return sorted({*range(0, last, size - overlap), last})


def _with_labels(entries: Sequence[SceneEntry], choice: Choice) -> tuple[list[SceneEntry], list[str]]:
    """Scenes in which all that is asked for was labeled, and ids of the others."""
    if choice not in ("3", "4"):
        return list(entries), []
    kept = [entry for entry in entries if entry.has_shadow]
    if not kept:
        raise DatasetError("Shadow was drawn in none of the scenes.", hint="Use --classes 2.")
    return kept, [entry.id for entry in entries if not entry.has_shadow]


def _splits(
    reader: DatasetReader, entries: Sequence[SceneEntry], options: PrepareOptions
) -> tuple[Mapping[str, Split], dict[str, Any]]:
    """The split of each scene, and how it came about."""
    if options.split == "published":
        found = published_splits(entries, val_share=options.shares.val, seed=options.seed)
        n_none = len(entries) - len(found)
        return found, {"by": "published", "val_share": options.shares.val, "scenes_without": n_none}
    by_biome = reader.spec.stratify == "biome"
    found = split_scenes(entries, options.shares, seed=options.seed, by_biome=by_biome)
    return found, {"by": "scene", "shares": str(options.shares), "stratified_by": "biome" if by_biome else None}


def _chips(
    scene: OpenScene, split: Split, options: PrepareOptions
) -> Iterator[tuple[PreparedRecord, np.ndarray[Any, np.dtype[np.float32]], np.ndarray[Any, np.dtype[np.uint8]]]]:
    """Chips of a scene with enough labels, row by row."""
    height, width = scene.mask.shape
    top, left, scene_height, scene_width = scene.window
    name = re.sub(r"[^\w.-]", "_", scene.entry.id)
    for row in chip_starts(height, options.size, options.overlap):
        for col in chip_starts(width, options.size, options.overlap):
            n_rows, n_cols = min(options.size, height - row), min(options.size, width - col)
            window = Window(col, row, n_cols, n_rows)
            if (scene.mask[row : row + n_rows, col : col + n_cols] == IGNORE).all():
                continue  # nothing is labeled here: the pixels need not be read
            data, mask = scene.read(window)
            if (mask != IGNORE).sum() <= options.least_labeled * options.size**2:
                continue
            image = np.zeros((len(data), options.size, options.size), np.float32)
            padded = np.full((options.size, options.size), IGNORE, np.uint8)
            image[:, :n_rows, :n_cols], padded[:n_rows, :n_cols] = data, mask
            record = PreparedRecord(
                id=f"{name}-{row:05d}-{col:05d}",
                split=split,
                scene=scene.entry.id,
                image="",
                mask="",
                row=row - top,
                col=col - left,
                scene_shape=(scene_height, scene_width),
                biome=scene.entry.biome,
                cover=scene.cover,
                date=scene.entry.date,
                footprint=scene.footprint,
                kept=_kept((row - top, col - left), (n_rows, n_cols), (scene_height, scene_width)),
            )
            yield record, image, padded


def _kept(start: tuple[int, int], shape: tuple[int, int], scene_shape: tuple[int, int]) -> tuple[int, int, int, int]:
    """Top, left, height and width of the part of a chip that is of the scene."""
    first = [max(0, -place) for place in start]
    end = [min(n, limit - place) for place, n, limit in zip(start, shape, scene_shape, strict=True)]
    return first[0], first[1], max(0, end[0] - first[0]), max(0, end[1] - first[1])
