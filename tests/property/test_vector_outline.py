"""Outlines against the rasterizer of GDAL, which is not us."""

import numpy as np
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from rasterio.features import rasterize

from clearscene.runs import Runs
from clearscene.vector import outline
from clearscene.vector.outline import outlines, simplify

shapes = st.tuples(st.integers(1, 17), st.integers(1, 23))
masks = hnp.arrays(np.bool_, shapes, elements=st.booleans())
maps = hnp.arrays(np.uint8, shapes, elements=st.integers(0, 3))


def burned(geometries, shape):
    """Label + 1 of each pixel; geometries drawn one over the other."""
    if len(geometries) == 0:
        return np.zeros(shape, np.int32)
    return rasterize([(g, i + 1) for i, g in enumerate(geometries)], out_shape=shape, dtype=np.int32)


def labeled(runs, labels, shape):
    result = np.zeros(shape, np.int32)
    for row, start, stop, label in zip(runs.rows, runs.starts, runs.stops, labels, strict=True):
        result[row, start:stop] = label + 1
    return result


def runs_of_classes(classes):
    """All pixels as runs that touch, and the class of each run."""
    parts = [Runs.from_mask(classes == value) for value in np.unique(classes)]
    fields = [np.concatenate([getattr(p, f) for p in parts]) for f in ("rows", "starts", "stops", "weights")]
    labels = np.repeat(np.arange(len(parts)), [len(p) for p in parts])
    order = np.lexsort((fields[1], fields[0]))
    return Runs(*(field[order] for field in fields)), labels[order]


def assert_laws(runs, labels, shape):
    geometries = outlines(runs, labels)
    assert shapely.is_valid(geometries).all()
    assert np.array_equal(shapely.area(geometries), np.bincount(labels, runs.lengths))
    assert np.array_equal(burned(geometries, shape), labeled(runs, labels, shape))
    shells = shapely.get_exterior_ring(shapely.get_parts(geometries))
    assert shapely.is_ccw(shells).all()
    return geometries


@settings(max_examples=300)
@given(masks, st.sampled_from([0, 1, 3]))
def test_outline_is_the_mask(mask, reach):
    runs = Runs.from_mask(mask)
    assert_laws(runs, runs.label(reach=reach), mask.shape)


@given(maps)
def test_touching_labels_share_their_border(classes):
    runs, labels = runs_of_classes(classes)
    geometries = assert_laws(runs, labels, classes.shape)
    assert shapely.union_all(geometries).equals(shapely.box(0, 0, classes.shape[1], classes.shape[0]))


@given(maps, st.integers(1, 5))
def test_batches_change_nothing(classes, size):
    runs, labels = runs_of_classes(classes)
    whole = outlines(runs, labels)
    before, outline.BATCH = outline.BATCH, size
    try:
        assert shapely.equals_exact(shapely.normalize(outlines(runs, labels)), shapely.normalize(whole)).all()
    finally:
        outline.BATCH = before


@given(maps, st.floats(0.5, 4))
def test_simplify_opens_no_gap(classes, tolerance):
    runs, labels = runs_of_classes(np.kron(classes, np.ones((3, 2), np.uint8)))
    simple = simplify(outlines(runs, labels), tolerance)
    assert shapely.coverage_is_valid(simple)
    assert abs(shapely.area(simple).sum() - shapely.union_all(simple).area) < 1e-9
