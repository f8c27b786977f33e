"""Findings add up to the mask they come from."""

import numpy as np
import pytest
import shapely
from affine import Affine
from hypothesis import given
from hypothesis import strategies as st
from rasterio.crs import CRS
from scipy import ndimage

from clearscene.grid import Grid
from clearscene.inspection.charging import Rest
from clearscene.inspection.clean import Cleaning, clean
from clearscene.inspection.findings import list_findings
from clearscene.inspection.taxonomy import BY_ID
from clearscene.runs import Runs

UTM = Affine(0.5, 0, 500_000, 0, -0.25, 2_960_000)


def regions_of(masks, grid, reach=1):
    inside = Runs.from_mask(np.ones((grid.height, grid.width), bool))
    return {t: clean(Runs.from_mask(m), Cleaning(reach=reach), inside=inside, grid=grid) for t, m in masks.items()}


@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_areas_outlines_and_numbers(seed, max_drawn):
    rng = np.random.default_rng(seed)
    grid = Grid(19, 23, UTM, CRS.from_epsg(32648))
    masks = {t: rng.random((19, 23)) < 0.15 for t in (1, 8, 10)}
    drawn, rest = list_findings(
        regions_of(masks, grid), {1: "m", 8: "m", 10: "missing"}, grid=grid, inspected=400, max_drawn=max_drawn
    )
    assert [d.finding.id for d in drawn] == list(range(1, len(drawn) + 1))
    for type_id, mask in masks.items():
        own = [d for d in drawn if d.finding.type_id == type_id]
        left = rest.get(BY_ID[type_id].name, Rest(0, 0))
        assert sum(d.finding.area_px for d in own) + left.area_px == mask.sum()
        assert len(own) + left.n == ndimage.label(mask, np.ones((3, 3)))[1]
        assert len(own) <= max_drawn
        for d in own:
            assert d.finding.area_m2 == pytest.approx(d.finding.area_px * 0.125, rel=2e-3)
            assert d.geometry.area == d.finding.area_px
            assert tuple(map(int, shapely.bounds(d.geometry))) == d.finding.bounds_px
        boundary = type_id == 8
        assert all((d.finding.length_m is not None) == boundary for d in own)
        assert all((d.finding.area_fraction == 0) == boundary for d in own)


def test_pixels_three_apart_are_one_finding_of_several_parts():
    mask = np.zeros((10, 20), bool)
    mask[5, [2, 5, 8, 14]] = True
    grid = Grid(10, 20)
    drawn, rest = list_findings(
        regions_of({10: mask}, grid, reach=3), {10: "missing"}, grid=grid, inspected=200, max_drawn=9
    )
    assert rest == {}
    assert [(d.finding.area_px, d.finding.n_parts) for d in drawn] == [(3, 3), (1, 1)]
    assert drawn[0].geometry.geom_type == "MultiPolygon"
    assert drawn[0].finding.area_m2 is None
