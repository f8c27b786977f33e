"""What is called a defect on real scenes that have none, by landscape: the alarms an inspector pays for.

    python benchmarks/clean_scenes.py ../shared/data [--model FOLDER] [--split test] [--pictures DIR] [--json FILE]

`whole scenes`: those of `scenes/clean`, which no training has seen. `held-out images`: images of the sources of the
training chips, of the scenes that `--recipe` puts into its test split; that of chips-5 leaves out the woods in which
orthorectification warped the crowns (`warped_forest.py`), which are no clean ground. Prints the share of the valid area
by type (six region types by the model, as `inspect` finds them before it cleans them; stripe and missing by the rules,
which look at 8-bit images only), the seams that `inspect` reports by 100 Mpx of the images that are large enough for
them, and the budget of each type beside what is spent. A landscape without imagery is printed as not measured. Nothing
is drawn at random. Without `--model`, images of satellites are looked at by the model for cloud masks as well, as
`inspect` does.
"""

import argparse
import warnings
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from clearscene.inspection.inspect import inspect_scene
from clearscene.inspection.inspector import Inspector, prepare
from clearscene.inspection.options import InspectOptions
from clearscene.inspection.satellite import CloudWitness
from clearscene.inspection.taxonomy import BY_ID, BY_NAME, TYPES, Group
from clearscene.models.model import Model
from clearscene.raster.scene import open_scene
from clearscene.rules.missing import MissingRule
from clearscene.rules.rule import Rule
from clearscene.rules.stripe import StripeRule
from clearscene.synth.recipe import load_recipe
from clearscene.synth.sources import find_sources
from missing_false_area import load
from model_on_scenes import chosen_model, found_in, title_of, witness
from rules_table import find
from table_text import Cell, Table, ratio, report

RECIPE = Path(__file__).parents[1] / "recipes" / "inspection-chips-5.toml"
SATELLITE = "satellite, mixed"
LANDSCAPES = {
    "forest": ("forest", "chaparral", "HARV", "OSBS", "SJER", "ABBY"),
    "field": ("agricultural", "golfcourse", "baseballdiamond", "meadow"),
    "water": ("river", "harbor"),
    "surf and beach": ("shore", "coast", "beach"),
    "bright ground": ("runway", "airplane", "parkinglot", "storagetanks"),
    "town": (
        "residential",
        "buildings",
        "mobilehomepark",
        "intersection",
        "freeway",
        "overpass",
        "tennis",
        "OAM",
        "zurich",
    ),
    SATELLITE: ("ROIs", "_clear", "s2_"),
    "mountain": ("mountain",),
    "snow": ("snow",),
    "desert": ("desert",),
}
OTHER = "other"
SILENT = "not looked for"
"""Where a model has a type that it did not learn well enough."""
REGIONS = tuple(t.name for t in TYPES if t.group is Group.REGION)
BOUNDARIES = tuple(t.name for t in TYPES if t.group is Group.BOUNDARY)
RULES: dict[str, Rule] = {"stripe": StripeRule(), "missing": MissingRule()}
AREAS = (*REGIONS, *RULES)
"""Types that have an area."""
BUDGET = {
    "cloud": 0.15,
    "shadow": 0.10,
    "stretching": 0.04,
    "blur": 0.06,
    "overflow": 0.04,
    "distortion": 0.04,
    "stripe": 0.04,
    "missing": 0.03,
}
"""False area that a type may have, % of the valid area."""
WHOLE_BUDGET = 0.5
"""The same of all types together: the sum of the budgets."""
MARKS = 20.0
"""Seams by 100 Mpx that may be reported of each of the two types."""


@dataclass
class Alarms:
    """What was called a defect, pooled over the images of one landscape."""

    images: int = 0
    pixels: int = 0
    """Valid pixels."""
    ruled: int = 0
    """Of those, in images that the rules looked at."""
    seamed: int = 0
    """Of those, in images that are large enough for the rules of seams."""
    area: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Pixels by type, and of any type under `any`."""
    marks: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """Seams reported, by boundary type."""

    def __add__(self, other: "Alarms") -> "Alarms":
        ruled, seamed = self.ruled + other.ruled, self.seamed + other.seamed
        total = Alarms(self.images + other.images, self.pixels + other.pixels, ruled, seamed)
        for part in (self, other):
            for mine, theirs in ((total.area, part.area), (total.marks, part.marks)):
                for name, value in theirs.items():
                    mine[name] += value
        return total

    def share(self, name: str) -> float:
        """% of the valid area of a type, or of any."""
        return float(ratio(100 * self.area[name], self.ruled if name in RULES else self.pixels))

    def rate(self, name: str) -> float:
        """Seams reported by 100 Mpx."""
        return float(ratio(1e8 * self.marks[name], self.seamed))


def landscape_of(name: str) -> str:
    """The landscape by the name of a file."""
    return next((title for title, words in LANDSCAPES.items() if any(word in name for word in words)), OTHER)


def images(data: Path, recipe: Path, split: str) -> Iterator[tuple[str, list[Path]]]:
    """Images by group."""
    yield "whole scenes", sorted((data / "scenes/clean").glob("*.tif"))
    held_out = [s.path for s in find_sources(load_recipe(recipe)) if s.labels is None and s.split == split]
    yield "held-out images", held_out


def alarms_of(path: Path, model: Model, other: CloudWitness | None) -> tuple[Alarms, dict[str, np.ndarray]]:
    """The alarms of one image, and their masks by type; `other` is asked as `inspect` asks it."""
    asked = {"beside": other} if landscape_of(path.name) == SATELLITE else {"doubter": other}
    found, valid, _ = found_in(path, model, **asked)
    masks = {BY_ID[type_id].name: mask & valid for type_id, mask in found.items()}
    result = Alarms(1, int(valid.sum()))
    view = load(path)
    if view.data.dtype == np.uint8:
        result.ruled = result.pixels
        masks |= {name: find(rule, view.display, view, is_lossy=view.is_lossy) for name, rule in RULES.items()}
    both = np.zeros(valid.shape, np.bool_)
    for name in AREAS:
        if name in masks:
            result.area[name] += int(masks[name].sum())
            both |= masks[name]
    result.area["any"] += int(both.sum())
    return result, masks


def add_seams(alarms: Alarms, path: Path, inspector: Inspector) -> None:
    """Count the seams that an inspection reports of an image."""
    with TemporaryDirectory() as folder:
        report = inspect_scene(path, Path(folder) / "run", inspector)
    told = {summary.type: summary for summary in report.types if summary.type in BOUNDARIES}
    if all(summary.inspected for summary in told.values()):
        alarms.seamed += alarms.pixels
        for name, summary in told.items():
            alarms.marks[name] += summary.count


def area_table(title: str, by_landscape: Mapping[str, Alarms], silent: Sequence[str]) -> Table:
    """False area by landscape and type, and boundary alarms by 100 Mpx."""
    heads = ("landscape", "images", "Mpx", *AREAS, "any", *(f"{name}, seams/100 Mpx" for name in BOUNDARIES))
    rows: list[tuple[Cell, ...]] = []
    for name in (*LANDSCAPES, OTHER, "all"):
        alarms = sum(by_landscape.values(), Alarms()) if name == "all" else by_landscape.get(name, Alarms())
        if alarms.pixels:
            shares = (SILENT if kind in silent else alarms.share(kind) for kind in (*AREAS, "any"))
            rates = (alarms.rate(kind) for kind in BOUNDARIES)
            rows.append((name, alarms.images, alarms.pixels / 1e6, *shares, *rates))
        elif name != OTHER:
            rows.append((name, 0, *[None] * (len(heads) - 2)))
    note = f"% of the valid area. Not looked for by this model: {', '.join(silent)}." if silent else ""
    return Table(title, heads, tuple(rows), note or "% of the valid area.")


def budget_table(by_group: Mapping[str, Alarms], silent: Sequence[str]) -> Table:
    """What each type may cost and what it costs, by group of images."""
    heads = ["type", "budget"]
    for group in by_group:
        heads += [group, "kept"]
    limits = {**{f"{name}, % of area": (name, BUDGET[name]) for name in AREAS}, "any, % of area": ("any", WHOLE_BUDGET)}
    rows: list[tuple[Cell, ...]] = []
    for title, (name, limit) in limits.items():
        rows.append(_spent(title, limit, [a.share(name) for a in by_group.values()], is_silent=name in silent))
    for name in BOUNDARIES:
        rates = [a.rate(name) for a in by_group.values()]
        rows.append(_spent(f"{name}, seams/100 Mpx", MARKS, rates, is_silent=False))
    return Table("budget", tuple(heads), tuple(rows))


def _spent(title: str, limit: float, values: Sequence[float], *, is_silent: bool) -> tuple[Cell, ...]:
    cells: list[Cell] = [title, limit]
    for value in values:
        known = not is_silent and np.isfinite(value)
        kept = "yes" if known and value <= limit else "no"
        cells += [SILENT if is_silent else value if known else None, kept if known else "-"]
    return tuple(cells)


def draw(path: Path, masks: Mapping[str, np.ndarray], folder: Path) -> None:
    """The image beside itself with the alarms in the colors of their types."""
    with open_scene(path) as scene:
        pixels = scene.read(Window(0, 0, scene.grid.width, scene.grid.height))
    rgb = pixels.data if pixels.data.dtype == np.uint8 else np.clip(pixels.data / 3558 * 255, 0, 255).astype(np.uint8)
    rgb = np.ascontiguousarray(rgb.transpose(1, 2, 0)[..., ::-1])
    over = rgb.copy()
    for name, mask in masks.items():
        if mask.any():
            color = [int(BY_NAME[name].color[i : i + 2], 16) for i in (5, 3, 1)]
            over[mask] = over[mask] // 2 + np.array(color, np.uint8) // 2
    folder.mkdir(parents=True, exist_ok=True)
    both = np.hstack([rgb, over])
    scale = min(1.0, 1600 / both.shape[1])
    small = cv2.resize(both, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cv2.imwrite(str(folder / f"{path.stem}.jpg"), small)


def main() -> None:
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--alone", action="store_true", help="the inspection model without that for cloud masks")
    parser.add_argument("--recipe", type=Path, default=RECIPE)
    parser.add_argument("--split", default="test")
    parser.add_argument("--limit", type=int, help="images of each group")
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    model = chosen_model(args.model, threads=args.threads)
    other = None if args.model or args.alone else witness(threads=args.threads, is_wide=True)
    seams = prepare(InspectOptions(types=tuple(BY_NAME[name] for name in BOUNDARIES), model=args.model, workers=1))
    silent = model.manifest.screen.silent if model.manifest.screen else ()
    tables, totals = [], {}
    for group, paths in images(args.data, args.recipe, args.split):
        by_landscape: dict[str, Alarms] = defaultdict(Alarms)
        for path in paths[:: max(1, len(paths) // (args.limit or len(paths)))][: args.limit]:
            name = landscape_of(path.name)
            alarms, masks = alarms_of(path, model, other)
            add_seams(alarms, path, seams)
            by_landscape[name] = by_landscape[name] + alarms
            if args.pictures and alarms.share("any") > 0.5:
                draw(path, masks, args.pictures)
        tables.append(area_table(group, by_landscape, silent))
        totals[group] = sum(by_landscape.values(), Alarms())
    about: dict[str, Cell] = {"model": title_of(model), "recipe": args.recipe.name, "split": args.split}
    report([*tables, budget_table(totals, silent)], about=about, path=args.json)


if __name__ == "__main__":
    main()
