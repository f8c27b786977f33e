"""Seams of one scene: rules that look at the whole of it, by reduced pictures that fill while windows are read."""

from collections.abc import Sequence
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.grid import Grid
from clearscene.inspection.describe import describe_rule
from clearscene.inspection.detect import Gatherer
from clearscene.inspection.picture import ReducedPicture, SharpPicture
from clearscene.inspection.result import Detector
from clearscene.inspection.viewer import Look, SceneViewer
from clearscene.rules.break_lines import MARGIN, as_gray
from clearscene.rules.misalignment import Break, MisalignmentRule
from clearscene.rules.seam import SeamRule
from clearscene.runs import Runs

__all__ = ["MisalignmentSearch", "SceneSearch", "TraceSearch", "searches_for"]

BAND = 5
"""Pixels of the reduced picture in which a misaligned seam is marked, as wide as a stitching trace."""


class SceneSearch(Gatherer, Protocol):
    """The search for one type in a whole scene."""

    @property
    def type_name(self) -> str:
        """The type that is looked for."""
        ...

    @property
    def detector(self) -> str:
        """Who looks."""
        ...

    def find(self, viewer: SceneViewer, *, workers: int) -> Runs:
        """What was found, not yet cut to what is inspected."""
        ...

    def describe(self) -> Detector:
        """The rule with its parameters and the size of the picture, for the report."""
        ...


class TraceSearch:
    """The search for stitching traces: the seam rule on a reduced picture."""

    halo = 0

    def __init__(self, rule: SeamRule, grid: Grid, *, n_bands: int) -> None:
        self.type_name = rule.name
        self.detector = f"rule:{rule.name}"
        self._rule = rule
        factor = rule.reduction(grid.height, grid.width)
        self._picture = ReducedPicture(grid.height, grid.width, n_bands=n_bands, factor=factor)

    def gather(self, look: Look) -> None:
        """Reduce a window."""
        self._picture.add(look.window, look.view.display[:, *look.core], look.view.valid[look.core])

    def find(self, viewer: SceneViewer, *, workers: int) -> Runs:  # noqa: ARG002 - the picture is enough
        """What the rule finds in the picture."""
        seams = self._rule.find(self._picture.display, self._picture.valid, workers=workers)
        return self._picture.on_scene(seams.mask, seams.confidence)

    def describe(self) -> Detector:
        """The rule with its parameters and the size of the picture, for the report."""
        return _with_reduction(describe_rule(self._rule), self._picture.factor)


class MisalignmentSearch:
    """The search for misaligned seams: candidates on a picture of sharp steps, proofs on the pixels of the scene."""

    halo = MARGIN

    def __init__(self, rule: MisalignmentRule, grid: Grid) -> None:
        self.type_name = rule.name
        self.detector = f"rule:{rule.name}"
        self._rule, self._size = rule, (grid.height, grid.width)
        self._picture = SharpPicture(grid.height, grid.width, factor=SeamRule.reduction(grid.height, grid.width))

    def gather(self, look: Look) -> None:
        """Measure how sharp the steps of a window are, and reduce it."""
        self._picture.add(look.window, as_gray(look.view.display), look.view.valid, core=look.core)

    def find(self, viewer: SceneViewer, *, workers: int) -> Runs:
        """What the rule finds; it reads pixels of the scene again where a line may be broken."""

        def read(top: int, left: int, bottom: int, right: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
            size = (bottom - top, right - left)
            display, valid = viewer.display(Window(left, top, size[1], size[0]), size)
            return as_gray(display), valid

        picture = self._picture
        breaks = self._rule.find(
            picture.sharp, picture.valid, read, size=self._size, factor=picture.factor, workers=workers
        )
        return picture.on_scene(*self._marked(breaks))

    def describe(self) -> Detector:
        """The rule with its parameters and the size of the picture, for the report."""
        return _with_reduction(describe_rule(self._rule), self._picture.factor)

    def _marked(self, breaks: list[Break]) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Mask and confidence (row, col) of the picture."""
        confidence = np.zeros(self._picture.valid.shape, np.float32)
        for found in sorted(breaks, key=lambda one: one.confidence):
            points = (np.array(found.points)[:, ::-1] + 0.5) / self._picture.factor - 0.5
            line = np.round(points).astype(np.int32).reshape(-1, 1, 2)
            cv2.polylines(confidence, [line], isClosed=False, color=found.confidence, thickness=BAND)
        confidence *= self._picture.valid
        return confidence > 0, confidence


def searches_for(rules: Sequence[SeamRule | MisalignmentRule], grid: Grid, *, n_bands: int) -> tuple[SceneSearch, ...]:
    """The searches for which a scene is large enough."""
    longest = max(grid.height, grid.width)
    return tuple(
        TraceSearch(rule, grid, n_bands=n_bands) if isinstance(rule, SeamRule) else MisalignmentSearch(rule, grid)
        for rule in rules
        if longest >= rule.shortest
    )


def _with_reduction(told: Detector, factor: int) -> Detector:
    return told.model_copy(update={"parameters": {"reduction": factor, **told.parameters}})
