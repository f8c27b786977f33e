"""Chips for cloud masks: recipes, pieces of images, and what keeps training apart from tests."""

import numpy as np
import pytest

from clearscene.errors import DatasetError, OptionError
from clearscene.synth.chip_set import ChipSet
from clearscene.synth.mask_chips import MaskChipMaker
from clearscene.synth.mask_recipe import is_for_masks, load_mask_recipe
from clearscene.synth.overlap import check_apart, footprint
from clearscene.synth.reflectance import read_piece
from tests.reflectance_images import RECIPE, ground, make_mask_chips, write_image, write_sources


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = write_sources(tmp_path_factory.mktemp("sources"))
    (place / "recipe.toml").write_text(RECIPE.format(n=4, more=""))
    return place


@pytest.fixture(scope="module")
def maker(folder):
    return MaskChipMaker(load_mask_recipe(folder / "recipe.toml", {}))


def test_a_recipe_says_what_it_is_for(folder, tmp_path):
    assert is_for_masks(folder / "recipe.toml")
    (tmp_path / "other.toml").write_text("n = 3\n[[sources]]\nfolder = 'a'\n")
    assert not is_for_masks(tmp_path / "other.toml")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("zoom = [3.0, 1.0]", "zoom"),
        ("val = 1.0", "nothing to train"),
        ("types = 3", "types"),
        ("shadows_alone = 0.4", "more than shadows"),
    ],
)
def test_what_cannot_be_is_refused(line, words, tmp_path):
    text = RECIPE.format(n=4, more="").replace("val = 0.4\n", "" if line.startswith("val") else "val = 0.4\n")
    (tmp_path / "recipe.toml").write_text(text.replace("labeled = 0.3", f"labeled = 0.3\n{line}"))
    with pytest.raises(OptionError, match=words):
        load_mask_recipe(tmp_path / "recipe.toml", {})


def test_a_source_without_red_is_refused(tmp_path):
    (tmp_path / "recipe.toml").write_text(RECIPE.format(n=1, more="").replace('"red", ', ""))
    with pytest.raises(OptionError, match="lacks red"):
        load_mask_recipe(tmp_path / "recipe.toml", {})


def test_a_chip_is_a_function_of_its_number(maker):
    chips = [maker.make(number) for number in (0, 1, 2, 1)]
    np.testing.assert_array_equal(chips[1].image, chips[3].image)
    np.testing.assert_array_equal(chips[1].mask, chips[3].mask)
    for chip in chips:
        assert chip.image.shape == (4, 64, 64)
        assert chip.image.dtype == np.uint16
        assert set(np.unique(chip.mask)) <= {0, 1, 2, 3, 4, 255}
        assert bool(chip.image[3].any()) == chip.record.parameters["nir"]


def test_a_recipe_can_ask_for_shadows_without_their_clouds(folder):
    changes = {"labeled": 0.0, "clean": 0.0, "lookalikes": 0.0, "shadows": 0.6, "shadows_alone": 0.6}
    maker = MaskChipMaker(load_mask_recipe(folder / "recipe.toml", changes))
    chips = [maker.make(number) for number in range(12)]
    alone = [chip for chip in chips if chip.record.parameters["cover"] == ["shadow.cloud_shadow"]]
    assert 3 <= len(alone) < 12
    for chip in alone:
        assert set(np.unique(chip.mask)) <= {0, 3, 255}
        assert chip.record.labels == ("shadow",)


def test_bands_come_in_the_order_of_the_network(maker):
    scenery = maker.grounds[0]
    piece = read_piece(scenery, [scenery], size=64, zoom=1.0, rng=np.random.default_rng(1))
    wanted = ground(int(scenery.source.path.stem[-1])).mean(axis=(1, 2))
    np.testing.assert_allclose(piece.data.mean(axis=(1, 2)), wanted, rtol=0.25)
    assert piece.data[3].mean() > 2 * piece.data[2].mean()


@pytest.mark.parametrize("zoom", [0.5, 1.0, 2.7])
def test_pieces_have_the_wanted_size_at_any_zoom(maker, zoom):
    scenery = maker.labeled[0]
    piece = read_piece(scenery, maker.labeled, size=64, zoom=zoom, rng=np.random.default_rng(2))
    assert piece.data.shape == (4, 64, 64)
    assert piece.valid.shape == piece.labels.shape == (64, 64)
    assert set(np.unique(piece.labels)) <= {0, 1, 2, 255}


def test_a_set_keeps_four_bands_of_16_bits(tmp_path):
    chips = ChipSet.open(make_mask_chips(tmp_path / "set", 4))
    assert chips.product == "mask"
    stored = chips.reflectance(chips.records()[1])
    wanted = np.rint(ground(1, 64, 64) * 10_000)
    np.testing.assert_array_equal(stored[2:4], wanted[:, 2:4].transpose(1, 2, 0))
    with pytest.raises(DatasetError, match="8 bits"):
        chips.image(chips.records()[1])


def test_images_of_the_same_ground_are_refused(tmp_path):
    test = write_image(tmp_path / "test/a.tif", ground(1), west=500_000)
    near = write_image(tmp_path / "train/near.tif", ground(2), west=500_900)
    apart = write_image(tmp_path / "train/apart.tif", ground(3), west=502_000)
    check_apart([apart], [tmp_path / "test"])
    check_apart([near], [])
    with pytest.raises(DatasetError, match=r"near\.tif shows ground of .*a\.tif"):
        check_apart([apart, near], [tmp_path / "test"])
    assert footprint(test) is not None


def test_the_same_file_is_refused_without_a_place(tmp_path):
    test = write_image(tmp_path / "test/a.tif", ground(1))
    copy = tmp_path / "train.tif"
    copy.write_bytes(test.read_bytes())
    other = write_image(tmp_path / "other.tif", ground(2))
    check_apart([other], [tmp_path / "test"])
    with pytest.raises(DatasetError, match="is the same file as"):
        check_apart([copy], [tmp_path / "test"])
    with pytest.raises(DatasetError, match="not a folder"):
        check_apart([copy], [tmp_path / "nowhere"])
