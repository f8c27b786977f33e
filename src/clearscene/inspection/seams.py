"""Stitching traces of one scene: the seam rule on a reduced picture, which fills while windows are read."""

from clearscene.grid import Grid
from clearscene.inspection.describe import describe_rule
from clearscene.inspection.picture import ReducedPicture
from clearscene.inspection.result import Detector
from clearscene.inspection.taxonomy import BY_NAME
from clearscene.rules.seam import SeamRule
from clearscene.runs import Runs

__all__ = ["SeamSearch"]


class SeamSearch:
    """The search in one scene; it does nothing without a rule, or where the scene is too small for one."""

    def __init__(self, rule: SeamRule | None, grid: Grid, *, n_bands: int) -> None:
        self.is_too_small = rule is not None and max(grid.height, grid.width) < rule.shortest
        self._rule = None if self.is_too_small else rule
        self.picture: ReducedPicture | None = None
        """To be filled by whoever reads the scene; None where nobody will look at it."""
        if self._rule is not None:
            factor = self._rule.reduction(grid.height, grid.width)
            self.picture = ReducedPicture(grid.height, grid.width, n_bands=n_bands, factor=factor)

    @property
    def detectors(self) -> dict[int, str]:
        """Who finds the type, by type id; empty where nobody looks."""
        return {} if self._rule is None else {BY_NAME[self._rule.name].id: f"rule:{self._rule.name}"}

    def find(self, *, workers: int) -> dict[int, Runs]:
        """What was found, by type id; not yet cut to what is inspected."""
        if self._rule is None or self.picture is None:
            return {}
        seams = self._rule.find(self.picture.display, self.picture.valid, workers=workers)
        return {BY_NAME[self._rule.name].id: self.picture.on_scene(seams.mask, seams.confidence)}

    def describe(self) -> list[Detector]:
        """The rule with its parameters and the size of the picture, for the report."""
        if self._rule is None or self.picture is None:
            return []
        told = describe_rule(self._rule)
        return [told.model_copy(update={"parameters": {"reduction": self.picture.factor, **told.parameters}})]
