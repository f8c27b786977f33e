"""CPU seconds of an inspection by stage, and a screen that flags a wanted share of the tiles.

CPU seconds (user and system, all threads) compare two versions of the code also where other work shares the
cores; seconds on the clock do not.

The share is a stand-in for speed only. How many tiles a real screen flags depends on the scene; here one
threshold takes the place of the model's own for all types, chosen from the scores of every `STEP`-th tile of
this very scene so that about the wanted share lies above it. What is found with it means nothing.
"""

import time
from pathlib import Path

import numpy as np

from clearscene.inspection.constraint import sigmoid
from clearscene.inspection.inspect import inspect_scene
from clearscene.inspection.inspector import Inspector, prepare
from clearscene.inspection.options import InspectOptions
from clearscene.inspection.taxonomy import BY_NAME, Group
from clearscene.inspection.viewer import SceneViewer
from clearscene.models.model import Model
from clearscene.raster.scene import open_scene
from clearscene.tiling import TileGrid

__all__ = ["cpu_by_stage"]

STEP = 3


class StageClock:
    """Progress of an inspection as CPU seconds by stage; work between two stages counts to the first."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._stage, self._start = "", time.process_time()

    def __call__(self, stage: str, _share: float) -> None:
        """What `inspect_scene` calls."""
        if stage != self._stage:
            self.stop()
            self._stage = stage

    def stop(self) -> None:
        """Close the stage that runs."""
        now = time.process_time()
        if self._stage:
            self.seconds[self._stage] = self.seconds.get(self._stage, 0.0) + now - self._start
        self._start = now


def cpu_by_stage(scene: Path, out: Path, *, device: str, flagged: float | None) -> dict[str, float]:
    """Inspect `scene` into the folder `out`, with about the share `flagged` of its tiles segmented if given."""
    inspector = prepare(InspectOptions(device=device))
    if flagged is not None:
        flag_share(scene, inspector, flagged)
    clock = StageClock()
    inspect_scene(scene, out, inspector, progress=clock)
    clock.stop()
    return clock.seconds


def flag_share(scene: Path, inspector: Inspector, share: float) -> None:
    """Give the inspector's model one screen threshold that about `share` of the tiles of `scene` reach."""
    model = inspector.model
    if model is None or model.manifest.screen is None:
        raise SystemExit("--flagged needs a model with a screen; none is installed.")
    scores = tile_scores(scene, model)
    threshold = float(np.quantile(scores, 1 - share))
    screen = model.manifest.screen.model_copy(update={"threshold": threshold, "thresholds": {}})
    model.manifest = model.manifest.model_copy(update={"screen": screen})


def tile_scores(scene: Path, model: Model) -> list[float]:
    """The largest probability of a region type in every `STEP`-th native tile that holds data."""
    assert model.manifest.screen is not None
    regions = [i for i, name in enumerate(model.manifest.screen.types) if BY_NAME[name].group is Group.REGION]
    scores = []
    with open_scene(scene) as opened:
        viewer = SceneViewer(opened)
        grid = TileGrid(opened.grid.height, opened.grid.width, model.manifest.tiles.specs()[0])
        for tile in list(grid.tiles())[::STEP]:
            display, valid = viewer.display(tile.window, (tile.height, tile.width))
            if valid.any():
                logits = model.screen(model.prepare(display, valid)).logits
                scores.append(float(sigmoid(logits[regions]).max()))
    return scores
