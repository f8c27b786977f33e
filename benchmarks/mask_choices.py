"""What was weighed for cloud masks and what it gives: shifted odds, enlarged scenes, how far tiles overlap.

    python benchmarks/mask_choices.py ../shared/data/dev --half select [--model FOLDER]

By source, IoU of cloud and of shadow of the images that have near infrared, RGB of the others:

- with the odds of thin cloud or of shadow times a number (a prior shift, the same everywhere);
- with each image enlarged twice and the answer made smaller again, which costs four times as much;
- with tiles that share 102 and 64 pixels, of the enlarged images, whose masks hold several tiles, and the share of
  the pixels that get another class than with tiles that share 102.
"""

import argparse
import warnings
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
from rasterio.errors import NotGeoreferencedWarning

from clearscene.grid import slices
from clearscene.masking.classes import IDS, NODATA, SHADOW, THICK, THIN
from clearscene.masking.engine import mask_pieces, plan_for
from clearscene.masking.masker import ModelMasker
from clearscene.masking.options import MaskOptions
from clearscene.masking.source import array_source
from clearscene.models.model import Model
from clearscene.models.zoo import available_models
from labeled_clouds import CLOUD, Labeled, read_case
from real_clouds import Case, cases, half_of
from table_text import Table, report

SHIFTS = ((1.0, 1.0), (0.61, 1.0), (0.37, 1.0), (0.14, 1.0), (1.0, 1.65), (1.0, 2.72))
"""Odds of thin cloud and of shadow are multiplied by these: exponentials of steps of a half."""
OVERLAPS = (102, 64)
SMALLEST_ODDS = 1e-6

Row = tuple[str | float, ...]


class Counts:
    """Pixels of cloud and of shadow by what was tried and source: found and true, found, true."""

    def __init__(self) -> None:
        self.sums: dict[tuple[str, str, str], np.ndarray] = defaultdict(lambda: np.zeros(3))
        self.seen: dict[str, None] = {}

    def add(self, tried: str, case: Case, truth: np.ndarray, found: np.ndarray) -> None:
        """Count an image; `found` has three classes: 0, 1 cloud, 3 shadow."""
        self.seen[case.source] = None
        known = truth != NODATA
        for region, true in (("cloud", np.isin(truth, (THICK, THIN, CLOUD))), ("shadow", truth == SHADOW)):
            mine = found == (THICK if region == "cloud" else SHADOW)
            both = (mine & true & known).sum()
            self.sums[tried, region, case.source] += (both, (mine & known).sum(), (true & known).sum())

    def rows(self, region: str) -> Iterator[Row]:
        """IoU by what was tried, a column a source; "-" where the source has none."""
        for tried in dict.fromkeys(key[0] for key in self.sums):
            ious = [self._iou(tried, region, source) for source in self.seen]
            yield (tried, *ious)

    def _iou(self, tried: str, region: str, source: str) -> str | float:
        both, found, true = self.sums[tried, region, source]
        return float(both / (found + true - both)) if true else "-"


def three(chances: np.ndarray) -> np.ndarray:
    """Clear, cloud, shadow (row, col) of the highest probability, thick and thin cloud added up."""
    best = np.stack([chances[0], chances[THICK] + chances[THIN], chances[SHADOW]]).argmax(axis=0)
    return np.array([0, THICK, SHADOW], np.uint8)[best]


def shifted(chances: np.ndarray, thin: float, shadow: float) -> np.ndarray:
    """Probabilities (class, row, col) whose odds are those of other priors; their sum does not matter here."""
    factors = np.array([{THIN: thin, SHADOW: shadow}.get(number, 1.0) for number in IDS], np.float32)
    return chances * factors[:, None, None]


def bands_of(image: Labeled) -> dict[str, np.ndarray]:
    return {name: image.planes[name] for name in ("red", "green", "blue", "nir") if name in image.planes}


def enlarged(image: Labeled) -> dict[str, np.ndarray]:
    """Every band at twice the height and width."""
    size = tuple(2 * length for length in reversed(image.valid.shape))
    least = np.float32(SMALLEST_ODDS)
    return {
        n: np.maximum(cv2.resize(b, size, interpolation=cv2.INTER_CUBIC), least) for n, b in bands_of(image).items()
    }


def by_tiles(masker: ModelMasker, planes: dict[str, np.ndarray], kind: str, overlap: int) -> np.ndarray:
    """Probabilities (class, row, col) of a whole image whose tiles share `overlap` pixels."""
    object.__setattr__(masker, "traits", replace(masker.traits, overlap=overlap))
    source = array_source(np.stack(list(planes.values())), list(planes), kind=kind)  # type: ignore[arg-type]  # one of Kind
    result = np.zeros((len(IDS), source.grid.height, source.grid.width), np.float32)
    plan = plan_for(source, masker, MaskOptions(workers=1))
    for piece in mask_pieces(source, masker, classes=len(IDS), plan=plan):
        result[(slice(None), *slices(piece.window))] = piece.probabilities
    return result


def smaller(chances: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """Means over the pixels of the image that was enlarged."""
    return np.stack([cv2.resize(plane, shape[::-1], interpolation=cv2.INTER_AREA) for plane in chances])


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--half", choices=("select", "report", "all"), default="select")
    parser.add_argument("--model", type=Path)
    args = parser.parse_args()
    folder = args.model or next(m.folder for m in available_models() if m.manifest.task == "cloud_mask")
    model = Model.load(folder, device="cpu", threads=1)
    masker, counts = ModelMasker(model), Counts()
    changed: dict[int, list[float]] = defaultdict(list)
    for case in half_of(list(cases(args.dev)), args.half):
        image = read_case(case)
        plain = masker.probabilities(bands_of(image), image.valid, kind=image.kind)
        for thin, shadow in SHIFTS:
            tried = f"odds of thin x {thin:g}, shadow x {shadow:g}"
            counts.add(tried, case, image.truth, three(shifted(plain, thin, shadow)))
        planes = enlarged(image)
        found = {}
        for overlap in OVERLAPS:
            chances = by_tiles(masker, planes, image.kind, overlap)
            found[overlap] = three(chances)
            changed[overlap].append(float(np.mean(found[overlap] != found[OVERLAPS[0]])))
            small = three(smaller(chances, image.valid.shape))
            counts.add(f"enlarged twice, tiles share {overlap} px", case, image.truth, small)
    heads = ("IoU", *counts.seen)
    tables = [Table(region, heads, tuple(counts.rows(region))) for region in ("cloud", "shadow")]
    shares = tuple((f"{overlap} px", 100 * float(np.mean(values))) for overlap, values in changed.items())
    tables.append(Table(f"another class than with {OVERLAPS[0]} px shared", ("tiles share", "% of pixels"), shares))
    about = {"model": f"{model.manifest.name} {model.manifest.version}", "half": args.half}
    report(tables, about=about, path=None)


if __name__ == "__main__":
    main()
