"""How well the missing rule finds generated losses on real, clean images, and what it calls missing without any.

    python benchmarks/missing_rule.py FOLDER... [--half report] [--n 100] [--seed 1] [--mode paper]

FOLDERs hold clean RGB images (8 bits, any format GDAL reads); collars and nodata do not count.
`--half` picks images by a hash of their names: thresholds were chosen on the half `tune` of the
training images, so only `report` says what to expect.

Each image gets each kind of loss in turn (black two times of three, else white) and is inspected as
it is (PNG) and after JPEG at quality 90 and 75 with halved color. Areas are pooled over all images.
`iou` is strict; `iou 1px` leaves out the pixels on either side of the true outline, where
compression with loss decides.
"""

import argparse
import time
import warnings
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from clearscene.rules.missing import MissingRule
from clearscene.rules.rule import View
from clearscene.runs import Runs, measure
from missing_false_area import load

SUFFIXES = {".tif", ".tiff", ".png", ".jpg", ".jpeg"}
KINDS = ("points", "lines", "blocks", "wedges", "dead band")
FORMS: tuple[tuple[str, int | None], ...] = (("PNG", None), ("JPEG 90", 90), ("JPEG 75", 75))

Picture = NDArray[np.uint8]
Mask = NDArray[np.bool_]


@dataclass
class Tally:
    """Pixels found and true, pooled."""

    both: int = 0
    found: int = 0
    true: int = 0
    pixels: int = 0
    seconds: float = 0.0

    def add(self, found: Mask, truth: Mask) -> None:
        self.both += int((found & truth).sum())
        self.found += int(found.sum())
        self.true += int(truth.sum())
        self.pixels += truth.size

    @property
    def iou(self) -> float:
        return self.both / max(self.found + self.true - self.both, 1)

    def __str__(self) -> str:
        return f"{self.iou:7.3f} {self.both / max(self.found, 1):10.3f} {self.both / max(self.true, 1):7.3f}"


def points(shape: tuple[int, int], rng: np.random.Generator) -> Mask:
    """Single pixels, one for each 5,000."""
    mask = np.zeros(shape, np.bool_)
    n = max(1, mask.size // 5000)
    mask[rng.integers(0, shape[0], n), rng.integers(0, shape[1], n)] = True
    return mask


def lines(shape: tuple[int, int], rng: np.random.Generator) -> Mask:
    """Two to five rows, 1 to 3 px thick, three of four through the whole image; columns in one image of four."""
    mask = np.zeros(shape if rng.random() < 0.75 else shape[::-1], np.bool_)
    for row in rng.integers(0, mask.shape[0], rng.integers(2, 6)):
        start, stop = 0, mask.shape[1]
        if rng.random() < 0.25:
            start = int(rng.integers(0, stop // 2))
            stop = start + int(rng.integers(40, stop // 2))
        mask[row : row + rng.choice([1, 1, 2, 3]), start:stop] = True
    return mask if mask.shape == shape else mask.T


def blocks(shape: tuple[int, int], rng: np.random.Generator) -> Mask:
    """One to three rectangles of 12 to 100 px, half of them with a step in the outline."""
    mask = np.zeros(shape, np.bool_)
    for _ in range(rng.integers(1, 4)):
        height, width = rng.integers(12, 100, 2)
        top, left = rng.integers(0, shape[0] - 12), rng.integers(0, shape[1] - 12)
        mask[top : top + height, left : left + width] = True
        if rng.random() < 0.5:
            mask[top : top + height // 3, left : left + width // 3] = False
    return mask


def wedges(shape: tuple[int, int], rng: np.random.Generator) -> Mask:
    """Slanted gaps as of a failed scan-line corrector: 2 to 14 px wide, 34 px apart."""
    rows, cols = np.mgrid[: shape[0], : shape[1]]
    slope, most = rng.uniform(0.08, 0.3), rng.uniform(6, 14)
    width = 2 + (most - 2) * cols / shape[1]
    return np.asarray((rows + slope * cols + rng.integers(34)) % 34 < width)


def damaged(kind: str, data: Picture, rng: np.random.Generator) -> tuple[Picture, Mask]:
    """The image with one kind of loss, and where."""
    draw = {"points": points, "lines": lines, "blocks": blocks, "wedges": wedges, "dead band": blocks}[kind]
    mask, color, result = draw(data.shape[1:], rng), int(rng.choice([0, 0, 255])), data.copy()
    if kind == "dead band":
        result[rng.integers(3)][mask] = color
    else:
        result[:, mask] = color
    return result, mask


def jpeg(data: Picture, quality: int | None) -> Picture:
    """Through JPEG with halved color, as most software writes it; None: as it is."""
    if quality is None:
        return data
    picture = np.ascontiguousarray(data[::-1].transpose(1, 2, 0))
    code = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return np.ascontiguousarray(cv2.imdecode(code, cv2.IMREAD_COLOR).transpose(2, 0, 1)[::-1])


def find(rule: MissingRule, data: Picture, clean: View, *, is_lossy: bool) -> Mask:
    """The findings of a rule in one image, joined and accepted, (row, col); collar and nodata as in the clean image."""
    evidence = rule.detect(View(data, data, clean.valid, clean.collar, 255.0, is_lossy))
    runs = Runs.from_mask(evidence.mask & clean.valid, evidence.confidence)
    labels = runs.label(reach=rule.reach)
    kept = runs.take(rule.accept(measure(runs, labels))[labels]) if len(runs) else runs
    return kept.to_mask(Window(0, 0, *clean.valid.shape[::-1]))


def images(folder: Path, *, half: str, n: int) -> Iterator[tuple[Path, View]]:
    """About `n` images of one half of the names (`tune`, `report` or `all`), evenly spread."""
    paths = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and "label" not in str(p))
    parity = {"tune": (0,), "report": (1,), "all": (0, 1)}[half]
    paths = [p for p in paths if zlib.crc32(p.name.encode()) % 2 in parity]
    for path in paths[:: max(1, len(paths) // n)][:n]:
        view = load(path)
        if view.data.dtype == np.uint8 and len(view.data) == 3 and min(view.data.shape[1:]) >= 128:
            yield path, view


def off_edge(mask: Mask) -> Mask:
    """The pixels that do not lie beside the outline of `mask`."""
    cross = np.ones((3, 3), np.uint8)
    return np.asarray(cv2.dilate(mask.astype(np.uint8), cross) == cv2.erode(mask.astype(np.uint8), cross))


def main() -> None:
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--half", choices=("tune", "report", "all"), default="report")
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mode", choices=("default", "paper"), default="default")
    args = parser.parse_args()
    rule = MissingRule(mode=args.mode)
    strict = {(form, kind): Tally() for form, _ in FORMS for kind in KINDS}
    inner = {key: Tally() for key in strict}
    clean = {(form, folder): Tally() for form, _ in FORMS for folder in args.folders}
    for folder in args.folders:
        for path, view in images(folder, half=args.half, n=args.n):
            rng, data = np.random.default_rng([args.seed, zlib.crc32(path.name.encode())]), view.data
            cases = [(kind, *damaged(kind, data, rng)) for kind in KINDS]
            for form, quality in FORMS:
                for kind, lost, mask in cases:
                    truth, picture = mask & view.valid, jpeg(np.where(view.valid, lost, data), quality)
                    found = find(rule, picture, view, is_lossy=quality is not None)
                    strict[form, kind].add(found, truth)
                    inner[form, kind].add(found & off_edge(truth), truth & off_edge(truth))
                picture, tally, start = jpeg(data, quality), clean[form, folder], time.perf_counter()
                found = find(rule, picture, view, is_lossy=quality is not None)
                tally.seconds += time.perf_counter() - start
                tally.add(found, np.zeros_like(found))
    report(strict, inner, clean)


def report(
    strict: dict[tuple[str, str], Tally],
    inner: dict[tuple[str, str], Tally],
    clean: dict[tuple[str, Path], Tally],
) -> None:
    """Print the tables."""
    print(f"{'':10}{'loss':12}{'iou':>7} {'precision':>10} {'recall':>7} {'iou 1px':>9}")
    for form, _ in FORMS:
        pooled, mine = Tally(), {kind: tally for (f, kind), tally in strict.items() if f == form}
        for kind, tally in mine.items():
            thin = kind in {"points", "lines"}
            print(f"{form:10}{kind:12}{tally} {'-' if thin else f'{inner[form, kind].iou:.3f}':>9}")
            if kind != "dead band":
                for name in ("both", "found", "true"):
                    setattr(pooled, name, getattr(pooled, name) + getattr(tally, name))
        print(f"{form:10}{'first four':12}{pooled}")
    print(f"\n{'':10}{'without loss':24}{'Mpx':>8}{'false px':>10}{'false %':>10}{'Mpx/s':>8}")
    for (form, folder), tally in clean.items():
        share, speed = 100 * tally.found / max(tally.pixels, 1), tally.pixels / 1e6 / max(tally.seconds, 1e-9)
        print(f"{form:10}{folder.name:24}{tally.pixels / 1e6:8.1f}{tally.found:10}{share:10.4f}{speed:8.0f}")


if __name__ == "__main__":
    main()
