"""Laws of cutting and splitting data sets."""

from collections import Counter
from itertools import pairwise

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from clearscene.datasets.landsat_values import NUMBERS, landsat_values
from clearscene.datasets.layout import SceneEntry
from clearscene.datasets.overlap import Shown, audit
from clearscene.datasets.prepare import chip_starts
from clearscene.datasets.splitting import Shares, published_splits, split_scenes


@given(length=st.integers(1, 900), size=st.integers(16, 300), data=st.data())
def test_every_pixel_is_in_a_chip_and_none_reaches_out(length, size, data):
    overlap = data.draw(st.integers(0, size - 1))
    starts = chip_starts(length, size, overlap)
    shown = Counter(i for start in starts for i in range(start, start + size))
    assert all(shown[i] for i in range(length))
    if length >= size:
        assert starts[-1] + size == length
        assert max(shown) == length - 1
    assert all(b - a <= size - overlap for a, b in pairwise(starts))
    assert all(b - a == size - overlap for a, b in pairwise(starts[:-1]))


shares = st.sampled_from([Shares(80, 10, 10), Shares(60, 20, 20), Shares(50, 50, 0), Shares(0, 0, 100)])


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=60),
    shares=shares,
    seed=st.integers(0, 9),
    n_biomes=st.integers(1, 6),
)
def test_scenes_are_dealt_by_group(sizes, shares, seed, n_biomes):
    entries = [
        SceneEntry(f"{g}-{i}", f"g{g}", {}, biome=f"b{g % n_biomes}") for g, n in enumerate(sizes) for i in range(n)
    ]
    found = split_scenes(entries, shares, seed=seed, by_biome=True)
    assert set(found) == {e.id for e in entries}
    by_group = {g: {found[e.id] for e in entries if e.group == f"g{g}"} for g in range(len(sizes))}
    assert all(len(splits) == 1 for splits in by_group.values())
    counts = Counter(next(iter(splits)) for splits in by_group.values())
    n_parts = sum(part > 0 for part in shares.parts)
    for name, part in zip(("train", "val", "test"), shares.parts, strict=True):
        assert (counts[name] > 0) == (part > 0) or len(sizes) < n_parts or part == 0
        # a split that would get none takes one from the largest
        assert abs(counts[name] - part * len(sizes)) < 1 + n_parts
        for b in range(n_biomes):
            here = [g for g in by_group if g % n_biomes == b]
            dealt = sum(by_group[g] == {name} for g in here)
            assert abs(dealt - counts[name] * len(here) / len(sizes)) < 2
    assert split_scenes(entries[::-1], shares, seed=seed, by_biome=True) == found


published = st.tuples(st.integers(0, 5), st.sampled_from(["train", "val", "test", None]))


@given(scenes=st.lists(published, min_size=1, max_size=30), val_share=st.sampled_from([0, 10, 50]))
def test_no_group_trains_and_validates(scenes, val_share):
    scenes = [*scenes, (0, "train")]
    entries = [SceneEntry(str(i), f"g{group}", {}, split=split) for i, (group, split) in enumerate(scenes)]
    found = published_splits(entries, val_share=val_share, seed=0)
    assert set(found) == {e.id for e in entries if e.split}
    groups = {name: {e.group for e in entries if found.get(e.id) == name} for name in ("train", "val")}
    assert not groups["train"] & groups["val"]
    assert all((found[e.id] == "test") == (e.split == "test") for e in entries if e.split)


boxes = st.builds(lambda x, y, w, h: (x, y, x + w, y + h), *[st.integers(0, 9)] * 2, *[st.integers(1, 4)] * 2)
shown = st.builds(
    Shown,
    st.text("abc", min_size=1, max_size=3),
    day=st.sampled_from([None, "2020-01-01", "2020-01-05"]),
    box=st.none() | boxes,
    wrs=st.sampled_from([None, "001002", "003004"]),
    tile=st.sampled_from([None, "31TFJ", "32TFJ"]),
)


@given(a=st.lists(shown, max_size=6), b=st.lists(shown, max_size=6))
def test_an_audit_can_be_turned_around(a, b):
    def key(meetings, turn):
        return sorted(
            (m.b, m.a, m.kind, str(m.days_apart)) if turn else (m.a, m.b, m.kind, str(m.days_apart)) for m in meetings
        )

    assert key(audit(a, b).meetings, turn=False) == key(audit(b, a).meetings, turn=True)


@given(st.lists(shown, max_size=5))
def test_a_set_meets_itself(scenes):
    found = {(m.a, m.b) for m in audit(scenes, scenes).meetings}
    assert all((s.name, s.name) in found for s in scenes if s.box or s.wrs or s.tile)


@given(st.sampled_from(sorted(NUMBERS)), st.integers(1, 65000), st.integers(1, 500))
def test_more_light_is_more(band, stored, more):
    if stored + more > 65535:
        return
    low, high = landsat_values(None).convert(band, np.array([stored, stored + more], np.uint16))
    assert low < high
