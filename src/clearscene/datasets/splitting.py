"""Which scene goes to training, validation and test: before anything is cut."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from clearscene.datasets.layout import SceneEntry
from clearscene.datasets.prepared_record import SPLITS, Split
from clearscene.errors import OptionError

__all__ = ["USUAL_SHARES", "Shares", "published_splits", "split_scenes"]


@dataclass(frozen=True)
class Shares:
    """Parts of the scenes in percent; they add up to 100."""

    train: float = 80
    val: float = 10
    test: float = 10

    def __post_init__(self) -> None:
        if min(self.train, self.val, self.test) < 0 or abs(self.train + self.val + self.test - 100) > 1e-6:
            raise OptionError(f"The shares {self} do not add up to 100.", hint="As 80/10/10 or 60/20/20.")

    @classmethod
    def parse(cls, text: str) -> "Shares":
        """Read `80/10/10`.

        Raises:
            OptionError: It is not three numbers that add up to 100.
        """
        try:
            train, val, test = (float(part) for part in text.split("/"))
        except ValueError:
            raise OptionError(f"{text!r} are no shares.", hint="As 80/10/10 or 60/20/20.") from None
        return cls(train, val, test)

    def __str__(self) -> str:
        return f"{self.train:g}/{self.val:g}/{self.test:g}"

    @property
    def parts(self) -> tuple[float, float, float]:
        """In the order of the splits, adding up to 1."""
        return self.train / 100, self.val / 100, self.test / 100


USUAL_SHARES = Shares()


def split_scenes(
    entries: Sequence[SceneEntry], shares: Shares, *, seed: int, by_biome: bool = False
) -> dict[str, Split]:
    """The split of each scene by its id.

    Laws: scenes of one group go to one split; the number of groups of a split is its share, rounded, and with
    `by_biome` so it is among the groups of each biome, to within one and a half; a split with a share gets at
    least one group where there are as many groups as splits; the order of `entries` changes nothing.
    """
    strata: dict[str, str] = {}
    for entry in sorted(entries, key=lambda entry: entry.id):
        strata.setdefault(entry.group, (entry.biome or "") if by_biome else "")
    rng = np.random.default_rng(seed)
    order: list[str] = []
    for stratum in sorted(set(strata.values())):
        groups = sorted(group for group, other in strata.items() if other == stratum)
        order += [groups[i] for i in rng.permutation(len(groups))]
    found = _dealt(order, _targets(len(order), shares))
    return {entry.id: found[entry.group] for entry in entries}


def published_splits(entries: Sequence[SceneEntry], *, val_share: float, seed: int) -> dict[str, Split]:
    """The split of each scene as its makers published it.

    Where they publish none for validation, `val_share` percent of the groups that train are taken for it. Where they
    do, training scenes of a group that validates go there as well. Scenes without a published split are left out.

    Law: no group of training and validation is in two splits, whatever was published; test scenes stay as they are.

    Raises:
        OptionError: Nothing was published.
    """
    known = {entry.id: entry.split for entry in entries if entry.split is not None}
    if not known:
        raise OptionError("The scenes have no published split.", hint="Use --split scene.")
    held_out = {entry.group for entry in entries if entry.split == "val"}
    if held_out:
        shared = [entry.id for entry in entries if entry.split == "train" and entry.group in held_out]
        return {**known, **dict.fromkeys(shared, SPLITS[1])}
    if not val_share:
        return dict(known)
    training = [entry for entry in entries if known.get(entry.id) == "train"]
    moved = split_scenes(training, Shares(100 - val_share, val_share, 0), seed=seed)
    return {**known, **moved}


def _targets(n: int, shares: Shares) -> list[int]:
    """Numbers of groups that add up to n: the shares rounded, and one at least where that can be."""
    exact = [part * n for part in shares.parts]
    counts = [int(value) for value in exact]
    for i in sorted(range(len(SPLITS)), key=lambda i: counts[i] - exact[i])[: n - sum(counts)]:
        counts[i] += 1
    wanted = [i for i, part in enumerate(shares.parts) if part > 0]
    if n >= len(wanted):
        for i in wanted:
            if counts[i] == 0:
                counts[int(np.argmax(counts))] -= 1
                counts[i] = 1
    return counts


def _dealt(order: Sequence[str], targets: Sequence[int]) -> Mapping[str, Split]:
    """Deal groups one by one to the split that is furthest behind its share so far, so each run gets its part."""
    found: dict[str, Split] = {}
    given: Counter[int] = Counter()
    for i, group in enumerate(order, start=1):
        open_ = [s for s in range(len(SPLITS)) if given[s] < targets[s]]
        behind = max(open_, key=lambda s: targets[s] * i / len(order) - given[s])
        given[behind] += 1
        found[group] = SPLITS[behind]
    return found
