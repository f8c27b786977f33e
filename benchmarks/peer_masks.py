"""Masks of ukis-csmask on the labeled images that have near infrared, for `mask_accuracy.py`.

    pip install "clearscene[peers]"
    python benchmarks/peer_masks.py ../shared/data/dev --out out/peer-masks

Writes OUT/ukis-4b and OUT/ukis-6b with one PNG an image: 0 clear, 1 cloud, 3 shadow.
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
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    for case in cases(args.dev):
        image = read_case(case)
        for name, bands in CHOICES.items():
            if not set(bands) <= set(image.planes):
                continue
            stack = np.ascontiguousarray(np.stack([image.planes[band] for band in bands], axis=-1))
            level = "l2a" if image.kind == "surface" else "l1c"
            found = CSmask(stack, list(bands), product_level=level, intra_op_num_threads=1).csm[..., 0]
            (args.out / name).mkdir(parents=True, exist_ok=True)
            cv2.imwrite(str(args.out / name / f"{key_of(case)}.png"), CODES[found])
            print(name, key_of(case), flush=True)


if __name__ == "__main__":
    main()
