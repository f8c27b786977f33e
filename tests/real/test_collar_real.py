"""The collar of real scenes.

The shares are what this code found when pictures with the collar tinted were looked at and judged
complete: they guard against change. The count of exact white left over does not come from the code.
"""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from rasterio.windows import Window

from clearscene.raster.collar import Collar, CollarScan, tolerance_of

SCENES = Path(__file__).parents[2].parent / "shared" / "data" / "scenes"

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not SCENES.is_dir(), reason=f"no real scenes at {SCENES}"),
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
]

WHITE = {
    "592_5454": 0.6644,
    "594_5450": 0.4907,
    "594_5452": 0.4907,
    "594_5454": 0.8279,
    "W4441A": 0.2324,
    "dk_all": 0.1448,
}
"""Share of the scene by a piece of its name."""


def scan(path: Path) -> tuple[Collar, np.ndarray, np.ndarray]:
    with rasterio.open(path) as scene:
        data = scene.read(list(range(1, min(3, scene.count) + 1)))
        valid = scene.dataset_mask() > 0
        is_lossy = "jpeg" in str(scene.compression).lower()
    white = float(np.iinfo(data.dtype).max)
    tolerance = tolerance_of(white=white, is_lossy=is_lossy, is_8bit=data.dtype == np.uint8)
    height, width = valid.shape
    scanner = CollarScan(height, width, white=white, tolerance=tolerance)
    for row in range(0, height, 500):
        scanner.add(row, data[:, row : row + 500], valid[row : row + 500])
    return scanner.finish(), data, valid


@pytest.mark.parametrize("piece", list(WHITE))
def test_white_collars_are_complete(piece: str) -> None:
    (path,) = (SCENES / "collars_and_seams").glob(f"*2012_30cm_{piece}*" if piece[0] == "5" else f"*{piece}*")
    collar, data, _ = scan(path)
    assert [part.color for part in collar.parts] == ["white"]
    assert collar.area / (collar.height * collar.width) == pytest.approx(WHITE[piece], abs=0.002)
    left_over = (data == 255).all(axis=0) & ~collar.mask(Window(0, 0, collar.width, collar.height))
    assert left_over.mean() < 0.0005


def without_collar() -> list[Path]:
    """Every scene that has none beyond what its metadata declare: surf, dark forest, saturated cloud, snow."""
    paths = sorted(p for p in SCENES.rglob("*.tif"))
    return [p for p in paths if not any(piece in p.name for piece in (*WHITE, "cog_gcps"))]


def test_a_black_strip_along_a_whole_side_is_collar() -> None:
    collar, _, _ = scan(SCENES / "odd" / "cog_gcps.tif")
    assert [part.sides for part in collar.parts] == [("right",)]
    assert collar.area == pytest.approx(837 * 25.5, rel=0.03)


@pytest.mark.parametrize("path", without_collar(), ids=lambda p: p.name[:30])
def test_no_false_collar(path: Path) -> None:
    collar, _, _ = scan(path)
    assert collar.is_empty


@pytest.mark.parametrize("name", ["s2", "s3", "sl"])
def test_gaps_of_a_broken_scan_line_corrector_are_no_collar(name: str) -> None:
    collar, _, _ = scan(SCENES.parent / "dev" / "landsat7_slcoff" / f"{name}.png")
    assert collar.is_empty
