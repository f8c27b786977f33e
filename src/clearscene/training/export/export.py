"""Export: a trained network becomes a model folder, is measured, and only then appears.

::

    network -> graphs -> float16 or int8 -> parity with torch -> answers on the validation split
            -> temperatures, thresholds, accuracy -> model.toml, card.md, mlm.json -> the folder
"""

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import onnx

from clearscene.atomic import replacing
from clearscene.errors import ModelError
from clearscene.models.manifest import Manifest
from clearscene.models.model import Model, enlarge, softmax
from clearscene.models.session import Device, load_graph
from clearscene.training.export.calibration import (
    PixelCalibration,
    ScreenCalibration,
    calibrate_pixels,
    calibrate_screen,
    drawn,
)
from clearscene.training.export.card import card_text
from clearscene.training.export.deepness import add_metadata, deepness_metadata
from clearscene.training.export.evidence import gather
from clearscene.training.export.folder import staged_folder
from clearscene.training.export.graphs import IMAGE, Graphs, cut_network, deepness_graph, heads_of
from clearscene.training.export.half import halve_weights
from clearscene.training.export.manifest_file import make_manifest, write_manifest
from clearscene.training.export.measured import Measured, Scores, score
from clearscene.training.export.mlm import mlm_item
from clearscene.training.export.options import ExportOptions, Precision, Trained
from clearscene.training.export.parity import Parity, check_parity, compare_runners
from clearscene.training.export.quality_scores import judge_quality
from clearscene.training.export.quantize import quantize_graph
from clearscene.training.export.runner import GraphRunner, Runner, TorchRunner, cpu_devices
from clearscene.training.export.semantic_samples import samples_of
from clearscene.training.export.settings import ExportSettings
from clearscene.training.export.speed import Speed, measure_speed
from clearscene.training.reliability_plot import Panel, draw_reliability

__all__ = ["export_model", "write_evidence"]

Say = Callable[[str, float], None]
"""Called with what is being done and how far that is, 0 to 1."""


def export_model(
    trained: Trained, out: Path, *, settings: ExportSettings, options: ExportOptions, say: Say | None = None
) -> Measured:
    """Write a model folder: graphs, `model.toml`, `card.md`, `mlm.json`.

    Law: the folder appears whole, checked and measured, or not at all.

    Raises:
        ModelError: The network has no form in ONNX, or what was exported differs from it by more than the limit.
        DatasetError: There are no chips to measure with.
        OutputError: The folder exists, or cannot be written.
    """
    with staged_folder(out, overwrite=options.overwrite) as folder:
        return _Export(trained, settings, options, say or (lambda *_: None)).into(folder)


def write_evidence(measured: Measured, run_folder: Path) -> list[Path]:
    """Write `export.json` and, of a network with probabilities, `reliability.png` beside the run; returns the paths.

    Raises:
        OutputError: They cannot be written.
    """
    heads = (("Screening, all types", measured.screen), ("Pixels, best class", measured.pixels))
    panels = [Panel(title, head.before, head.after) for title, head in heads if head is not None]
    paths = [run_folder / "export.json", run_folder / "reliability.png"]
    with replacing(paths[0]) as part:
        part.write_text(json.dumps(measured.record(), indent=1) + "\n", encoding="utf-8")
    if not panels:
        return paths[:1]
    with replacing(paths[1]) as part:
        part.write_bytes(cv2.imencode(".png", draw_reliability(panels))[1].tobytes())
    return paths


@dataclass(frozen=True, eq=False)
class _Judged:
    """What the validation split says about a runner."""

    screen: ScreenCalibration | None
    pixels: PixelCalibration | None
    scores: Scores


class _Export:
    """One export, from the network to the full folder."""

    def __init__(self, trained: Trained, settings: ExportSettings, options: ExportOptions, say: Say) -> None:
        self.trained, self.settings, self.options, self.say = trained, settings, options, say
        self.answering, self.tile_size = trained.answering, settings.tiles.tile_size
        self.n_bands = len(self.answering.input.bands)
        self.samples = samples_of(trained, tile_size=self.tile_size, limit=settings.calibration.max_chips)

    def into(self, folder: Path) -> Measured:
        """Write everything into an empty folder."""
        with tempfile.TemporaryDirectory() as place:
            measured = self._measured(folder, Path(place))
        self._describe(folder, measured)
        return measured

    def _measured(self, folder: Path, plain: Path) -> Measured:
        """Write the graphs into `folder` and measure them; those in float32 go to `plain`."""
        self.say("tracing", 0.0)
        graphs = cut_network(self.trained.network, n_bands=self.n_bands, tile_size=self.tile_size)
        _save(graphs, plain)
        _save(self._stored(graphs), folder)
        self.say("comparing with the trained network", 0.0)
        parity = {str(device): self._parity(folder, device) for device in cpu_devices()}
        judged = self._judge(folder, "validating")
        if self.options.deepness:
            self._write_deepness(folder, judged.pixels)
        loses = self.options.precision is Precision.INT8  # only this changes the arithmetic
        speeds = self._speeds({"here": folder, "plain": plain} if loses else {"here": folder})
        return Measured(
            precision=self.options.precision,
            n_parameters=self.trained.n_parameters,
            sizes={path.name: path.stat().st_size for path in sorted(folder.glob("*.onnx"))},
            parity=parity,
            scores=judged.scores,
            screen=judged.screen,
            pixels=judged.pixels,
            speed=speeds.get("here", {}),
            float_scores=self._judge(plain, "validating float32").scores if loses else None,
            float_speed=speeds.get("plain", {}),
        )

    def _parity(self, folder: Path, device: Device) -> Parity:
        """Compare with the trained network on one runtime; they do not all make the same mistakes."""
        samples = self.samples.spread(self.options.parity_chips)
        parity = compare_runners(TorchRunner(self.trained.network), GraphRunner(folder, device=device), samples)
        check_parity(parity, self.options.limit, place=f"{device}")
        return parity

    def _stored(self, graphs: Graphs) -> Graphs:
        """The graphs in the wanted precision."""
        if self.options.precision is Precision.FLOAT32:
            return graphs
        if self.options.precision is Precision.INT8:
            self.say("quantizing", 0.0)
            graphs = self._quantized(graphs)
        return Graphs(*(graph and halve_weights(graph) for graph in (graphs.screen, graphs.model)))

    def _speeds(self, folders: dict[str, Path]) -> dict[str, Speed]:
        if not self.options.measures_speed:
            return {}
        self.say("measuring the speed", 0.0)
        return measure_speed(folders, n_bands=self.n_bands, tile_size=self.tile_size)

    def _quantized(self, graphs: Graphs) -> Graphs:
        """The graphs that read the image in int8, their ranges seen on chips.

        A decoder that reads features is left as it is: it gains nothing (41 against 43 Mpx/s, one AVX2 core).
        """

        def quantized(graph: onnx.ModelProto | None) -> onnx.ModelProto | None:
            """The graph in int8 if it reads the image, else as it is."""
            if graph is None or [port.name for port in graph.graph.input] != [IMAGE]:
                return graph
            samples = self.samples.spread(self.options.calibration_chips)
            return quantize_graph(graph, ({IMAGE: sample.image} for sample in samples))

        return Graphs(quantized(graphs.screen), quantized(graphs.model))

    def _judge(self, folder: Path, title: str) -> _Judged:
        """Ask the graphs of a folder about the validation split, calibrate and score."""
        rng = np.random.default_rng(self.settings.calibration.seed)
        runner: Runner = GraphRunner(folder, threads=self.options.threads)
        if self.answering.task == "quality":
            scores = judge_quality(runner, self.samples, progress=lambda done, total: self.say(title, done / total))
            return _Judged(None, None, scores)
        evidence = gather(
            runner,
            self.samples,
            classes=self.answering.classes,
            pixels_per_chip=self.settings.calibration.pixels_per_chip,
            rng=rng,
            progress=lambda done, total: self.say(title, done / total),
        )
        types, rules = self.answering.types, self.settings.calibration
        names = list(self.answering.classes.values())
        pixels = calibrate_pixels(evidence, rules, names=names)
        counted = drawn(evidence, pixels, types=types, names=names) if pixels is not None else None
        only = counted if rules.recall_of == "drawn" else None
        screen = calibrate_screen(evidence, rules, types=types, pool=self.trained.pool, rng=rng, counted=only)
        return _Judged(screen, pixels, score(evidence, screen, pixels, types=types, counted=counted))

    def _write_deepness(self, folder: Path, pixels: PixelCalibration | None) -> None:
        """Write and try the joined graph; its metadata follow with the manifest."""
        if pixels is None:
            raise ModelError("--deepness needs a segmenter, which this network has not.", hint="Leave it out.")
        sizes = {"n_bands": self.n_bands, "tile_size": self.tile_size}
        graph = deepness_graph(self.trained.network, **sizes, temperature=pixels.temperature)
        graph = graph if self.options.precision is Precision.FLOAT32 else halve_weights(graph)
        (folder / "deepness.onnx").write_bytes(graph.SerializeToString())
        sample = next(self.samples.spread(1))
        (joined,) = load_graph(folder / "deepness.onnx", device=Device.CPU).run({IMAGE: sample.image}).values()
        answers = TorchRunner(self.trained.network)(sample.image)
        assert answers.pixels is not None
        wanted = softmax(enlarge(answers.pixels, self.tile_size) / np.float32(pixels.temperature))
        gap = float(np.abs(joined[0] - wanted).max())
        if gap > 0.05:
            raise ModelError(f"deepness.onnx differs from the trained network by {gap:.3g} in a probability.")

    def _describe(self, folder: Path, measured: Measured) -> None:
        """Manifest, card and STAC item; then the folder is loaded as inspection loads it."""
        manifest = make_manifest(
            self.answering,
            self.settings,
            screen=measured.screen,
            pixels=measured.pixels,
            accuracy=measured.accuracy(),
        )
        write_manifest(manifest, folder)
        if self.options.deepness:
            _stamp(folder / "deepness.onnx", manifest)
        card = card_text(manifest, measured, settings=self.settings, record=self.trained.record)
        (folder / "card.md").write_text(card, encoding="utf-8")
        item = mlm_item(
            manifest,
            GraphRunner(folder),
            architecture=self.settings.model.architecture or self.trained.architecture,
            n_parameters=measured.n_parameters,
            pretrained_source=self.settings.model.pretrained_source,
            extra_assets=["deepness.onnx"] if self.options.deepness else [],
        )
        (folder / "mlm.json").write_text(json.dumps(item, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        if heads_of(self.trained.network).segments:  # a screen alone is no model that inspection loads
            Model.load(folder, device=Device.CPU)


def _save(graphs: Graphs, folder: Path) -> None:
    for name, graph in (("screen.onnx", graphs.screen), ("model.onnx", graphs.model)):
        if graph is not None:
            (folder / name).write_bytes(graph.SerializeToString())


def _stamp(path: Path, manifest: Manifest) -> None:
    graph = onnx.load(path)
    add_metadata(graph, deepness_metadata(manifest))
    path.write_bytes(graph.SerializeToString())
