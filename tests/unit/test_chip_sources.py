"""Ground for chips: what is valid, what is kept in memory, and what may be drawn."""

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine

from clearscene.errors import DatasetError, OptionError, OutputError
from clearscene.synth import sources
from clearscene.synth.catalog import GENERATORS, ORDER, generators_of
from clearscene.synth.chip_making import open_set
from clearscene.synth.chips import ChipMaker
from clearscene.synth.mosaic import reduced_ground
from clearscene.synth.real_clouds import RealClouds
from clearscene.synth.recipe import ChipsRecipe, SourceSpec
from clearscene.synth.sheet import write_sheet
from clearscene.synth.sources import Source, find_sources, read_ground

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


def image(path, height=150, width=190, *, lost=0, seed=1, dtype="uint8"):
    """An image of which every band and pixel differs, without data (0) in its first `lost` columns."""
    data = np.random.default_rng(seed).integers(1, 250, (3, height, width)).astype(dtype)
    data[:, :, :lost] = 0
    meta = {"height": height, "width": width, "count": 3, "dtype": dtype, "nodata": 0, "photometric": "RGB"}
    with rasterio.open(path, "w", "GTiff", transform=Affine(0.5, 0, 5, 0, -0.5, 9), **meta) as raster:
        raster.write(data)
    return Source(path, "a/b", "train", 1.0)


def test_windows_of_a_large_image_are_those_of_the_whole(tmp_path, monkeypatch):
    source = image(tmp_path / "a.tif", lost=12)
    kept = read_ground(source, size=64, rng=np.random.default_rng(3))
    monkeypatch.setattr(sources, "KEPT", 0)
    monkeypatch.setattr(sources, "_read_whole", None)  # not to be called
    read = read_ground(source, size=64, rng=np.random.default_rng(3))
    assert np.array_equal(read.data, kept.data)
    assert np.array_equal(read.valid, kept.valid)


def test_a_window_without_data_is_drawn_again(tmp_path):
    source = image(tmp_path / "a.tif", 80, 200, lost=70)
    shares = [read_ground(source, size=64, rng=np.random.default_rng(k)).valid.mean() for k in range(30)]
    assert min(shares) >= 0.5


def test_reduced_ground_keeps_what_is_not_valid(tmp_path):
    small = image(tmp_path / "small.tif", lost=80)
    ground = reduced_ground(small, [small], size=64, rng=np.random.default_rng(1))
    assert 0 < ground.valid.mean() < 1
    large = image(tmp_path / "large.tif", 256, 256, lost=30)
    ground = reduced_ground(large, [large], size=64, rng=np.random.default_rng(1))
    assert np.array_equal(ground.valid, np.broadcast_to(np.arange(64) * 4 >= 30, (64, 64)))


def test_labels_below_the_folder_are_no_images(tmp_path):
    (tmp_path / "masks").mkdir()
    image(tmp_path / "a.tif")
    cv2.imwrite(str(tmp_path / "masks" / "a.png"), np.zeros((150, 190), np.uint8))
    recipe = ChipsRecipe(sources=(SourceSpec(folder=tmp_path, labels=tmp_path / "masks"),))
    assert [s.path.name for s in find_sources(recipe)] == ["a.tif"]


def labeled(tmp_path, **source):
    """A recipe with clean ground, and with a labeled image with a cloud and a strip without data."""
    for name in ("clean", "cloudy", "masks"):
        (tmp_path / name).mkdir()
    image(tmp_path / "clean" / "c.tif")
    image(tmp_path / "cloudy" / "a.tif", 64, 64, lost=9, seed=2)
    mask = np.zeros((64, 64), np.uint8)
    mask[20:50, 20:50], mask[:, :5] = 1, 2
    cv2.imwrite(str(tmp_path / "masks" / "a.png"), mask)
    cloudy = SourceSpec(folder=tmp_path / "cloudy", labels=tmp_path / "masks", **source)
    return ChipsRecipe(sources=(SourceSpec(folder=tmp_path / "clean"), cloudy), size=64, labeled=1.0)


def test_labeled_images_of_weight_0_are_no_chips(tmp_path):
    maker = ChipMaker(labeled(tmp_path, weight=0.0))
    assert {maker.make(k).record.source for k in range(4)} == {"clean/c"}
    with pytest.raises(DatasetError, match="No source holds clean ground"):
        ChipMaker(ChipsRecipe(sources=(SourceSpec(folder=tmp_path / "clean", weight=0.0),)))


def test_labels_where_nothing_is_valid_are_not_named(tmp_path):
    chip = ChipMaker(labeled(tmp_path)).make(0)
    assert chip.record.labels == ("cloud",)  # all of the shadow lies where there are no data


def test_real_clouds_over_any_number_of_bands(tmp_path):
    maker = ChipMaker(labeled(tmp_path, split="train"))
    clouds = RealClouds(maker.labeled, "train")
    for n_bands in (1, 3, 4):
        data = np.random.default_rng(n_bands).random((n_bands, 70, 90), dtype=np.float32) * 0.3
        result = clouds.paste(data, np.ones((70, 90), np.bool_), np.random.default_rng(1), 0.8)
        assert result.data.shape == data.shape
        assert result.mask.any()


def test_a_generator_that_there_is_not():
    with pytest.raises(OptionError, match=r"names cloud\.hase"):
        generators_of({"cloud.hase": 0.0})
    assert "cloud" in generators_of({"cloud.haze": 0.0, "cloud.real": 2.0})


def test_a_set_whose_recipe_is_lost_is_not_gone_on_with(tmp_path):
    recipe = ChipsRecipe(sources=(SourceSpec(folder=tmp_path),))
    out = tmp_path / "set"
    open_set(out, recipe)
    open_set(out, recipe.model_copy(update={"n": 9}))
    (out / "dataset.json").write_text("{", encoding="utf-8")
    with pytest.raises(DatasetError, match=r"dataset\.json is not JSON"):
        open_set(out, recipe)
    (out / "dataset.json").unlink()
    (out / "chips.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(DatasetError, match="another recipe"):
        open_set(out, recipe)
    open_set(out, recipe, overwrite=True)


def test_a_sheet_that_cannot_be_written(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match=r"s\.png cannot be written"):
        write_sheet(np.zeros((4, 5, 3), np.uint8), tmp_path / "file" / "s.png")


def test_real_clouds_alone_are_clouds_enough(tmp_path):
    """Only the split that has real clouds can make some."""
    recipe = labeled(tmp_path, split="train").model_copy(
        update={
            "generators": {entry.name: 0.0 for entry in GENERATORS if entry.type == "cloud"},
            "types": {name: 0.0 for name in ORDER if name not in ("cloud", "missing")},
            "labeled": 0.0,
            "clean": 0.0,
        }
    )
    clean = recipe.sources[0].model_copy(update={"split": "train"})
    maker = ChipMaker(recipe.model_copy(update={"sources": (clean, recipe.sources[1])}))
    made = [maker.make(k).record for k in range(6)]
    assert any("cloud.real" in record.parameters for record in made)
    clean = clean.model_copy(update={"split": "val"})
    maker = ChipMaker(recipe.model_copy(update={"sources": (clean, recipe.sources[1])}))
    assert {label for k in range(4) for label in maker.make(k).record.labels} == {"missing"}
