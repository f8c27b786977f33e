"""What the model for cloud masks adds to the inspection model on satellite images, by how sure it must be.

    python benchmarks/satellite_witness.py ../shared/data --half select [--speed FOLDER]

By the least probability: IoU of cloud and of shadow on labeled images of pixels of 4 m and more (`real_clouds.py` says
which half is for choices), and how much of the clear satellite images of the test split of the training chips is called
cloud or shadow. With `--speed`, a scene of 4,096 x 4,096 px of 10 m with near infrared is written there, and inspected
with and without (`--size` others).
"""

import argparse
import time
import warnings
from collections import defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import rasterio
from affine import Affine
from rasterio.errors import NotGeoreferencedWarning

from clean_scenes import RECIPE, SATELLITE, images, landscape_of
from clearscene.inspection.inspect import inspect_scene
from clearscene.inspection.inspector import prepare
from clearscene.inspection.options import InspectOptions
from clearscene.inspection.taxonomy import parse_types
from clearscene.models.model import Model
from clearscene.synth.scene import SceneSpec, make_scene
from model_on_scenes import chosen_model, found_in, witness
from real_clouds import CLOUD, SATELLITES, SHADOW, Case, cases, counts, half_of, truth_of
from table_text import Cell, Table, ratio, report

LEAST = (None, 0.5, 0.6, 0.7, 0.8)
"""None: the inspection model alone."""
LOOKED_AT = (*SATELLITES, "gf2")


def iou_of(row: np.ndarray) -> Cell:
    return float(ratio(row[0], row[:3].sum())) if row[0] + row[2] else None


def accuracy(found: list[Case], least: float | None, model: Model) -> dict[tuple[str, int], np.ndarray]:
    """Counts by source and type."""
    total = defaultdict(lambda: np.zeros(4))
    for case in found:
        beside = witness(threads=2, is_wide=case.source not in ("gf2", "toa_30m"))
        asked = replace(beside, least=least) if beside and least else None
        masks, valid, _ = found_in(case.image, model, beside=asked)
        truth = truth_of(case)
        known = valid & (truth != 255)
        total[case.source, CLOUD] += counts(masks[CLOUD], truth == CLOUD, known)
        if case.has_shadow:
            total[case.source, SHADOW] += counts(masks[SHADOW], truth == SHADOW, known)
    return total


def false_area(paths: list[Path], least: float | None, model: Model) -> list[float]:
    """% of the valid area called cloud and shadow."""
    beside, wrong, area = witness(threads=2, is_wide=True), np.zeros(2), 0
    for path in paths:
        masks, valid, _ = found_in(path, model, beside=replace(beside, least=least) if beside and least else None)
        wrong += [int((masks[kind] & valid).sum()) for kind in (CLOUD, SHADOW)]
        area += int(valid.sum())
    return [float(ratio(100 * value, area)) for value in wrong]


def tables(data: Path, half: str, model: Model) -> list[Table]:
    """Accuracy by source and false area."""
    found = [case for case in half_of(list(cases(data / "dev")), half) if case.source in LOOKED_AT]
    sources = list(dict.fromkeys(case.source for case in found))
    clear = [p for group, paths in images(data, RECIPE, "test") for p in paths if group != "whole scenes"]
    clear = [path for path in clear if landscape_of(path.name) == SATELLITE]
    rows = {CLOUD: [], SHADOW: []}
    areas = []
    for least in LEAST:
        total, title = accuracy(found, least, model), "alone" if least is None else f"{least}"
        for kind, listed in rows.items():
            listed.append((title, *(iou_of(total[source, kind]) for source in sources)))
        areas.append((title, *false_area(clear, least, model)))
    return [
        Table("cloud IoU by least probability", ("least", *sources), tuple(rows[CLOUD])),
        Table("shadow IoU by least probability", ("least", *sources), tuple(rows[SHADOW])),
        Table(f"clear satellite images, {len(clear)}", ("least", "cloud, % of area", "shadow"), tuple(areas)),
    ]


def speed(folder: Path, size: int) -> Table:
    """Seconds of an inspection for clouds and shadows, with and without."""
    scene = folder / f"satellite-{size}.tif"
    if not scene.exists():
        plain = folder / "plain.tif"
        folder.mkdir(parents=True, exist_ok=True)
        make_scene(SceneSpec(size, size, seed=1, has_collar=False, defects=frozenset()), plain)
        with rasterio.open(plain) as source:
            data, profile = source.read(), source.profile
        place = {"driver": "GTiff", "count": 4, "transform": Affine(10, 0, 5e5, 0, -10, 5e6), "crs": "EPSG:32633"}
        with rasterio.open(scene, "w", **{**profile, **place, "photometric": "MINISBLACK"}) as target:
            target.write(np.concatenate([data, data[:1]]))
            target.descriptions = ("red", "green", "blue", "nir")
    rows = []
    for satellite in (False, True):
        options = InspectOptions(types=parse_types("cloud,shadow"), satellite=satellite, device="cpu", workers=2)
        inspector, start = prepare(options), time.perf_counter()
        inspect_scene(scene, folder / f"out-{satellite}", inspector)
        seconds = time.perf_counter() - start
        rows.append(("with" if satellite else "without", seconds, seconds / (size * size / 1e6)))
    return Table("cloud and shadow of one scene", ("model for cloud masks", "seconds", "s/Mpx"), tuple(rows))


def main() -> None:
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--half", choices=("select", "report", "all"), default="select")
    parser.add_argument("--speed", type=Path)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    if args.speed:
        found = [speed(args.speed, args.size)]
    else:
        found = tables(args.data, args.half, chosen_model(None, threads=2))
    report(found, about={"half": args.half}, path=args.json)


if __name__ == "__main__":
    main()
