"""YOLOv8-seg trained as its makers do, by ultralytics' own trainer: outlines as labels, instances as answers.

The way of the comparison (BenchCloudVision): weights of COCO where they can be reached, mosaics and flips, the
optimizer that ultralytics chooses, patience 50. A label file knows no pixel that is not counted: what is ignored is
not cloud here.
"""

import csv
import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from time import perf_counter
from typing import Any

import cv2
import numpy as np

from clearscene.datasets.prepared import PreparedRecord, PreparedSet
from clearscene.errors import DatasetError
from clearscene.training.config import RunConfig
from clearscene.training.device import Arithmetic, choose_device
from clearscene.training.export.toml_text import to_toml
from clearscene.training.networks.yolo import MODEL, ultralytics
from clearscene.training.networks.yolo_instances import INSTANCES, InstanceNet, label_lines, mend_suppression
from clearscene.training.networks.yolo_options import InstanceTraining
from clearscene.training.networks.yolo_trainer import Follower, arguments

__all__ = ["InstanceTraining", "train_instances"]

WORK = "yolo"
"""Folder of what ultralytics reads and writes; its copies of the chips are removed at the end."""
LOSSES = ("box_loss", "seg_loss", "cls_loss", "dfl_loss")


def train_instances(chosen: InstanceTraining, out: Path, *, tell: Callable[[str, float], None]) -> None:
    """Train into a folder: `instances.pt`, `config.toml`, `run.json`, `train.csv` and `val.csv`.

    It begins anew each time. On CPUs it takes `threads`, and reads chips in the same process.

    Raises:
        MissingExtraError: ultralytics is not installed.
        TrainingError: As `InstanceTraining.check`; or there is no such device, or the precision is slow on it.
        DatasetError: A split shows no instance, a chip is broken, or the set lacks red, green or blue.
    """
    chosen.check()
    import torch

    models = ultralytics("models")
    mend_suppression()
    device = choose_device(chosen.device)
    arithmetic = Arithmetic.choose(RunConfig(precision=chosen.precision), device)
    if chosen.threads and device.type == "cpu":
        torch.set_num_threads(chosen.threads)
    work = out / WORK
    shutil.rmtree(work, ignore_errors=True)
    data = _written(chosen, work)
    model = models.YOLO(f"{MODEL}.pt" if chosen.pretrained else f"{MODEL}.yaml")
    follower = Follower(chosen.epochs, arithmetic, tell)
    for event in ("on_train_start", "on_train_epoch_end", "on_fit_epoch_end"):
        model.add_callback(event, getattr(follower, event))
    began = perf_counter()
    model.train(data=str(data), **arguments(chosen, work, device=device.type))
    minutes = (perf_counter() - began) / 60
    shutil.copyfile(work / "run" / "weights" / "best.pt", out / INSTANCES)
    _write_records(chosen, out, trainer=model.trainer, steps=follower.steps, minutes=minutes)
    for name in ("images", "labels"):
        shutil.rmtree(work / name)


def _written(chosen: InstanceTraining, work: Path) -> Path:
    """Chips of both splits as pictures of 8 bits and label files; the path of their list."""
    prepared = PreparedSet.open(Path(chosen.folder))
    for split in ("train", "val"):
        records = prepared.records(split)
        if split == "val" and chosen.max_val_chips and len(records) > chosen.max_val_chips:
            places = np.linspace(0, len(records) - 1, chosen.max_val_chips).round().astype(int)
            records = [records[place] for place in places]
        n_instances = sum(
            _write_chip(prepared, record, chosen.positive, folder=work, split=split) for record in records
        )
        if not n_instances:
            raise DatasetError(
                f"{chosen.folder}: no chip of {split} shows {' or '.join(chosen.positive)} on 50 pixels together.",
                hint="YOLOv8 learns instances; train another network, or prepare larger chips.",
            )
    path = work / "data.yaml"  # JSON is YAML
    content = {"path": str(work.resolve()), "train": "images/train", "val": "images/val", "names": {0: "cloud"}}
    path.write_text(json.dumps(content) + "\n", encoding="utf-8")
    return path


def _write_chip(
    prepared: PreparedSet, record: PreparedRecord, positive: Sequence[str], *, folder: Path, split: str
) -> int:
    """Write one chip; the number of its instances."""
    image = prepared.image(record, InstanceNet.bands)
    places = [prepared.classes.index(name) for name in positive]
    lines = label_lines(np.isin(prepared.mask(record), places))
    picture = np.rint(image.clip(0, 1) * 255).astype(np.uint8)[::-1].transpose(1, 2, 0)  # blue, green, red
    name = record.id.replace("/", "_")
    for kind, ending, content in (
        ("images", "png", cv2.imencode(".png", np.ascontiguousarray(picture))[1].tobytes()),
        ("labels", "txt", "".join(f"{line}\n" for line in lines).encode()),
    ):
        path = folder / kind / split / f"{name}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return len(lines)


def _write_records(
    chosen: InstanceTraining, out: Path, *, trainer: Any, steps: Mapping[int, int], minutes: float
) -> None:
    """What `clearscene train` leaves, as far as it is known: losses by step, the network, how it ended."""
    with (out / WORK / "run" / "results.csv").open(encoding="utf-8", newline="") as stream:
        rows = [{key.strip(): value for key, value in row.items()} for row in csv.DictReader(stream)]
    for split in ("train", "val"):
        with (out / f"{split}.csv").open("w", encoding="utf-8", newline="") as stream:
            table = csv.writer(stream)
            table.writerow(["step", "loss"])
            for row in rows:
                loss = sum(float(row[f"{split}/{name}"]) for name in LOSSES)
                table.writerow([steps[int(row["epoch"])], f"{loss:.6g}"])
    network = {"name": "yolov8-seg", "form": "paper", "bands": list(InstanceNet.bands)}
    (out / "config.toml").write_text(to_toml({"network": network, "instances": asdict(chosen)}), encoding="utf-8")
    scores = [float(row["metrics/mAP50-95(M)"]) for row in rows]
    outcome = {"reason": "done", "step": max(steps.values()), "minutes": minutes, "best": max(scores)}
    record = {"outcome": outcome, "hardware": {"device": str(trainer.device)}}
    (out / "run.json").write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
