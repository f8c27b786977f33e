"""ukis-csmask (DLR, Apache-2.0): U-Nets for 4 or 6 bands whose weights come with the package.

Only the weights and the numbers of their normalization are taken from it. Its classes are background, cloud
and shadow; its tiles have 256 pixels and share a fifth, and probabilities are blended, as in its own code.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clearscene.errors import ModelError
from clearscene.masking.augmentation import LookCount, adaptive_mean
from clearscene.masking.classes import CLEAR, IDS, SHADOW, THICK
from clearscene.masking.masker import Origin, Planes, Traits, grown, log_softmax
from clearscene.masking.peers.missing import package_folder, require
from clearscene.models.graph import Graph
from clearscene.models.model import pad
from clearscene.models.session import load_graph
from clearscene.raster.sensors.product import Kind

__all__ = ["Ukis", "load_ukis"]

CLASSES = (CLEAR, THICK, SHADOW)
"""Order of its answers."""
LEVELS: dict[Kind, str] = {"toa": "l1c", "surface": "l2a"}


@dataclass(frozen=True)
class _Weights:
    """One of its four networks."""

    graph: Graph
    mean: NDArray[np.float32]
    std: NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Ukis:
    """The networks for the two levels of products, of one number of bands."""

    weights: dict[Kind, _Weights]
    traits: Traits
    depth: int = 0
    count: LookCount = field(default_factory=LookCount)

    @property
    def looks(self) -> tuple[LookCount, ...]:
        """See `Masker`."""
        return (self.count,)

    def probabilities(self, planes: Planes, valid: NDArray[np.bool_], *, kind: Kind) -> NDArray[np.float32]:
        """See `Masker`."""
        weights, size = self.weights[kind], self.traits.tile_size
        image = (np.stack([planes[name] for name in self.traits.bands]) - weights.mean) / weights.std
        tile = pad(np.asarray(image, np.float32), size)[None]

        def look(seen: NDArray[np.float32]) -> NDArray[np.float32]:
            (logits,) = weights.graph.run({weights.graph.inputs[0].name: seen}).values()
            return log_softmax(logits[0])

        found = adaptive_mean(look, tile, depth=self.depth, count=self.count)
        full = np.zeros((len(IDS), *valid.shape), np.float32)
        full[list(CLASSES)] = grown(found, size)[:, : valid.shape[0], : valid.shape[1]]
        return full


def load_ukis(n_bands: int, *, device: str, depth: int = 0) -> Ukis:
    """The networks for 4 bands, or for 6 with both short-wave infrared bands.

    Raises:
        MissingExtraError: ukis-csmask is not installed.
        ModelError: Its files are not those that we know.
    """
    name = f"ukis-{n_bands}b"
    require("ukis_csmask", name=name, install="ukis-csmask")
    folder = package_folder("ukis_csmask")
    found = {kind: _load(folder, f"model_{n_bands}b_{level}", device) for kind, level in LEVELS.items()}
    (bands, size), *_ = [(bands, size) for _, bands, size in found.values()]
    weights = {kind: weights for kind, (weights, _, _) in found.items()}
    graph = next(iter(weights.values())).graph
    return Ukis(weights, _traits(name, bands, size, graph.provider), depth)


def _traits(name: str, bands: Sequence[str], size: int, provider: str) -> Traits:
    return Traits(
        origins=(
            Origin(name, version("ukis-csmask"), "Apache-2.0", provider, "https://github.com/dlr-eoc/ukis-csmask"),
        ),
        bands=tuple(bands),
        tile_size=size,
        network_size=size,
        classes=frozenset(CLASSES),
        overlap=round(size / 5),
        pixel_range_m=(10.0, 60.0),
        kinds=frozenset(LEVELS),
    )


def _load(folder: Path, name: str, device: str) -> tuple[_Weights, list[str], int]:
    """A network with its normalization, its bands and the size of its tiles."""
    try:
        data = json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))["data"]
        mean, std = (np.array(values, np.float32)[:, None, None] for values in data["dataset_statistics"]["img"])
        bands, size = [str(band) for band in data["dataset_statistics"]["band_names"]], int(data["target_size"][0])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ModelError(
            f"ukis-csmask {version('ukis-csmask')} has no {name}.json as we know it ({error}).",
            hint="pip install ukis-csmask==1.0.0",
        ) from error
    return _Weights(load_graph(folder / f"{name}.onnx", device=device, threads=1), mean, std), bands, size
