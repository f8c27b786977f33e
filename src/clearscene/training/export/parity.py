"""Does the exported model say what the trained one says? Asked on real chips, refused above a limit."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import ModelError
from clearscene.training.export.runner import Runner
from clearscene.training.export.samples import Sample

__all__ = ["Parity", "check_parity", "compare_runners"]


@dataclass(frozen=True)
class Parity:
    """How far two networks are apart, in logits."""

    n_chips: int
    largest: dict[str, float]
    """Largest absolute difference by head: tile, cells, pixels."""
    mean: dict[str, float]
    """Mean absolute difference by head."""
    other_class: float
    """Share of the pixels whose best class differs; 0 without a segmenter."""

    def describe(self) -> str:
        """One line for people."""
        parts = [f"{head} max {self.largest[head]:.2g}, mean {self.mean[head]:.2g}" for head in self.largest]
        return f"{self.n_chips} chips: {'; '.join(parts)}; another class in {self.other_class:.3%} of the pixels"


def compare_runners(reference: Runner, exported: Runner, samples: Iterable[Sample]) -> Parity:
    """Ask both about each sample. Law: a runner compared with itself differs by 0.

    Raises:
        ModelError: One of them answers with a head, a shape or a NaN that the other has not.
    """
    gaps: dict[str, list[NDArray[np.float32]]] = {}
    asked: list[float] = []
    for sample in samples:
        a, b = reference(sample.image), exported(sample.image)
        for head in ("tile", "cells", "pixels"):
            left, right = getattr(a, head), getattr(b, head)
            if left is not None or right is not None:
                gap = _gap(left, right, f"{head} of chip {sample.id}")
                gaps.setdefault(head, []).append(np.array([gap.max(), gap.mean()]))
        asked.append(_other_class(a.pixels, b.pixels))
    return Parity(
        n_chips=len(asked),
        largest={head: float(np.max(values, axis=0)[0]) for head, values in gaps.items()},
        mean={head: float(np.mean(values, axis=0)[1]) for head, values in gaps.items()},
        other_class=float(np.mean(asked)),
    )


def check_parity(parity: Parity, limit: float, *, place: str = "") -> None:
    """Refuse an export that is too far from the trained network; `place` is the runtime that was asked.

    Raises:
        ModelError: The largest difference of a head exceeds `limit`.
    """
    head = max(parity.largest, key=lambda name: parity.largest[name])
    if parity.largest[head] > limit:
        where = f" on {place}" if place else ""
        raise ModelError(
            f"The exported model{where} differs from the trained one by {parity.largest[head]:.4g} in the logits "
            f"({head}); the limit is {limit:g} ({parity.describe()}).",
            hint="Export with a higher --precision, or raise --max-difference if the accuracy holds.",
        )


def _other_class(left: NDArray[np.float32] | None, right: NDArray[np.float32] | None) -> float:
    if left is None or right is None:
        return 0.0
    return float((left.argmax(axis=0) != right.argmax(axis=0)).mean())


def _gap(left: NDArray[np.float32] | None, right: NDArray[np.float32] | None, place: str) -> NDArray[np.float32]:
    if left is None or right is None or left.shape != right.shape:
        shapes = [None if part is None else part.shape for part in (left, right)]
        raise ModelError(f"{place}: the trained network answers with shape {shapes[0]}, the exported with {shapes[1]}.")
    gap: NDArray[np.float32] = np.abs(left - right)
    if not np.isfinite(gap).all():
        raise ModelError(f"{place}: an answer is NaN or infinite.", hint="The training has diverged; see its curves.")
    return gap
