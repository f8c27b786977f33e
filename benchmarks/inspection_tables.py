"""Tables 3, 5 and 7 of the seed system, and recall by severity, on held-out chips with generated defects.

    clearscene synth chips --recipe recipes/inspection-chips.toml --out out/chips
    python benchmarks/inspection_tables.py out/chips [--model FOLDER] [--split test] [--part generated] [--json FILE]

All numbers are of generated defects on real ground, scenes that no training has seen; with `--part real` of the chips
cut from images with the labels of a teacher, which are never pooled with the others. They are not those of the
seed's data set, which is gated, and not comparable with its tables. Real clouds: benchmarks/real_clouds.py.
Intervals are 95 % bootstrap intervals over source scenes.
"""

import argparse
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chip_subsets import is_real
from clearscene.inspection.constraint import AbsoluteMode, Constraint, Mode, constrain, sigmoid
from clearscene.inspection.taxonomy import BY_ID, NODATA, TYPES, Group
from clearscene.models.model import Model
from clearscene.models.zoo import available_models
from clearscene.synth.chip_set import ChipRecord, ChipSet

NAMES = [t.name for t in TYPES]
REGIONS = [t.id for t in TYPES if t.group is Group.REGION]
N_CLASSES = 1 + len(REGIONS)
DRAWS = 1000

SETTINGS = {
    "one-step (alpha 0)": Constraint(alpha=0.0),
    "alpha 100, t 0.5": Constraint(mode=Mode.PAPER_CODE, alpha=100.0, threshold=0.5),
    "alpha 1, t 0.5": Constraint(mode=Mode.PAPER_CODE, alpha=1.0, threshold=0.5),
    "alpha 0.3, t 0.9": Constraint(mode=Mode.PAPER_CODE, alpha=0.3, threshold=0.9),
    "alpha 0.1, t 0.5": Constraint(mode=Mode.PAPER_CODE, alpha=0.1, threshold=0.5),
    "alpha 0.3, t 0.01": Constraint(mode=Mode.PAPER_CODE, alpha=0.3, threshold=0.01),
    "absolute, t 0.5": Constraint(mode=Mode.ABSOLUTE, absolute_mode=AbsoluteMode.BACKGROUND),
    "safe, alpha 1 (default)": Constraint(),
}
SHARES = (0.3, 0.8, 0.99)
"""Shares of chips without a defect."""


@dataclass(frozen=True, eq=False)
class Answers:
    """What the model says of all chips."""

    records: list[ChipRecord]
    chances: np.ndarray
    """(chip, type), of the screen."""
    confusion: dict[str, np.ndarray]
    """(chip, truth class, found class) by setting; classes are background and the region types."""
    gated: np.ndarray
    """(chip, truth class, found class) of the product: segmented only if flagged, default constraint."""


def answer(model: Model, chips: ChipSet, records: Sequence[ChipRecord]) -> Answers:
    """Run both steps on every chip."""
    spec = model.manifest.screen
    assert spec is not None
    order = [spec.types.index(c.name) for c in model.manifest.classes[1:]]
    thresholds = np.array([spec.threshold_of(name) for name in spec.types])
    regions = [i for i, name in enumerate(spec.types) if name in {BY_ID[r].name for r in REGIONS}]
    chances, confusion, gated = [], {name: [] for name in SETTINGS}, []
    for record in records:
        image, mask = chips.image(record), chips.mask(record)
        valid = mask != NODATA
        tensor = model.prepare(image, valid)
        screening = model.screen(tensor)
        logits = model.segment(tensor, screening.features)[:, : mask.shape[0], : mask.shape[1]]
        chance = sigmoid(screening.logits)
        chances.append(chance)
        truth = np.where(np.isin(mask, [9, 10]), NODATA, np.where(np.isin(mask, [7, 8]), 0, mask))
        for name, setting in SETTINGS.items():
            found = _classes(constrain(logits, screening.logits[order], setting), model)
            confusion[name].append(_confusion(truth, found))
        flagged = (chance >= thresholds)[regions].any()
        found = _classes(constrain(logits, screening.logits[order], Constraint()), model) if flagged else 0 * truth
        gated.append(_confusion(truth, found))
    return Answers(
        list(records),
        np.array(chances),
        {name: np.array(rows) for name, rows in confusion.items()},
        np.array(gated),
    )


def _classes(logits: np.ndarray, model: Model) -> np.ndarray:
    ids = np.array([c.id for c in model.manifest.classes])
    found = ids[logits.argmax(axis=0)]
    return np.where(np.isin(found, [7, 8]), 0, found)


def _confusion(truth: np.ndarray, found: np.ndarray) -> np.ndarray:
    known = truth != NODATA
    pairs = truth[known].astype(int) * N_CLASSES + found[known].astype(int)
    return np.bincount(pairs, minlength=N_CLASSES**2).reshape(N_CLASSES, N_CLASSES).astype(float)


def ious(matrix: np.ndarray) -> np.ndarray:
    """IoU by class; NaN for a class that is neither there nor found."""
    hit = np.diagonal(matrix, axis1=-2, axis2=-1)
    union = matrix.sum(axis=-1) + matrix.sum(axis=-2) - hit
    with np.errstate(invalid="ignore"):
        return np.where(matrix.sum(axis=-1) > 0, hit / union, np.nan)


def precision(matrix: np.ndarray) -> np.ndarray:
    """Pixels of the right type among all that are called defect."""
    hit = np.diagonal(matrix, axis1=-2, axis2=-1)[..., 1:].sum(axis=-1)
    return hit / np.maximum(matrix[..., 1:].sum(axis=(-2, -1)), 1)


def recall(matrix: np.ndarray) -> np.ndarray:
    """Defect pixels that are called by their type."""
    hit = np.diagonal(matrix, axis1=-2, axis2=-1)[..., 1:].sum(axis=-1)
    return hit / np.maximum(matrix[..., 1:, :].sum(axis=(-2, -1)), 1)


def table3(answers: Answers, thresholds: np.ndarray) -> dict[str, object]:
    """Screening: exact accuracy, macro-F1, F1 by type."""
    truth = np.array([[name in r.labels for name in NAMES] for r in answers.records])
    result = {}
    for title, limits in (("threshold 0.5", np.full(10, 0.5)), ("thresholds of the model", thresholds)):
        found = answers.chances >= limits
        hit, wrong, lost = (found & truth).sum(0), (found & ~truth).sum(0), (~found & truth).sum(0)
        f1 = 2 * hit / np.maximum(2 * hit + wrong + lost, 1)
        right = (found == truth).all(axis=1).mean()
        result[title] = {
            "accuracy": float(right),
            "macro_f1": float(f1.mean()),
            "f1": dict(zip(NAMES, f1.round(4).tolist(), strict=True)),
            "recall": dict(zip(NAMES, (hit / np.maximum(hit + lost, 1)).round(4).tolist(), strict=True)),
            "chips": dict(zip(NAMES, truth.sum(0).tolist(), strict=True)),
        }
    return result


def table5(answers: Answers) -> dict[str, object]:
    """Segmentation of chips with defects, no constraint, as in the seed's table."""
    positive = np.array([bool(r.labels) for r in answers.records])
    matrix = answers.confusion["one-step (alpha 0)"][positive].sum(axis=0)
    values = ious(matrix)
    names = ["background", *(BY_ID[i].name for i in REGIONS)]
    return {
        "miou": float(np.nanmean(values)),
        "miou_without_background": float(np.nanmean(values[1:])),
        "iou": dict(zip(names, np.round(values, 4).tolist(), strict=True)),
    }


def table7(answers: Answers, rng: np.random.Generator) -> dict[str, object]:
    """Two-step against one-step by share of clean chips, differences with bootstrap intervals over scenes."""
    positive = np.array([bool(r.labels) for r in answers.records])
    scenes = np.array([r.source for r in answers.records])
    names, index = np.unique(scenes, return_inverse=True)
    draws = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), DRAWS)[:, index]
    draws = np.vstack([np.ones(len(index), int), draws])  # the first row: all scenes once
    base = "one-step (alpha 0)"
    result: dict[str, object] = {}
    for share in SHARES:
        ratio = share / (1 - share) * positive.sum() / max((~positive).sum(), 1)
        weights = draws * np.where(positive, 1.0, ratio)
        rows = {}
        matrices = {name: np.einsum("dc,cij->dij", weights, rows_) for name, rows_ in answers.confusion.items()}
        matrices["product: screened, safe"] = np.einsum("dc,cij->dij", weights, answers.gated)
        for name, m in matrices.items():
            gain = precision(m) - precision(matrices[base])
            change = np.nanmean(ious(m), axis=-1) - np.nanmean(ious(matrices[base]), axis=-1)
            rows[name] = {
                "miou": float(np.nanmean(ious(m[0]))),
                "precision": float(precision(m[0])),
                "recall": float(recall(m[0])),
                "precision_gain": [float(gain[0]), *np.percentile(gain[1:], [2.5, 97.5]).tolist()],
                "miou_gain": [float(change[0]), *np.percentile(change[1:], [2.5, 97.5]).tolist()],
            }
        result[f"{share:.0%} clean"] = rows
    return result


def by_severity(answers: Answers, thresholds: np.ndarray) -> dict[str, list[list[float]]]:
    """By type: middle of the severity bin, chips, share of them that the screen flags for the type."""
    result = {}
    for column, name in enumerate(NAMES):
        rows = []
        members = [i for i, r in enumerate(answers.records) if name in r.labels and name in r.severity]
        severity = np.array([answers.records[i].severity[name] for i in members])
        flagged = answers.chances[members, column] >= thresholds[column]
        for low in (0.0, 0.2, 0.4, 0.6, 0.8):
            inside = (severity >= low) & (severity < low + 0.2 + 1e-9)
            if inside.any():
                rows.append([round(low + 0.1, 1), int(inside.sum()), float(flagged[inside].mean())])
        result[name] = rows
    return result


def show(title: str, value: object, indent: int = 0) -> None:
    """Print nested numbers as people read them."""
    pad = " " * indent
    if isinstance(value, dict):
        print(f"{pad}{title}")
        for key, item in value.items():
            show(str(key), item, indent + 2)
    elif isinstance(value, list):
        print(f"{pad}{title:28} " + " ".join(f"{v:.3f}" if isinstance(v, float) else str(v) for v in value))
    else:
        print(f"{pad}{title:28} {value:.4f}" if isinstance(value, float) else f"{pad}{title:28} {value}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("chips", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--part", choices=("generated", "real"), default="generated")
    parser.add_argument("--exclude", default="", help="regular expression of sources that are left out")
    parser.add_argument("--limit", type=int)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    folder = args.model or next(m.folder for m in available_models() if m.manifest.task == "inspection")
    model = Model.load(folder, device="cpu", threads=2)
    spec = model.manifest.screen
    assert spec is not None
    thresholds = np.array([spec.threshold_of(name) for name in NAMES])
    chips = ChipSet.open(args.chips)
    told = [r for r in chips.records(args.split) if is_real(r) == (args.part == "real")]
    records = [r for r in told if not (args.exclude and re.search(args.exclude, r.source))][: args.limit]
    answers = answer(model, chips, records)
    report = {
        "model": f"{model.manifest.name} {model.manifest.version}",
        "part": args.part,
        "chips": len(records),
        "scenes": len({r.source for r in records}),
        "table 3, screening": table3(answers, thresholds),
        "table 5, segmentation of chips with defects": table5(answers),
        "table 7, two steps against one": table7(answers, np.random.default_rng(0)),
        "recall by severity (middle, chips, recall)": by_severity(answers, thresholds),
    }
    for title, value in report.items():
        show(title, value)
    if args.json:
        args.json.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
