"""Accuracy of cloud masks on real labeled images that no training has seen, beside other maskers.

    python benchmarks/peer_masks.py ../shared/data/dev --out out/peer-masks    # in an environment with the peers
    python benchmarks/mask_accuracy.py ../shared/data/dev --half select [--model FOLDER] [--peers out/peer-masks]

By source and pooled: IoU, F1, balanced accuracy, producer's and user's accuracy of cloud (thick and thin), shadow and
clear, with near infrared where there is some and without, with a wide look where `mask` takes one by itself, and at
twice the resolution (`--fine`); IoU of thin cloud where it is labeled; and the difference of the IoU to each peer on
the same pixels with a paired block bootstrap (blocks of 64 px, 95 % interval). A win is claimed only where the interval
leaves out 0. A dagger marks cells of which the masker may have seen the image. `default` is what `mask` does with the
bands and pixels of each image by itself: near infrared where there is some, a wide look from 7.5 to 25 m, enlarged from
25 m on; `default RGB` is the same without near infrared, left out where it is the same. Their pooled rows are the ones
over all sets, those of others over what they masked; `with nir` is over both sets with near infrared.
`--maskers "default,default RGB,ukis-4b"` prints these rows alone. With `--reduce 3` images of Sentinel-2 at 10 m are
made ones of 30 m before; masks of peers are of their own size then, and left out.
"""

import argparse
import warnings
from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from rasterio.errors import NotGeoreferencedWarning

from clearscene.grid import slices
from clearscene.masking.classes import CLEAR, IDS, NODATA, SHADOW, THICK, THIN
from clearscene.masking.combine import Doubled, Wide
from clearscene.masking.engine import mask_pieces, plan_for
from clearscene.masking.masker import Masker, ModelMasker
from clearscene.masking.options import MaskOptions
from clearscene.masking.source import array_source
from clearscene.models.model import Model
from clearscene.models.zoo import available_models
from labeled_clouds import CLOUD, OF_10_M, Labeled, key_of, read_case, reduced
from real_clouds import Case, cases, half_of
from table_text import Table, report

REGIONS = {"cloud": (THICK, THIN, CLOUD), "shadow": (SHADOW,), "clear": (CLEAR,)}
BLOCK, DRAWS = 64, 2000
SEEN = {
    "ukis-4b": ("toa_30m", "l1c", "l2a", "cs12_dates"),
    "ukis-6b": ("toa_30m", "l1c", "l2a", "cs12_dates"),
}
"""By masker: sources whose images may have been in its training."""

MINE = ("default", "default RGB", "RGBN", "RGBN --wide", "RGBN --fine", "RGBN --fine --wide", "RGB")
"""What is set against the peers."""

NIR, WITH_NIR = "with nir", ("oncloudn", "toa_30m")

Blocks = np.ndarray
"""(block, 4): true positives, false positives, false negatives, true negatives."""


WIDE_FACTORS = {"gf1": 5, "l1c": 4, "l2a": 4, "oncloudn": 4, "cs12_dates": 4}
"""Pixels along one of the wide look, by source; the others are finer or coarser than what gets one."""


def ours(model: Model, image: Labeled, *, with_nir: bool, is_fine: bool = False, factor: int = 1) -> np.ndarray:
    """Ids (row, col), each pixel of the highest probability after cloud is added up."""
    planes = {name: image.planes[name] for name in ("red", "green", "blue")}
    if with_nir:
        planes["nir"] = image.planes["nir"]
    plain = ModelMasker(model)
    masker: Masker = Doubled(plain) if is_fine else plain
    if factor > 1:
        masker = Wide(masker, plain, factor)
    data = np.where(image.valid, np.stack(list(planes.values())), np.float32(np.nan))
    source = array_source(data, list(planes), kind=image.kind)
    chances = np.zeros((len(IDS), *image.valid.shape), np.float32)
    for piece in mask_pieces(source, masker, classes=len(IDS), plan=plan_for(source, masker, MaskOptions(workers=1))):
        chances[(slice(None), *slices(piece.window))] = piece.probabilities
    cloud = chances[THICK] + chances[THIN]
    best = np.stack([chances[CLEAR], cloud, chances[SHADOW]]).argmax(axis=0)
    kinds = np.where(chances[THICK] >= chances[THIN], THICK, THIN)
    return np.choose(best, [np.full_like(kinds, CLEAR), kinds, np.full_like(kinds, SHADOW)]).astype(np.uint8)


def answers(model: Model, image: Labeled, wide: int) -> dict[str, np.ndarray]:
    """Ids (row, col) by the bands and the looks; without wide looks where `wide` is 1."""
    ways = {"RGB": {"with_nir": False}}
    if "nir" in image.planes:
        ways |= {"RGBN": {"with_nir": True}, "RGBN --fine": {"with_nir": True, "is_fine": True}}
    found = {}
    for name, way in ways.items():
        found[name] = ours(model, image, **way)
        if wide > 1:
            found[f"{name} --wide"] = ours(model, image, **way, factor=wide)
    return found


def default_way(found: Collection[str], *, is_coarse: bool) -> str:
    """Which of the answers `mask` gives by itself; `is_coarse` where pixels are of 25 m or more."""
    if is_coarse:
        return "RGBN --fine" if "RGBN --fine" in found else "RGB"
    return next(name for name in ("RGBN --wide", "RGBN", "RGB --wide", "RGB") if name in found)


def blocks_of(found: np.ndarray, truth: np.ndarray, ids: tuple[int, ...]) -> Blocks:
    """Counts by block of one region."""
    known = truth != NODATA
    a, b = np.isin(found, ids), np.isin(truth, ids)
    planes = np.stack([a & b & known, a & ~b & known, ~a & b & known, ~a & ~b & known]).astype(np.int64)
    rows, cols = (range(0, n, BLOCK) for n in truth.shape)
    return np.array([planes[:, r : r + BLOCK, c : c + BLOCK].sum(axis=(1, 2)) for r in rows for c in cols])


def iou(counts: np.ndarray) -> np.ndarray:
    """Of counts (..., 4); NaN without any."""
    below = counts[..., :3].sum(axis=-1)
    return np.where(below > 0, counts[..., 0] / np.maximum(below, 1), np.nan)


def measures(counts: np.ndarray) -> list[float]:
    """IoU, F1, balanced accuracy, producer's and user's accuracy of counts (4,)."""
    tp, fp, fn, tn = (float(value) for value in counts)

    def ratio(a: float, b: float) -> float:
        return a / b if b else float("nan")

    found, kept = ratio(tp, tp + fn), ratio(tn, tn + fp)
    return [ratio(tp, tp + fp + fn), ratio(2 * tp, 2 * tp + fp + fn), (found + kept) / 2, found, ratio(tp, tp + fp)]


def interval(mine: Blocks, other: Blocks) -> tuple[float, float]:
    """95 % interval of the difference of the IoU, blocks drawn again, the same for both."""
    rng = np.random.default_rng(0)
    drawn = rng.integers(len(mine), size=(DRAWS, len(mine)))
    gaps = iou(mine[drawn].sum(axis=1)) - iou(other[drawn].sum(axis=1))
    low, high = np.nanpercentile(gaps, (2.5, 97.5))
    return float(low), float(high)


def dagger_of(masker: str, sources: Collection[str]) -> str:
    """A mark where a masker may have seen images of these sources; `NAME x3` is NAME on enlarged images."""
    return "†" if set(sources) & set(SEEN.get(masker.split(" ")[0], ())) else ""


class Tally:
    """Counts by masker, region and source."""

    def __init__(self) -> None:
        self.blocks: dict[tuple[str, str, str], list[Blocks]] = defaultdict(list)

    def add(self, masker: str, case: Case, found: np.ndarray, truth: np.ndarray) -> None:
        """Count one image."""
        for region, ids in REGIONS.items():
            if region != "shadow" or case.has_shadow:
                self.blocks[masker, region, case.source].append(blocks_of(found, truth, ids))
        if (truth == THIN).any():
            self.blocks[masker, "thin", case.source].append(blocks_of(found, truth, (THIN,)))

    def of(self, masker: str, region: str, source: str) -> Blocks | None:
        """All blocks of a source, of those with near infrared (`with nir`), or of all (`pooled`)."""
        found = self._members(masker, region, source)
        blocks = [block for one in found for block in self.blocks[masker, region, one]]
        return np.concatenate(blocks) if blocks else None

    def _members(self, masker: str, region: str, source: str) -> list[str]:
        wanted = {"pooled": self.sources(), NIR: WITH_NIR}.get(source, (source,))
        return [one for one in wanted if (masker, region, one) in self.blocks]

    def sources(self) -> list[str]:
        """In the order in which they were first counted."""
        return list(dict.fromkeys(key[2] for key in self.blocks))

    def maskers(self) -> list[str]:
        """In the order in which they were first counted."""
        return list(dict.fromkeys(key[0] for key in self.blocks))

    def rows(self, region: str, maskers: Sequence[str]) -> Iterator[tuple[str | float, ...]]:
        """Source, masker, pixels and measures."""
        for source in (*self.sources(), NIR, "pooled"):
            for masker in maskers:
                members, blocks = self._members(masker, region, source), self.of(masker, region, source)
                if source == NIR and len(members) < len(WITH_NIR):
                    continue
                if blocks is None or (masker == "default RGB" and self._is_default(blocks, region, source)):
                    continue
                dagger = dagger_of(masker, members)
                yield source, masker + dagger, int(blocks.sum()), *measures(blocks.sum(axis=0))

    def _is_default(self, blocks: Blocks, region: str, source: str) -> bool:
        return np.array_equal(blocks, self.of("default", region, source))

    def gaps(self, mine: str, peer: str) -> Iterator[tuple[str | float, ...]]:
        """Difference of the IoU on the images that both masked."""
        for source in dict.fromkeys(key[2] for key in self.blocks if key[0] == peer):
            for region in ("cloud", "shadow"):
                a, b = self.of(mine, region, source), self.of(peer, region, source)
                if a is None or b is None or len(a) != len(b):
                    continue
                left, right, (low, high) = float(iou(a.sum(axis=0))), float(iou(b.sum(axis=0))), interval(a, b)
                said = "better" if low > 0 else "worse" if high < 0 else "no difference shown"
                dagger = dagger_of(peer, (source,))
                yield source, region, mine, left, peer + dagger, right, left - right, low, high, said


def main() -> None:
    """Measure and print."""
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dev", type=Path)
    parser.add_argument("--half", choices=("select", "report", "all"), default="select")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--peers", type=Path, help="Folder that peer_masks.py wrote.")
    parser.add_argument("--reduce", type=int, default=1)
    parser.add_argument("--maskers", default="", help="Print the rows of these alone, with commas between.")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    folder = args.model or next(m.folder for m in available_models() if m.manifest.task == "cloud_mask")
    model, tally = Model.load(folder, device="cpu", threads=1), Tally()
    peers = sorted(path for path in args.peers.iterdir() if path.is_dir()) if args.peers else []
    for case in half_of(list(cases(args.dev)), args.half):
        image = read_case(case)
        is_reduced = args.reduce > 1 and case.source in OF_10_M
        if is_reduced:
            image = reduced(image, args.reduce)
        found = answers(model, image, 1 if is_reduced else WIDE_FACTORS.get(case.source, 1))
        for name, ids in found.items():
            tally.add(name, case, ids, image.truth)
        is_coarse = is_reduced or case.source == "toa_30m"
        tally.add("default", case, found[default_way(found, is_coarse=is_coarse)], image.truth)
        rgb = [name for name in found if not name.startswith("RGBN")]
        tally.add("default RGB", case, found[default_way(rgb, is_coarse=is_coarse)], image.truth)
        for peer in peers if args.reduce == 1 else []:
            path = peer / f"{key_of(case)}.png"
            if path.is_file():
                tally.add(peer.name, case, cv2.imread(str(path), cv2.IMREAD_UNCHANGED), image.truth)
    heads = ("source", "masker", "pixels", "IoU", "F1", "balanced accuracy", "producer's", "user's")
    shown = args.maskers.split(",") if args.maskers else tally.maskers()
    tables = [Table(region, heads, tuple(tally.rows(region, shown))) for region in (*REGIONS, "thin")]
    gaps = [row for peer in peers for mine in MINE if mine in shown for row in tally.gaps(mine, peer.name)]
    if gaps:
        columns = ("source", "region", "ours", "IoU", "peer", "IoU of it", "difference", "low", "high", "said")
        tables.append(Table("beside peers", columns, tuple(gaps)))
    about = {"model": f"{model.manifest.name} {model.manifest.version}", "half": args.half, "reduce": args.reduce}
    report(tables, about=about, path=args.json)


if __name__ == "__main__":
    main()
