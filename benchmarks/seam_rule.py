"""What the seam rule finds, by how strong a step is, and what it calls a seam where there is none.

    python benchmarks/seam_rule.py ../shared/data [--seeds 10] [--set min_variety=0] [--json FILE]

Seams are put through the whole scenes of `scenes/clean`: straight, bent and winding lines, sharp and feathered over
6 px, with steps of 3 to 12 delta E. Recall is the share of the length of a seam that is marked, within 2.5 px of the
picture that the rule looks at. False alarms are counted on the same scenes without a seam, and on real images of other
sources; those with real seams stand apart, as length found. Lengths are in pixels of the picture, one of which is
`reduction` pixels of the scene.
"""

import argparse
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from clearscene.inspection.picture import ReducedPicture
from clearscene.inspection.viewer import SceneViewer
from clearscene.raster.scene import open_scene
from clearscene.rules.seam import SeamRule
from clearscene.synth.seam import random_seam
from clearscene.synth.stitching_trace import ToneStep, step_tone
from table_text import Table, report

BAND = 5
"""Width in pixels of what is marked."""
NEAR = 2.5
STEPS = (3.0, 6.0, 12.0)
FORMS = ("straight", "bent", "winding")
CLEAN = ("scenes/clean", "ship/naip_rgbn", "ship/s2_l2a_4band", "ship/neon_forest_rgb", "scenes/collars_and_seams")
REAL_SEAMS = ("fi_all_W4441C", "fi_all_W4441A", "SJER_008", "SJER_012", "SJER_016", "SJER_022", "SJER_060", "adxp")
"""Images of `CLEAN` with seams, or said to have some by the index of the data."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A scene as the rule sees it."""

    name: str
    display: np.ndarray
    valid: np.ndarray
    factor: int


def shown(path: Path) -> Shown:
    """Read a scene as `inspect` does."""
    with open_scene(path) as scene:
        height, width = scene.grid.height, scene.grid.width
        picture = ReducedPicture(
            height, width, n_bands=len(scene.display_bands), factor=SeamRule.reduction(height, width)
        )
        whole = Window(0, 0, width, height)
        view = SceneViewer(scene).look(whole, 0).view
        picture.add(whole, view.display, view.valid)
    return Shown(path.name, picture.display, picture.valid, picture.factor)


def seamed(scene: Shown, form: str, delta_e: float, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """The picture with a seam through it, and the distance to the seam (row, col)."""
    seam = random_seam(*scene.valid.shape, rng=rng, form=form)
    step = ToneStep(delta_e, feather_px=float(rng.choice([0.0, 6.0])) / scene.factor)
    data, _, _ = step_tone(scene.display.astype(np.float32) / 255, scene.valid, seam, step=step, rng=rng)
    return np.clip(np.round(data * 255), 0, 255).astype(np.uint8), np.abs(seam.distance)


def recall(marked: np.ndarray, distance: np.ndarray, valid: np.ndarray) -> float:
    """Share of the pixels on the line that have a marked one near by."""
    near = cv2.distanceTransform((~marked).astype(np.uint8), cv2.DIST_L2, 5) <= NEAR if marked.any() else marked
    line = (distance <= 1) & valid
    return float((line & near).sum() / max(1, line.sum()))


def length_of(marked: np.ndarray) -> float:
    return float(marked.sum()) / BAND


def recalls(scenes: Sequence[Shown], seeds: Sequence[int], rule: SeamRule) -> Table:
    """Mean recall by form and step, and the length of false marks."""
    found: dict[tuple[str, float], list[float]] = defaultdict(list)
    wrong: dict[tuple[str, float], float] = defaultdict(float)
    for seed in seeds:
        for n, scene in enumerate(scenes):
            for form in FORMS:
                for delta_e in STEPS:
                    rng = np.random.default_rng([seed, n, FORMS.index(form), int(delta_e)])
                    display, distance = seamed(scene, form, delta_e, rng)
                    marked = rule.find(display, scene.valid).mask
                    found[form, delta_e].append(recall(marked, distance, scene.valid))
                    wrong[form, delta_e] += length_of(marked & (distance > 4 * BAND))
    rows = tuple(
        (f"{form}, delta E {delta_e:g}", len(found[form, delta_e]), float(np.mean(found[form, delta_e])),
         sum(value >= 0.3 for value in found[form, delta_e]), round(wrong[form, delta_e]))
        for form in FORMS
        for delta_e in STEPS
    )  # fmt: skip
    return Table(
        "Seams put through clean scenes", ("seam", "scenes", "length found", "found to 30 % and more", "false px"), rows
    )


def alarms(paths: Sequence[Path], rule: SeamRule) -> Iterator[tuple[str, Shown, float, float]]:
    """Source, scene, length marked, seconds."""
    for path in paths:
        scene = shown(path)
        start = time.perf_counter()
        marked = rule.find(scene.display, scene.valid).mask
        yield path.parent.name, scene, length_of(marked), time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the real imagery")
    parser.add_argument("--seeds", default="10", help="of the seams that are drawn")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a criterion of the rule")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    cv2.setNumThreads(1)
    rule = SeamRule(**{name: float(value) for name, _, value in (text.partition("=") for text in args.set)})
    every = [path for folder in CLEAN for path in sorted((args.data / folder).glob("*.tif"))]
    real = [path for path in every if any(name in path.name for name in REAL_SEAMS)]
    sums: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0, 0, 0.0])
    for source, scene, length, seconds in alarms([p for p in every if p not in real], rule):
        for i, value in enumerate((1, scene.valid.sum() / 1e6, length, length > 0, seconds)):
            sums[source][i] += value
    quiet = tuple((name, int(n), mpx, round(px), int(hit), s / mpx) for name, (n, mpx, px, hit, s) in sums.items())
    seen = tuple((scene.name, scene.factor, round(length)) for _, scene, length, _ in alarms(real, rule))
    scenes = [shown(path) for path in sorted((args.data / CLEAN[0]).glob("*.tif"))]
    tables = (
        recalls(scenes, [int(s) for s in args.seeds.split(",")], rule),
        Table(
            "Where no seam is known",
            ("source", "images", "Mpx of pictures", "false px", "images with any", "s/Mpx"),
            quiet,
        ),
        Table("Images with seams", ("image", "reduction", "px found"), seen),
    )
    report(tables, about={"data": str(args.data.name), "seeds": args.seeds, "threads": 1}, path=args.json)


if __name__ == "__main__":
    main()
