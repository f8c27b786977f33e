"""What a threshold on whole regions gives beside one on pixels alone: IoU on chips, false area on clean images.

    python benchmarks/region_thresholds.py ../shared/data CHIPS [--recipe RECIPE] [--model FOLDER] [--split val]
                                           [--pairs shadow:0.9:0,shadow:0.5:0.82:0.05] [--json FILE]

Each pair is a type, the probability that a pixel needs, and the mean probability that connected pixels need together
(0: none); a third number is the mean probability that the model for cloud masks must give them. CHIPS are chips with
generated defects made by RECIPE (`clearscene synth chips`); clean images are those of `scenes/clean`, and those of
RECIPE's sources in the same split. Both thresholds of the model itself are set aside.
Chosen on `--split val`, said of `--split test`. Nothing is drawn at random.
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from rasterio.windows import Window

from clean_scenes import RECIPE, images
from clearscene.grid import slices
from clearscene.inspection.clean import sure_regions
from clearscene.inspection.satellite import CLASSES, CloudWitness, DisplaySource
from clearscene.inspection.taxonomy import BY_NAME
from clearscene.inspection.two_step import TwoStep, TwoStepOptions
from clearscene.inspection.viewer import SceneViewer
from clearscene.masking.engine import mask_pieces, plan_for
from clearscene.models.model import Model
from clearscene.raster.scene import open_scene
from clearscene.runs import Runs
from clearscene.stream import StreamPlan
from clearscene.synth.chip_set import ChipSet
from model_on_scenes import chosen_model, title_of, witness
from table_text import Cell, Table, ratio, report

LEAST = 0.4
"""Pixels of a lower probability are never asked for."""
SHIPPED = (
    "cloud:0.65:0,cloud:0.6:0.76,shadow:0.9:0,shadow:0.5:0.82,shadow:0.5:0.82:0.05,blur:0.65:0,blur:0.6:0.8,"
    "overflow:0.96:0,overflow:0.6:0.9,distortion:0.8:0,distortion:0.6:0.88"
)
"""What 0.2.0 and 0.2.1 of the shipped model have, and a second opinion on shadows."""
PLANES = {"cloud": 1, "shadow": 2}
"""Of a mask of three classes."""
IGNORED = 255


@dataclass(frozen=True)
class Pair:
    """Two thresholds of a type, and one on what the model for cloud masks says."""

    name: str
    pixel: float
    region: float
    other: float = 0.0

    @classmethod
    def of(cls, text: str) -> "Pair":
        """From `type:pixel:region` or `type:pixel:region:other`."""
        name, *numbers = text.split(":")
        return cls(name, *map(float, numbers))

    def mask(self, chances: np.ndarray, seen: np.ndarray | None) -> np.ndarray:
        """Pixels (row, col) that are left of `chances` (row, col), 0 where another type wins; `seen` is what the other
        model says of them."""
        whole = Window(0, 0, *chances.shape[::-1])
        left = sure_regions(Runs.from_mask(chances >= self.pixel, chances), self.region).to_mask(whole)
        if seen is None or not self.other or not left.any():
            return left
        return sure_regions(Runs.from_mask(left, seen), self.other).to_mask(whole)


@dataclass
class Counts:
    """Pixels of a pair, over all images."""

    found: int = 0
    right: int = 0
    truth: int = 0
    valid: int = 0


def open_to_all(model: Model) -> Model:
    """The model with low thresholds on pixels and none on regions."""
    classes = tuple(
        entry.model_copy(update={"threshold": LEAST if entry.id else 0.0, "region_threshold": 0.0})
        for entry in model.manifest.classes
    )
    model.manifest = model.manifest.model_copy(update={"classes": classes})
    return model


def chances_of(path: Path, model: Model, names: Sequence[str]) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """Probability (row, col) of each type where it wins, else 0; valid (row, col)."""
    with open_scene(path) as scene:
        viewer, (height, width) = SceneViewer(scene), (scene.grid.height, scene.grid.width)
        found = {name: np.zeros((height, width), np.float32) for name in names}
        of_id = {BY_NAME[name].id: found[name] for name in names}
        for piece in TwoStep(model, TwoStepOptions()).stream(viewer.display, height, width, StreamPlan(workers=1)):
            if piece.type_id in of_id:
                part = of_id[piece.type_id][slices(piece.window)]
                np.copyto(part, piece.confidence, where=piece.mask)
        valid = viewer.display(Window(0, 0, width, height), (height, width))[1]
    return found, valid


@cache
def other_model() -> CloudWitness | None:
    """The model for cloud masks, loaded once."""
    return witness()


def seen_by_other(path: Path, names: Sequence[str]) -> dict[str, np.ndarray]:
    """Probability (row, col) of types by the model for cloud masks; nothing of a gray image."""
    other = other_model()
    with open_scene(path) as scene:
        if other is None or not scene.is_color:
            return {}
        source = DisplaySource(SceneViewer(scene))
        found = {name: np.zeros((scene.grid.height, scene.grid.width), np.float32) for name in names}
        plan = plan_for(source, other.masker, other.options)
        for piece in mask_pieces(source, other.masker, classes=CLASSES, plan=plan):
            for name in names:
                found[name][slices(piece.window)] = piece.probabilities[PLANES[name]]
    return found


def with_truth(chips: Path, split: str) -> Iterator[tuple[Path, np.ndarray]]:
    """Images and masks of the chips of a split that hold a defect."""
    for record in ChipSet.open(chips).records(split):
        if record.labels:
            mask = cv2.imread(str(chips / record.mask), cv2.IMREAD_UNCHANGED)
            assert mask is not None, f"{chips / record.mask} cannot be read"
            yield chips / record.image, mask


def count(
    pairs: Sequence[Pair], counts: dict[Pair, Counts], path: Path, model: Model, truth: np.ndarray | None
) -> None:
    """Add one image to the counts."""
    chances, valid = chances_of(path, model, sorted({pair.name for pair in pairs}))
    doubted = {pair.name for pair in pairs if pair.other and chances[pair.name].any()}
    seen = seen_by_other(path, sorted(doubted)) if doubted else {}
    asked = valid if truth is None else valid & (truth != IGNORED)
    for pair in pairs:
        mask, into = pair.mask(chances[pair.name], seen.get(pair.name)) & asked, counts[pair]
        into.found += int(mask.sum())
        into.valid += int(asked.sum())
        if truth is not None:
            mine = truth == BY_NAME[pair.name].id
            into.right += int((mask & mine).sum())
            into.truth += int((mine & asked).sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("chips", type=Path)
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--split", default="val")
    parser.add_argument("--pairs", default=SHIPPED)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    pairs, model = [Pair.of(text) for text in args.pairs.split(",")], open_to_all(chosen_model(args.model))
    groups = dict(images(args.data, args.recipe, args.split))
    clean = {title: {pair: Counts() for pair in pairs} for title in groups}
    for title, paths in groups.items():
        for path in paths:
            count(pairs, clean[title], path, model, None)
    drawn = {pair: Counts() for pair in pairs}
    for path, truth in with_truth(args.chips, args.split):
        count(pairs, drawn, path, model, truth)
    rows: list[tuple[Cell, ...]] = []
    for pair in pairs:
        of = drawn[pair]
        false = [ratio(100 * clean[title][pair].found, clean[title][pair].valid) for title in groups]
        shares = (ratio(of.right, n) for n in (of.truth + of.found - of.right, of.truth, of.found))
        rows.append((pair.name, pair.pixel, pair.region, pair.other, *map(float, shares), *map(float, false)))
    heads = (
        "type",
        "pixel",
        "region",
        "other",
        "IoU",
        "recall",
        "precision",
        *(f"{title}, false %" for title in groups),
    )
    report(
        [Table("thresholds", heads, tuple(rows))], about={"model": title_of(model), "split": args.split}, path=args.json
    )


if __name__ == "__main__":
    main()
