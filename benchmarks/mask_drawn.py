"""What is drawn, is no cloud and is called one: snow, sand, surf, glitter, open water and others at 10 m.

    python benchmarks/mask_drawn.py [--model FOLDER] [--drawings 12] [--figure docs/images/mask.jpg]

By kind, the share of the pixels that `mask` calls cloud, as it is, without its wide look and without near infrared, and
shadow, as it is; and the largest share of one drawing. Everything is generated, ground and what lies on it, and the
network was trained on drawings of the same kind: what is found here is a fault, what is not found is no proof.
"""

import argparse
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from rasterio.windows import Window

import clearscene
from clearscene.masking.classes import SHADOW, THICK
from clearscene.masking.options import DEFAULT_MODEL
from clearscene.synth.cloud import cumulus
from clearscene.synth.ground import Ground
from clearscene.synth.negatives import NEGATIVES
from labeled_clouds import Labeled
from mask_complaints import Shown, display, panel
from table_text import Table, report

HEIGHT, WIDTH = 448, 500
BANDS = ("red", "green", "blue", "nir")
WHITE = 0.3
"""Reflectance of the brightest ground."""
KINDS = ("snow", "sand", "surf", "water_glint", "open_water", "terrain_shadow", "concrete", "white_roofs")
UNITS = {"open_water": 1.0}
"""Reflectance of what the generators draw as white; water is drawn in reflectance."""
GRAY = 0.7
"""Of all others."""


def ground() -> np.ndarray:
    """Reflectance (band, row, col) of fields, woods and roads; what is green is bright in near infrared."""
    rgb = Ground(1, resolution=1.0).window(Window(0, 0, WIDTH, HEIGHT)).astype(np.float32) / 255 * WHITE
    green = np.clip(8 * (rgb[1] - rgb[0]) / (rgb[1] + rgb[0]), 0, 1)
    return np.concatenate([rgb, (rgb[0] + 0.25 * green)[None]])


def drawn(kind: str, clear: np.ndarray, number: int) -> np.ndarray:
    """The ground with one thing on it, stronger from drawing to drawing."""
    unit = UNITS.get(kind, GRAY)
    rng, severity = np.random.default_rng(number), number % 4 / 3
    changed = NEGATIVES[kind](clear / unit, np.ones(clear.shape[1:], np.bool_), rng, severity)
    return changed.data * unit


def shares(pixels: np.ndarray, model: str, **changes: Any) -> np.ndarray:
    """% of the pixels called cloud and shadow."""
    options = clearscene.MaskOptions(models=(model,), workers=1, resolution=10, **changes)
    bands = BANDS[: len(pixels)]
    found = clearscene.mask(pixels, bands=bands, scale=1.0, offset=0.0, kind="toa", options=options).mask
    return np.array([100 * (found == number).mean() for number in (THICK, SHADOW)])


def figure(clear: np.ndarray, model: str) -> np.ndarray:
    """(row, col, 3) uint8: what is drawn, and its mask over it (orange cloud, violet shadow), side by side."""
    everywhere = np.ones(clear.shape[1:], np.bool_)
    cloud = cumulus(clear, everywhere, np.random.default_rng(0), 0.8)
    core = cloud.planes["opacity"] > 0.9
    flat = np.where(core, np.minimum(cloud.data, np.median(cloud.data[:, core])), cloud.data)
    examples = {"cloud, flat white core": flat}
    examples |= {
        kind.replace("_", " "): drawn(kind, clear, 3) for kind in ("snow", "surf", "open_water", "water_glint")
    }
    examples["the same beside nodata"] = np.where(np.arange(WIDTH) < 120, np.float32(np.nan), flat)
    cells = []
    for name, pixels in examples.items():
        valid = np.isfinite(pixels).all(axis=0)
        image = Labeled(dict(zip(BANDS, np.nan_to_num(pixels), strict=True)), valid, "toa", valid)
        options = clearscene.MaskOptions(models=(model,), workers=1, resolution=10)
        found = clearscene.mask(pixels, bands=BANDS, scale=1.0, offset=0.0, kind="toa", options=options).mask
        cells.append(Shown(name, found, display(image)))
    return panel(cells)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default=DEFAULT_MODEL)
    parser.add_argument("--drawings", type=int, default=12)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    clear, rows = ground(), []
    for kind in KINDS:
        images = [drawn(kind, clear, number) for number in range(args.drawings)]
        plain = np.array([shares(image, args.model) for image in images])
        near = np.array([shares(image, args.model, wide=False) for image in images])
        rgb = np.array([shares(image[:3], args.model) for image in images])
        cells = (part[:, 0].mean() for part in (plain, near, rgb))
        rows.append(
            (kind, *(float(cell) for cell in cells), float(plain[:, 0].max()), *plain.mean(axis=0)[1:].tolist())
        )
    heads = ("drawn", "cloud %", "cloud %, --no-wide", "cloud %, RGB", "cloud %, worst", "shadow %")
    if args.figure:
        cv2.imwrite(str(args.figure), figure(clear, args.model)[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 62])
    report([Table("drawn, no cloud", heads, tuple(rows))], about={"model": args.model}, path=args.json)


if __name__ == "__main__":
    main()
