"""Tables 1 and 2 and figures 4 to 7 of seed 002, on places with building labels.

    python benchmarks/fusion_networks.py --folder /tmp/fusion --data ../shared/data/ship/oam_buildings
    python benchmarks/fusion_tables.py --folder /tmp/fusion --quality runs/quality

Every place of the test is spoiled anew in each repetition, with cloud pictures that no training saw. All methods are
segmented by the network that was trained on clean images; where a setting has networks of its own, `own` is what
they say of what they fused. Intervals are 95 % of a bootstrap over places; the spread is over repetitions.
"""

import argparse
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import cv2
import numpy as np
import torch

from clearscene.datasets.prepared import PreparedSet
from clearscene.masking.normalize import normalize
from clearscene.synth.cloud_bank import CloudBank
from clearscene.synth.spoiling import spoiled_images
from clearscene.training.checkpoint import load_checkpoint
from clearscene.training.curves import Curve, draw_panel
from fusion_measures import (
    CLASSICAL,
    by_quality,
    classical,
    confusion,
    gray,
    interval,
    scores,
    sheet,
    shown,
    wrong_mean,
)
from fusion_networks import CLASSES

S1, S2 = (2, 0.25), (6, 0.5)
N_IMAGES = [(n, 0.5) for n in range(2, 9)]
AREAS = [(2, area / 100) for area in range(10, 70, 10)]
NAMES = {S1: "S1", S2: "S2"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="Of fusion_networks.py.")
    parser.add_argument("--quality", type=Path, help="Run folder of the shipped quality network.")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--places", type=int, default=147)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--curve-repeats", type=int, default=2)
    parser.add_argument("--curve-places", type=int, default=147)
    parser.add_argument("--weak", default="S1", help="Weakly trained pair for settings without one of their own.")
    parser.add_argument("--temperature", type=float, default=0.25, help="Of the shipped network, as in its manifest.")
    parser.add_argument("--rows", default="classical,shipped,weak")
    parser.add_argument("--no-curves", action="store_true")
    parser.add_argument("--no-tables", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(options)
    for setting in () if options.no_tables else (S1, S2):
        bench.measure(setting, options.repeats)
        bench.print_tables(setting)
    if not options.no_curves:
        bench.curves("figure4", N_IMAGES, 0, "images")
        bench.curves("figure5", AREAS, 1, "area")
    for name, setting in (("figure6", (2, 0.25)), ("figure7", (4, 0.4))):
        bench.figure(name, setting)
    (options.folder / "tables.json").write_text(json.dumps(bench.record(), indent=1))


@dataclass
class Notes:
    """What one method reached in one setting."""

    l1: dict[int, list[float]] = field(default_factory=lambda: defaultdict(list))
    """By place."""
    counts: dict[tuple[int, int], np.ndarray] = field(default_factory=dict)
    """By repetition and place."""

    def mean_l1(self) -> tuple[float, float, float]:
        """Of a channel, and its interval."""
        each = np.array([np.mean(values) for values in self.l1.values()])
        return (float(each.mean()), *interval(each, lambda drawn: each[drawn].mean()))

    def summary(self) -> dict[str, tuple[float, float, float, float]]:
        """Scores by name: mean and spread of the repetitions, and the interval over places."""
        repeats = sorted({r for r, _ in self.counts})
        places = sorted({p for _, p in self.counts})
        of_repeat = [scores(sum(self.counts[r, p] for p in places)) for r in repeats]
        of_place = np.array([sum(self.counts[r, p] for r in repeats) for p in places])
        found = {}
        for key in of_repeat[0]:
            values = np.array([one[key] for one in of_repeat])
            ends = interval(of_place, lambda drawn, key=key: scores(of_place[drawn].sum(0))[key])
            found[key] = (float(values.mean()), float(values.std()), *ends)
        return found


class Bench:
    """The networks, the places, and what was found."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        prepared = PreparedSet.open(options.folder / "buildings")
        records = prepared.records("test")
        chosen = np.linspace(0, len(records) - 1, min(options.places, len(records))).round().astype(int)
        self.places = [self._read(prepared, records[i]) for i in dict.fromkeys(chosen)]
        self.judge = self._load("clean").segmenter
        self.shipped = load_checkpoint(options.quality)[0] if options.quality else None
        self.bank = CloudBank("test", size=options.size)
        self.found: dict[tuple[int, float], dict[str, Notes]] = {}

    def _read(self, prepared: PreparedSet, record) -> tuple[np.ndarray, np.ndarray]:
        size = self.options.size
        image, mask = prepared.image(record).transpose(1, 2, 0), prepared.mask(record)
        if mask.shape[0] != size:
            image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
            mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST)
        return np.ascontiguousarray(image.transpose(2, 0, 1)), mask

    def _load(self, name: str):
        folder = self.options.folder / "runs" / name
        return load_checkpoint(folder)[0] if (folder / "best.pt").is_file() else None

    def own(self, setting: tuple[int, float]):
        """The pair that was trained for a setting, else the one that serves all."""
        n_images, area = setting
        names = (NAMES.get(setting, ""), f"n{n_images}" if area == 0.5 else "", f"a{round(area * 100)}")
        for name in (*names, self.options.weak):
            pair = self._load(name) if name else None
            if pair is not None:
                return pair, name
        return None, ""

    def measure(self, setting: tuple[int, float], repeats: int, most: int | None = None) -> None:
        """All methods on all places, or on `most` of them."""
        self.found[setting] = notes = defaultdict(Notes)
        pair, _ = self.own(setting)
        mean_pair = self._load(f"{NAMES.get(setting, '')}-mean")
        for repeat in range(repeats):
            for place, (clean, mask) in enumerate(self.places[:: -(-len(self.places) // (most or len(self.places)))]):
                rng = np.random.default_rng([2, repeat, place])
                made = spoiled_images(clean, *setting, rng, bank=self.bank)
                stack = np.stack([image.data for image in made])
                for name, fused in self.fuse(stack, clean, pair):
                    notes[name].l1[place].append(float(np.abs(fused - clean).mean()))
                    segmenters = {name: self.judge}
                    if name == "learned, weak" and pair is not None:
                        segmenters["learned, weak, own"] = pair.segmenter
                    if name == "mean" and mean_pair is not None:
                        segmenters["mean, own"] = mean_pair.segmenter
                    for title, segmenter in segmenters.items():
                        counts = confusion(mask, classes_of(segmenter, fused), len(CLASSES))
                        notes[title].counts[repeat, place] = counts

    def fuse(self, stack: np.ndarray, clean: np.ndarray, pair) -> Iterator[tuple[str, np.ndarray]]:
        """What each method makes of a stack."""
        rows = self.options.rows.split(",")
        if "classical" in rows:
            yield "clean", clean
            for name in CLASSICAL:
                yield name, classical(name, stack)
            yield "mean as published", wrong_mean(stack)
        if self.shipped is not None and "shipped" in rows:
            logits = shipped_quality(self.shipped, stack) / np.float32(self.options.temperature)
            yield "learned, shipped", by_quality(stack, logits)
            yield "best, shipped", by_quality(stack, logits, hard=True)
        if pair is not None and "weak" in rows:
            logits = weak_quality(pair, stack)
            yield "learned, weak", by_quality(stack, logits)
            yield "best, weak", by_quality(stack, logits, hard=True)

    def print_tables(self, setting: tuple[int, float]) -> None:
        """Tables 1 and 2 of one setting."""
        n_images, area = setting
        print(f"\n{NAMES[setting]}: {n_images} images, {area:.0%} spoiled; {len(self.places)} places, "
              f"{self.options.repeats} repetitions, {self.options.size} px")  # fmt: skip
        print("| method | accuracy | mIoU | fwIoU | L1, channel | L1, sum of channels |\n|---|---|---|---|---|---|")
        for name, notes in self.found[setting].items():
            told = [f"{100 * m:.2f} ± {100 * s:.2f}" for m, s, _, _ in notes.summary().values()]
            low, high = (100 * v for v in notes.summary()["mIoU"][2:])
            told[1] += f" ({low:.1f} to {high:.1f})"
            apart = ["", ""]
            if notes.l1:
                mean, low, high = notes.mean_l1()
                apart = [f"{mean:.4f} ({low:.4f} to {high:.4f})", f"{3 * mean:.4f}"]
            print(f"| {name} | {' | '.join([*told, *apart])} |", flush=True)

    def curves(self, name: str, settings: list[tuple[int, float]], axis: int, title: str) -> None:
        """Figures 4 and 5: mIoU and L1 along the number of images or the area."""
        for setting in settings:
            if setting not in self.found:
                self.measure(setting, self.options.curve_repeats, self.options.curve_places)
        lines: dict[str, list[Curve]] = {"mIoU": [], "L1": []}
        print(f"\n{name}: L1 of a channel by {title}\n| method | {' | '.join(f'{s[axis]:g}' for s in settings)} |")
        print("|---" * (len(settings) + 1) + "|")
        for method in self.found[settings[0]]:
            along = [self.found[setting].get(method) for setting in settings]
            if any(notes is None for notes in along) or not along[0].l1:
                continue
            l1 = [notes.mean_l1()[0] for notes in along]
            miou = [notes.summary()["mIoU"][0] for notes in along]
            steps = [setting[axis] for setting in settings]
            if not method.startswith(("best", "clean")):  # more lines than colors
                lines["L1"].append(Curve(method, steps, l1))
                lines["mIoU"].append(Curve(method, steps, miou))
            print(f"| {method} | {' | '.join(f'{v:.4f}' for v in l1)} |")
            print(f"| {method}, mIoU | {' | '.join(f'{100 * v:.1f}' for v in miou)} |", flush=True)
        panels = [draw_panel(f"{key} by {title}", curves) for key, curves in lines.items()]
        picture = np.concatenate(panels, axis=1)
        (self.options.folder / f"{name}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())

    def figure(self, name: str, setting: tuple[int, float]) -> None:
        """Figures 6 and 7: inputs, their shares, fused, clean, predicted and true labels."""
        pair, _ = self.own(setting)
        rows = []
        for number in np.linspace(0, len(self.places) - 1, 4).astype(int):
            clean, mask = self.places[number]
            made = spoiled_images(clean, *setting, np.random.default_rng([7, number]), bank=self.bank)
            stack = np.stack([image.data for image in made])
            if self.shipped is None:
                logits = weak_quality(pair, stack)
            else:
                logits = shipped_quality(self.shipped, stack) / np.float32(self.options.temperature)
            share = np.exp(logits - logits.max(0))
            share /= share.sum(0)
            cells = [cell for image, part in zip(stack, share, strict=True) for cell in (shown(image), gray(part))]
            fused = by_quality(stack, logits)
            answer = classes_of(self.judge if pair is None else pair.segmenter, fused)
            rows.append([*cells, shown(fused), shown(clean), gray(1.0 * (answer == 0)), gray(1.0 * (mask == 0))])
        heads = [text for n in range(setting[0]) for text in (f"image {n + 1}", f"share {n + 1}")]
        sheet(self.options.folder / f"{name}.png", rows, [*heads, "fused", "clean", "predicted", "true"])

    def record(self) -> list[dict]:
        """Everything, for JSON."""
        return [
            {"images": n, "area": area, "method": name, "l1": notes.mean_l1() if notes.l1 else None, **notes.summary()}
            for (n, area), methods in self.found.items()
            for name, notes in methods.items()
        ]


@torch.inference_mode()
def classes_of(segmenter, image: np.ndarray) -> np.ndarray:
    """Class places (row, col) of an image."""
    return segmenter(torch.from_numpy(image[None].astype(np.float32)))[0].argmax(0).numpy()


@torch.inference_mode()
def weak_quality(pair, stack: np.ndarray) -> np.ndarray:
    """Quality logits (image, row, col) of the weakly trained network."""
    return pair.decode(torch.from_numpy(stack))[:, 0].numpy()


@torch.inference_mode()
def shipped_quality(network, stack: np.ndarray) -> np.ndarray:
    """Quality logits (image, row, col) of the shipped network, as `clearscene fuse` asks it about 8-bit pictures."""
    ready = np.stack([normalize(image, kind="display") for image in stack])
    logits = network.decode(torch.from_numpy(ready))[:, 0].numpy()
    height, width = stack.shape[2:]
    return np.stack([cv2.resize(one, (width, height), interpolation=cv2.INTER_LINEAR) for one in logits])


if __name__ == "__main__":
    main()
