"""One step against two steps by precision and recall of the pixels, and the area that the screen loses.

    python benchmarks/precision_recall.py out/chips-1 out/chips-2 [--model FOLDER] [--figure FILE] [--json FILE]

Thresholds of the screen are set here, on the split `val`, so that of the chips that hold a type at least `--recall`
(0.99) are flagged; curves and losses are of the split `test`, whose scenes are others. A pixel is called a defect if
its best class is a region type of at least the probability that is swept; it is right if that is its type. Boundary
types count as background, pixels of stripe and missing are left out, as the decoder does not answer for them.

    one step            every chip is segmented, no constraint
    constraint alone    every chip is segmented, constraint `safe`, alpha 1 (the default)
    two steps           chips without a flagged region type are cleared, the others constrained as above

`--part generated` (default) are chips with generated defects on real ground and the clean ones, `--part real` those
cut from labeled images, which know clouds and shadows alone; the two are never pooled in a result, but the thresholds
are set on both, as an export does. Intervals are 95 % bootstrap intervals over source scenes, `--seed` for the draws.
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np

from chip_subsets import is_real
from clearscene.inspection.constraint import Constraint, constrain, sigmoid
from clearscene.inspection.taxonomy import BY_ID, NODATA, TYPES, Group
from clearscene.models.model import Model, softmax
from clearscene.synth.chip_set import ChipRecord, ChipSet, Split
from clearscene.training.calibrate import recall_threshold
from figure import Line, Panel, draw
from model_on_scenes import chosen_model, title_of
from table_text import Cell, Table, ratio, report, scene_draws, with_interval

REGIONS = tuple(t.id for t in TYPES if t.group is Group.REGION)
WAYS = ("one step", "constraint alone", "two steps")
SHARES = (0.3, 0.8, 0.99)
"""Shares of chips without a defect, those of the seed's table 7."""
BINS = 120
EDGES = np.linspace(-4.0, 12.0, BINS + 1)
"""Bins of the logit of the best type's probability; what lies outside falls into the first or the last."""
RECALLS = (0.4, 0.5, 0.6, 0.7)
"""Recalls at which precision is compared."""

Entry = tuple[ChipSet, ChipRecord]


@dataclass(frozen=True, eq=False)
class Counts:
    """What is known of the test chips, arrays by chip."""

    right: dict[str, np.ndarray]
    """(chip, bin) by way: called pixels whose type is right."""
    called: dict[str, np.ndarray]
    """(chip, bin) by way."""
    true: np.ndarray
    """(chip, region type): true pixels."""
    kept: np.ndarray
    """(chip, region type): of those, called by their type in one step."""
    chances: np.ndarray
    """(chip, region type), of the screen."""
    pixels: np.ndarray
    """(chip,)."""


def records_of(sets: Sequence[ChipSet], split: Split, limit: int | None, *, part: str = "both") -> list[Entry]:
    """The chips of a split of some sets, generated, real or both, thinned out evenly."""
    entries = [(chips, record) for chips in sets for record in chips.records(split)]
    entries = [(c, r) for c, r in entries if part == "both" or is_real(r) == (part == "real")]
    if limit is None or len(entries) <= limit:
        return entries
    return [entries[i] for i in np.linspace(0, len(entries) - 1, limit).round().astype(int)]


def chances_of(model: Model, chips: ChipSet, record: ChipRecord) -> np.ndarray:
    """Probabilities (region type,) that the screen gives a chip."""
    image, mask = chips.image(record), chips.mask(record)
    return _chances(model, model.screen(model.prepare(image, mask != NODATA)).logits)


def _chances(model: Model, logits: np.ndarray) -> np.ndarray:
    spec = model.manifest.screen
    assert spec is not None
    return sigmoid(logits)[[spec.types.index(BY_ID[r].name) for r in REGIONS]]


def thresholds_of(model: Model, entries: Sequence[Entry], recall: float) -> np.ndarray:
    """By region type the highest threshold at which `recall` of the chips with the type are flagged, (region type,).

    A type that no chip shows flags every chip: its threshold is 0.
    """
    chances = np.array([chances_of(model, *entry) for entry in entries])
    labels = labels_of([record for _, record in entries])
    found = [recall_threshold(chances[:, i], labels[:, i], recall) for i in range(len(REGIONS))]
    return np.array([0.0 if value is None else value for value in found])


def labels_of(records: Sequence[ChipRecord]) -> np.ndarray:
    """1 where a chip holds the region type, (chip, region type)."""
    return np.array([[BY_ID[r].name in record.labels for r in REGIONS] for record in records], np.float64)


def count(model: Model, entries: Sequence[Entry], thresholds: np.ndarray) -> Counts:
    """Ask the model about every chip in every way."""
    n = len(entries)
    right = {way: np.zeros((n, BINS)) for way in WAYS}
    called = {way: np.zeros((n, BINS)) for way in WAYS}
    true, kept, chances = (np.zeros((n, len(REGIONS))) for _ in range(3))
    pixels = np.zeros(n)
    spec = model.manifest.screen
    assert spec is not None
    order = [spec.types.index(c.name) for c in model.manifest.classes[1:]]
    for i, (chips, record) in enumerate(entries):
        image, mask = chips.image(record), chips.mask(record)
        tensor = model.prepare(image, mask != NODATA)
        screening = model.screen(tensor)
        logits = model.segment(tensor, screening.features)[:, : mask.shape[0], : mask.shape[1]]
        chances[i] = _chances(model, screening.logits)
        known = ~np.isin(mask, [NODATA, 9, 10])
        truth, pixels[i] = mask[known], known.sum()
        plain = best_types(logits, model)
        bound = best_types(constrain(logits, screening.logits[order], Constraint()), model)
        ways = {WAYS[0]: plain, WAYS[1]: bound} | ({WAYS[2]: bound} if (chances[i] >= thresholds).any() else {})
        for way, (types, score) in ways.items():
            right[way][i], called[way][i] = histograms(types[known], score[known], truth)
        true[i] = [(truth == r).sum() for r in REGIONS]
        kept[i] = [((truth == r) & (plain[0][known] == r)).sum() for r in REGIONS]
    return Counts(right, called, true, kept, chances, pixels)


def best_types(logits: np.ndarray, model: Model) -> tuple[np.ndarray, np.ndarray]:
    """The best class of each pixel as an id, 0 for all but region types, and the logit of its probability."""
    ids = np.array([c.id for c in model.manifest.classes])
    chances = softmax(logits)
    best = chances.argmax(axis=0)
    top = np.clip(np.take_along_axis(chances, best[None], axis=0)[0].astype(np.float64), 1e-7, 1 - 1e-7)
    types = np.where(np.isin(ids[best], REGIONS), ids[best], 0)
    return types, np.log(top / (1 - top))


def histograms(types: np.ndarray, score: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pixels by bin of the score: called with the right type, and all that are called. Arrays of one shape."""
    is_called = types > 0
    bins = np.clip(np.digitize(score[is_called], EDGES) - 1, 0, BINS - 1)
    is_right = types[is_called] == truth[is_called]
    return np.bincount(bins[is_right], minlength=BINS), np.bincount(bins, minlength=BINS)


def curve(counts: Counts, way: str, weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Recall and precision as the threshold falls, (draw, bin) each; `weights` (draw, chip).

    Law: recall never falls along a row.
    """
    right, called = ((weights @ part[way])[:, ::-1].cumsum(axis=1) for part in (counts.right, counts.called))
    return ratio(right, (weights @ counts.true.sum(axis=1))[:, None]), ratio(right, called)


def precision_at(recalls: np.ndarray, precisions: np.ndarray, wanted: float) -> np.ndarray:
    """Precision (draw,) where recall reaches `wanted`, between the two bins around it; NaN where it never does."""
    result = np.full(len(recalls), np.nan)
    for i, (r, p) in enumerate(zip(recalls, precisions, strict=True)):
        known = np.isfinite(r) & np.isfinite(p)
        if known.any() and r[known][-1] >= wanted:
            result[i] = np.interp(wanted, r[known], p[known])
    return result


def share_weights(draws: np.ndarray, is_clean: np.ndarray, share: float) -> np.ndarray:
    """Draws (draw, chip) in which chips without defects weigh so much that they are this share of all."""
    factor = share / (1 - share) * (~is_clean).sum() / max(int(is_clean.sum()), 1)
    return draws * np.where(is_clean, factor, 1.0)


def curve_table(counts: Counts, draws: np.ndarray, is_clean: np.ndarray) -> tuple[Table, list[Panel]]:
    """Precision at equal recall, and what two steps gain."""
    rows: list[tuple[Cell, ...]] = []
    panels = []
    for share in SHARES:
        weights = share_weights(draws, is_clean, share)
        curves = {way: curve(counts, way, weights) for way in WAYS}
        for wanted in RECALLS:
            values = {way: precision_at(*curves[way], wanted) for way in WAYS}
            gains = [values[way] - values[WAYS[0]] for way in WAYS[1:]]
            cells = (with_interval(gain, sign=True) for gain in gains)
            rows.append((f"{share:.0%} clean, recall {wanted}", *(float(v[0]) for v in values.values()), *cells))
        lines = [Line(way, list(r[0]), list(p[0])) for way, (r, p) in curves.items()]
        panels.append(Panel(f"{share:.0%} of the chips without a defect", "recall", "precision", lines))
    heads = ("", *WAYS, *(f"gain of {way}" for way in WAYS[1:]))
    note = "Precision of the pixels; a way that never reaches the recall is not measured there."
    return Table("precision at equal recall", heads, tuple(rows), note), panels


def loss_table(counts: Counts, thresholds: np.ndarray, draws: np.ndarray, labels: np.ndarray) -> Table:
    """What the screen loses: chips and area, by type and in all."""
    flags = counts.chances >= thresholds
    cleared = ~flags.any(axis=1)
    rows: list[tuple[Cell, ...]] = []
    for i, type_id in enumerate(REGIONS):
        true, kept, held = counts.true[:, i], counts.kept[:, i], labels[:, i]
        rows.append(
            (
                BY_ID[type_id].name,
                int(held.sum()),
                float(thresholds[i]),
                float(ratio((held * flags[:, i]).sum(), held.sum())),
                with_interval(ratio(draws @ (true * cleared), draws @ true)),
                with_interval(ratio(draws @ (kept * cleared), draws @ kept)),
                with_interval(ratio(draws @ (true * ~flags[:, i]), draws @ true)),
            )
        )
    true, kept = counts.true.sum(axis=1), counts.kept.sum(axis=1)
    unflagged = (counts.true * ~flags).sum(axis=1)
    areas = [(true * cleared, true), (kept * cleared, kept), (unflagged, true)]
    cells = (with_interval(ratio(draws @ lost, draws @ whole)) for lost, whole in areas)
    rows.append(("all", int(labels.any(axis=1).sum()), None, float(ratio((labels.any(axis=1) * ~cleared).sum(),
                 labels.any(axis=1).sum())), *cells))  # fmt: skip
    heads = ("type", "chips", "threshold", "chips flagged", "area in cleared chips")
    heads += ("of what one step finds", "area in chips not flagged for the type")
    return Table("what the screen loses", heads, tuple(rows), "A cleared chip is flagged for no region type.")


def saving_table(counts: Counts, thresholds: np.ndarray, is_clean: np.ndarray) -> Table:
    """How many chips are segmented at all: what two steps save."""
    flagged = (counts.chances >= thresholds).any(axis=1)
    shares = [float(ratio(flagged[group].sum(), group.sum())) for group in (is_clean, ~is_clean)]
    rows = [(f"{share:.0%} clean", share * shares[0] + (1 - share) * shares[1]) for share in SHARES]
    rows += [("chips without a defect", shares[0]), ("chips with a defect", shares[1])]
    return Table("share of the chips that are segmented", ("chips", "flagged"), tuple(rows))


def main() -> None:
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("chips", type=Path, nargs="+")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--recall", type=float, default=0.99)
    parser.add_argument("--limit", type=int, help="chips of each split")
    parser.add_argument("--part", choices=("generated", "real"), default="generated")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    sets, model = [ChipSet.open(folder) for folder in args.chips], chosen_model(args.model)
    thresholds = thresholds_of(model, records_of(sets, "val", args.limit), args.recall)
    entries = records_of(sets, "test", args.limit, part=args.part)
    counts = count(model, entries, thresholds)
    records = [record for _, record in entries]
    is_clean = np.array([not record.labels for record in records])
    draws = scene_draws([record.source for record in records], seed=args.seed)
    first, panels = curve_table(counts, draws, is_clean)
    tables = [
        first,
        loss_table(counts, thresholds, draws, labels_of(records)),
        saving_table(counts, thresholds, is_clean),
    ]
    if args.figure:
        draw(args.figure, panels)
    about: dict[str, Cell] = {
        "model": title_of(model),
        "test chips": len(records),
        "part": args.part,
        "seed": args.seed,
    }
    about |= {"scenes": len({r.source for r in records}), "screen recall on val": args.recall}
    report(tables, about=about, path=args.json)


if __name__ == "__main__":
    main()
