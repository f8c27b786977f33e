"""From detected pixels to findings-to-be: grow, fill, join, and drop what is too small.

Section 3.1.2 of the seed system (Yu, Wang et al. 2023): the mask of each type is dilated, then
connected components under a smallest area are dropped. Here this runs on `Runs`, so it is exact
over the whole scene, whatever windows the mask came from.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from clearscene.grid import Grid
from clearscene.runs import Components, Runs, measure

__all__ = ["Cleaning", "Regions", "clean", "smallest_area", "sure_regions", "without_lost"]

MOSTLY = 0.5
"""Share of a region that is lost pixels, from which on it is nothing else."""


@dataclass(frozen=True)
class Cleaning:
    """How the mask of one type is cleaned."""

    dilation: int = 0
    """Radius of the disk the mask is grown by, pixels. Published: 2."""
    fill_holes: int = 0
    """Enclosed background of up to this many pixels is filled. Published: under 10."""
    min_area: int = 1
    """Components of fewer detected pixels are dropped."""
    reach: int = 1
    """Pixels within this distance belong to one component; 1 is 8-connectivity."""


@dataclass(frozen=True, eq=False)
class Regions:
    """The components of one type that survive cleaning."""

    shape: Runs
    """What is drawn: the detected pixels, grown and filled, inside the inspected area."""
    labels: NDArray[np.int64]
    """(n runs of `shape`,), the component of each run."""
    parts: Components
    """Measures of the *detected* pixels of each component: areas are undilated."""
    detected: Runs
    """The detected pixels of the components."""
    detected_labels: NDArray[np.int64]
    """(n runs of `detected`,), the component of each run."""

    @property
    def n(self) -> int:
        """Number of components."""
        return self.parts.n


def smallest_area(fraction: float, square_meters: float, *, valid: int, grid: Grid) -> int:
    """The smallest area in pixels: the smaller of a fraction of the valid pixels and square meters.

    The published 0.01 % of a 3.6 gigapixel scene would be 360,000 pixels, far larger than most
    defects; without a CRS only the fraction can count. Law: never under 1.
    """
    limits = [fraction * valid]
    if grid.pixel_area is not None:
        middle = float(grid.pixel_area.at(grid.height / 2, grid.width / 2))
        if middle > 0:
            limits.append(square_meters / middle)
    return max(1, int(min(limits)))


def sure_regions(detected: Runs, least: float) -> Runs:
    """The connected pixels whose mean confidence is `least` or more; weights are sums of confidence.

    A threshold on pixels alone must be high to keep doubtful regions out, and then cuts the rims of the sure ones
    off. Laws: with `least` 0 nothing is dropped; a region is kept whole or not at all, whatever windows it came from.
    """
    if not len(detected) or least <= 0:
        return detected
    labels = detected.label()
    return detected.take((measure(detected, labels).confidences >= least)[labels])


def without_lost(detected: Runs, lost: Runs) -> Runs:
    """The connected pixels that are not mostly lost: a block that is white, black or without a band is no cloud.

    A model sees color, and takes such blocks for cloud, shadow or overflow; the rule for lost pixels is exact.
    Law: a region is kept whole or not at all, and one that holds no lost pixel is kept.
    """
    shared = detected.intersection(lost)
    if not len(shared):
        return detected
    labels = detected.label()
    areas = np.bincount(labels, detected.lengths)
    covered = np.bincount(labels[detected.find(shared.rows, shared.starts)], shared.lengths, len(areas))
    return detected.take((covered < MOSTLY * areas)[labels])


def clean(
    detected: Runs,
    how: Cleaning,
    *,
    inside: Runs,
    grid: Grid,
    accept: Callable[[Components], NDArray[np.bool_]] | None = None,
) -> Regions:
    """Clean the mask of one type.

    Args:
        detected: The detected pixels of the whole scene, weights are sums of confidence.
        how: Dilation, hole filling, smallest area, reach.
        inside: The inspected pixels; the grown shape does not leave them.
        grid: The grid of the scene.
        accept: A rule's own last word on each component (n,), from its measures.

    Law: without dilation and hole filling, and with min_area 1, `shape` is `detected`.
    """
    labels = detected.label(reach=how.reach)
    parts = measure(detected, labels)
    keep = parts.areas >= 1 if accept is None else accept(parts)
    detected = detected.take(keep[labels]) if len(detected) else detected
    shape = detected.dilate(how.dilation, height=grid.height, width=grid.width)
    shape = Runs.union([shape, shape.holes(max_area=how.fill_holes)])
    if how.dilation or how.fill_holes:
        shape = shape.intersection(inside)
    labels = shape.label(reach=how.reach)
    found = labels[shape.find(detected.rows, detected.starts)]
    large = measure(detected, found).areas >= how.min_area if len(detected) else np.empty(0, np.bool_)
    return _kept(shape, labels, detected, found, large)


def _kept(
    shape: Runs,
    labels: NDArray[np.int64],
    detected: Runs,
    found: NDArray[np.int64],
    keep: NDArray[np.bool_],
) -> Regions:
    """Drop the components that are not kept and number the rest anew."""
    if len(detected) == 0 or not keep.any():
        none = np.empty(0, np.int64)
        return Regions(Runs.empty(), none, measure(Runs.empty(), none), Runs.empty(), none)
    number = np.cumsum(keep) - 1
    held = np.zeros(int(labels.max()) + 1, np.bool_)
    held[: len(keep)] = keep
    shape_keep, detected_keep = held[labels], keep[found]
    detected, found = detected.take(detected_keep), number[found[detected_keep]]
    return Regions(shape.take(shape_keep), number[labels[shape_keep]], measure(detected, found), detected, found)
