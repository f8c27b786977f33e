"""What a model finds in one scene, as masks: shared by the benchmarks of learned types."""

from pathlib import Path

import numpy as np
from rasterio.windows import Window

from clearscene.inspection.taxonomy import parse_types
from clearscene.inspection.two_step import Statistics, TwoStep, TwoStepOptions
from clearscene.inspection.viewer import SceneViewer
from clearscene.models.model import Model
from clearscene.raster.scene import open_scene
from clearscene.stream import StreamPlan


def found_in(
    path: Path, model: Model, options: TwoStepOptions | None = None
) -> tuple[dict[int, np.ndarray], np.ndarray, Statistics]:
    """Masks (row, col) by type id, as `inspect` finds them before it cleans them; valid (row, col); what was done."""
    with open_scene(path) as scene:
        viewer = SceneViewer(scene)
        height, width = scene.grid.height, scene.grid.width
        two_step = TwoStep(model, options or TwoStepOptions(types=parse_types("")))
        masks = {t.id: np.zeros((height, width), np.bool_) for t in two_step.types}
        for piece in two_step.stream(viewer.display, height, width, StreamPlan(workers=1)):
            rows = slice(int(piece.window.row_off), int(piece.window.row_off + piece.window.height))
            cols = slice(int(piece.window.col_off), int(piece.window.col_off + piece.window.width))
            masks[piece.type_id][rows, cols] |= piece.mask
        valid = viewer.display(Window(0, 0, width, height), (height, width))[1]
    return masks, valid, two_step.statistics
