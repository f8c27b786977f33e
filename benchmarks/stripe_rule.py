"""How well the stripe rule finds generated stripe noise on real, clean images.

    python benchmarks/stripe_rule.py FOLDER... [--n 100] [--seed 1] [--block 50] [--overlay sheet.png]

FOLDERs hold clean RGB images (8 bits, any format GDAL reads). Names are cut into blocks of `--block`
and only every second block is used: thresholds were chosen on the others, with blocks of 35 names
for usgs_urban_rgb, 10 for neon_forest_rgb and 50 for oam_buildings.

Each image gets one set of stripes (`clearscene.synth.stripes.random_stripes`) and is inspected
clean, with stripes, and with stripes after JPEG at quality 90. Areas are pooled over all images.
"Noticed" is the share of stripes of which more than half is found.
"""

import argparse
import time
import warnings
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from clearscene.rules.rule import View
from clearscene.rules.stripe import StripeRule
from clearscene.runs import Runs, measure
from clearscene.synth.stripes import Stripe, add_stripes, random_stripes, stripe_pixels

SUFFIXES = {".tif", ".tiff", ".png", ".jpg", ".jpeg"}
OFFSETS = (6, 8, 12, 16, 24, 32, 48, 64, 96)


@dataclass
class Tally:
    """Pixels found and true, pooled."""

    both: int = 0
    found: int = 0
    true: int = 0
    noticed: int = 0
    stripes: int = 0

    def add(self, found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> None:
        self.both += int((found & truth).sum())
        self.found += int(found.sum())
        self.true += int(truth.sum())

    def __str__(self) -> str:
        iou = self.both / max(self.found + self.true - self.both, 1)
        noticed = f"{self.noticed / self.stripes:8.3f} of {self.stripes}" if self.stripes else ""
        return f"{iou:6.3f} {self.both / max(self.found, 1):9.3f} {self.both / max(self.true, 1):7.3f} {noticed}"


def find(rule: StripeRule, data: NDArray[np.uint8], *, is_lossy: bool = False) -> NDArray[np.bool_]:
    """The findings of a rule in one image, joined and accepted, (row, col)."""
    valid = np.ones(data.shape[1:], np.bool_)
    evidence = rule.detect(View(data, data, valid, ~valid, 255.0, is_lossy))
    runs = Runs.from_mask(evidence.mask, evidence.confidence)
    labels = runs.label(reach=rule.reach)
    kept = rule.accept(measure(runs, labels))[labels] if len(runs) else np.empty(0, np.bool_)
    return runs.take(kept).to_mask(Window(0, 0, data.shape[2], data.shape[1]))


def held_out(folder: Path, *, n: int, block: int) -> list[Path]:
    """About `n` images of every second block of names, evenly spread."""
    names = sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES and "label" not in str(p))
    names = [p for i, p in enumerate(names) if i // block % 2 == 1] or names
    return names[:: max(1, len(names) // n)][:n]


def read(path: Path) -> NDArray[np.uint8] | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        source = rasterio.open(path)
    with source:
        data = source.read()[:3]
    return data if data.dtype == np.uint8 and len(data) == 3 else None


def jpeg(data: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Through JPEG at quality 90 with halved color, as most software writes it."""
    code = cv2.imencode(".jpg", np.ascontiguousarray(data[::-1].transpose(1, 2, 0)), [cv2.IMWRITE_JPEG_QUALITY, 90])[1]
    return np.ascontiguousarray(cv2.imdecode(code, cv2.IMREAD_COLOR).transpose(2, 0, 1)[::-1])


def keys(stripe: Stripe) -> list[str]:
    """The rows of the table that a stripe belongs to; an image holds stripes of mixed kinds."""
    slanted = stripe.angle not in (0.0, 90.0)
    floor = max((o for o in OFFSETS if o <= abs(stripe.offset)), default=0)
    return [
        "angle: slanted" if slanted else "angle: axis",
        "polarity: bright" if stripe.offset > 0 else "polarity: dark",
        f"width: {stripe.width}",
        f"bands: {len(stripe.bands)}",
        f"offset: {floor:2d}+ levels",
    ]


def tally(tables: dict[str, Tally], found: NDArray[np.bool_], truth: NDArray[np.bool_], stripes: list[Stripe]) -> None:
    tables["all"].add(found, truth)
    tables["all slanted" if stripes[0].angle not in (0.0, 90.0) else "all axis"].add(found, truth)
    near = cv2.dilate(truth.view(np.uint8), np.ones((7, 7), np.uint8)) > 0
    for stripe in stripes:
        own = np.zeros_like(truth)
        own[stripe_pixels(stripe, height=truth.shape[0], width=truth.shape[1])[:2]] = True
        own &= truth
        around = cv2.dilate(own.view(np.uint8), np.ones((7, 7), np.uint8)) > 0
        part = found & around & ~(truth & ~own) & near
        for key in keys(stripe):
            tables[key].add(part, own)
            tables[key].stripes += 1
            tables[key].noticed += int(2 * (found & own).sum() > own.sum())


def overlay(data: NDArray[np.uint8], found: NDArray[np.bool_], truth: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The image beside itself with hits green, misses yellow, false alarms magenta; 256 x 512 x 3."""
    shown = data.transpose(1, 2, 0)[:256, :256]
    marked = shown.copy()
    for where, color in (
        (found & truth, (0, 255, 0)),
        (truth & ~found, (255, 255, 0)),
        (found & ~truth, (255, 0, 255)),
    ):
        marked[where[:256, :256]] = color
    pair = np.zeros((256, 512, 3), np.uint8)
    pair[: shown.shape[0], : shown.shape[1]] = shown
    pair[: shown.shape[0], 256 : 256 + shown.shape[1]] = marked
    return pair


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--n", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--block", type=int, default=50)
    parser.add_argument("--slanted", type=float, default=0.3, help="share of sets that are slanted")
    parser.add_argument("--overlay", type=Path)
    options = parser.parse_args()
    rng = np.random.default_rng(options.seed)
    rules = {"default": StripeRule(), "paper": StripeRule(mode="paper")}
    tables: dict[str, dict[str, Tally]] = {k: defaultdict(Tally) for k in ("default", "paper", "default, JPEG 90")}
    pairs = []
    for folder in options.folders:
        false, seconds, pixels, n_images = defaultdict(int), 0.0, 0, 0
        for path in held_out(folder, n=options.n, block=options.block):
            if (data := read(path)) is None:
                continue
            n_images, pixels = n_images + 1, pixels + data[0].size
            for name, rule in rules.items():
                start = time.process_time()
                false[name] += int(find(rule, data).sum())
                seconds += (time.process_time() - start) * (name == "default")
            stripes = random_stripes(*data.shape[1:], n_bands=3, rng=rng, offsets=(6, 100), diagonal=options.slanted)
            striped, truth = add_stripes(data, stripes)
            truth &= ~((striped == 0).all(axis=0) | (striped == 255).all(axis=0))  # these are class "missing"
            for name, rule in rules.items():
                found = find(rule, striped)
                tally(tables[name], found, truth, stripes)
                if name == "default" and n_images % max(1, options.n // 12) == 0 and len(pairs) < 12:
                    pairs.append(overlay(striped, found, truth))
            tally(tables["default, JPEG 90"], find(rules["default"], jpeg(striped), is_lossy=True), truth, stripes)
        shares = ", ".join(f"{name} {false[name] / max(pixels, 1):.4%}" for name in rules)
        print(f"{folder.name}: {n_images} images; false area on clean: {shares}; {seconds / max(pixels, 1):.2e} s/px")
    for name, rows in tables.items():
        print(f"\n{name}\n{'':22s}   IoU precision  recall  noticed")
        for key in sorted(rows):
            print(f"{key:22s} {rows[key]}")
    if options.overlay and pairs:
        pairs += [np.zeros_like(pairs[0])] * (-len(pairs) % 3)
        sheet = np.concatenate([np.concatenate(pairs[i : i + 3], 1) for i in range(0, len(pairs), 3)])
        cv2.imwrite(str(options.overlay), cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))


if __name__ == "__main__":
    main()
