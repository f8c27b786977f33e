"""What further looks of `mask` cost and give: `--tta`, `--fast` and ensembles, on labeled images with near infrared.

    python benchmarks/mask_looks.py ../shared/data/dev [--with MODEL]... [--workers 1]

By source, IoU of cloud and of shadow and seconds of the CPU a megapixel, of what `mask` does by itself and with each
option. `--with` adds an ensemble of the shipped model and a folder, or a peer that is installed, as `--model` given
twice. Seconds hold the reading of the model, once an image, and are of images of 0.26 Mpx: compare them, no more.
"""

import argparse
import warnings
from collections import defaultdict
from pathlib import Path
from time import process_time
from typing import Any

import numpy as np
from rasterio.errors import NotGeoreferencedWarning

import clearscene
from clearscene.masking.options import DEFAULT_MODEL
from labeled_clouds import RGB, Labeled, read_case
from mask_accuracy import REGIONS, blocks_of, iou
from real_clouds import cases, half_of
from table_text import Table, report

METERS = {"oncloudn": 10, "l1c": 10, "l2a": 10, "cs12_dates": 10, "toa_30m": 30, "gf1": 8, "gf2": 4, "hrc_whu": 2}
"""Pixel size by source; few of the files say it. HRC_WHU has 0.5 to 15 m: what is below 7.5 m is looked at alike."""
WAYS: dict[str, dict[str, Any]] = {
    "as it is": {},
    "`--tta 3`": {"tta": 3},
    "`--tta 7`": {"tta": 7},
    "`--fast`": {"fast": True},
}


def default_answer(image: Labeled, source: str, **changes: Any) -> clearscene.MaskResult:
    """What `mask` gives for the image, which is told how large its pixels are; `changes` are of its options."""
    names = [name for name in (*RGB, "nir", "swir16", "swir22") if name in image.planes]
    data = np.where(image.valid, np.stack([image.planes[name] for name in names]), np.float32(np.nan))
    options = clearscene.MaskOptions(**{"workers": 1, "resolution": METERS[source], **changes})
    return clearscene.mask(data, bands=names, scale=1.0, offset=0.0, kind=image.kind, options=options)


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--half", choices=("select", "report", "all"), default="all")
    parser.add_argument("--with", action="append", default=[], dest="others", metavar="MODEL")
    parser.add_argument("--workers", type=int, default=1)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    ways = WAYS | {f"and {Path(other).name}": {"models": (DEFAULT_MODEL, other)} for other in args.others}
    counts: dict[tuple[str, str, str], np.ndarray] = defaultdict(lambda: np.zeros(4))
    seconds: dict[tuple[str, str], float] = defaultdict(float)
    pixels: dict[str, int] = defaultdict(int)
    for case in half_of(list(cases(args.dev)), args.half):
        image = read_case(case)
        if "nir" not in image.planes:
            continue
        pixels[case.source] += image.valid.size
        for way, changes in ways.items():
            start = process_time()
            found = default_answer(image, case.source, workers=args.workers, **changes).mask
            seconds[case.source, way] += process_time() - start
            for region in ("cloud", "shadow") if case.has_shadow else ("cloud",):
                counts[case.source, way, region] += blocks_of(found, image.truth, REGIONS[region]).sum(axis=0)
    rows = []
    for source, area in pixels.items():
        for way in ways:
            shadow = counts.get((source, way, "shadow"))
            cells = float(iou(counts[source, way, "cloud"])), "-" if shadow is None else float(iou(shadow))
            rows.append((source, way, *cells, seconds[source, way] / (area / 1e6)))
    heads = ("source", "looks", "cloud IoU", "shadow IoU", "CPU s/Mpx")
    report([Table("further looks", heads, tuple(rows))], about={"half": args.half}, path=args.json)


if __name__ == "__main__":
    main()
