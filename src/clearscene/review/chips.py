"""Training chips from decisions: what was accepted or drawn is truth, what was rejected a hard negative."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from clearscene import __version__
from clearscene.datasets.polygon_chips import (
    USUAL_SHARES,
    Drawing,
    Role,
    Shares,
    check_size,
    cut_chips,
    finding_windows,
    split_of_scene,
)
from clearscene.errors import DatasetError
from clearscene.inspection.rerender import open_inspected, stretch_of
from clearscene.inspection.result import Status
from clearscene.inspection.run_folder import RunFolder, open_run
from clearscene.review.live import Live
from clearscene.synth.chip_set import CHIPS, SPLITS, ChipWriter, Split, read_about

__all__ = ["drawings_of", "export_chips"]

ROLES = {
    Status.ACCEPTED: Role.TRUTH,
    Status.ADDED: Role.TRUTH,
    Status.REJECTED: Role.NEGATIVE,
    Status.PROPOSED: Role.UNKNOWN,
}


def drawings_of(run: RunFolder) -> list[Drawing]:
    """The findings of a run with what a person has said of each, as they stand in the GeoPackage.

    A finding that was redrawn or retyped and has no verdict is still unknown: accept it to train on it.
    """
    scored = Live(run).score()
    return [
        Drawing(
            scored.polygons[key],
            finding.type,
            ROLES[finding.status],
            {"id": finding.id, "status": finding.status.value, "detector": finding.detector},
        )
        for key, finding in scored.findings.items()
    ]


def export_chips(
    runs: Sequence[str | Path], out: Path, *, size: int = 256, shares: Shares = USUAL_SHARES, scene: str = ""
) -> dict[Split, int]:
    """Write chips around the decisions of runs, in the format that `clearscene train` reads; count by split.

    All chips of one scene are in one split. A set that an earlier export left is replaced.

    Args:
        runs: Run folders, or GeoPackages in them.
        out: Folder of the set.
        size: Pixels along the side of a chip.
        shares: How scenes go to splits.
        scene: Where the scene of a single run lies now; "" takes the path in the record.

    Raises:
        DatasetError: Nothing was decided in any run, or the folder holds a set that no export made.
        SceneError: A scene is gone or cannot be read.
        OutputError: The set cannot be written.
    """
    check_size(size)
    held = [open_run(run) for run in runs]
    drawings = [drawings_of(run) for run in held]
    if not any(d.role is not Role.UNKNOWN for found in drawings for d in found):
        raise DatasetError("Nothing was decided in these runs.", hint="Accept or reject findings first.")
    _check_folder(out)
    writer = ChipWriter(out, overwrite=True)
    keys = _keys(held)
    splits = {key: split_of_scene(run.report.scene.name, shares) for key, run in zip(keys, held, strict=True)}
    counts = dict.fromkeys(SPLITS, 0)
    writer.describe(_about(held, splits, size))
    for key, run, found in zip(keys, held, drawings, strict=True):
        counts[splits[key]] += _export_run(run, found, writer, key=key, split=splits[key], size=size, scene=scene)
    return counts


def _export_run(
    run: RunFolder, drawings: Sequence[Drawing], writer: ChipWriter, *, key: str, split: Split, size: int, scene: str
) -> int:
    grid = run.grid
    windows = finding_windows(drawings, grid.height, grid.width, size)
    with open_inspected(run.report.scene, scene or run.report.scene.path) as opened:
        return cut_chips(opened, drawings, windows, stretch=stretch_of(run.report), split=split, writer=writer, key=key)


def _check_folder(out: Path) -> None:
    """Refuse to replace a set that was not made by an export."""
    if (out / CHIPS).is_file() and read_about(out).get("from") != "review":
        raise DatasetError(f"{out} holds chips that no review made.", hint="Write to another folder.")


def _keys(runs: Sequence[RunFolder]) -> list[str]:
    """Names of the scenes; of two alike the second gets a number."""
    keys: list[str] = []
    for run in runs:
        name, n = run.report.scene.name, 1
        while (name if n == 1 else f"{name}-{n}") in keys:
            n += 1
        keys.append(name if n == 1 else f"{name}-{n}")
    return keys


def _about(runs: Sequence[RunFolder], splits: dict[str, Split], size: int) -> dict[str, Any]:
    return {
        "format": 1,
        "made_by": f"clearscene {__version__}",
        "from": "review",
        "size": size,
        "runs": [str(run.folder) for run in runs],
        "scenes": {split: sorted(key for key, chosen in splits.items() if chosen == split) for split in SPLITS},
        "licenses": "those of the scenes",
    }
