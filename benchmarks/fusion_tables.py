"""Tables 1 and 2 and figures 4 to 7 of seed 002, on places with building labels.

    python benchmarks/fusion_networks.py --folder /tmp/fusion --data ../shared/data/ship/oam_buildings
    python benchmarks/fusion_tables.py --folder /tmp/fusion

Every place of the test is spoiled anew in each repetition, with cloud pictures that no training saw. All methods get
their classes from the judge; `own` is what the segmentation network of the weakly trained pair says of what it fused.
Intervals are 95 % of a bootstrap over places; the spread is over repetitions. What is done is kept in the folder:
a run that was cut off goes on.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import torch

from clearscene.datasets.prepared import PreparedSet
from clearscene.synth.cloud_bank import CloudBank
from clearscene.synth.spoiling import spoiled_images
from clearscene.training.curves import Curve, draw_panel
from fusion_answers import Answers, network, shipped_model, shipped_quality
from fusion_measures import (
    CLASSICAL,
    Found,
    Notes,
    by_quality,
    classical,
    confusion,
    gray,
    peer_geomedian,
    sheet,
    shown,
    wrong_mean,
)
from fusion_networks import CLASSES, JUDGE

S1, S2 = (2, 0.25), (6, 0.5)
N_IMAGES = [(n, 0.5) for n in range(2, 9)]
AREAS = [(2, area / 100) for area in range(10, 70, 10)]
NAMES = {S1: "S1", S2: "S2"}
BOUND = "best, by the truth"
DRAWN = ("learned, shipped", "learned, weak", *CLASSICAL)
"""Lines of figures 4 and 5; the others are in the tables."""
LEARNED = tuple(f"{how}, {model}" for model in ("shipped", "weak") for how in ("learned", "best"))
SAME_OF_TWO = ("median", "geomedian")
"""Of two images ours are the mean, up to rounding."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True, help="Of fusion_networks.py.")
    parser.add_argument("--model", type=Path, help="Quality model; default the shipped one.")
    parser.add_argument("--judge", default=JUDGE, help="Training whose network gives the classes: judge or clean.")
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--places", type=int, default=147)
    parser.add_argument("--repeats", type=int, default=10)
    parser.add_argument("--curve-repeats", type=int, default=1)
    parser.add_argument("--curve-places", type=int, default=147)
    parser.add_argument("--half", action="store_true", help="Networks compute in bfloat16.")
    parser.add_argument("--parts", default="tables,curves,figures")
    parser.add_argument("--split", default="test", choices=("test", "val"), help="val: place 4, to choose by.")
    parser.add_argument(
        "--temperature", type=float, default=1.0, help="Of the softmax, times that in the shipped model's manifest."
    )
    options = parser.parse_args()
    torch.set_num_threads(1)
    bench = Bench(options)
    parts = options.parts.split(",")
    if "tables" in parts:
        for setting in (S1, S2):
            bench.found[setting] = bench.measure(setting, options.repeats)
            bench.print_tables(setting)
    if "curves" in parts:
        bench.curves("figure4", N_IMAGES, 0, "images")
        bench.curves("figure5", AREAS, 1, "area")
    if "figures" in parts:
        for name, setting in (("figure6", (2, 0.25)), ("figure7", (4, 0.4))):
            bench.figure(name, setting)
    record = options.folder / "tables.json"
    before = json.loads(record.read_text()) if record.is_file() else {}
    record.write_text(json.dumps(before | bench.record(), indent=1))  # other parts may have been made earlier


def beside_nearest(methods: dict[str, Notes], method: str) -> str:
    """How much lower the L1 of a method is than that of the classical one that is lowest, the interval and its name."""
    nearest = min(CLASSICAL, key=lambda name: methods[name].mean_l1()[0])
    gap, low, high = methods[method].l1_beside(methods[nearest])
    return f"{gap:+.4f} ({low:+.4f} to {high:+.4f}) {nearest}"


class Bench:
    """The networks, the places, and what was found."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        prepared = PreparedSet.open(options.folder / "buildings")
        records = prepared.records(options.split)
        chosen = np.linspace(0, len(records) - 1, min(options.places, len(records))).round().astype(int)
        self.places = [self._read(prepared, records[i]) for i in dict.fromkeys(chosen)]
        self.judge = network(options.folder / "runs" / options.judge)
        self.shipped, self.answers = shipped_model(options.model), Answers(half=options.half)
        self.peer = peer_geomedian()
        self.bank = CloudBank("test", size=options.size)
        self.found: dict[tuple[int, float], dict[str, Notes]] = {}
        self._clean: dict[bytes, np.ndarray] = {}

    def _read(self, prepared: PreparedSet, record) -> tuple[np.ndarray, np.ndarray]:
        size = self.options.size
        image, mask = prepared.image(record).transpose(1, 2, 0), prepared.mask(record)
        if mask.shape[0] != size:
            image = cv2.resize(image, (size, size), interpolation=cv2.INTER_AREA)
            mask = cv2.resize(mask, (size, size), interpolation=cv2.INTER_NEAREST)
        return np.ascontiguousarray(image.transpose(2, 0, 1)), mask

    def pair(self, setting: tuple[int, float]):
        """The pair that was trained for a setting, else that of S1, of S2 for more than two images."""
        n_images, area = setting
        own = NAMES.get(setting) or (f"n{n_images}" if area == 0.5 else f"a{round(area * 100)}")
        near = "S2" if n_images > 2 else "S1"
        found = (network(self.options.folder / "runs" / name) for name in (own, near))
        return next((pair for pair in found if pair is not None), None)

    def measure(self, setting: tuple[int, float], repeats: int, most: int | None = None) -> dict[str, Notes]:
        """All methods on all places, or on `most` of them; repetitions that are done are not done again."""
        options = self.options
        step = -(-len(self.places) // (most or len(self.places)))
        n_images, area = setting
        n_places = len(self.places[::step])
        chosen = [options.split] if options.split != "test" else []
        chosen += [f"t{options.temperature:g}"] if options.temperature != 1 else []
        stem = "-".join((f"{options.size}px-{n_images}-{round(area * 100)}-{n_places}", *chosen))
        path = options.folder / "found" / f"{stem}.npz"
        found, pair = Found.load(path), self.pair(setting)
        n_done = found.n_repeats
        for repeat in range(repeats):
            if repeat < n_done and (repeat, 0) in found.methods[BOUND].counts:
                continue
            for place, (clean, mask) in enumerate(self.places[::step]):
                rng = np.random.default_rng([2, repeat, place])
                made = spoiled_images(clean, *setting, rng, bank=self.bank)
                stack = np.stack([image.data for image in made])
                if repeat >= n_done:
                    self._note(found, (repeat, place), stack, (clean, mask), pair)
                least = np.argmin([image.lost for image in made], axis=0)[np.newaxis, np.newaxis]
                self._note_bound(found, (repeat, place), np.take_along_axis(stack, least, axis=0)[0], (clean, mask))
            found.save(path)
            print(f"{setting}: repetition {repeat + 1} of {repeats}", flush=True)
        return found.methods

    def _note(self, found: Found, key: tuple[int, int], stack: np.ndarray, truth, pair) -> None:
        """One place once: how far each method is from the clean image, and what is seen in what it made."""
        clean, mask = truth
        fused = dict(self.fuse(stack, clean, pair))
        as_mean = SAME_OF_TWO if len(stack) == 2 else ()
        names = [name for name in fused if name not in ("clean", *as_mean)]
        seen = self.answers.classes(self.judge, np.stack([fused[name] for name in names]))
        given = dict(zip(names, seen, strict=True))
        given |= {name: given["mean"] for name in as_mean if name in fused}
        given["clean"] = self.clean_classes(clean)
        for name, image in fused.items():
            if name != "clean":
                found.methods[name].l1[key] = float(np.abs(image - clean).mean())
        for name in ("clean", "learned, weak") if pair is not None else ():
            given[f"{name}, own"] = self.answers.classes(pair, fused[name][np.newaxis])[0]
        for name, answer in given.items():
            found.methods[name].counts[key] = confusion(mask, answer, len(CLASSES))

    def _note_bound(self, found: Found, key: tuple[int, int], image: np.ndarray, truth) -> None:
        """What no method that takes one image a pixel can pass: the one that is truly least spoiled there."""
        clean, mask = truth
        found.methods[BOUND].l1[key] = float(np.abs(image - clean).mean())
        answer = self.answers.classes(self.judge, image[np.newaxis])[0]
        found.methods[BOUND].counts[key] = confusion(mask, answer, len(CLASSES))

    def clean_classes(self, clean: np.ndarray) -> np.ndarray:
        """What the judge says of a clean place, asked once."""
        key = clean.tobytes()
        if key not in self._clean:
            self._clean[key] = self.answers.classes(self.judge, clean[np.newaxis])[0]
        return self._clean[key]

    def fuse(self, stack: np.ndarray, clean: np.ndarray, pair) -> Iterator[tuple[str, np.ndarray]]:
        """What each method makes of a stack."""
        yield "clean", clean
        logits = shipped_quality(self.shipped, stack)
        yield "learned, shipped", by_quality(stack, logits, temperature=self.options.temperature)
        yield "best, shipped", by_quality(stack, logits, hard=True)
        if pair is not None:
            logits = self.answers.weak_quality(pair, stack)
            yield "learned, weak", by_quality(stack, logits)
            yield "best, weak", by_quality(stack, logits, hard=True)
        for name in CLASSICAL:
            yield name, classical(name, stack)
        if self.peer is not None:
            yield "geomedian by geomad", self.peer(stack)
        yield "mean as published", wrong_mean(stack)

    def print_tables(self, setting: tuple[int, float]) -> None:
        """Tables 1 and 2 of one setting."""
        n_images, area = setting
        print(f"\n{NAMES[setting]}: {n_images} images, {area:.0%} spoiled; {len(self.places)} places, "
              f"{self.options.repeats} repetitions, {self.options.size} px")  # fmt: skip
        print("| method | accuracy | mIoU | beside clean | fwIoU | L1, channel | L1, sum of channels |")
        print("|---|---|---|---|---|---|---|")
        for name, notes in self.found[setting].items():
            told = [f"{100 * m:.2f} ± {100 * s:.2f}" for m, s, _, _ in notes.summary().values()]
            low, high = (100 * v for v in notes.summary()["mIoU"][2:])
            told[1] += f" ({low:.1f} to {high:.1f})"
            clean = self.found[setting]["clean, own" if name.endswith("own") else "clean"]
            gap, low, high = (100 * v for v in notes.beside(clean))
            told.insert(2, "" if notes is clean else f"{gap:+.2f} ({low:+.2f} to {high:+.2f})")
            apart = ["", ""]
            if notes.l1:
                mean, spread, low, high = notes.mean_l1()
                apart = [f"{mean:.4f} ± {spread:.4f} ({low:.4f} to {high:.4f})", f"{3 * mean:.4f}"]
            print(f"| {name} | {' | '.join([*told, *apart])} |", flush=True)

    def curves(self, name: str, settings: list[tuple[int, float]], axis: int, title: str) -> None:
        """Figures 4 and 5: mIoU and L1 along the number of images or the area."""
        found = {s: self.measure(s, self.options.curve_repeats, self.options.curve_places) for s in settings}
        lines: dict[str, list[Curve]] = {"mIoU": [], "L1": []}
        print(f"\n{name}: L1 of a channel by {title}\n| method | {' | '.join(f'{s[axis]:g}' for s in settings)} |")
        print("|---" * (len(settings) + 1) + "|")
        for method in found[settings[0]]:
            along = [found[setting].get(method) for setting in settings]
            if any(notes is None for notes in along):
                continue
            found_of = {"mIoU": [notes.summary()["mIoU"] for notes in along]}
            print(f"| {method}, mIoU | {' | '.join(f'{100 * v[0]:.1f}' for v in found_of['mIoU'])} |", flush=True)
            if not along[0].l1:
                continue
            found_of["L1"] = [notes.mean_l1() for notes in along]
            print(f"| {method} | {' | '.join(f'{v[0]:.4f}' for v in found_of['L1'])} |")
            steps = [setting[axis] for setting in settings]
            for key in lines if method in DRAWN else ():  # more would be more than there are colors
                values, ends = [v[0] for v in found_of[key]], [v[2:] for v in found_of[key]]
                lines[key].append(Curve(method, steps, values, ends))
        for method in LEARNED:
            if all(method in found[setting] for setting in settings):
                print(f"| {method}, L1 beside the nearest | "
                      f"{' | '.join(beside_nearest(found[setting], method) for setting in settings)} |")  # fmt: skip
        panels = [
            draw_panel(f"{key}, 95 % intervals", curves, axis=title, first=None, low=0.0 if key == "L1" else None)
            for key, curves in lines.items()
        ]
        picture = np.concatenate(panels, axis=1)
        (self.options.folder / f"{name}.png").write_bytes(cv2.imencode(".png", picture)[1].tobytes())

    def figure(self, name: str, setting: tuple[int, float]) -> None:
        """Figures 6 and 7: inputs, their shares, fused, clean, predicted and true labels; every place twice, with the
        shares of the shipped model and of the weakly trained pair."""
        pair, rows = self.pair(setting), []
        for number in np.linspace(0, len(self.places) - 1, 4).round().astype(int):
            clean, mask = self.places[number]
            made = spoiled_images(clean, *setting, np.random.default_rng([7, number]), bank=self.bank)
            stack = np.stack([image.data for image in made])
            qualities = [shipped_quality(self.shipped, stack)]
            if pair is not None:
                qualities.append(self.answers.weak_quality(pair, stack))
            for logits in qualities:
                share = np.exp(logits - logits.max(0))
                share /= share.sum(0)
                cells = [cell for image, part in zip(stack, share, strict=True) for cell in (shown(image), gray(part))]
                fused = by_quality(stack, logits)
                answer = self.answers.classes(self.judge, fused[np.newaxis])[0]
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


if __name__ == "__main__":
    main()
