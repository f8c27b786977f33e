"""Parts of sets of chips as sets of their own, for trainings that are compared; the pictures are linked, not copied."""

import json
import zlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from clearscene.inspection.taxonomy import BY_NAME
from clearscene.synth.catalog import GENERATORS, LOOKALIKES, REAL_CLOUD
from clearscene.synth.chip_making import make_chips, open_set
from clearscene.synth.chip_set import CHIPS, DATASET, ChipRecord, ChipSet, Split
from clearscene.synth.chips import ChipMaker
from clearscene.synth.recipe import ChipsRecipe

HELD_OUT = (
    "cloud.cumulus",
    "stretching.edge_streaks",
    "blur.defocus",
    "overflow.color_stain",
    "distortion.swirl",
    "stitching_trace.local_stitching_trace",
    "misalignment.local_misalignment",
)
"""Generators that a network is trained without and then asked about; shadow has only one."""
HELD_TYPES = tuple(name.split(".")[0] for name in HELD_OUT)


def is_real(record: ChipRecord) -> bool:
    """True for a chip that was cut from a labeled image, with no generated defect."""
    return record.parameters.get("labels") == "real image"


def generators_in(record: ChipRecord) -> set[str]:
    """Names of the generators that made a chip, those of lookalikes included."""
    return {key for key in record.parameters if "." in key}


def holds_any(record: ChipRecord, names: Sequence[str]) -> bool:
    """True if one of the generators made a part of the chip."""
    return not generators_in(record).isdisjoint(names)


SUBSETS: Mapping[str, Callable[[ChipRecord], bool]] = {
    "all": lambda record: True,  # noqa: ARG005 - one signature for all
    "half": lambda record: record.split != "train" or zlib.crc32(record.id.encode()) % 2 == 0,
    "real": lambda record: is_real(record) or not record.labels,
    "unseen": lambda record: not holds_any(record, HELD_OUT),
    "no-real": lambda record: not is_real(record) and not holds_any(record, (REAL_CLOUD,)),
    "no-lookalikes": lambda record: not holds_any(record, [entry.name for entry in LOOKALIKES]),
}
"""Which chips a set of this name keeps, by the numbers that `merged` gives them."""


def merged(sets: Sequence[ChipSet]) -> list[ChipRecord]:
    """The chips of some sets as if of one: `set1-...`, their pictures below `set1/`."""
    return [
        replace(r, id=f"set{i}-{r.id}", image=f"set{i}/{r.image}", mask=f"set{i}/{r.mask}")
        for i, chips in enumerate(sets, start=1)
        for r in chips.records()
    ]


def write_subset(
    folder: Path,
    sets: Sequence[ChipSet],
    keep: Callable[[ChipRecord], bool],
    *,
    splits: Sequence[Split] = ("train", "val"),
) -> ChipSet:
    """Write the list of the chips of some splits that are kept, and links to the folders of their pictures.

    Law: written again from the same sets it is the same; the sets themselves are not touched.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for i, chips in enumerate(sets, start=1):
        link = folder / f"set{i}"
        link.unlink(missing_ok=True)
        link.symlink_to(chips.folder.resolve())
    chosen = [record for record in merged(sets) if record.split in splits and keep(record)]
    lines = (json.dumps(asdict(record), ensure_ascii=False) for record in chosen)
    (folder / CHIPS).write_text("\n".join(lines) + "\n", encoding="utf-8")
    about = {"format": 1, "of": [str(chips.folder) for chips in sets], "digests": [chips.digest() for chips in sets]}
    (folder / DATASET).write_text(json.dumps(about, indent=1) + "\n", encoding="utf-8")
    return ChipSet.open(folder)


def asked_recipe(recipe: ChipsRecipe, *, n: int, seed: int, is_held_out: bool) -> ChipsRecipe:
    """A recipe for `n` chips of the held-out types, by the generators held out or by all others of these types.

    No chip has several defects, is reduced or real, or holds a real cloud; one in ten is clean.
    """
    of_types = {entry.name for entry in GENERATORS if entry.type in HELD_TYPES}
    left_out = {REAL_CLOUD} | (of_types - set(HELD_OUT) if is_held_out else of_types & set(HELD_OUT))
    weights = {**recipe.generators, **dict.fromkeys(sorted(left_out), 0.0)}
    types = {name: 1.0 if name in HELD_TYPES else 0.0 for name in BY_NAME}
    update = {"n": n, "seed": seed, "split_seed": recipe.seed if recipe.split_seed is None else recipe.split_seed}
    update |= {
        "types": types,
        "generators": weights,
        "several": (0.0, 0.0),
        "labeled": 0.0,
        "clean": 0.1,
        "reduced": 0.0,
    }
    return recipe.model_copy(update=update)


def make_asked(folder: Path, recipe: ChipsRecipe) -> ChipSet:
    """Make the chips of a recipe on ground of its test split alone; what is there is gone on with."""
    maker = ChipMaker(recipe)
    maker.grounds = [source for source in maker.grounds if source.split == "test"]
    make_chips(maker, open_set(folder, recipe))
    return ChipSet.open(folder)
