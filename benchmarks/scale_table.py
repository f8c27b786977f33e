"""Cloud and shadow with and without the large scale, at which a scene is looked at a quarter of its resolution.

    python benchmarks/scale_table.py ../shared/data [--model FOLDER] [--n 12] [--half select] [--seed 8] [--json FILE]

Generated: `--n` windows of 2048 px, laid together from ground of the test split of `--recipe` (the one by which the
model was trained; small images with soft joints, matched in tone), with one cloud of the size of the window and the
shadow it casts, and in every second one a shadow alone; generators and severity are drawn.

Real: the labeled images of `dev` that are as large as a tile (509 px and more), of one half of their names (see
`real_clouds.py`). None is larger than a tile, and in such a scene the large scale is never used; so each is continued
by its mirror image to 2048 px, labels as well. That asks what a reduced look at real clouds adds, not how real clouds
of kilometers are found: for those there are no labels here.

The model is asked three times: at both scales, at the fine one alone, at the large one alone (where then all types
have a vote). IoU is pooled; intervals
are 95 % bootstrap intervals over windows, or over images.
"""

import argparse
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from clearscene.inspection.taxonomy import BY_NAME, NODATA
from clearscene.inspection.viewer import SceneViewer
from clearscene.models.model import Model
from clearscene.raster.scene import open_scene
from clearscene.synth.catalog import GENERATORS
from clearscene.synth.looks import draw_look, finish
from clearscene.synth.recipe import load_recipe
from clearscene.synth.sources import Ground, Source, find_sources, read_ground, shape_of
from model_on_scenes import chosen_model, found_in_array, title_of
from real_clouds import cases, half_of
from severity_recall import RECIPE, drawn
from table_text import Cell, Table, ratio, report, scene_draws, with_interval

SIZE, PIECE, BLEND = 2048, 256, 40
"""Pixels of a window, of the pieces that it is laid of, and over which two pieces pass into each other."""
LEAST_REAL = 509
KINDS = ("cloud", "shadow")
SCALES = {"both scales": (1, 4), "fine alone": (1,), "large alone": (4,)}


@dataclass(frozen=True, eq=False)
class Case:
    """A window with its truth."""

    source: str
    name: str
    """Of the scene, for the intervals."""
    data: np.ndarray
    """uint8 (band, row, col)."""
    truth: np.ndarray
    """Ids (row, col): 0, cloud, shadow, 255."""
    kinds: tuple[str, ...] = KINDS
    """What is labeled."""


@dataclass
class Results:
    """Pixels (hit, found, true) by scales, type and source, one row a case."""

    counts: dict[tuple[str, str, str], list[tuple[int, int, int]]] = field(default_factory=dict)
    names: dict[tuple[str, str], list[str]] = field(default_factory=dict)


def mosaic(source: Source, near: Sequence[Source], rng: np.random.Generator, *, size: int) -> Ground:
    """Ground of `size` x `size` px: one large image, or pieces of several of one kind with soft joints.

    Pieces are brought half-way to the tone of the first.
    """
    if min(shape_of(source)) >= size:
        return read_ground(source, size=size, rng=rng)
    pitch = PIECE - BLEND
    n = -(-(size + BLEND) // pitch)
    total = np.zeros((3, n * pitch + BLEND, n * pitch + BLEND), np.float32)
    weight = np.zeros(total.shape[1:], np.float32)
    valid = np.ones(total.shape[1:], np.bool_)
    ramp = np.minimum(1, (np.minimum(np.arange(PIECE), np.arange(PIECE)[::-1]) + 0.5) / BLEND)
    taper = np.outer(ramp, ramp).astype(np.float32)
    tone = None
    for row in range(0, n * pitch, pitch):
        for col in range(0, n * pitch, pitch):
            chosen = source if row == col == 0 else near[int(rng.integers(len(near)))]
            piece = read_ground(chosen, size=PIECE, rng=rng)
            mean = piece.data.mean(axis=(1, 2))
            tone = mean if tone is None else tone
            gain = np.clip(np.sqrt((tone + 0.02) / (mean + 0.02)), 0.6, 1.6)
            part = (slice(row, row + PIECE), slice(col, col + PIECE))
            total[:, *part] += piece.data * gain[:, None, None] * taper
            weight[part] += taper
            valid[part] &= piece.valid
    inner = slice(BLEND // 2, BLEND // 2 + size)
    data = np.ascontiguousarray((total / weight)[:, inner, inner])
    return Ground(data, np.ascontiguousarray(valid[inner, inner]), None, piece.is_reflectance)


def generated(recipe_path: Path, n: int, seed: int) -> Iterator[Case]:
    """Windows with clouds and shadows. Law: window k depends on the recipe, the seed and k alone."""
    recipe = load_recipe(recipe_path)
    grounds = [s for s in find_sources(recipe) if s.split == "test" and s.labels is None]
    for number in range(n):
        rng = np.random.default_rng([seed, number])
        source = drawn(grounds, rng)
        near = [s for s in grounds if s.path.parent == source.path.parent]
        ground = mosaic(source, near, rng, size=SIZE)
        look = draw_look(ground, rng, jpeg=0.0)
        data, truth = look.apply(ground.data), np.zeros(ground.valid.shape, np.uint8)
        for kind in ("shadow", "cloud")[number % 2 :]:
            entry = drawn([g for g in GENERATORS if g.type == kind], rng)
            result = entry.degrade(data, ground.valid, rng, float(rng.uniform(0.15, 1.0)))
            data = result.data
            for name, mask in {**result.also, kind: result.mask}.items():
                if name in KINDS:
                    truth[mask] = BY_NAME[name].id
        truth[~ground.valid] = NODATA
        yield Case("generated, 2048 px", f"window {number}", finish(data, ground.valid, look), truth)


def mirrored(plane: np.ndarray, size: int = SIZE) -> np.ndarray:
    """Continued by its mirror image at the lower and right edge, (..., size, size). Law: nothing is resampled."""
    missing = [(0, 0)] * (plane.ndim - 2) + [(0, size - n) for n in plane.shape[-2:]]
    return np.pad(plane, missing, mode="symmetric")


def real(dev: Path, half: str) -> Iterator[Case]:
    """The labeled images that are as large as a tile, continued to 2048 px."""
    for case in half_of(list(cases(dev)), half):
        with rasterio.open(case.label) as labels:
            label = labels.read(1)
        if min(label.shape) < LEAST_REAL:
            continue
        truth = np.full(label.shape, NODATA, np.uint8)
        for value, type_id in case.codes.items():
            truth[label == value] = type_id
        with open_scene(case.image) as scene:
            height, width = scene.grid.height, scene.grid.width
            data, valid = SceneViewer(scene).display(Window(0, 0, width, height), (height, width))
        truth[~valid] = NODATA
        kinds = KINDS if case.has_shadow else KINDS[:1]
        yield Case(f"real, {case.source}", str(case.image), mirrored(data), mirrored(truth), kinds)


def judge(results: Results, case: Case, model: Model) -> None:
    """Ask the model at each choice of scales."""
    manifest, known = model.manifest, case.truth != NODATA
    for scales, reductions in SCALES.items():
        tiles = manifest.tiles.model_copy(update={"reductions": reductions})
        model.manifest = manifest.model_copy(update={"tiles": tiles})
        try:
            masks, _ = found_in_array(case.data, known, model)
        finally:
            model.manifest = manifest
        for kind in case.kinds:
            found, truth = masks[BY_NAME[kind].id] & known, case.truth == BY_NAME[kind].id
            row = int((found & truth).sum()), int(found.sum()), int(truth.sum())
            results.counts.setdefault((scales, kind, case.source), []).append(row)
    for kind in case.kinds:
        results.names.setdefault((kind, case.source), []).append(case.name)


def table_of(results: Results, kind: str, seed: int) -> Table:
    """IoU of one type by source, at each choice of scales, and the gain of the large scale."""
    rows: list[tuple[Cell, ...]] = []
    for source in dict.fromkeys(key[1] for key in results.names if key[0] == kind):
        names = results.names[kind, source]
        draws = scene_draws(names, seed=seed)
        counts = {scales: draws @ np.array(results.counts[scales, kind, source], np.float64) for scales in SCALES}
        ious = {scales: ratio(c[:, 0], c[:, 1] + c[:, 2] - c[:, 0]) for scales, c in counts.items()}
        gain = ious["both scales"] - ious["fine alone"]
        recalls = [float(ratio(c[0, 0], c[0, 2])) for c in (counts["both scales"], counts["fine alone"])]
        cells = (with_interval(ious[scales]) for scales in SCALES)
        rows.append((source, len(names), *cells, with_interval(gain, sign=True), *recalls))
    heads = ("source", "n", *(f"IoU, {scales}" for scales in SCALES), "gain of the large scale")
    return Table(kind, (*heads, "recall, both", "recall, fine alone"), tuple(rows))


def main() -> None:
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--n", type=int, default=12)
    parser.add_argument("--half", choices=("select", "report", "all"), default="select")
    parser.add_argument("--seed", type=int, default=8)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    model, results = chosen_model(args.model), Results()
    for case in generated(args.recipe, args.n, args.seed):
        judge(results, case, model)
    for case in real(args.data / "dev", args.half):
        judge(results, case, model)
    about: dict[str, Cell] = {"model": title_of(model), "windows": args.n, "half": args.half, "seed": args.seed}
    report([table_of(results, kind, args.seed) for kind in KINDS], about=about, path=args.json)


if __name__ == "__main__":
    main()
