"""The types that a model finds: two-step inspection of a whole scene, gathered into runs."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from clearscene.inspection.clean import sure_regions
from clearscene.inspection.options import InspectOptions
from clearscene.inspection.result import Detector
from clearscene.inspection.scale import Statistics
from clearscene.inspection.taxonomy import DefectType, Group
from clearscene.inspection.two_step import TwoStep, TwoStepOptions
from clearscene.inspection.viewer import SceneViewer
from clearscene.models.model import Model
from clearscene.models.zoo import available_models, find_model
from clearscene.runs import Runs
from clearscene.stream import plan_stream

__all__ = ["Learned", "describe_model", "detect_by_model", "load_model"]


@dataclass(frozen=True, eq=False)
class Learned:
    """What models found."""

    found: dict[int, Runs]
    """By type id, one entry for every type that was looked for; not yet cut to what is inspected."""
    detectors: list[Detector]
    """Who looked, and what they did."""
    found_by: dict[int, str] = field(default_factory=dict)
    """Who found anything, by type id, where more than one looked."""


def load_model(options: InspectOptions) -> Model | None:
    """The model that the options name, else the shipped one; None if there is none, or no type needs one.

    Raises:
        ModelError: The folder that was named holds no usable model.
    """
    if options.model is not None:
        folder = find_model(options.model).folder
    elif all(kind.group is Group.PIXEL for kind in options.types):
        return None  # rules find those
    else:
        shipped = [info for info in available_models() if info.manifest.task == "inspection"]
        if not shipped:
            return None
        folder = shipped[0].folder
    return Model.load(folder, device=options.device, threads=1)


def model_types(model: Model | None, wanted: Sequence[DefectType]) -> tuple[DefectType, ...]:
    """The types of `wanted` that the model can find."""
    return () if model is None else TwoStep(model, TwoStepOptions(types=tuple(wanted))).types


def detect_by_model(
    viewer: SceneViewer, model: Model, options: InspectOptions, *, progress: Callable[[float], None]
) -> Learned:
    """Screen every tile of the scene and segment those that are flagged.

    `progress` is called with the share of the rows that are done, 0 to 1.

    Raises:
        OptionError: The memory limit is too small for the tiles of this model, even with one worker.
    """
    grid, manifest = viewer.scene.grid, model.manifest
    plan = plan_stream(
        grid.width,
        manifest.tiles.specs(),
        n_classes=len(manifest.classes),
        workers=options.workers,
        memory_limit=options.memory_limit_mb * 1_000_000,
    )
    two_step = TwoStep(model, TwoStepOptions(types=options.types))
    parts: defaultdict[int, list[Runs]] = defaultdict(list)
    for piece in two_step.stream(viewer.display, grid.height, grid.width, plan):
        row, col = round(piece.window.row_off), round(piece.window.col_off)
        parts[piece.type_id].append(Runs.from_mask(piece.mask, piece.confidence, row=row, col=col))
        progress(min(1.0, (row + piece.window.height) / grid.height))
    least = {entry.id: entry.region_threshold for entry in manifest.classes}
    found = {t.id: sure_regions(Runs.union(parts[t.id]), least.get(t.id, 0.0)) for t in two_step.types}
    return Learned(found, [describe_model(model, two_step.types, two_step.statistics)])


def describe_model(model: Model, types: Sequence[DefectType], statistics: Statistics) -> Detector:
    """A model with what it did, for the report."""
    return Detector(
        name=f"model:{model.manifest.name}",
        kind="model",
        types=[t.name for t in types],
        version=model.manifest.version,
        parameters={
            "provider": model.provider,
            "tiles": statistics.tiles,
            "tiles segmented": statistics.segmented,
            "flagged fraction": round(statistics.flagged_fraction, 4),
            **{f"flagged {name}": n for name, n in sorted(statistics.flagged.items())},
        },
    )
