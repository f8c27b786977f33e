"""Masks of ukis-csmask on the labeled images that have near infrared, for `mask_accuracy.py`.

    pip install "clearscene[peers]"
    python benchmarks/peer_masks.py ../shared/data/dev --out out/peer-masks [--enlarge 3 --source toa_30m]

Writes OUT/ukis-4b and OUT/ukis-6b with one PNG an image: 0 clear, 1 cloud, 3 shadow. With `--enlarge 3` the images are
made three times as large before, and the masks small again: what was taken at 30 m looks as if it were of 10 m, which
tells how wide such a masker draws clouds at other pixels than its own; the folders are then named `ukis-4b x3`.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from ukis_csmask.mask import CSmask

from labeled_clouds import key_of, read_case
from real_clouds import cases

CHOICES = {"ukis-4b": ("blue", "green", "red", "nir"), "ukis-6b": ("blue", "green", "red", "nir", "swir16", "swir22")}
CODES = np.array([0, 1, 3], np.uint8)


def main() -> None:
    """Mask what can be masked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--enlarge", type=int, default=1)
    parser.add_argument("--source", default="", help="Only images of this source.")
    args = parser.parse_args()
    for case in cases(args.dev):
        if args.source not in ("", case.source):
            continue
        image = read_case(case)
        for name, bands in CHOICES.items():
            if not set(bands) <= set(image.planes):
                continue
            planes = [enlarged(image.planes[band], args.enlarge) for band in bands]
            level = "l2a" if image.kind == "surface" else "l1c"
            found = CSmask(np.stack(planes, axis=-1), list(bands), product_level=level, intra_op_num_threads=1).csm
            half = args.enlarge // 2  # the pixel in the middle of those that one became
            codes = CODES[found[half :: args.enlarge, half :: args.enlarge, 0]]
            title = name if args.enlarge == 1 else f"{name} x{args.enlarge}"
            (args.out / title).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(args.out / title / f"{key_of(case)}.png"), codes)
            print(title, key_of(case), flush=True)


def enlarged(plane: np.ndarray, factor: int) -> np.ndarray:
    """Cubic between pixels."""
    if factor == 1:
        return plane
    return cv2.resize(plane, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC)


if __name__ == "__main__":
    main()
