"""The networks of `fusion_tables.py`: places with building labels, and one training for each setting.

    python benchmarks/fusion_networks.py --folder /tmp/fusion --data ../shared/data/ship/oam_buildings

Place 1 is learned from, place 4 validates, the places `chips` and `val-chips` are the test. Trainings that are done
are left alone. The published numbers are 300 px, 20 epochs, rate 1e-4; smaller ones need a higher rate.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from clearscene.datasets.prepared import PreparedRecord, PreparedSet
from clearscene.datasets.prepared_writer import PreparedAbout, PreparedWriter

CLASSES = ("building", "background")
SPLITS = {"1": "train", "4": "val", "chips": "test", "val-chips": "test"}
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
    parser.add_argument("--settings", default="clean,S1,S2,S1-mean,S2-mean")
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--rate", type=float, default=1e-4)
    parser.add_argument("--mode", default="corrected", choices=("corrected", "code"))
    parser.add_argument("--minutes", type=float, default=0, help="Of each training at most; 0: no limit.")
    options = parser.parse_args()
    prepared = prepare(options.data, options.folder / "buildings")
    for setting in options.settings.split(","):
        train_one(setting, prepared, options)


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
            record = PreparedRecord(path.stem, SPLITS[place], place, "", "", 0, 0, label.shape)
            writer.add(record, image, np.where(label > 127, 0, 1).astype(np.uint8))
    return PreparedSet.open(folder)


def train_one(setting: str, prepared: PreparedSet, options: argparse.Namespace) -> Path:
    """Train the networks of a setting, unless that is done."""
    from clearscene.training.config import parse_config
    from clearscene.training.run import train

    out = options.folder / "runs" / setting
    if (out / "best.pt").is_file() and '"outcome"' in (out / "run.json").read_text():
        return out
    weights = {"building": 1.0, "background": 0.5}
    values = {
        "name": setting,
        "data": {"chips": [{"folder": str(prepared.folder)}], "size": options.size, "max_val_chips": 60},
        "network": {"kind": "fusion", "classes": list(CLASSES)},
        "fusion": {"class_weights": weights, "mode": options.mode, **SETTINGS[setting]},
        "optimizer": {"name": "adam", "lr": options.rate, "weight_decay": 4e-5, "ema_decay": 0.98},
        "schedule": {"parts": 4, "warmup_steps": 0},
        "run": {
            "seed": 1, "epochs": options.epochs, "batch_size": 5, "workers": 0, "threads": 1, "device": "cpu",
            "monitor": "loss", "tensorboard": False, "max_minutes": options.minutes or None,
        },
    }  # fmt: skip
    values["run"] = {key: value for key, value in values["run"].items() if value is not None}
    outcome = train(parse_config(values, place=setting), out, Silent(setting), overwrite=True)
    print(f"{setting}: {outcome.step} steps, {outcome.minutes:.1f} minutes, {outcome.reason}", flush=True)
    return out


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
            told = ", ".join(f"{key} {values[key]:.4f}" for key in ("loss", "miou", "l1"))
            print(f"{self.name} step {step}: {told}{' best' if is_best else ''}", flush=True)


if __name__ == "__main__":
    main()
