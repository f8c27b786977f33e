"""Label Sentinel-2 or Landsat images with a teacher: cloud and shadow by ukis-csmask 1.0 (Apache-2.0).

    pip install "clearscene[peers]"
    python scripts/teacher_labels.py FOLDER OUT --reductions 3,2 --rim 4 [--level l2a] [--include "*cloudy*"]
    python scripts/teacher_labels.py FOLDER OUT --reductions 1,2 --rim 2 --scale 2.27e-5 --offset -0.114

FOLDER holds GeoTIFFs whose first bands are blue, green, red, near infrared as reflectance x 10,000, level 1C,
or at another level, scale and offset (Landsat: REFLECTANCE_MULT and REFLECTANCE_ADD over the sine of the sun's
elevation). Files with fewer bands are left out.

OUT gets one PNG an image: 0 clear, 1 cloud, 2 shadow, 255 where the teacher is unsure. It looks at each image twice,
made smaller by the two reductions, and the first look is believed where the second agrees. Of strips of disagreement
no wider than twice the rim (pixels of the image) the first look is believed too: those are the edges of clouds, and
where edges are never learned a network is free to draw them anywhere. The teacher was made for pixels of 30 m: of
images at 10 m, where it draws clouds some pixels too wide, the first reduction should be 3.
"""

import argparse
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import onnxruntime
import rasterio
from ukis_csmask import mask as teacher

BANDS = ["blue", "green", "red", "nir"]
UNSURE = 255
TILE = 256

Session = onnxruntime.InferenceSession
"""The teacher loads its network anew for every image, which takes longer than to look at it; see `kept`."""


@cache
def network(path: str) -> Any:
    """A network of the teacher, on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return Session(path, options, providers=["CPUExecutionProvider"])


def kept(path: Any, **_: Any) -> Any:
    """What the teacher takes for a new session."""
    return network(str(path))


def teach(image: np.ndarray, level: str, reduction: int) -> np.ndarray:
    """0 clear, 1 cloud, 2 shadow (row, col) by the teacher, of reflectance (row, col, band) seen this much smaller."""
    height, width = image.shape[:2]
    whole = np.pad(image, ((0, -height % reduction), (0, -width % reduction), (0, 0)), mode="symmetric")
    rows, cols = whole.shape[0] // reduction, whole.shape[1] // reduction
    small = whole.reshape(rows, reduction, cols, reduction, -1).mean(axis=(1, 3))
    missing = ((0, max(0, TILE - rows)), (0, max(0, TILE - cols)), (0, 0))
    padded = np.ascontiguousarray(np.pad(small, missing, mode="symmetric"), np.float32)
    found = teacher.CSmask(padded, BANDS, product_level=level).csm[:rows, :cols, 0]
    return np.asarray(found.repeat(reduction, axis=0).repeat(reduction, axis=1)[:height, :width])


def label(image: np.ndarray, level: str, *, reductions: tuple[int, int], rim: int) -> np.ndarray:
    """What both looks agree on, (row, col)."""
    first, second = (teach(image, level, reduction) for reduction in reductions)
    unsure = (first != second).astype(np.uint8)
    if rim:
        unsure = cv2.morphologyEx(unsure, cv2.MORPH_OPEN, np.ones((2 * rim + 1, 2 * rim + 1), np.uint8))
    return np.where(unsure > 0, np.uint8(UNSURE), first.astype(np.uint8))


def main() -> None:
    """Label a folder."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--level", choices=("l1c", "l2a"), default="l1c")
    parser.add_argument("--scale", type=float, default=1e-4)
    parser.add_argument("--offset", type=float, default=0.0)
    parser.add_argument("--reductions", default="1,2", help="Of the look that is believed, and of the other.")
    parser.add_argument("--rim", type=int, default=0)
    parser.add_argument("--include", default="*", help="Pattern of the names of the images.")
    args = parser.parse_args()
    teacher.onnxruntime.InferenceSession = kept
    first, second = (int(text) for text in args.reductions.split(","))
    folder, out = args.folder, args.out
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob(f"{args.include}.tif")):
        with rasterio.open(path) as source:
            if source.count < len(BANDS):
                continue
            image = source.read([1, 2, 3, 4]).astype(np.float32).transpose(1, 2, 0) * args.scale + args.offset
        classes = label(image, args.level, reductions=(first, second), rim=args.rim)
        cv2.imwrite(str(out / f"{path.stem}.png"), classes)
        shares = ", ".join(
            f"{name} {np.mean(classes == i):.2f}" for name, i in (("cloud", 1), ("shadow", 2), ("unsure", UNSURE))
        )
        print(f"{path.stem}: {shares}", flush=True)


if __name__ == "__main__":
    main()
