"""How fast graphs are on this machine."""

import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clearscene.training.export.runner import GraphRunner, cpu_devices

__all__ = ["Speed", "measure_speed"]

Speed = dict[str, dict[str, float]]
"""Mpx/s by runtime and graph."""


def measure_speed(folders: Mapping[str, Path], *, n_bands: int, tile_size: int, runs: int = 9) -> dict[str, Speed]:
    """Megapixels a second of the graphs in some folders, one thread, one tile at a time.

    Processor time is taken, and of `runs` the fastest counts, so that what else the machine does bears little
    on it; all are asked in turn, so that it bears on all of them. Noise goes in, which takes as long as a
    picture. OpenVINO is left out where it is not installed.
    """
    image = np.random.default_rng(0).standard_normal((1, n_bands, tile_size, tile_size)).astype(np.float32)
    calls = {
        (title, f"{device}, 1 thread", graph): call
        for title, folder in folders.items()
        for device in cpu_devices()
        for graph, call in _calls(GraphRunner(folder, device=device), image).items()
    }
    seconds = {key: float("inf") for key in calls}
    for _ in range(runs):
        for key, call in calls.items():
            start = time.process_time()
            call()
            seconds[key] = min(seconds[key], time.process_time() - start)
    speeds: dict[str, Speed] = {title: {} for title in folders}
    for (title, runtime, graph), taken in seconds.items():
        speeds[title].setdefault(runtime, {})[graph] = round(tile_size**2 / 1e6 / taken, 3)
    return speeds


def _calls(runner: GraphRunner, image: NDArray[np.float32]) -> dict[str, Callable[[], object]]:
    """What to time, by graph."""
    calls: dict[str, Callable[[], object]] = {}
    features = runner.encode(image) if runner.screen is not None else {}
    if runner.screen is not None:
        calls["screen.onnx"] = lambda: runner.encode(image)
    if runner.model is not None:
        calls["model.onnx"] = lambda: runner.decode(image, features)
    return calls
