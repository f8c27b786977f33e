"""Tables 3, 4 and 5 of the seed system by trainings of equal length, and what a network makes of unseen generators.

    pip install "clearscene[train]"
    python benchmarks/network_tables.py --chips out/inspection-1 --chips out/inspection-2 [--views 8000] [--json FILE]
                                        [CONFIG...]

    python benchmarks/network_tables.py --chips out/inspection-1 recipes/tables/two-head.toml recipes/levers/*.toml

Trains each CONFIG (default: all of recipes/tables) on the same number of chip views, on chips of the splits `train`
and `val` of `--chips`; the parts that configs name (all, half, real and so on: `chip_subsets.py`) are made below
`--out` first. Then all networks answer for the same test chips:

    generated     chips of the split `test` with generated defects, and the clean ones
    real          chips of the split `test` that were cut from labeled images (the labels of a teacher)
    held out      `--asked` new chips on ground of the test split, by the generators that `unseen` leaves out alone
    the others    as many of the same types, by all other generators of these types

`--recipe` is the one by which `--chips` were made: the new chips keep its split. A training that is done is not
repeated, one that was interrupted goes on: run the same command again. What is done with `--views` cannot go on with
another number; name another `--out`. Generated and real results are never pooled. Seeds: 5 for the trainings (in the
configs), 51 and 52 for the new chips, 0 for the bootstrap. Intervals are 95 % bootstrap intervals over source scenes.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from chip_subsets import HELD_TYPES, SUBSETS, asked_recipe, is_real, make_asked, write_subset
from clearscene.inspection.taxonomy import BY_NAME, Group
from clearscene.synth.chip_set import ChipSet
from clearscene.synth.recipe import load_recipe
from clearscene.training.config import TrainConfig, load_config
from clearscene.training.export.toml_text import to_toml
from network_answers import NAMES, TYPE_NAMES, Answered, Asked, all_f1s, all_ious, ask, ious, mean_of, only_defects
from table_text import Cell, Table, ratio, report, scene_draws, with_interval

ROOT = Path(__file__).parents[1]
RECIPES = ROOT / "recipes" / "tables"
SEEDS = {"held out": 51, "the others": 52}
BASE, UNSEEN = "two-head", "two-head-unseen"
LEVERS = {path.stem for path in (ROOT / "recipes" / "levers").glob("*.toml")}


def equal_length(config: TrainConfig, *, views: int, minutes: float) -> TrainConfig:
    """The config for `views` chips in all, whatever its sets hold, validated four times.

    Law: epochs times chips of an epoch are at most `views`, and less by no more than a step an epoch and rounding.
    """
    sizes = [len(ChipSet.open(entry.folder).records("train")) for entry in config.data.chips]
    total = sum(entry.weight * n for entry, n in zip(config.data.chips, sizes, strict=True))
    epochs = max(1, round(views / total))
    factor = views / epochs / total
    chips = tuple(entry.model_copy(update={"weight": entry.weight * factor}) for entry in config.data.chips)
    run = {"epochs": epochs, "max_minutes": minutes, "validate_every": epochs / 4}
    return config.model_copy(
        update={
            "data": config.data.model_copy(update={"chips": chips}),
            "run": config.run.model_copy(update=run),
        }
    )


def train(path: Path, out: Path, *, views: int, minutes: float, settings: Sequence[str]) -> Path:
    """Train one config to its end, or go on with it; returns the folder of the run."""
    config = equal_length(_placed(load_config(path, settings), out / "chips"), views=views, minutes=minutes)
    run, written = out / path.stem, out / f"{path.stem}.toml"
    if steps_of(run) is None:
        written.write_text(to_toml(config.model_dump(mode="json")), encoding="utf-8")
        resume = ["--resume"] if (run / "last.pt").is_file() else []
        command = [sys.executable, "-m", "clearscene", "train", str(written), "--out", str(run), *resume]
        subprocess.run(command, check=True)
    return run


def _placed(config: TrainConfig, folder: Path) -> TrainConfig:
    """The config with its chips looked for below `folder`, by the names of their sets."""
    chips = tuple(e.model_copy(update={"folder": (folder / e.folder.name).resolve()}) for e in config.data.chips)
    return config.model_copy(update={"data": config.data.model_copy(update={"chips": chips})})


def steps_of(run: Path) -> int | None:
    """Steps of a training that has come to its end; None if it has not."""
    path = run / "run.json"
    outcome = json.loads(path.read_text(encoding="utf-8")).get("outcome") if path.is_file() else None
    return None if outcome is None or outcome["reason"] == "stopped" else int(outcome["step"])


Everything = dict[str, dict[str, Answered]]
"""Answers by network and group of chips."""


def table3(answers: Everything, asked: dict[str, Asked], group: str) -> Table:
    """Screening: share of chips with all types right, macro-F1, F1 by type."""
    draws, labels = _draws(asked[group]), asked[group].labels
    rows: list[tuple[Cell, ...]] = []
    for name, by_group in answers.items():
        answered = by_group[group]
        if answered.logits is None:
            continue
        right = ((answered.logits >= 0) == (labels > 0)).all(axis=1)
        f1 = all_f1s(answered, asked[group], draws)
        cells = (float(v) for v in f1[0])
        rows.append((name, float(right.mean()), with_interval(mean_of(f1)), *cells))
    heads = ("network", "accuracy", "macro-F1", *TYPE_NAMES)
    return Table(f"table 3, screening, {group} chips", heads, tuple(rows))


def table5(answers: Everything, asked: dict[str, Asked], group: str) -> Table:
    """Segmentation of chips with defects: mean IoU with and without background, IoU by class."""
    rows: list[tuple[Cell, ...]] = []
    for name, by_group in answers.items():
        answered, chips = only_defects(by_group[group], asked[group])
        if answered.confusion is None:
            continue
        values = ious(answered.confusion, _draws(chips))
        cells = (float(v) for v in values[0])
        rows.append((name, with_interval(mean_of(values)), with_interval(mean_of(values[:, 1:])), *cells))
    heads = ("network", "mIoU", "mIoU without background", *NAMES)
    note = "A class that is not there is not counted."
    return Table(f"table 5, segmentation, {group} chips with defects", heads, tuple(rows), note)


def table4(answers: Everything, asked: dict[str, Asked]) -> Table:
    """What more generated data gives: the other two-head networks against the one that saw all chips."""
    rows: list[tuple[Cell, ...]] = []
    for group in ("generated", "real"):
        draws = _draws(asked[group])
        measures = [(all_f1s, slice(None)), (all_ious, slice(1, None))]
        base = [mean_of(m(answers[BASE][group], asked[group], draws)[:, part]) for m, part in measures]
        for name in (name for name in answers if name.startswith(BASE)):
            own = [mean_of(m(answers[name][group], asked[group], draws)[:, part]) for m, part in measures]
            cells: list[Cell] = []
            for mine, theirs in zip(own, base, strict=True):
                cells += [float(mine[0]), "-" if name == BASE else with_interval(mine - theirs, sign=True)]
            rows.append((f"{group}: {name}", *cells))
    heads = ("test chips: network", "macro-F1", f"against {BASE}", "mIoU without background", f"against {BASE} ")
    return Table(
        "table 4, effect of generated data", heads, tuple(rows), "All test chips of the group, clean included."
    )


def unseen_table(answers: Everything, asked: dict[str, Asked]) -> Table:
    """By type: trained with and without the generators held out, asked about them and about the others."""
    rows: list[tuple[Cell, ...]] = []
    for group in SEEDS:
        draws = _draws(asked[group])
        pair = [answers[name][group] for name in (BASE, UNSEEN)]
        areas = [all_ious(one, asked[group], draws) for one in pair]
        calls = [all_f1s(one, asked[group], draws) for one in pair]
        for name in HELD_TYPES:
            column, n = TYPE_NAMES.index(name), sum(name in r.labels for r in asked[group].records)
            is_region = BY_NAME[name].group is Group.REGION
            iou = [a[:, BY_NAME[name].id] if is_region else np.full(len(draws), np.nan) for a in areas]
            rows.append((f"{group}: {name}", n, *_pair(iou), *_pair([c[:, column] for c in calls])))
        held = [TYPE_NAMES.index(name) for name in HELD_TYPES]
        regions = [BY_NAME[name].id for name in HELD_TYPES if BY_NAME[name].group is Group.REGION]
        means = _pair([mean_of(a[:, regions]) for a in areas]), _pair([mean_of(c[:, held]) for c in calls])
        rows.append((f"{group}: mean", len(asked[group].records), *means[0], *means[1]))
    heads = ("test chips: type", "chips", "IoU, trained with", "without", "change")
    note = "F1 of the screen at 0.5. Boundary types have no area. Real clouds are in both trainings."
    title = "trained with and without the generators held out"
    return Table(title, (*heads, "F1, trained with", "without ", "change "), tuple(rows), note)


def lever_table(answers: Everything, asked: dict[str, Asked]) -> Table:
    """What is lost without each lever: clouds of real images, defects of generated chips, and clean ground."""
    rows: list[tuple[Cell, ...]] = []
    measures = (
        ("real", lambda one, draws: all_ious(one, asked["real"], draws)[:, 1]),
        ("generated", lambda one, draws: mean_of(all_ious(one, asked["generated"], draws)[:, 1:])),
        ("generated", lambda one, draws: _false_area(one, asked["generated"], draws)),
    )
    base = [m(answers[BASE][group], _draws(asked[group])) for group, m in measures]
    for name in (BASE, *(name for name in answers if name in LEVERS)):
        cells: list[Cell] = []
        for (group, measure), reference in zip(measures, base, strict=True):
            own = measure(answers[name][group], _draws(asked[group]))
            cells += [float(own[0]), "-" if name == BASE else with_interval(own - reference, sign=True)]
        rows.append((name, *cells))
    heads = ("network", "real: cloud IoU", "change", "generated: mIoU without background", "change ")
    note = "False area: % of the pixels of test chips without a defect, lookalikes included, that are called one."
    return Table("levers, one left out at a time", (*heads, "false area, %", "change  "), tuple(rows), note)


def _false_area(answered: Answered, asked: Asked, draws: np.ndarray) -> np.ndarray:
    """% of the pixels of chips without a label that are called a defect, (draw,)."""
    assert answered.confusion is not None
    clean = np.array([not record.labels for record in asked.records], np.float64)
    pooled = np.einsum("dc,cij->dij", draws * clean, answered.confusion)
    return 100 * ratio(pooled[:, 0, 1:].sum(axis=1), pooled.sum(axis=(1, 2)))


def _pair(values: Sequence[np.ndarray]) -> tuple[Cell, ...]:
    return float(values[0][0]), float(values[1][0]), with_interval(values[1] - values[0], sign=True)


def _draws(asked: Asked) -> np.ndarray:
    return scene_draws([record.source for record in asked.records], seed=0)


def trainings(runs: dict[str, Path]) -> Table:
    """What was trained: chip views, minutes, and the best value on the validation chips."""
    rows = []
    for name, run in runs.items():
        record = json.loads((run / "run.json").read_text(encoding="utf-8"))
        config, outcome = load_config(run / "config.toml"), record["outcome"]
        views = outcome["step"] * config.run.batch_size * config.run.accumulate
        best = outcome["best"]
        rows.append((name, views, outcome["minutes"], None if best is None else float(best), outcome["reason"]))
    return Table("trainings", ("network", "chip views", "minutes", "best on val", "ended"), tuple(rows))


def asked_sets(sets: Sequence[ChipSet], recipe: Path, out: Path, n: int) -> dict[str, Asked]:
    """All groups of test chips; the new ones are made if they are not there."""
    whole = write_subset(out / "chips" / "test", sets, lambda record: True, splits=("test",))  # noqa: ARG005
    records = whole.records("test")
    result = {
        "generated": Asked(whole, [r for r in records if not is_real(r)]),
        "real": Asked(whole, [r for r in records if is_real(r)]),
    }
    for group, seed in SEEDS.items():
        made = asked_recipe(load_recipe(recipe), n=n, seed=seed, is_held_out=group == "held out")
        chips = make_asked(out / "chips" / group.replace(" ", "-"), made)
        result[group] = Asked(chips, chips.records("test"))
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("configs", type=Path, nargs="*", metavar="CONFIG")
    parser.add_argument("--chips", type=Path, action="append", required=True)
    parser.add_argument("--recipe", type=Path, default=ROOT / "recipes" / "inspection-chips.toml")
    parser.add_argument("--out", type=Path, default=ROOT / "out" / "tables")
    parser.add_argument("--views", type=int, default=8000)
    parser.add_argument("--minutes", type=float, default=30.0, help="ceiling of each training")
    parser.add_argument("--asked", type=int, default=400, help="new test chips of each of the two groups")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="change a key of all configs")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    sets = [ChipSet.open(folder) for folder in args.chips]
    for name, keep in SUBSETS.items():
        write_subset(args.out / "chips" / name, sets, keep)
    asked = asked_sets(sets, args.recipe, args.out, args.asked)
    configs = args.configs or sorted(RECIPES.glob("*.toml"))
    runs = {
        path.stem: train(path, args.out, views=args.views, minutes=args.minutes, settings=args.set) for path in configs
    }
    answers = {name: {group: ask(run, chips) for group, chips in asked.items()} for name, run in runs.items()}
    groups = [group for group in ("generated", "real") if asked[group].records]
    tables = [trainings(runs), *(table(answers, asked, group) for group in groups for table in (table3, table5))]
    tables += [table4(answers, asked)] if BASE in runs and len(groups) == 2 else []
    tables += [lever_table(answers, asked)] if BASE in runs and LEVERS & runs.keys() and len(groups) == 2 else []
    tables += [unseen_table(answers, asked)] if {BASE, UNSEEN} <= runs.keys() else []
    about: dict[str, Cell] = {f"{group} chips": len(one.records) for group, one in asked.items()}
    report(tables, about={**about, "views": args.views}, path=args.json)


if __name__ == "__main__":
    main()
