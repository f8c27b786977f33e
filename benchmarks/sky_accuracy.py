"""How well the shipped model finds sky: pooled IoU of sky alone, AUROC, boundary F1 and seconds a photo.

    python benchmarks/sky_accuracy.py PHOTOS [--model FOLDER] [--way "network alone"] [--json FILE] [--figure FOLDER]

PHOTOS holds images/NAME.jpg and masks/NAME.png, sky from 128 on. The protocol is stated in what is printed: IoU is
pooled over all pixels of all photos; AUROC is that of the probability, pooled; boundary F1 is the
mean over the photos of the F-score of skyline pixels within 0.75 % of the diagonal (Csurka et al., "What is a good
evaluation measure for semantic segmentation?", BMVC 2013).
"""

import argparse
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import perf_counter, process_time

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.benchmark.bins import N_BINS, bin_of
from clearscene.sky.api import mask_pixels
from clearscene.sky.masks import KEEP, write_image
from clearscene.sky.model import SkyModel
from clearscene.sky.options import SkyOptions
from sky_set import pairs, read_pair

TOLERANCE = 0.0075
"""Of the diagonal."""

WAYS = {
    "as shipped": {},
    "without edges": {"refine": False},
    "without mirror": {"mirror": False},
    "without check": {"check": False},
    "network alone": {"refine": False, "mirror": False, "check": False},
}
"""Options by the name of the row."""


@dataclass(frozen=True)
class OnePhoto:
    """What is counted of one photo."""

    name: str
    both: int
    union: int
    errors: int
    pixels: int
    boundary_f1: float
    seconds: float
    cpu_seconds: float

    @property
    def iou(self) -> float:
        """1 where neither shows sky."""
        return self.both / self.union if self.union else 1.0


def boundary(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels of the mask beside pixels that are not of it; the frame of the photo is no boundary."""
    inner = cv2.erode(mask.astype(np.uint8), np.ones((3, 3), np.uint8), borderValue=1)
    return mask & (inner == 0)


def boundary_f1(found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> float:
    """F-score of boundary pixels within the tolerance; 1 where neither has any, 0 where one has none."""
    reach = max(1, round(TOLERANCE * float(np.hypot(*truth.shape))))
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1, 2 * reach + 1))
    ours, theirs = boundary(found), boundary(truth)
    if not ours.any() or not theirs.any():
        return float(ours.any() == theirs.any())
    precision = float(cv2.dilate(theirs.astype(np.uint8), disk)[ours].mean())
    recall = float(cv2.dilate(ours.astype(np.uint8), disk)[theirs].mean())
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0


def auroc(positive: NDArray[np.int64], negative: NDArray[np.int64]) -> float:
    """Area under the curve, from counts by bin of the score; ties count half."""
    below = np.cumsum(negative) - negative
    return float(((below + negative / 2) * positive).sum() / (positive.sum() * negative.sum()))


class Measured:
    """One way of masking, over all photos."""

    def __init__(self) -> None:
        self.photos: list[OnePhoto] = []
        self.histograms = np.zeros((2, N_BINS), np.int64)

    def add(
        self, name: str, truth: NDArray[np.bool_], photo: NDArray[np.uint8], given: tuple[SkyModel, SkyOptions]
    ) -> NDArray[np.bool_]:
        """Mask one photo and count; returns where sky was found."""
        began, cpu = perf_counter(), process_time()
        result = mask_pixels(photo, *given)
        seconds, cpu_seconds = perf_counter() - began, process_time() - cpu
        found = result.mask != KEEP
        bins = bin_of(result.probability)
        for kind in (0, 1):
            self.histograms[kind] += np.bincount(bins[truth == bool(kind)], minlength=N_BINS)
        both, union = int((found & truth).sum()), int((found | truth).sum())
        errors, f1 = int((found != truth).sum()), boundary_f1(found, truth)
        self.photos.append(OnePhoto(name, both, union, errors, truth.size, f1, seconds, cpu_seconds))
        return found

    def summary(self) -> dict[str, float]:
        """The row of the table."""
        pooled = sum(p.both for p in self.photos) / sum(p.union for p in self.photos)
        return {
            "photos": len(self.photos),
            "iou": round(pooled, 4),
            "mean_iou_of_photos": round(float(np.mean([p.iou for p in self.photos])), 4),
            "accuracy": round(1 - sum(p.errors for p in self.photos) / sum(p.pixels for p in self.photos), 4),
            "auroc": round(auroc(self.histograms[1], self.histograms[0]), 4),
            "boundary_f1": round(float(np.mean([p.boundary_f1 for p in self.photos])), 4),
            "seconds_a_photo": round(float(np.median([p.seconds for p in self.photos])), 3),
            "cpu_seconds_a_photo": round(float(np.median([p.cpu_seconds for p in self.photos])), 3),
        }


def shown(photo: NDArray[np.uint8], found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The photo with agreement in green, what was missed in red, what is too much in blue."""
    picture = photo.copy()
    for where, color in ((found & truth, (0, 200, 0)), (truth & ~found, (255, 0, 0)), (found & ~truth, (0, 80, 255))):
        picture[where] = picture[where] // 2 + np.array(color, np.uint8) // 2
    return picture


def measure(folder: Path, model: str, ways: Sequence[str], figure: Path | None) -> Iterator[tuple[str, Measured]]:
    """Each way over all photos."""
    for way in ways:
        options = SkyOptions(model=model, workers=1, device="cpu", **WAYS[way])
        given, measured = (SkyModel.load(options), options), Measured()
        for image, mask in pairs(folder):
            photo, truth = read_pair(image, mask)
            found = measured.add(image.stem, truth, photo, given)
            if figure is not None and way == ways[0]:
                write_image(figure / f"{image.stem}.png", shown(photo, found, truth))
        yield way, measured


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("photos", type=Path)
    parser.add_argument("--model", default="sky")
    parser.add_argument("--way", action="append", choices=tuple(WAYS), help="only this one; may be given again")
    parser.add_argument("--json", type=Path)
    parser.add_argument("--figure", type=Path, help="folder for pictures of what was found; not to be committed")
    parser.add_argument("--failures", type=int, default=8, help="the worst photos to list")
    args = parser.parse_args()
    rows = {}
    first = None
    for way, measured in measure(args.photos, args.model, args.way or tuple(WAYS), args.figure):
        rows[way] = measured.summary()
        print(way, rows[way], flush=True)
        first = first or measured
    assert first is not None
    worst = sorted(first.photos, key=lambda p: -p.errors / p.pixels)[: args.failures]
    for photo in worst:
        print(
            f"{photo.name}: IoU {photo.iou:.3f}, {100 * photo.errors / photo.pixels:.1f} % wrong, "
            f"F1 {photo.boundary_f1:.3f}"
        )
    if args.json:
        content = {"rows": rows, "photos": [asdict(p) for p in first.photos]}
        args.json.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
