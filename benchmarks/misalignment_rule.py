"""What the misalignment rule finds, by how far the ground is displaced, and what it finds where nothing is.

    python benchmarks/misalignment_rule.py ../shared/data [--seeds 12] [--set candidates=64] [--json FILE]

Seams are drawn by the generator of `clearscene synth` through parts of at most 2048 x 2048 px of the whole scenes of
`scenes/clean`: straight, bent, cornered and winding, sharp and mixed, displaced by 0.7 to 25 px along the seam, across
it or between. Recall is the share of the marked band of a seam that has a find within 12 px. False alarms are counted
on the same scenes without a seam and on real images of other sources, as length.
"""

import argparse
import time
import warnings
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from clearscene.errors import ClearsceneError
from clearscene.inspection.picture import SharpPicture
from clearscene.inspection.viewer import SceneViewer
from clearscene.raster.scene import open_scene
from clearscene.rules.break_lines import as_gray
from clearscene.rules.misalignment import Break, MisalignmentRule
from clearscene.rules.seam import SeamRule
from clearscene.synth.misalignment import misalignment
from table_text import Table, report

NEAR = 12
"""Pixels from a seam within which a find is one of it."""
LARGEST = 2048
OFFSETS = ((0.0, 3.0), (3.0, 8.0), (8.0, 30.0))
CLEAN = "scenes/clean"
OTHERS = (CLEAN, "scenes/collars_and_seams", "ship/naip_rgbn", "ship/s2_l2a_4band", "ship/neon_forest_rgb", "dev/*")


@dataclass(frozen=True, eq=False)
class Shown:
    """A part of a scene as detectors see it."""

    path: Path
    display: np.ndarray
    valid: np.ndarray


def shown(path: Path) -> Shown:
    with open_scene(path) as scene:
        window = Window(0, 0, min(LARGEST, scene.grid.width), min(LARGEST, scene.grid.height))
        view = SceneViewer(scene).look(window, 0).view
    return Shown(path, view.display, view.valid)


def find(display: np.ndarray, valid: np.ndarray, rule: MisalignmentRule) -> list[Break]:
    """What `inspect` finds in a scene of these display values."""
    gray, (height, width) = as_gray(display), valid.shape
    picture = SharpPicture(height, width, factor=SeamRule.reduction(height, width))
    picture.add(Window(0, 0, width, height), gray, valid, core=(slice(None), slice(None)))

    def read(top: int, left: int, bottom: int, right: int) -> tuple[np.ndarray, np.ndarray]:
        return gray[top:bottom, left:right], valid[top:bottom, left:right]

    return rule.find(picture.sharp, picture.valid, read, size=(height, width), factor=picture.factor)


def drawn(breaks: Sequence[Break], shape: tuple[int, int]) -> np.ndarray:
    """Lines of one pixel (row, col)."""
    mask = np.zeros(shape, np.uint8)
    for one in breaks:
        line = np.round(np.array(one.points)[:, ::-1]).astype(np.int32).reshape(-1, 1, 2)
        cv2.polylines(mask, [line], isClosed=False, color=1)
    return mask > 0


def distance_to(mask: np.ndarray) -> np.ndarray:
    """Pixels (row, col) to the nearest one of a mask; all far away if it is empty."""
    return cv2.distanceTransform((~mask).astype(np.uint8), cv2.DIST_L2, 5) if mask.any() else np.full(mask.shape, 1e6)


def recalls(scenes: Sequence[Shown], seeds: int, rule: MisalignmentRule) -> tuple[Table, Table]:
    """Mean recall by offset and form, and by offset and direction of the displacement."""
    by_form: dict[tuple[str, int], list[float]] = defaultdict(list)
    by_way: dict[tuple[str, int], list[float]] = defaultdict(list)
    for seed in range(seeds):
        for n, scene in enumerate(scenes):
            rng = np.random.default_rng([seed, n])
            done = misalignment(scene.display.astype(np.float32) / 255, scene.valid, rng, float(rng.uniform()))
            if not done.mask.any():
                continue
            display = np.clip(np.round(done.data * 255), 0, 255).astype(np.uint8)
            near = distance_to(drawn(find(display, scene.valid, rule), scene.valid.shape)) <= NEAR
            share = float((done.mask & near).sum() / done.mask.sum())
            offset = float(done.parameters["offset_px"])
            place = next(i for i, (low, high) in enumerate(OFFSETS) if low <= offset < high)
            mixed = float(done.parameters["blend_px"]) >= 1
            by_form["mixed" if mixed else str(done.parameters["form"]), place].append(share)
            if not mixed and done.parameters["form"] in ("straight", "bent"):
                by_way[way(float(done.parameters["shift_angle_deg"])), place].append(share)
    return _table("Seams drawn through clean scenes", by_form), _table("Straight and bent, sharp", by_way)


def way(angle_deg: float) -> str:
    """The direction of a displacement against the seam."""
    across = abs((angle_deg + 90) % 180 - 90)
    return "along the seam" if across < 20 else "across it" if across > 70 else "between"


def _table(title: str, found: dict[tuple[str, int], list[float]]) -> Table:
    head = [f"{low:g} to {high:g} px" if low else f"under {high:g} px" for low, high in OFFSETS]
    rows = []
    for name in sorted({key[0] for key in found}):
        cells = [found.get((name, i), []) for i in range(len(OFFSETS))]
        rows.append((name, *(f"{np.mean(cell):.2f} ({len(cell)})" if cell else "-" for cell in cells)))
    return Table(title, ("", *head), tuple(rows))


def alarms(paths: Sequence[Path], rule: MisalignmentRule) -> Iterator[tuple[Shown, float, float]]:
    """Scene, length found, seconds."""
    for path in paths:
        try:
            scene = shown(path)
        except ClearsceneError:
            continue  # a mask of labels, an image of other bands
        start = time.perf_counter()
        length = float(drawn(find(scene.display, scene.valid, rule), scene.valid.shape).sum())
        yield scene, length, time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path, help="folder of the real imagery")
    parser.add_argument("--seeds", type=int, default=12, help="seams a scene")
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE", help="a criterion of the rule")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    cv2.setNumThreads(1)
    defaults = MisalignmentRule().parameters()
    given = {n: type(defaults[n])(v) for n, _, v in (text.partition("=") for text in args.set)}
    rule: MisalignmentRule = replace(MisalignmentRule(), **given)
    sums: dict[str, list[float]] = defaultdict(lambda: [0, 0.0, 0.0, 0, 0.0])
    named = []
    every = [path for folder in OTHERS for path in sorted(args.data.glob(f"{folder}/*.tif"))]
    for scene, length, seconds in alarms(every, rule):
        source = "dev" if "dev" in scene.path.parts else scene.path.parent.name
        for i, value in enumerate((1, scene.valid.sum() / 1e6, length, length > 0, seconds)):
            sums[source][i] += value
        if length:
            named.append((f"{scene.path.parent.name}/{scene.path.name}", round(length)))
    quiet = tuple((name, int(n), mpx, round(px), int(hit), s / mpx) for name, (n, mpx, px, hit, s) in sums.items())
    scenes = [shown(path) for path in sorted((args.data / CLEAN).glob("*.tif"))]
    tables = (
        *recalls(scenes, args.seeds, rule),
        Table("Real images", ("source", "images", "Mpx", "px found", "images with any", "s/Mpx"), quiet),
        Table("Found in", ("image", "px"), tuple(named)),
    )
    report(tables, about={"data": str(args.data.name), "seeds": args.seeds, "threads": 1}, path=args.json)


if __name__ == "__main__":
    main()
