"""Label Sentinel-2 images with a teacher: cloud and shadow by ukis-csmask 1.0 (Apache-2.0).

    pip install "clearscene[peers]"
    python scripts/teacher_labels.py FOLDER OUT [--level l2a] [--scale 2.27e-5 --offset -0.114]

FOLDER holds GeoTIFFs whose first bands are blue, green, red, near infrared as reflectance x 10,000 at 10 m, level 1C,
or at another level, scale and offset (Landsat: REFLECTANCE_MULT and REFLECTANCE_ADD over the sine of the sun's
elevation). Files with fewer bands are left out.
OUT gets one PNG an image: 0 clear, 1 cloud, 2 shadow, 255 where the teacher is unsure. It looks at each image at
10 m and at 20 m, and a pixel counts where both agree.
"""

import argparse
from pathlib import Path

import numpy as np
import rasterio
from ukis_csmask.mask import CSmask

BANDS = ["blue", "green", "red", "nir"]


def teach(image: np.ndarray, level: str) -> np.ndarray:
    """0 clear, 1 cloud, 2 shadow (row, col) by the teacher, of reflectance (row, col, band)."""
    height, width = image.shape[:2]
    missing = ((0, max(0, 256 - height)), (0, max(0, 256 - width)), (0, 0))
    padded = np.ascontiguousarray(np.pad(image, missing, mode="symmetric"), np.float32)
    return CSmask(padded, BANDS, product_level=level, intra_op_num_threads=1).csm[:height, :width, 0]


def label(image: np.ndarray, level: str) -> np.ndarray:
    """Type ids (row, col) of reflectance (row, col, band)."""
    height, width = image.shape[0] // 2 * 2, image.shape[1] // 2 * 2
    fine = teach(image[:height, :width], level)
    half = image[:height, :width].reshape(height // 2, 2, width // 2, 2, -1).mean(axis=(1, 3))
    coarse = teach(half, level).repeat(2, axis=0).repeat(2, axis=1)
    result = np.full(image.shape[:2], 255, np.uint8)
    result[:height, :width] = np.where(fine == coarse, fine, 255)
    return result


def main() -> None:
    """Label a folder."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--level", choices=("l1c", "l2a"), default="l1c")
    parser.add_argument("--scale", type=float, default=1e-4)
    parser.add_argument("--offset", type=float, default=0.0)
    args = parser.parse_args()
    folder, out = args.folder, args.out
    out.mkdir(parents=True, exist_ok=True)
    for path in sorted(folder.glob("*.tif")):
        with rasterio.open(path) as source:
            if source.count < len(BANDS):
                continue
            image = source.read([1, 2, 3, 4]).astype(np.float32).transpose(1, 2, 0) * args.scale + args.offset
        classes = label(image, args.level)
        with rasterio.open(
            out / f"{path.stem}.png",
            "w",
            driver="PNG",
            height=classes.shape[0],
            width=classes.shape[1],
            count=1,
            dtype="uint8",
        ) as target:
            target.write(classes, 1)
        shares = ", ".join(
            f"{name} {np.mean(classes == i):.2f}" for name, i in (("cloud", 1), ("shadow", 2), ("unsure", 255))
        )
        print(f"{path.stem}: {shares}", flush=True)


if __name__ == "__main__":
    main()
