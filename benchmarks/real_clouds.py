"""Cloud and shadow of a model on real labeled images that no training has seen.

    python benchmarks/real_clouds.py ../shared/data/dev --half select [--model FOLDER] [--pictures DIR]

Prints by source the pooled IoU, precision and recall of cloud (thick and thin) and of shadow, and the mean over
sources. The images of each source are split in order of their names: those of even place are `select` (for choices),
the others `report` (looked at when a choice is final). Without `--model`, images of sources whose pixels are 5 m or
more are looked at by the model for cloud masks as well, as `inspect` does, unless `--alone` is given: few of these
files say how large their pixels are.
"""

import argparse
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning

from clearscene.inspection.taxonomy import BY_NAME
from clearscene.models.model import Model
from clearscene.models.zoo import available_models
from clearscene.raster.scene import open_scene
from clearscene.raster.stretch import scene_stretch
from model_on_scenes import found_in, witness

CLOUD, SHADOW = BY_NAME["cloud"].id, BY_NAME["shadow"].id
SATELLITES = ("gf1", "l1c", "l2a", "oncloudn", "toa_30m", "cs12_dates")
"""Sources whose pixels are 8 to 30 m; those of GF-2 are 4 m, those of HRC_WHU 0.5 to 15 m."""
SCRIBBLES = {0: 0, 1: CLOUD, 2: CLOUD, 3: CLOUD, 4: CLOUD, 5: SHADOW, 6: SHADOW}


@dataclass(frozen=True)
class Case:
    """One image with labels."""

    source: str
    image: Path
    label: Path
    codes: dict[int, int]
    """Label value to type id; all others are left out."""
    has_shadow: bool


def cases(dev: Path) -> Iterator[Case]:
    """All labeled images below `dev`."""
    for image in sorted((dev / "clouds_rgb/images").glob("*.png")):
        source = "hrc_whu" if image.name.startswith("hrc") else image.name.split("_")[0]
        is_s2 = source in ("l1c", "l2a")
        codes = {0: 0, 1: CLOUD, 2: CLOUD, 3: SHADOW} if is_s2 else {0: 0, 1: CLOUD}
        yield Case(source, image, dev / "clouds_rgb/labels" / image.name, codes, is_s2)
    for folder in sorted((dev / "s2_oncloudn").iterdir()):
        yield Case("oncloudn", folder / "bgrn.tif", folder / "label.tif", {0: 0, 1: CLOUD}, False)
    toa = dev / "toa_cloud_shadow"
    codes = {0: SHADOW, 1: 0, 2: 0, 3: 0, 4: CLOUD}
    yield Case("toa_30m", toa / "sentinel2_6band.tif", toa / "sentinel2_label.tif", codes, True)
    for label in sorted((dev / "cloudsen12_dates").glob("*/*/*manual_*.tif")):
        images = [p for p in sorted(label.parent.glob("*.tif")) if "manual" not in p.name]
        yield Case("cs12_dates", images[0], label, SCRIBBLES if "manual_sc" in label.name else {0: 0}, True)


def truth_of(case: Case) -> np.ndarray:
    """Type ids (row, col), 255 where nobody knows."""
    with rasterio.open(case.label) as source:
        label = source.read(1)
    truth = np.full(label.shape, 255, np.uint8)
    for value, type_id in case.codes.items():
        truth[label == value] = type_id
    return truth


def half_of(found: list[Case], half: str) -> list[Case]:
    """The cases of even or odd place within their source, or all."""
    by_source = defaultdict(list)
    for case in found:
        by_source[case.source].append(case)
    wanted = {"select": slice(0, None, 2), "report": slice(1, None, 2), "all": slice(None)}[half]
    return [case for group in by_source.values() for case in group[wanted]]


def counts(found: np.ndarray, truth: np.ndarray, known: np.ndarray) -> np.ndarray:
    """True positives, false positives, false negatives, true negatives."""
    return np.array(
        [(a & b & known).sum() for a, b in ((found, truth), (found, ~truth), (~found, truth), (~found, ~truth))]
    )


def shown(tp: float, fp: float, fn: float) -> str:
    def ratio(a: float, b: float) -> str:
        return f"{a / b:7.3f}" if b else "      -"

    return ratio(tp, tp + fp + fn) + ratio(tp, tp + fp) + ratio(tp, tp + fn)


def picture(case: Case, found: dict[int, np.ndarray], truth: np.ndarray, folder: Path) -> None:
    """The image beside itself with what was found (blue cloud, violet shadow) and the truth (green outline)."""
    with open_scene(case.image) as scene:
        window = rasterio.windows.Window(0, 0, scene.grid.width, scene.grid.height)
        pixels = scene.read(window)
        rgb = scene_stretch(scene).apply(pixels.data, pixels.valid)
    rgb = np.ascontiguousarray(np.repeat(rgb, 3 // len(rgb), axis=0).transpose(1, 2, 0)[..., ::-1])
    over = rgb.copy()
    for type_id, color in ((CLOUD, (255, 120, 0)), (SHADOW, (200, 0, 160))):
        if type_id in found:
            over[found[type_id]] = over[found[type_id]] // 2 + np.array(color, np.uint8) // 2
        edges = cv2.findContours((truth == type_id).astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
        cv2.drawContours(over, edges, -1, (0, 255, 0) if type_id == CLOUD else (0, 255, 255), 1)
    folder.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(folder / f"{case.source}_{case.image.parent.name}_{case.image.stem}.png"), np.hstack([rgb, over]))


def main() -> None:
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--half", choices=("select", "report", "all"), default="select")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--alone", action="store_true", help="The inspection model alone.")
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    folder = args.model or next(m.folder for m in available_models() if m.manifest.task == "inspection")
    model = Model.load(folder, device="cpu", threads=2)
    besides = {source: witness(threads=2, is_wide=source != "toa_30m") for source in SATELLITES}
    doubter = witness(threads=2)
    besides, doubter = ({}, None) if args.model or args.alone else (besides, doubter)
    clouds, shadows = defaultdict(lambda: np.zeros(4)), defaultdict(lambda: np.zeros(4))
    images = defaultdict(int)
    for case in half_of(list(cases(args.dev)), args.half):
        truth = truth_of(case)
        beside = besides.get(case.source)
        found, valid, _ = found_in(case.image, model, beside=beside, doubter=None if beside else doubter)
        known = valid & (truth != 255)
        clouds[case.source] += counts(found[CLOUD], truth == CLOUD, known)
        images[case.source] += 1
        if case.has_shadow:
            shadows[case.source] += counts(found[SHADOW], truth == SHADOW, known)
        if args.pictures:
            picture(case, found, truth, args.pictures)
    print(f"{folder.name}, {args.half}\n{'source':12}{'images':>7}   cloud: IoU, precision, recall   shadow: the same")
    for source, row in clouds.items():
        shade = shown(*shadows[source][:3]) if source in shadows else ""
        print(f"{source:12}{images[source]:>7}       {shown(*row[:3])}           {shade}")
    ious = [r[0] / r[:3].sum() for r in clouds.values() if r[0] + r[2] > 0]
    pooled = sum(clouds.values())
    dark = [r[0] / r[:3].sum() for r in shadows.values() if r[0] + r[2] > 0]
    print(f"cloud IoU: mean over sources {np.mean(ious):.3f}, pooled {pooled[0] / pooled[:3].sum():.3f}")
    print(f"shadow IoU: mean over sources {np.mean(dark):.3f}")


if __name__ == "__main__":
    main()
