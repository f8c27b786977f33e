"""What a model finds in one scene, as masks: shared by the benchmarks of learned types."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from rasterio.windows import Window

from clearscene.grid import slices
from clearscene.inspection.clean import sure_regions
from clearscene.inspection.options import InspectOptions
from clearscene.inspection.satellite import CloudWitness, load_witness, with_added
from clearscene.inspection.taxonomy import BY_NAME, parse_types
from clearscene.inspection.two_step import Read, Statistics, TwoStep, TwoStepOptions
from clearscene.inspection.viewer import SceneViewer
from clearscene.models.model import Model
from clearscene.models.zoo import available_models
from clearscene.raster.scene import open_scene
from clearscene.runs import Runs
from clearscene.stream import StreamPlan

SHADOW = BY_NAME["shadow"].id


def chosen_model(folder: Path | None, *, threads: int = 1) -> Model:
    """The model of a folder; without one, the inspection model of the package."""
    place = folder or next(m.folder for m in available_models() if m.manifest.task == "inspection")
    return Model.load(place, device="cpu", threads=threads)


def witness(*, threads: int = 1, is_wide: bool = False) -> CloudWitness | None:
    """The model for cloud masks as `inspect` asks it beside the shipped model, whatever the size of pixels.

    `is_wide` says that they are of 7.5 to 25 m, which a file without a place does not.
    """
    found = load_witness(InspectOptions(satellite=True, device="cpu", workers=threads))
    return replace(found, options=replace(found.options, wide=True)) if found and is_wide else found


def title_of(model: Model) -> str:
    """Name and version."""
    return f"{model.manifest.name} {model.manifest.version}"


def found_in(
    path: Path,
    model: Model,
    options: TwoStepOptions | None = None,
    *,
    beside: CloudWitness | None = None,
    doubter: CloudWitness | None = None,
) -> tuple[dict[int, np.ndarray], np.ndarray, Statistics]:
    """Masks (row, col) by type id, as `inspect` finds them before it cleans them; valid (row, col); what was done.

    `beside` is asked for clouds and shadows too, as on satellite images; `doubter` whether it sees the shadows that
    were found at all, as on finer ones.
    """
    with open_scene(path) as scene:
        viewer = SceneViewer(scene)
        height, width = scene.grid.height, scene.grid.width
        found, statistics = _found(viewer.display, (height, width), model, options)
        if doubter is not None and scene.is_color:
            found[SHADOW] = doubter.seen(viewer, found.get(SHADOW, Runs.empty()), progress=lambda _: None)
        if beside is not None and scene.is_color:
            found, _ = with_added(found, beside.find(viewer, progress=lambda _: None))
        valid = viewer.display(Window(0, 0, width, height), (height, width))[1]
    return _as_masks(found, (height, width)), valid, statistics


def found_in_array(
    display: np.ndarray, valid: np.ndarray, model: Model, options: TwoStepOptions | None = None
) -> tuple[dict[int, np.ndarray], Statistics]:
    """The same for display values (band, row, col) and valid (row, col) in memory."""

    def read(window: Window, out_shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
        data, known = display[:, *slices(window)], valid[slices(window)]
        if known.shape == tuple(out_shape):
            return data, known
        factor = max(1, round(known.shape[0] / out_shape[0]))
        data, known = _filled(data, factor, out_shape), _filled(known[None], factor, out_shape)[0]
        height, width = out_shape
        cells = data.reshape(len(data), height, factor, width, factor)
        whole = known.reshape(height, factor, width, factor).all(axis=(1, 3))
        return np.rint(cells.mean(axis=(2, 4))).astype(np.uint8), whole

    found, statistics = _found(read, valid.shape, model, options)
    return _as_masks(found, valid.shape), statistics


def _filled(data: np.ndarray, factor: int, shape: tuple[int, int]) -> np.ndarray:
    """Last rows and columns repeated until each cell of `shape` is whole."""
    missing = [(0, max(0, n * factor - have)) for n, have in zip(shape, data.shape[1:], strict=True)]
    padded = np.pad(data, [(0, 0), *missing], mode="edge")
    return padded[:, : shape[0] * factor, : shape[1] * factor]


def _as_masks(found: dict[int, Runs], shape: tuple[int, int]) -> dict[int, np.ndarray]:
    return {type_id: runs.to_mask(Window(0, 0, shape[1], shape[0])) for type_id, runs in found.items()}


def _found(
    read: Read, shape: tuple[int, int], model: Model, options: TwoStepOptions | None
) -> tuple[dict[int, Runs], Statistics]:
    two_step = TwoStep(model, options or TwoStepOptions(types=parse_types("")))
    parts: dict[int, list[Runs]] = {t.id: [] for t in two_step.types}
    for piece in two_step.stream(read, *shape, StreamPlan(workers=1)):
        row, col = round(piece.window.row_off), round(piece.window.col_off)
        parts[piece.type_id].append(Runs.from_mask(piece.mask, piece.confidence, row=row, col=col))
    least = {entry.id: entry.region_threshold for entry in model.manifest.classes}
    found = {type_id: sure_regions(Runs.union(of_type), least.get(type_id, 0.0)) for type_id, of_type in parts.items()}
    return found, two_step.statistics
