"""What `fusion_tables.py` and `fusion_dates.py` measure with, and how they draw."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import cv2
import numpy as np

from clearscene.fusion.methods.choose import METHODS
from clearscene.fusion.methods.learned import weight_of

CLASSICAL = ("mean", "median", "medoid", "geomedian")
DRAWS = 1000


def classical(name: str, stack: np.ndarray, good: np.ndarray | None = None) -> np.ndarray:
    """A method that needs no quality, of (image, band, row, col); `good` (image, row, col), all if left out."""
    weight = np.ones((len(stack), *stack.shape[2:]), np.float32) if good is None else good.astype(np.float32)
    return METHODS[name](stack, weight, temperature=1.0)[0]


def by_quality(stack: np.ndarray, logits: np.ndarray, *, hard: bool = False, temperature: float = 1.0) -> np.ndarray:
    """The mean by the softmax of quality (image, row, col), or the best image at each pixel."""
    weight = np.maximum(weight_of(logits, np.ones(logits.shape, np.bool_)), np.finfo(np.float32).tiny)
    return METHODS["best" if hard else "learned"](stack, weight, temperature=temperature)[0]


def wrong_mean(stack: np.ndarray) -> np.ndarray:
    """The baseline of the published evaluation: the division lies inside the loop, so image k of n counts n^-k."""
    result = np.zeros_like(stack[0])
    for image in stack:
        result = (result + image) / len(stack)
    return result


def scores(counts: np.ndarray) -> dict[str, float]:
    """Accuracy, mean IoU over all classes, IoU weighted by frequency, of counts (truth, answer), pooled."""
    both, true = np.diag(counts).astype(float), counts.sum(1)
    iou = both / np.maximum(true + counts.sum(0) - both, 1)
    return {
        "accuracy": both.sum() / counts.sum(),
        "mIoU": iou[true > 0].mean(),
        "fwIoU": (iou * true).sum() / true.sum(),
    }


def confusion(truth: np.ndarray, answer: np.ndarray, n: int) -> np.ndarray:
    """Counts (truth, answer) of class places; 255 is left out."""
    known = truth < n
    return np.bincount(truth[known].astype(int) * n + answer[known], minlength=n * n).reshape(n, n)


def interval(values: Sequence[float], of: Callable[[np.ndarray], float], seed: int = 0) -> tuple[float, float]:
    """95 % of the bootstrap over places: `of` gives the number from the indexes of those that were drawn."""
    rng = np.random.default_rng(seed)
    drawn = [of(rng.integers(len(values), size=len(values))) for _ in range(DRAWS)]
    low, high = np.percentile(drawn, (2.5, 97.5))
    return float(low), float(high)


@dataclass
class Notes:
    """What one method reached in one setting."""

    l1: dict[tuple[int, int], float] = field(default_factory=dict)
    """Of a channel, by repetition and place."""
    counts: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    """(truth, answer), by repetition and place."""

    def mean_l1(self) -> tuple[float, float, float, float]:
        """Of a channel: mean and spread of the repetitions, and the interval over places."""
        of_repeat = defaultdict(list)
        for (repeat, _), value in self.l1.items():
            of_repeat[repeat].append(value)
        each = self.l1_by_place()
        spread = np.std([np.mean(values) for values in of_repeat.values()])
        return (float(each.mean()), float(spread), *interval(each, lambda drawn: each[drawn].mean()))

    def l1_by_place(self) -> np.ndarray:
        """Of a channel, by place in order: the mean of the repetitions."""
        of_place = defaultdict(list)
        for (_, place), value in self.l1.items():
            of_place[place].append(value)
        return np.array([np.mean(of_place[place]) for place in sorted(of_place)])

    def l1_beside(self, other: Self) -> tuple[float, float, float]:
        """L1 less that of another method on the same places, and the interval over places, drawn together."""
        gaps = self.l1_by_place() - other.l1_by_place()
        return (float(gaps.mean()), *interval(gaps, lambda drawn: gaps[drawn].mean()))

    def summary(self) -> dict[str, tuple[float, float, float, float]]:
        """Scores by name: mean and spread of the repetitions, and the interval over places."""
        repeats, places = (sorted({key[axis] for key in self.counts}) for axis in (0, 1))
        of_repeat = [scores(sum(self.counts[r, p] for p in places)) for r in repeats]
        of_place = self.by_place()
        found = {}
        for key in of_repeat[0]:
            values = np.array([one[key] for one in of_repeat])
            ends = interval(of_place, lambda drawn, key=key: scores(of_place[drawn].sum(0))[key])
            found[key] = (float(values.mean()), float(values.std()), *ends)
        return found

    def by_place(self) -> np.ndarray:
        """Counts (place, truth, answer), repetitions added up."""
        repeats, places = (sorted({key[axis] for key in self.counts}) for axis in (0, 1))
        return np.array([sum(self.counts[r, p] for r in repeats) for p in places])

    def beside(self, other: Self) -> tuple[float, float, float]:
        """mIoU less that of another method, both of the same places, and the interval over places, drawn together."""
        own, others = self.by_place(), other.by_place()

        def gap(drawn: np.ndarray) -> float:
            return scores(own[drawn].sum(0))["mIoU"] - scores(others[drawn].sum(0))["mIoU"]

        return (gap(np.arange(len(own))), *interval(own, gap))


@dataclass
class Found:
    """Notes by method, and on disk, so that a run that was cut off goes on after its last repetition."""

    methods: dict[str, Notes] = field(default_factory=lambda: defaultdict(Notes))

    @property
    def n_repeats(self) -> int:
        """Repetitions that are done."""
        return 1 + max((repeat for notes in self.methods.values() for repeat, _ in notes.counts), default=-1)

    def save(self, path: Path) -> None:
        """As arrays by method and kind, keys beside values."""
        arrays = {}
        for name, notes in self.methods.items():
            for kind in ("l1", "counts"):
                values = getattr(notes, kind)
                if values:
                    arrays[f"{name}|{kind}|keys"] = np.array([*values])
                    arrays[f"{name}|{kind}"] = np.array([*values.values()])
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez_compressed(path, **arrays)

    @classmethod
    def load(cls, path: Path) -> Self:
        """What was saved; nothing if the file is not there. Law: `load(save(x))` is x."""
        found = cls()
        if path.is_file():
            with np.load(path) as arrays:
                for label in arrays.files:
                    name, kind, *is_keys = label.split("|")
                    if not is_keys:
                        keys = [(int(r), int(p)) for r, p in arrays[f"{label}|keys"]]
                        values = arrays[label]
                        getattr(found.methods[name], kind).update(zip(keys, values, strict=True))
        return found


def peer_geomedian() -> Callable[[np.ndarray], np.ndarray] | None:
    """The geometric median by geomad, the engine of odc-algo, of (image, band, row, col); None if not installed."""
    try:
        import geomad
    except ImportError:
        return None

    def fused(stack: np.ndarray) -> np.ndarray:
        given = np.ascontiguousarray(stack.transpose(2, 3, 1, 0), np.float32)
        return np.asarray(geomad.nangeomedian_pcm(given, num_threads=1, **PEER)).transpose(2, 0, 1)

    return fused


PEER = {"eps": 1e-4, "maxiters": 1000}
"""As odc-algo calls it."""


def ssim(one: np.ndarray, other: np.ndarray, *, span: float) -> float:
    """Structural similarity of (band, row, col), Gaussian window of 1.5 px (Wang et al., IEEE TIP 13, 2004, eq. 13).

    Checked against scikit-image (`gaussian_weights=True, use_sample_covariance=False`) in the tests.
    """
    c1, c2 = (0.01 * span) ** 2, (0.03 * span) ** 2
    values = []
    for a, b in zip(one.astype(np.float64), other.astype(np.float64), strict=True):
        mean_a, mean_b = _soft(a), _soft(b)
        var_a, var_b = _soft(a * a) - mean_a**2, _soft(b * b) - mean_b**2
        both = _soft(a * b) - mean_a * mean_b
        top = (2 * mean_a * mean_b + c1) * (2 * both + c2)
        values.append((top / ((mean_a**2 + mean_b**2 + c1) * (var_a + var_b + c2)))[5:-5, 5:-5].mean())
    return float(np.mean(values))


def _soft(plane: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(plane, (11, 11), 1.5, borderType=cv2.BORDER_REFLECT)


def shown(picture: np.ndarray, *, white: float = 1.0, size: int = 192) -> np.ndarray:
    """(3, row, col) as an enlarged picture (row, col, 3) of 8 bits for OpenCV; what is no number is gray."""
    filled = np.where(np.isfinite(picture), picture / white, 0.5)
    eight = np.rint(np.clip(filled, 0, 1) * 255).astype(np.uint8).transpose(1, 2, 0)[..., ::-1]
    return cv2.resize(np.ascontiguousarray(eight), (size, size), interpolation=cv2.INTER_NEAREST)


def gray(plane: np.ndarray, *, size: int = 192) -> np.ndarray:
    """(row, col) of 0 to 1 as `shown` gives it."""
    return shown(np.repeat(plane[None], 3, axis=0), size=size)


def sheet(path: Path, rows: Sequence[Sequence[np.ndarray]], heads: Sequence[str]) -> None:
    """Pictures in rows below the names of their columns, as PNG."""
    gap = 6
    lines = []
    for row in rows:
        cells = [cv2.copyMakeBorder(cell, 0, gap, 0, gap, cv2.BORDER_CONSTANT, value=(255,) * 3) for cell in row]
        lines.append(np.concatenate(cells, axis=1))
    picture = np.concatenate(lines)
    top = np.full((26, picture.shape[1], 3), 255, np.uint8)
    step = rows[0][0].shape[1] + gap
    for place, name in enumerate(heads):
        cv2.putText(top, name, (place * step + 3, 18), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (40, 40, 40), 1, cv2.LINE_AA)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(cv2.imencode(".png", np.concatenate([top, picture]))[1].tobytes())
