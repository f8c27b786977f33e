"""Recall against severity of each of the ten types, on generated chips at fixed severity steps.

    python benchmarks/severity_recall.py --chips out/chips-severity [--model FOLDER] [--figure FILE] [--json FILE]

The chips are made first, unless they are there: for each type and each of the steps 0.1, 0.3, 0.5, 0.7, 0.9, `--n`
chips of one defect each, by a generator drawn by its weight in the catalog. Ground, size and looks are those of
`--recipe`, by which the model was trained (recipes/inspection-chips.toml), but of its test split only; the seed is 41.
Severity 0 is barely visible to a careful inspector, 1 unmistakable.

Region types: share of the true pixels that the whole process (screen, segmentation, thresholds) finds by their type.
Stripe and missing: the same by the rules. Boundary types: share of the chips that the screen marks. Recall alone: what
is found where nothing is stands in `clean_scenes.py`. Intervals are 95 % bootstrap intervals over source scenes.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TypeVar

import cv2
import numpy as np

from clearscene.inspection.constraint import sigmoid
from clearscene.inspection.taxonomy import BY_NAME, NODATA, TYPES, Group
from clearscene.models.model import Model
from clearscene.rules.missing import MissingRule
from clearscene.rules.rule import Rule, View
from clearscene.rules.stripe import StripeRule
from clearscene.synth.catalog import GENERATORS, Generator
from clearscene.synth.chip_set import ChipRecord, ChipSet, ChipWriter
from clearscene.synth.looks import draw_look, finish
from clearscene.synth.recipe import ChipsRecipe, load_recipe
from clearscene.synth.sources import Source, find_sources, read_ground
from figure import Line, Panel, draw
from model_on_scenes import chosen_model, found_in_array, title_of
from rules_table import find
from table_text import Cell, Table, interval, ratio, report, scene_draws, with_interval

RECIPE = Path(__file__).parents[1] / "recipes" / "inspection-chips.toml"
SEED = 41
STEPS = (0.1, 0.3, 0.5, 0.7, 0.9)
Drawn = TypeVar("Drawn", Source, Generator)

TRIES = 12
"""Grounds that are tried for a defect that shows on none of them."""
RULES: dict[str, Rule] = {"stripe": StripeRule(), "missing": MissingRule()}
GROUPS = {
    "region types: pixels": Group.REGION,
    "rules: pixels": Group.PIXEL,
    "boundary types: chips": Group.BOUNDARY,
}


def make_set(folder: Path, recipe: ChipsRecipe, n: int) -> ChipSet:
    """The chips of all types and steps; those that are there already are kept.

    Law: a chip depends on the recipe, its type, its step and its number alone.
    """
    grounds = [s for s in find_sources(recipe) if s.split == "test" and s.labels is None]
    writer = ChipWriter(folder)
    writer.describe({"format": 1, "recipe": recipe.model_dump(mode="json"), "steps": list(STEPS), "seed": SEED})
    for kind in TYPES:
        for step, severity in enumerate(STEPS):
            for number in range(n):
                key = f"{kind.id:02d}-{round(100 * severity):03d}-{number:04d}"
                if key not in writer.done:
                    rng = np.random.default_rng([SEED, kind.id, step, number])
                    add_chip(writer, key, kind.name, severity, grounds=grounds, recipe=recipe, rng=rng)
    return ChipSet.open(folder)


def add_chip(
    writer: ChipWriter,
    key: str,
    type_name: str,
    severity: float,
    *,
    grounds: Sequence[Source],
    recipe: ChipsRecipe,
    rng: np.random.Generator,
) -> None:
    """Draw grounds until the defect shows, and write the chip; one that never shows is left out."""
    entries = [entry for entry in GENERATORS if entry.type == type_name]
    for _ in range(TRIES):
        source, entry = drawn(grounds, rng), drawn(entries, rng)
        ground = read_ground(source, size=recipe.size, rng=rng)
        look = draw_look(ground, rng, jpeg=recipe.jpeg)
        result = entry.degrade(look.apply(ground.data), ground.valid, rng, severity)
        if result.mask.any():
            break
    else:
        return
    mask = np.zeros(ground.valid.shape, np.uint8)
    for name, also in {**result.also, type_name: result.mask}.items():
        if name in BY_NAME:
            mask[also] = BY_NAME[name].id
    mask[~ground.valid] = NODATA
    record = ChipRecord(
        id=key,
        split="test",
        image=f"images/{key}.png",
        mask=f"masks/{key}.png",
        labels=(type_name,),
        severity={type_name: severity},
        source=source.scene,
        parameters={entry.name: dict(result.parameters), "quality": look.quality},
    )
    writer.add(record, finish(result.data, ground.valid, look), mask)


def drawn(entries: Sequence[Drawn], rng: np.random.Generator) -> Drawn:
    """One of them, as often as its weight says."""
    weights = np.array([entry.weight for entry in entries])
    return entries[int(rng.choice(len(entries), p=weights / weights.sum()))]


def hits(model: Model, chips: ChipSet, records: Sequence[ChipRecord]) -> Iterator[tuple[int, int, bool]]:
    """By chip: pixels found by their type, true pixels, and whether the screen marks the chip for the type."""
    spec = model.manifest.screen
    assert spec is not None
    for record in records:
        name = record.labels[0]
        image, mask = chips.image(record), chips.mask(record)
        valid, truth = mask != NODATA, mask == BY_NAME[name].id
        if name in RULES:
            view = View(image, image, valid, ~valid, 255.0, record.parameters["quality"] > 0)
            found = find(RULES[name], image, view, is_lossy=view.is_lossy)
            yield int((found & truth).sum()), int(truth.sum()), bool((found & truth).any())
            continue
        masks, _ = found_in_array(image, valid, model)
        chance = sigmoid(model.screen(model.prepare(image, valid)).logits)[spec.types.index(name)]
        found = masks.get(BY_NAME[name].id, np.zeros_like(truth))
        yield int((found & truth).sum()), int(truth.sum()), bool(chance >= spec.threshold_of(name))


def curve(
    records: Sequence[ChipRecord], counts: Sequence[tuple[int, int, bool]], name: str, *, by_chip: bool, seed: int
) -> list[np.ndarray]:
    """Recall at each step with its draws, (1 + draws,) each; NaN where there is no chip."""
    result = []
    for severity in STEPS:
        chosen = [i for i, r in enumerate(records) if r.labels[0] == name and r.severity[name] == severity]
        if not chosen:
            result.append(np.full(2, np.nan))
            continue
        draws = scene_draws([records[i].source for i in chosen], seed=seed)
        found = np.array([counts[i][2] if by_chip else counts[i][0] for i in chosen], np.float64)
        there = np.array([1 if by_chip else counts[i][1] for i in chosen], np.float64)
        result.append(ratio(draws @ found, draws @ there))
    return result


def tables_of(
    records: Sequence[ChipRecord], counts: Sequence[tuple[int, int, bool]], *, silent: Sequence[str], seed: int
) -> tuple[list[Table], list[Panel]]:
    """A table and a panel for each group of types."""
    tables, panels = [], []
    for title, group in GROUPS.items():
        rows: list[tuple[Cell, ...]] = []
        lines = []
        for kind in (t for t in TYPES if t.group is group):
            values = curve(records, counts, kind.name, by_chip=group is Group.BOUNDARY, seed=seed)
            n = sum(r.labels[0] == kind.name for r in records)
            shown = f"{kind.name} (silent)" if kind.name in silent else kind.name
            rows.append((shown, n, *(with_interval(v) for v in values)))
            ends = np.array([interval(v) for v in values])
            lines.append(Line(shown, STEPS, [float(v[0]) for v in values], list(ends[:, 0]), list(ends[:, 1])))
        heads = ("type", "chips", *(f"severity {step}" for step in STEPS))
        tables.append(Table(f"recall by severity, {title}", heads, tuple(rows)))
        panels.append(Panel(title, "severity", "recall", lines))
    return tables, panels


def main() -> None:
    cv2.setNumThreads(1)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--chips", type=Path, default=Path("out/chips-severity"))
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--n", type=int, default=30, help="chips of a type and step")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--figure", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    recipe = load_recipe(args.recipe)
    chips = make_set(args.chips, recipe, args.n)
    model = chosen_model(args.model)
    records = [r for r in chips.records("test") if int(r.id.rsplit("-", 1)[1]) < args.n]
    counts = list(hits(model, chips, records))
    silent = model.manifest.screen.silent if model.manifest.screen else ()
    tables, panels = tables_of(records, counts, silent=silent, seed=SEED)
    if args.figure:
        draw(args.figure, panels)
    scenes = len({record.source for record in records})
    about: dict[str, Cell] = {"model": title_of(model), "chips": len(records), "scenes": scenes, "seed": SEED}
    report(tables, about=about, path=args.json)


if __name__ == "__main__":
    main()
