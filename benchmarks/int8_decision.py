"""Weights in float16 against the encoder in int8: accuracy and speed side by side, on both runtimes of the CPU.

    pip install "clearscene[train,openvino]"
    python benchmarks/int8_decision.py out/chips-1 out/chips-2 [--model FOLDER] [--limit N] [--json FILE]

The graphs of the model folder are widened to float32 again, and from that both forms are made as `clearscene export`
makes them: int8 for what reads the image, its ranges seen on `--calibration` chips of the split `val`. Accuracy is of
the chips of the split `test` with generated defects and the clean ones: macro-F1 of the screen at 0.5, mean IoU of
the region types by the largest logit, pixels that change their class against float16 on the same runtime, largest
difference of a screening logit. Differences carry 95 % bootstrap intervals over source scenes. Speed is processor
time of one thread, one tile of the model's size at a time, the forms in turn, the fastest of `--runs`.

Int8 is worth it on a runtime if both steps together are faster by a quarter and neither macro-F1 nor mean IoU loses
more than 0.01; the last table says so. No seed but that of the bootstrap: nothing else is drawn.
"""

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from chip_subsets import is_real
from clearscene.inspection.taxonomy import BY_ID, NODATA, TYPES, Group
from clearscene.models.manifest import Manifest, load_manifest
from clearscene.models.model import enlarge
from clearscene.models.zoo import available_models
from clearscene.synth.chip_set import ChipRecord, ChipSet
from clearscene.training.export.graphs import IMAGE
from clearscene.training.export.half import halve_weights
from clearscene.training.export.quantize import quantize_graph
from clearscene.training.export.runner import GraphRunner, cpu_devices
from clearscene.training.export.samples import Samples
from clearscene.training.export.speed import measure_speed
from table_text import Cell, Table, ratio, report, scene_draws, with_interval

GRAPHS = ("screen.onnx", "model.onnx")
FORMS = ("float16", "int8")
REGIONS = [t.id for t in TYPES if t.group is Group.REGION]
N_CLASSES = 1 + len(REGIONS)
FASTER, LOSS = 1.25, 0.01
"""What int8 must gain in speed, and may lose of macro-F1 and of mean IoU."""


@dataclass(frozen=True, eq=False)
class Answered:
    """What one form says on one runtime, by chip."""

    logits: np.ndarray
    """(chip, type), of the screen, after its temperature."""
    confusion: np.ndarray
    """(chip, truth class, answered class): background and the region types."""
    changed: np.ndarray
    """(chip,): pixels of another class than in the first form."""
    pixels: np.ndarray
    """(chip,)."""


def widened(graph: onnx.ModelProto) -> onnx.ModelProto:
    """A copy whose float16 weights are float32 again, without the casts that stood for that.

    Law: undoes `halve_weights` but for the rounding; a graph without such weights comes back as it was.
    """
    wide = onnx.ModelProto()
    wide.CopyFrom(graph)
    halves = {w.name: w for w in wide.graph.initializer if w.data_type == TensorProto.FLOAT16}
    casts = [n for n in wide.graph.node if n.op_type == "Cast" and n.input[0] in halves]
    for node in casts:
        weight = halves[node.input[0]]
        values = numpy_helper.to_array(weight).astype(np.float32)
        weight.CopyFrom(numpy_helper.from_array(values, node.output[0]))
        wide.graph.node.remove(node)
    return wide


def make_forms(folder: Path, place: Path, samples: Samples, n: int) -> dict[str, Path]:
    """Write both forms of a model's graphs; returns their folders."""
    folders = {form: place / form for form in FORMS}
    for path in folders.values():
        path.mkdir()
    for name in GRAPHS:
        if not (folder / name).is_file():
            continue
        graph = widened(onnx.load(folder / name))
        (folders["float16"] / name).write_bytes(halve_weights(graph).SerializeToString())
        reads_image = [port.name for port in graph.graph.input] == [IMAGE]
        if reads_image:
            graph = quantize_graph(graph, ({IMAGE: sample.image} for sample in samples.spread(n)))
        (folders["int8"] / name).write_bytes(halve_weights(graph).SerializeToString())
    return folders


def answers(
    runner: GraphRunner, samples: Samples, manifest: Manifest
) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """By chip: screening logits (type,), answered ids (row, col) with 0 for all but region types, the mask."""
    ids = np.array([c.id for c in manifest.classes])
    temperature = manifest.screen.temperature if manifest.screen else 1.0
    for sample in samples:
        given = runner(sample.image)
        assert given.pixels is not None
        best = ids[enlarge(given.pixels, sample.image.shape[-1]).argmax(axis=0)]
        best = np.where(np.isin(best, REGIONS), best, 0)[: sample.mask.shape[0], : sample.mask.shape[1]]
        tile = np.zeros(len(TYPES)) if given.tile is None else given.tile / temperature
        yield tile, best.astype(np.uint8), sample.mask


def ask(runner: GraphRunner, samples: Samples, manifest: Manifest, first: list[np.ndarray]) -> Answered:
    """Ask one form; the first one fills `first` with its classes, the others are compared with it."""
    logits, matrices, changed, pixels = [], [], [], []
    is_first = not first
    for i, (tile, best, mask) in enumerate(answers(runner, samples, manifest)):
        if is_first:
            first.append(best)
        truth = np.where(np.isin(mask, [9, 10]), NODATA, np.where(np.isin(mask, [7, 8]), 0, mask))
        known = truth != NODATA
        pairs = truth[known].astype(np.intp) * N_CLASSES + best[known]
        matrices.append(np.bincount(pairs, minlength=N_CLASSES**2).reshape(N_CLASSES, N_CLASSES))
        logits.append(tile)
        changed.append(int((best != first[i])[known].sum()))
        pixels.append(int(known.sum()))
    return Answered(np.array(logits), np.array(matrices, np.float64), np.array(changed), np.array(pixels))


def macro_f1(logits: np.ndarray, labels: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Mean F1 of the types that the chips show, called from a probability of 0.5 on, (draw,)."""
    called, shows = logits >= 0, labels > 0
    hit, total = draws @ (called & shows), draws @ called.astype(float) + draws @ shows.astype(float)
    f1 = np.where(draws @ shows > 0, ratio(2 * hit, total), np.nan)
    return np.nanmean(f1, axis=1)


def mean_iou(confusion: np.ndarray, draws: np.ndarray) -> np.ndarray:
    """Mean IoU of the region types that are there, (draw,)."""
    pooled = np.einsum("dc,cij->dij", draws.astype(np.float64), confusion)
    hit = np.diagonal(pooled, axis1=1, axis2=2)[:, 1:]
    true, found = pooled.sum(axis=2)[:, 1:], pooled.sum(axis=1)[:, 1:]
    return np.nanmean(np.where(true > 0, ratio(hit, true + found - hit), np.nan), axis=1)


def accuracy_rows(
    answered: dict[tuple[str, str], Answered], labels: np.ndarray, draws: np.ndarray
) -> tuple[Table, dict[str, tuple[float, float]]]:
    """Accuracy by runtime and form, and by runtime what int8 changes in macro-F1 and in mean IoU."""
    rows: list[tuple[Cell, ...]] = []
    changes: dict[str, tuple[float, float]] = {}
    for (runtime, form), part in answered.items():
        base = answered[runtime, FORMS[0]]
        f1, iou = macro_f1(part.logits, labels, draws), mean_iou(part.confusion, draws)
        more = f1 - macro_f1(base.logits, labels, draws), iou - mean_iou(base.confusion, draws)
        gap = float(np.abs(part.logits - base.logits).max())
        share = float(ratio(100 * part.changed.sum(), part.pixels.sum()))
        if form == FORMS[0]:
            rows.append((f"{runtime}, {form}", float(f1[0]), "-", float(iou[0]), "-", share, gap))
            continue
        changes[runtime] = (float(more[0][0]), float(more[1][0]))
        cells = (float(f1[0]), with_interval(more[0], sign=True), float(iou[0]), with_interval(more[1], sign=True))
        rows.append((f"{runtime}, {form}", *cells, share, gap))
    heads = ("runtime, form", "macro-F1", "change", "mean IoU", "change of IoU", "% of pixels changed", "largest gap")
    return Table("accuracy on the test split", heads, tuple(rows)), changes


def speed_table(
    speeds: dict[str, dict[str, dict[str, float]]], sizes: dict[str, float]
) -> tuple[Table, dict[str, float]]:
    """Speed by runtime and form, and by runtime how many times as fast int8 is for both steps together."""
    rows: list[tuple[Cell, ...]] = []
    gains = {}
    for runtime in speeds[FORMS[0]]:
        whole = {}
        for form in FORMS:
            by_graph = speeds[form][runtime]
            whole[form] = 1 / sum(1 / by_graph[name] for name in GRAPHS if name in by_graph)
            cells = (by_graph.get(name) for name in GRAPHS)
            rows.append((f"{runtime}, {form}", *cells, whole[form], whole[form] / whole[FORMS[0]], sizes[form]))
        gains[runtime.split(",")[0]] = whole["int8"] / whole["float16"]
    heads = ("runtime, form", *(f"{name}, Mpx/s" for name in GRAPHS), "both, Mpx/s", "ratio", "MB")
    return Table("speed", heads, tuple(rows)), gains


def decision(changes: dict[str, tuple[float, float]], gains: dict[str, float]) -> Table:
    """Where int8 is worth it."""
    rows = []
    for runtime, (f1, iou) in changes.items():
        good = gains[runtime] >= FASTER and min(f1, iou) >= -LOSS
        rows.append((runtime, gains[runtime], f1, iou, "int8" if good else "float16"))
    return Table("decision", ("runtime", "times as fast", "macro-F1", "mean IoU", "use"), tuple(rows))


def samples_of(sets: Sequence[ChipSet], manifest: Manifest, split: str, limit: int) -> Samples:
    size, types = manifest.tiles.tile_size, manifest.screen.types if manifest.screen else ()
    return Samples(sets, manifest.input, tile_size=size, types=types, split=split, limit=limit)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chips", type=Path, nargs="+")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--calibration", type=int, default=128, help="chips on which the ranges of int8 are seen")
    parser.add_argument("--limit", type=int, default=400, help="test chips")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    folder = args.model or next(m.folder for m in available_models() if m.manifest.task == "inspection")
    manifest, sets = load_manifest(folder), [ChipSet.open(chips) for chips in args.chips]
    test = samples_of(sets, manifest, "test", 100_000)
    generated = [entry for entry in test.records if not is_real(entry[1])]
    test.records = generated[:: max(1, len(generated) // args.limit)][: args.limit]
    records: list[ChipRecord] = [record for _, record in test.records]
    types = manifest.screen.types if manifest.screen else tuple(t.name for t in BY_ID.values())
    labels = np.array([[name in record.labels for name in types] for record in records], np.float64)
    with tempfile.TemporaryDirectory() as place:
        calibration = samples_of(sets, manifest, "val", 2000)
        folders = make_forms(folder, Path(place), calibration, args.calibration)
        answered = {}
        for device in cpu_devices():
            first: list[np.ndarray] = []
            for form, path in folders.items():
                answered[str(device), form] = ask(GraphRunner(path, device=device), test, manifest, first)
        bands = len(manifest.input.bands)
        speeds = measure_speed(folders, n_bands=bands, tile_size=manifest.tiles.tile_size, runs=args.runs)
        sizes = {form: sum(p.stat().st_size for p in path.glob("*.onnx")) / 1e6 for form, path in folders.items()}
    draws = scene_draws([record.source for record in records], seed=args.seed)
    accuracy, changes = accuracy_rows(answered, labels, draws)
    speed, gains = speed_table(speeds, sizes)
    about: dict[str, Cell] = {"model": f"{manifest.name} {manifest.version}", "test chips": len(records)}
    about |= {"scenes": len({r.source for r in records}), "calibration chips": args.calibration, "seed": args.seed}
    report([accuracy, speed, decision(changes, gains)], about=about, path=args.json)


if __name__ == "__main__":
    main()
