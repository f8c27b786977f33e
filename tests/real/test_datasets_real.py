"""The loader of folders on real images, as `recipes/datasets` describes them."""

from pathlib import Path

import numpy as np
import pytest
from rasterio.windows import Window

from clearscene.datasets.prepare import PrepareOptions, prepare
from clearscene.datasets.reader import DatasetReader
from clearscene.datasets.splitting import Shares

RECIPES = Path(__file__).parents[2] / "recipes" / "datasets"
DATA = Path(__file__).parents[2].parent / "shared" / "data"
SETS = {
    "s2-oncloudn": ("dev/s2_oncloudn", 2),
    "hrc-whu-crops": ("dev/clouds_rgb", 4),
    "gf12-crops": ("dev/clouds_rgb", 8),
    "cloudsen12-crops": ("dev/clouds_rgb", 8),
    "sky-photos": ("dev/sky", 50),
    "oam-buildings": ("ship/oam_buildings", 1197),
    "oam-buildings-judged": ("ship/oam_buildings", 16),
}

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not DATA.is_dir(), reason="the real images are not beside the checkout"),
]


@pytest.mark.parametrize("name", SETS)
def test_everything_is_there_and_reads(name):
    folder, n = SETS[name]
    reader = DatasetReader.open(str(RECIPES / f"{name}.toml"), DATA / folder)
    assert (len(reader.entries), reader.missing) == (n, ())
    for entry in (reader.entries[0], reader.entries[-1]):
        scene = reader.scene(entry)
        height, width = scene.mask.shape
        data, mask = scene.read(Window(0, 0, width, height))
        assert 0.02 < data.mean() < 1
        assert set(np.unique(mask)) <= {*range(len(reader.spec.classes)), 255}


def test_on_cloud_n_as_chips(tmp_path):
    reader = DatasetReader.open(str(RECIPES / "s2-oncloudn.toml"), DATA / "dev" / "s2_oncloudn")
    chips = prepare(reader, tmp_path / "out", PrepareOptions(overlap=0, shares=Shares(0, 0, 100)))
    assert len(chips) == 2 * 4
    n_cloud = sum(int((chips.mask(r) == 1).sum()) for r in chips.records())
    assert n_cloud == 247285  # as counted in the two label files
    assert chips.records()[0].footprint is not None
