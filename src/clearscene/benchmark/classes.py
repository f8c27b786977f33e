"""From many classes to what is looked for and what is not."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from clearscene.benchmark.tally import IGNORED
from clearscene.errors import BandError, ModelError, OptionError

__all__ = ["binary_truth", "needed", "positive_of", "summed"]


def positive_of(
    classes: Sequence[str], wanted: Sequence[str], ignored: Sequence[str], *, place: str
) -> tuple[str, ...]:
    """The classes that are looked for: those wanted, or the second of two.

    Raises:
        OptionError: There are more than two and none is named, or one that is named is not there.
    """
    unknown = [name for name in (*wanted, *ignored) if name not in classes]
    if unknown:
        raise OptionError(f"{place} has no class {unknown[0]!r}.", hint=f"It has {', '.join(classes)}.")
    if wanted:
        return tuple(wanted)
    if len(classes) != 2:
        raise OptionError(
            f"{place} has {len(classes)} classes, and nothing says which are looked for.",
            hint=f"Set `positive` to some of {', '.join(classes)}.",
        )
    return (classes[1],)


def binary_truth(
    mask: NDArray[np.uint8], classes: Sequence[str], positive: Sequence[str], *, ignored: Sequence[str]
) -> NDArray[np.uint8]:
    """A mask (row, col) of places in `classes` as 1 where looked for, 0 elsewhere, 255 where nothing is counted."""
    table = np.full(256, IGNORED, np.uint8)
    for place, name in enumerate(classes):
        table[place] = IGNORED if name in ignored else np.uint8(name in positive)
    return table[mask]


def needed(what: str, bands: Sequence[str], offered: Sequence[str]) -> tuple[str, ...]:
    """The bands that a model reads.

    Raises:
        BandError: One is not offered.
    """
    lacking = [name for name in bands if name not in offered]
    if lacking:
        raise BandError(
            f"{what} reads {', '.join(bands)}; {', '.join(lacking)} is not offered, only {', '.join(offered)}.",
            hint="Judge it on another set, or by a card that allows these bands.",
        )
    return tuple(bands)


def summed(
    found: NDArray[np.float32], classes: Sequence[str], positive: Sequence[str], *, what: str
) -> NDArray[np.float32]:
    """Probability (row, col) of the classes looked for, of an answer (class or 1, row, col).

    One plane is that of the second of two classes; the first has the rest.

    Raises:
        ModelError: The model has none of the classes.
    """
    if len(found) == 1 and len(classes) != 2:
        return np.asarray(found[0], np.float32)
    if len(found) == 1:
        found = np.concatenate([1 - found, found])
    places = [i for i, name in enumerate(classes) if name in positive]
    if not places and len(classes) == 2:
        places = [1]
    if not places:
        raise ModelError(
            f"{what} has the classes {', '.join(classes)}, none of which is {' or '.join(positive)}.",
            hint="Set `positive` of the model to those that count as found.",
        )
    return np.asarray(found[places].sum(axis=0), np.float32)
