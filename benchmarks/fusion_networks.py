"""The networks of `fusion_tables.py`: places with building labels, a judge, and one training for each setting.

    python benchmarks/fusion_networks.py --folder /tmp/fusion --data ../shared/data/ship/oam_buildings

Place 1 and the west of place 4 are learned from, the east of place 4 validates, the places `chips` and `val-chips` are
the test. The judge is a network of its own, trained on clean images from an encoder that knows photographs: it gives
every method its classes. Trainings that are done are left alone. The published numbers are 300 px, 20 epochs, rate
1e-4; shorter ones need a higher rate, and S2 may go on from S1 (`--from S1`).
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from clearscene.datasets.prepared import PreparedRecord, PreparedSet
from clearscene.datasets.prepared_writer import PreparedAbout, PreparedWriter

CLASSES = ("building", "background")
SPLITS = {"1": "train", "chips": "test", "val-chips": "test"}
EAST = 1_772_476
"""Column of tiles of zoom 21 from which place 4 validates; there is a gap of 12 tiles."""
JUDGE = "judge"
SETTINGS = {
    "clean": {"images": [1, 1], "area": [0, 0], "artifacts": "none"},
    "S1": {"images": [2, 2], "area": [0.25, 0.25]},
    "S2": {"images": [6, 6], "area": [0.5, 0.5]},
    "S1-mean": {"images": [2, 2], "area": [0.25, 0.25], "fuses_by": "mean"},
    "S2-mean": {"images": [6, 6], "area": [0.5, 0.5], "fuses_by": "mean"},
    "any": {"images": [2, 4], "area": [0.1, 0.6]},
}
"""What each network sees in training; `any` serves all numbers of images and all areas."""
SETTINGS |= {f"n{n}": {"images": [n, n], "area": [0.5, 0.5]} for n in range(2, 9)}
SETTINGS |= {f"a{area}": {"images": [2, 2], "area": [area / 100] * 2} for area in range(10, 70, 10)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--settings", default="judge,S1,S2")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--mode", default="corrected", choices=("corrected", "code"))
    parser.add_argument("--minutes", default="", help="Of each training at most, as 8,15,25; empty: no limit.")
    parser.add_argument("--from", dest="start", default="", help="S2 and others go on from this setting.")
    parser.add_argument(
        "--precision",
        default="auto",
        help="Of the pairs: bfloat16 where the CPU multiplies it; the judge is slower so.",
    )
    options = parser.parse_args()
    prepared = prepare(options.data, options.folder / "buildings")
    settings = options.settings.split(",")
    limits = [float(word) for word in options.minutes.split(",")] if options.minutes else [None] * len(settings)
    for setting, limit in zip(settings, limits, strict=True):
        train_one(setting, prepared, options, limit=limit)


def prepare(data: Path, folder: Path) -> PreparedSet:
    """The pictures as a prepared set, split by place."""
    if folder.exists():
        return PreparedSet.open(folder)
    about = PreparedAbout(
        "oam_buildings", ("red", "green", "blue"), CLASSES, "display", "images CC-BY-4.0, labels ODbL", overlap=0
    )
    with PreparedWriter(folder, about) as writer:
        for path in sorted((data / "images").glob("*.jpg")):
            place = path.stem.split("_")[0]
            image = cv2.imread(str(path))[..., ::-1].transpose(2, 0, 1).astype(np.float32) / 255
            label = cv2.imread(str(data / "labels" / f"{path.stem}.png"), cv2.IMREAD_GRAYSCALE)
            split = split_of(path.stem)
            record = PreparedRecord(path.stem, split, f"{place}-{split}", "", "", 0, 0, label.shape)
            writer.add(record, image, np.where(label > 127, 0, 1).astype(np.uint8))
    return PreparedSet.open(folder)


def split_of(name: str) -> str:
    """By place, and within place 4 by side: `4_OAM-COLUMN-ROW-ZOOM`."""
    place, _, tile = name.partition("_")
    column, _, zoom = (int(word) for word in tile.removeprefix("OAM-").split("-"))
    return SPLITS.get(place) or ("val" if column << (21 - zoom) >= EAST else "train")


def train_one(setting: str, prepared: PreparedSet, options: argparse.Namespace, *, limit: float | None) -> None:
    """Train the networks of a setting, unless that is done."""
    from clearscene.training.config import parse_config
    from clearscene.training.run import train

    out = options.folder / "runs" / setting
    if (out / "best.pt").is_file() and '"outcome"' in (out / "run.json").read_text():
        return
    values = judge_config() if setting == JUDGE else pair_config(setting, options)
    values["name"] = setting
    values["data"] = {"chips": [{"folder": str(prepared.folder)}], "size": options.size, "max_val_chips": 60}
    values["run"] |= {"seed": 1, "workers": 0, "threads": 1, "device": "cpu", "tensorboard": False}
    values["run"] |= {"max_minutes": limit} if limit else {}
    outcome = train(parse_config(values, place=setting), out, Silent(setting), overwrite=True)
    print(f"{setting}: {outcome.step} steps, {outcome.minutes:.1f} minutes, {outcome.reason}", flush=True)


def judge_config() -> dict:
    """A slim network on clean places, its colors varied so that it bears another ground."""
    return {
        "network": {"kind": "semantic", "name": "slim", "classes": list(CLASSES), "decoder_width": 48},
        "loss": {"name": "bce-dice"},
        "optimizer": {"lr": 2e-3, "encoder_lr_factor": 0.3, "weight_decay": 0.02, "ema_decay": 0.99},
        "schedule": {"warmup_steps": 40, "final": 0.02},
        "semantic": {"view": "whole", "area": [0.3, 1.0], "color_chance": 0.8, "gray_chance": 0.1},
        "run": {"epochs": 20, "batch_size": 16},
    }


def pair_config(setting: str, options: argparse.Namespace) -> dict:
    """Quality network and segmentation network as published, but for rate, epochs and size."""
    weights = {"building": 1.0, "background": 0.5}
    start = options.folder / "runs" / options.start / "best.pt"
    goes_on = bool(options.start) and setting not in (options.start, "clean")
    return {
        "network": {"kind": "fusion", "classes": list(CLASSES)},
        "fusion": {"class_weights": weights, "mode": options.mode, **SETTINGS[setting]},
        "optimizer": {"name": "adam", "lr": options.rate, "weight_decay": 4e-5, "ema_decay": 0.98},
        "schedule": {"parts": 4, "warmup_steps": 0},
        "run": {
            "epochs": options.epochs, "batch_size": 5, "monitor": "loss", "precision": options.precision,
            **({"start_from": str(start)} if goes_on else {}),
        },
    }  # fmt: skip


class Silent:
    """Prints validations only."""

    stop_requested = False

    def __init__(self, name: str) -> None:
        self.name = name

    def step(self, done: float, text: str) -> None:
        """See `Reporter`."""

    def validated(self, step: int, by_set: dict[str, dict[str, float]], *, is_best: bool) -> None:
        """See `Reporter`."""
        for values in by_set.values():
            told = ", ".join(f"{key} {values[key]:.4f}" for key in ("loss", "miou", "l1") if key in values)
            print(f"{self.name} step {step}: {told}{' best' if is_best else ''}", flush=True)


if __name__ == "__main__":
    main()
