"""Files on grids that are far coarser than they are."""

import warnings

import numpy as np
import pytest
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.enums import Resampling
from rasterio.windows import Window

from clearscene.fusion.placing import coarser
from clearscene.fusion.warped import Warped
from clearscene.grid import Grid

UTM = CRS.from_epsg(32633)
PLACE = Affine(10, 0, 600_000, 0, -10, 5_000_000)


@pytest.mark.parametrize("factor", [9, 23, 40])
def test_far_coarser_grids_hold_the_means_of_what_is_valid(tmp_path, factor):
    """GDAL would hold all pixels below one of its blocks; oracle: means by numpy."""
    rng = np.random.default_rng(factor)
    n_rows, n_cols = 4 * factor, 3 * factor
    data = (1000 + 40 * rng.standard_normal((2, n_rows, n_cols))).astype(np.uint16)
    data[:, :factor, :factor] = 0
    data[:, factor : 2 * factor, : factor // 2] = 0
    path = tmp_path / "a.tif"
    profile = {"driver": "GTiff", "dtype": "uint16", "count": 2, "height": n_rows, "width": n_cols}
    with rasterio.open(path, "w", **profile, nodata=0, crs=UTM, transform=PLACE) as target:
        target.write(data)
    source = Grid(n_rows, n_cols, PLACE, UTM)
    grid, _ = coarser(source, 4)
    assert (grid.height, grid.width) == (4, 3)
    warped = Warped(lambda: rasterio.open(path), source, grid, resampling=Resampling.bilinear, nodata=None, name="a")
    found = warped.read(grid.window, [1, 2])
    part = warped.read(Window(1, 2, 2, 2), [1, 2])
    warped.close()
    cells = np.where(data > 0, data, np.nan).reshape(2, 4, factor, 3, factor)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = np.nanmean(cells, axis=(2, 4))
    assert np.array_equal(found.valid, np.isfinite(expected[0]))
    np.testing.assert_allclose(found.data[:, found.valid], expected[:, found.valid], atol=12)
    np.testing.assert_array_equal(part.data, found.data[:, 2:4, 1:3])


def test_far_coarser_masks_keep_their_codes(tmp_path):
    codes = np.repeat(np.repeat(np.array([[0, 3], [2, 0]], np.uint8), 60, axis=0), 60, axis=1)
    path = tmp_path / "mask.tif"
    profile = {"driver": "GTiff", "dtype": "uint8", "count": 1, "height": 120, "width": 120}
    with rasterio.open(path, "w", **profile, nodata=255, crs=UTM, transform=PLACE) as target:
        target.write(codes, 1)
    grid, _ = coarser(Grid(120, 120, PLACE, UTM), 4)
    warped = Warped(
        lambda: rasterio.open(path),
        Grid(120, 120, PLACE, UTM),
        grid,
        resampling=Resampling.nearest,
        nodata=255,
        name="mask",
    )
    found = warped.read(grid.window, [1])
    warped.close()
    np.testing.assert_array_equal(found.data[0], [[0, 0, 3, 3], [0, 0, 3, 3], [2, 2, 0, 0], [2, 2, 0, 0]])
    assert found.valid.all()
