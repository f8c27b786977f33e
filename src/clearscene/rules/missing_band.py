"""Lost bands: regions where one band is dead in long runs while the others live on undisturbed."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from clearscene.rules.missing_edge import FAR, grown, long_runs, pool
from clearscene.rules.missing_exact import Target, color_difference
from clearscene.rules.rule import View

__all__ = ["lost_bands"]

Mask = NDArray[np.bool_]
"""(row, col)."""

LEAST_CHANGE = 0.15
"""Change of the other bands at the edge, as a share of their level, from which on the ground itself changes there."""


def lost_bands(
    view: View, flat: Mask, *, least: tuple[float, float], min_run: int
) -> tuple[list[tuple[int, Target]], Mask]:
    """Regions where one band is 0 or white in runs of `min_run` px and the others live, each with its band.

    Args:
        view: The window; more than one band.
        flat: Pixels that are black or white in all bands, (row, col).
        least: Contrast that the ring of black, of white must have.
        min_run: Pixels in a row or column, an odd number.

    Returns:
        The targets, and the pixels that speak against a loss because the other bands change with the dead one.
    """
    against = np.zeros(flat.shape, np.bool_)
    targets = []
    for band, color, dead, region in _dead_runs(view, min_run):
        calm = _is_undisturbed(view, region, dead, np.delete(np.arange(len(view.data)), band))
        against |= region & ~calm
        # Without edge or black and white in reach the whole neighborhood is dead, which speaks for itself of a band
        # that is black; one that is white all over is overexposed.
        speaks = (pool(flat.astype(np.float32), FAR) == 0) & (color == 0)
        targets.append((band, Target(region & calm, color, least[color > 0], dead | flat, speaks)))
    return targets, against


def _dead_runs(view: View, min_run: int) -> Iterator[tuple[int, float, Mask, Mask]]:
    """Band, color, its dead pixels, and those of them in long runs where all other bands live."""
    black, white = view.data == 0, view.data == view.white
    n_dead = (black | white).sum(axis=0, dtype=np.uint8)
    alone = (n_dead == 1) & view.valid
    if np.count_nonzero(alone) < min_run:
        return
    for band in range(len(view.data)):
        for color, planes in ((0.0, black), (view.white, white)):
            lonely = planes[band] & alone
            if np.count_nonzero(lonely) < min_run:
                continue
            region = long_runs(lonely, min_run)
            if region.any():
                yield band, color, planes[band] & view.valid, region


def _around(mask: Mask, margin: int) -> tuple[slice, slice]:
    """The smallest rectangle around the True pixels, `margin` wider."""
    rows = np.flatnonzero(mask.any(axis=1))
    cols = np.flatnonzero(mask[rows[0] : rows[-1] + 1].any(axis=0))
    return (
        slice(max(0, rows[0] - margin), rows[-1] + 1 + margin),
        slice(max(0, cols[0] - margin), cols[-1] + 1 + margin),
    )


def _is_undisturbed(view: View, region: Mask, dead: Mask, others: NDArray[np.integer]) -> Mask:
    """Where the other bands do not change at the edge of a region, as they would if the ground changed.

    Water that is black in red is another color in green as well; a lost band leaves green alone.
    """
    box = _around(region, FAR + 2)
    result = np.ones(region.shape, np.bool_)
    inner = region[box]
    ring = grown(inner, 1) & ~dead[box] & view.valid[box]
    rim = inner & grown(ring, 1)
    rest = color_difference(view.data[(others, *box)], 0.0)
    n_in, n_out = (pool(m.astype(rest.dtype), FAR) for m in (rim, ring))
    mean_in, mean_out = (
        pool(np.where(m, rest, rest.dtype.type(0)), FAR) / np.maximum(n, 1) for m, n in ((rim, n_in), (ring, n_out))
    )
    change = np.abs(mean_in - mean_out)
    result[box] = (n_in == 0) | (n_out == 0) | (change <= LEAST_CHANGE * np.maximum(mean_in, mean_out))
    return result
