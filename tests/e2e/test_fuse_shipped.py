"""`clearscene fuse` with the quality model that comes with the package."""

import numpy as np
import pytest
import rasterio

from clearscene.fusion.quality import find_quality_model, load_quality_model
from clearscene.fusion.result import read_report
from clearscene.raster.pixels import Pixels
from clearscene.raster.stretch import Stretch
from tests.command import clearscene
from tests.fuse_scenes import TRANSFORM, UTM
from tests.scenes import write_scene
from tests.town import town

pytestmark = [
    pytest.mark.usefixtures("shipped_model"),
    pytest.mark.skipif(find_quality_model(None) is None, reason="the package is without a quality model"),
]
HEIGHT, WIDTH = 90, 110
PLAIN = Stretch("none", 0, 255, "uint8")
"""Of a model that sees reflectance it is not used."""


def ground():
    """Display values (3, row, col) of roofs and roads."""
    return 20 + 160 * town(HEIGHT, WIDTH).astype(np.float64)


def spoiled(scale=1.0, dtype=np.uint8):
    """Two images of the ground: a cloud in the upper left of one, in the lower right of the other."""
    images, masks = [], []
    rows, cols = np.mgrid[0:HEIGHT, 0:WIDTH]
    for row, col in ((25, 25), (65, 80)):
        cloud = np.clip(1.6 - np.hypot(rows - row, cols - col) / 20, 0, 1)
        image = ground() * (1 - cloud) + (235 + np.random.default_rng(row).normal(0, 2, (HEIGHT, WIDTH))) * cloud
        images.append(np.rint(np.clip(image * scale, 1, np.iinfo(dtype).max)).astype(dtype))
        masks.append(cloud > 0.9)
    return images, masks


def written(folder, images):
    return [
        write_scene(folder / f"2024-05-0{i + 1}.tif", image, crs=UTM, transform=TRANSFORM)
        for i, image in enumerate(images)
    ]


@pytest.mark.parametrize(("scale", "dtype", "words"), [(1.0, np.uint8, ()), (14.0, np.uint16, ("--scale", "0.0001"))])
def test_learned_is_the_default_and_sees_clouds(tmp_path, scale, dtype, words):
    images, masks = spoiled(scale, dtype)
    paths = written(tmp_path, images)
    bands = ("--bands", "red=1,green=2,blue=3")
    clearscene("fuse", *paths, "--out", tmp_path / "f.tif", "--device", "cpu", *bands, *words, check=0)
    report = read_report(tmp_path / "f.json")
    assert report.method == "learned"
    assert report.model.startswith("quality ")
    with rasterio.open(tmp_path / "f.tif") as dataset:
        fused = dataset.read().astype(float) / scale
    for mask in masks:
        assert np.abs(fused - ground())[:, mask].mean() < 60  # the mean of both images is 80 off


def test_one_band_falls_back_to_the_medoid_and_says_so(tmp_path):
    paths = written(tmp_path, [image[:1] for image in spoiled()[0]])
    done = clearscene("fuse", *paths, "--out", tmp_path / "f.tif", check=0)
    assert read_report(tmp_path / "f.json").method == "medoid"
    assert "reads red, green, blue" in done.stderr
    done = clearscene("fuse", *paths, "--out", tmp_path / "g.tif", "--method", "learned", check=2)
    assert "reads red, green, blue" in done.stderr


def test_numbers_of_no_known_scale_are_remarked_on(tmp_path):
    paths = written(tmp_path, spoiled(14.0, np.uint16)[0])
    done = clearscene("fuse", *paths, "--out", tmp_path / "f.tif", "--bands", "red=1,green=2,blue=3", check=0)
    assert "as if it were value * 0.0001" in done.stderr


def test_the_shipped_model_is_small_and_says_what_it_is():
    folder = find_quality_model(None)
    model = load_quality_model(folder, device="cpu")
    assert model.sees_reflectance
    assert sum(path.stat().st_size for path in folder.glob("*.onnx")) <= 3_000_000
    manifest = model.model.manifest
    assert manifest.license == "Apache-2.0"
    assert manifest.training_data
    assert "val.iou.bad" in manifest.accuracy
    assert "Known failures" in (folder / "card.md").read_text()


def test_an_image_that_ends_within_a_tile_is_judged_by_what_it_shows():
    model = load_quality_model(find_quality_model(None), device="cpu")
    data = np.random.default_rng(4).uniform(0.03, 0.2, (4, 200, 190)).astype(np.float32)
    valid = np.zeros(data.shape[1:], np.bool_)
    rows, cols = slice(70, 171), slice(40, 185)
    valid[rows, cols] = True
    found = model.logits(Pixels(np.where(valid, data, 0), valid), PLAIN, "toa")
    alone = model.logits(Pixels(data[:, rows, cols], valid[rows, cols]), PLAIN, "toa")
    np.testing.assert_array_equal(found[:, rows, cols], alone)
    assert not found[:, ~valid].any()
