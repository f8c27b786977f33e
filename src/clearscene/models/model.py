"""A model folder, loaded: manifest, screening graph and segmentation graph."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.errors import ModelError
from clearscene.models.graph import Graph, Port
from clearscene.models.manifest import InputSpec, Manifest, load_manifest
from clearscene.models.session import Device, load_graph

__all__ = ["CELLS", "SCREENING", "Model", "Screening", "enlarge", "pad", "softmax"]

SCREENING = "logits"
"""Name of the output of `screen.onnx` that holds the screening logits."""
CELLS = "cells"
"""Name of the output that may hold the same by cells of the tile; all further outputs are features."""


@dataclass(frozen=True, eq=False)
class Screening:
    """What the first step says about a tile."""

    logits: NDArray[np.float32]
    """(type,), in the order of the manifest's `screen.types`, after its temperature."""
    features: dict[str, NDArray[np.float32]]
    """What the decoder needs, by name; empty where the segmenter reads the image itself."""
    cells: NDArray[np.float32] | None = None
    """(type, row, col), logits by equal squares of the padded tile, after the temperature; None if not answered."""


class Model:
    """A model folder that has been checked and loaded.

    `screen.onnx` (optional) maps the image (1, band, row, col) to `logits` (1, type), if it likes also to
    `cells` (1, type, row, col), and to any number of features. `model.onnx` maps features of those names, or
    the image, to (1, class, row, col), at the size of the tile or a whole fraction of it. Methods may be
    called from several threads at once.
    """

    def __init__(self, folder: Path, manifest: Manifest, segmenter: Graph, screener: Graph | None = None) -> None:
        self.folder, self.manifest = folder, manifest
        self._segmenter, self._screener = segmenter, screener
        self._check()

    @classmethod
    def load(cls, folder: Path | str, *, device: Device | str = Device.AUTO, threads: int = 1) -> Self:
        """Open a model folder; nothing in it is executed but the operators of ONNX.

        Raises:
            ModelError: A file is missing, broken or hostile, or graph and manifest disagree.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise ModelError(
                f"{folder} is not a folder.",
                hint="A model is a folder with model.onnx, model.toml and card.md.",
            )
        manifest = load_manifest(folder)
        screen = folder / "screen.onnx"
        if screen.is_file() != (manifest.screen is not None):
            raise ModelError(f"{folder}: screen.onnx and the section [screen] of model.toml come only together.")
        if screen.is_file() and not (folder / "model.onnx").is_file():
            raise ModelError(
                f"{folder} only screens: it has screen.onnx, but no model.onnx to segment with.",
                hint="Pair it with a segmenter: clearscene export SEGMENTER_RUN --screen SCREENING_RUN --out MODEL.",
            )
        screener = load_graph(screen, device=device, threads=threads) if screen.is_file() else None
        return cls(folder, manifest, load_graph(folder / "model.onnx", device=device, threads=threads), screener)

    @property
    def has_screen(self) -> bool:
        """True if tiles can be screened before they are segmented."""
        return self._screener is not None

    @property
    def provider(self) -> str:
        """What runs the networks."""
        return self._segmenter.provider

    def prepare(self, display: NDArray[np.generic], valid: NDArray[np.bool_]) -> NDArray[np.float32]:
        """Turn a tile (band, row, col) and its valid pixels (row, col) into network input (1, band, row, col).

        Invalid pixels enter as zero after normalization, the mean of what the network knows. A tile
        smaller than the network input (the whole scene is) is padded by reflection.

        Raises:
            ModelError: The number of bands is not that of the manifest.
        """
        spec = self.manifest.input
        if display.shape[0] != len(spec.bands):
            raise ModelError(
                f"Model {self.manifest.name} reads {len(spec.bands)} bands ({', '.join(spec.bands)}); "
                f"the tile has {display.shape[0]}.",
                hint="Name the bands with --bands, or use a model for these bands.",
            )
        image = _normalize(display.astype(np.float32), valid, spec)
        return pad(image, self.manifest.tiles.tile_size)[None]

    def screen(self, image: NDArray[np.float32]) -> Screening:
        """First step, from network input (1, band, row, col): logits (type,), and features for the second step.

        Raises:
            ModelError: The network answered with numbers that are not finite.
        """
        assert self._screener is not None
        assert self.manifest.screen is not None
        answers = self._screener.run({self._screener.inputs[0].name: image})
        temperature = np.float32(self.manifest.screen.temperature)
        n_types = len(self.manifest.screen.types)
        logits = answers.pop(SCREENING).reshape(-1)
        self._check_answer("screen.onnx", logits, (n_types,))
        cells = answers.pop(CELLS, None)
        if cells is not None:
            self._check_answer("screen.onnx", cells, (1, n_types, *(cells.shape[2:4] or (1, 1))))
            cells = cells[0] / temperature
        return Screening(logits / temperature, answers, cells)

    def segment(
        self, image: NDArray[np.float32], features: dict[str, NDArray[np.float32]] | None = None
    ) -> NDArray[np.float32]:
        """Second step: logits (class, row, col) of the padded tile, after the temperature.

        Raises:
            ModelError: The answer has the wrong shape or numbers that are not finite.
        """
        return enlarge(self.answer(image, features), image.shape[-1])

    def answer(
        self, image: NDArray[np.float32], features: dict[str, NDArray[np.float32]] | None = None
    ) -> NDArray[np.float32]:
        """Second step at the network's own size: logits (class, row, col), after the temperature.

        Raises:
            ModelError: The answer has the wrong shape or numbers that are not finite.
        """
        feeds: dict[str, NDArray[np.generic]] = dict(features or {})
        for port in self._segmenter.inputs:
            feeds.setdefault(port.name, image)
        (logits,) = self._segmenter.run(feeds).values()
        size = image.shape[-1]
        part = logits.shape[-1] if logits.ndim == 4 and 0 < logits.shape[-1] <= size else size
        n_classes = len(self.manifest.classes) or 1  # a quality map is one channel without a class
        self._check_answer("model.onnx", logits, (1, n_classes, part, part))
        if self.manifest.output.kind == "probabilities":
            logits = np.log(np.maximum(logits, np.float32(1e-7)))
        scaled: NDArray[np.float32] = logits[0] / np.float32(self.manifest.output.temperature)
        return scaled

    def _check_answer(self, name: str, answer: NDArray[np.float32], shape: tuple[int, ...]) -> None:
        if answer.shape != shape:
            raise ModelError(f"{self.folder / name} answers with shape {answer.shape}; the manifest means {shape}.")
        if not np.isfinite(answer).all():
            raise ModelError(
                f"{self.folder / name} answers with NaN or infinity.",
                hint="The model is broken, or its weights overflow in float16.",
            )

    def _check(self) -> None:
        """Compare the graphs with the manifest, as far as their shapes are fixed."""
        size, bands = self.manifest.tiles.tile_size, len(self.manifest.input.bands)
        image = (1, bands, size, size)
        offered: Sequence[Port] = ()
        if self._screener is not None:
            offered = self._screener.outputs
            self._expect_one("screen.onnx", "input", self._screener.inputs)
            self._expect_shape("screen.onnx", self._screener.inputs[0], image)
            logits = [port for port in offered if port.name == SCREENING]
            if not logits:
                raise ModelError(f"{self.folder / 'screen.onnx'} has no output named {SCREENING!r}.")
            n_types = len(self.manifest.screen.types) if self.manifest.screen else None
            self._expect_shape("screen.onnx", logits[0], (1, n_types))  # as the runtime understood the graph
        by_name = {port.name: port for port in offered if port.name not in (SCREENING, CELLS)}
        images = [port for port in self._segmenter.inputs if port.name not in by_name]
        if len(images) > 1 or not self._segmenter.inputs:
            names = ", ".join(port.name for port in images)
            raise ModelError(f"{self.folder / 'model.onnx'} has inputs that nothing provides: {names or 'none'}.")
        for port in self._segmenter.inputs:
            self._expect_shape("model.onnx", port, image if port in images else by_name[port.name].shape)
        self._expect_one("model.onnx", "output", self._segmenter.outputs)
        n_classes = len(self.manifest.classes) or None
        self._expect_shape("model.onnx", self._segmenter.outputs[0], (1, n_classes, None, None))

    def _expect_one(self, name: str, kind: str, ports: Sequence[Port]) -> None:
        if len(ports) != 1:
            found = ", ".join(port.name for port in ports)
            raise ModelError(f"{self.folder / name} must have one {kind}; it has {len(ports)}: {found}.")

    def _expect_shape(self, name: str, port: Port, wanted: Sequence[int | None]) -> None:
        fits = len(port.shape) == len(wanted) and all(
            None in (have, want) or have == want for have, want in zip(port.shape, wanted, strict=True)
        )
        if not fits:
            raise ModelError(
                f"{self.folder / name}: {port.name!r} has shape {port.shape}; model.toml means {tuple(wanted)}.",
                hint="Make bands, tile_size and classes in model.toml those of the network (None is open).",
            )


def softmax(logits: NDArray[np.float32]) -> NDArray[np.float32]:
    """Probabilities of logits (class, row, col); -inf logits give 0. Law: they sum to 1."""
    result: NDArray[np.float32] = logits - logits.max(axis=0)
    np.exp(result, out=result)  # in place: this runs on every pixel that is segmented
    result /= result.sum(axis=0)
    return result


def _normalize(image: NDArray[np.float32], valid: NDArray[np.bool_], spec: InputSpec) -> NDArray[np.float32]:
    mean, std = np.asarray(spec.mean or 0.0, np.float32), np.asarray(spec.std or 1.0, np.float32)
    if spec.normalization == "per_tile":
        inside = image[:, valid] if valid.any() else image.reshape(len(image), -1)
        mean, std = inside.mean(axis=1), np.maximum(inside.std(axis=1), np.float32(1e-3))
    else:
        image = image / np.float32(spec.scale)
    image = (image - mean.reshape(-1, 1, 1)) / std.reshape(-1, 1, 1)
    return np.where(valid, image, np.float32(0))


def pad(image: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Reflect the tile (band, row, col) at its lower and right edge until it has `size` rows and columns."""
    missing = [(0, 0), *((0, size - length) for length in image.shape[1:])]
    return np.pad(image, missing, mode="reflect") if any(after for _, after in missing) else image


def enlarge(logits: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """Bring logits (class, row, col) of a network with a coarse output to the size of the tile."""
    if logits.shape[-1] == size:
        return logits
    result = np.empty((len(logits), size, size), logits.dtype)
    for plane, target in zip(logits, result, strict=True):
        cv2.resize(plane, (size, size), dst=target, interpolation=cv2.INTER_LINEAR)
    return result
