"""How far the probabilities of cloud that `mask` gives are true on real labeled images that no training has seen.

    python benchmarks/mask_calibration.py ../shared/data/dev [--half all]

Of what `mask` gives by itself (`--confidence`): the expected calibration error of cloud, by source and pooled - pixels
in ten bins of equal width, the mean over them of how far the mean probability is from the share that is cloud, each
weighted by its pixels (Guo et al. 2017, On calibration of modern neural networks, eq. 3) - and that table of bins.
"""

import argparse
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
from rasterio.errors import NotGeoreferencedWarning

from clearscene.masking.classes import NODATA
from labeled_clouds import read_case
from mask_accuracy import REGIONS
from mask_looks import default_answer
from real_clouds import cases, half_of
from table_text import Table, report

BINS = 10


def bins_of(probability: np.ndarray, is_cloud: np.ndarray) -> np.ndarray:
    """(3, BINS): pixels, the sum of their probabilities, and how many are cloud, by bin."""
    place = np.minimum((probability * BINS).astype(int), BINS - 1)
    weights = (None, probability, is_cloud.astype(float))
    return np.stack([np.bincount(place, weights=weight, minlength=BINS) for weight in weights])


def calibration_error(bins: np.ndarray) -> float:
    """Expected calibration error of bins (3, BINS)."""
    n_pixels, told, true = bins
    return float(np.abs(told - true).sum() / n_pixels.sum())


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--half", choices=("select", "report", "all"), default="all")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    found: dict[str, np.ndarray] = defaultdict(lambda: np.zeros((3, BINS)))
    for case in half_of(list(cases(args.dev)), args.half):
        image = read_case(case)
        known = (image.truth != NODATA) & image.valid
        cloud = default_answer(image, case.source).confidence[1]
        found[case.source] += bins_of(cloud[known], np.isin(image.truth[known], REGIONS["cloud"]))
    found["pooled"] = np.sum(list(found.values()), axis=0)
    errors = [(name, int(bins[0].sum()), *_summary(bins)) for name, bins in found.items()]
    heads = ("source", "pixels", "calibration error", "mean probability", "is cloud")
    tables = [Table("calibration of cloud", heads, tuple(errors)), _reliability(found)]
    report(tables, about={"half": args.half}, path=args.json)


def _summary(bins: np.ndarray) -> tuple[float, float, float]:
    n_pixels, told, true = bins.sum(axis=1)
    return calibration_error(bins), float(told / n_pixels), float(true / n_pixels)


def _reliability(found: dict[str, np.ndarray]) -> Table:
    """What share of the pixels of each bin is cloud, a column a source."""
    rows = []
    for i in range(BINS):
        shares = [float(bins[2, i] / bins[0, i]) if bins[0, i] else "-" for bins in found.values()]
        rows.append((f"{i / BINS:.1f} to {(i + 1) / BINS:.1f}", *shares))
    return Table("share that is cloud, by probability", ("probability", *found), tuple(rows))


if __name__ == "__main__":
    main()
