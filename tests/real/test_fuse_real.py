"""Real dates: a year of Sentinel-2 over one place, clear dates held out as reference."""

from pathlib import Path

import numpy as np
import pytest
import rasterio

from clearscene import FuseOptions, fuse

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "dev" / "fusion_s2_30dates"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not FOLDER.exists(), reason="the real imagery is not beside this checkout"),
]
SEASON = ("2018-06-25", "2018-07-05", "2018-07-20", "2018-07-30", "2018-08-09", "2018-08-24", "2018-09-03")
BANDS = ("blue", "green", "red", "nir")


def stack_of(days):
    with_bands = []
    for day in days:
        with rasterio.open(FOLDER / f"{day}.tif") as dataset:
            with_bands.append(dataset.read([dataset.descriptions.index(band) + 1 for band in BANDS]))
    return np.stack(with_bands).astype(float)


@pytest.mark.parametrize("method", ["median", "medoid", "geomedian"])
def test_a_summer_becomes_one_clear_image(tmp_path, method):
    paths = [FOLDER / f"{day}.tif" for day in SEASON]
    report = fuse(paths, tmp_path / "f.tif", options=FuseOptions(method=method, use=BANDS, workers=1))
    stack = stack_of(SEASON)
    with rasterio.open(tmp_path / "f.tif") as dataset:
        fused = dataset.read().astype(float)
        assert dataset.descriptions == BANDS
        assert dataset.dtypes == ("uint16",) * 4
    assert report.filled_percent == 100
    assert (fused >= stack.min(axis=0)).all()
    assert (fused <= stack.max(axis=0)).all()
    if method == "median":
        np.testing.assert_allclose(fused, np.median(stack, axis=0), atol=0.51)
    errors = np.abs(fused - np.median(stack, axis=0)).mean(axis=(0, 1, 2))
    assert errors < np.abs(stack - np.median(stack, axis=0)).mean()
