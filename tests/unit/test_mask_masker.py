from xml.etree import ElementTree

import numpy as np
import pytest

from clearscene.errors import BandError, ModelError, OptionError
from clearscene.grid import slices
from clearscene.masking.classes import NODATA, legend
from clearscene.masking.combine import Doubled, Ensemble, Halved, Wide
from clearscene.masking.engine import known_classes, mask_pieces, plan_for
from clearscene.masking.fitting import check_source, fitted, source_notes
from clearscene.masking.masker import ModelMasker, Origin, Traits, select_bands
from clearscene.masking.options import LEAST_MEMORY_MB, MaskOptions
from clearscene.masking.peers.s2cloudless import shifted
from clearscene.masking.quality import MAP_CATEGORIES, MAP_COLORS, summarize, write_agreement_style
from clearscene.masking.source import array_source
from clearscene.models.model import Model, enlarge, softmax
from tests.mask_models import RGBN, cloudy, level_folder


def load(folder, **words):
    return ModelMasker(Model.load(level_folder(folder, **words), device="cpu"))


def planes(data):
    return dict(zip(RGBN, data, strict=True))


class Fake:
    """A masker that answers what it was made with."""

    looks = ()

    def __init__(self, answer, **words):
        self.answer = np.asarray(answer, np.float32)
        given = {"origins": (Origin("fake", "1"),), "bands": ("red",), "tile_size": 8, "network_size": 8}
        self.traits = Traits(**{**given, **words})

    def probabilities(self, planes, valid, *, kind):
        self.seen = planes, valid
        return np.broadcast_to(self.answer[:, None, None], (4, *valid.shape))


def test_a_coarse_answer_is_the_softmax_of_its_logits_brought_to_size(tmp_path):
    data, _ = cloudy(32, 32)
    coarse, fine = load(tmp_path / "coarse", coarse=4), load(tmp_path / "fine")
    valid = np.ones((32, 32), bool)
    logits = fine.model.answer(data[None])
    pooled = logits.reshape(4, 8, 4, 8, 4).mean(axis=(2, 4))
    found = coarse.probabilities(planes(data), valid, kind="toa")
    np.testing.assert_allclose(found, softmax(enlarge(pooled, 32)), atol=1e-4)


def test_a_class_that_the_model_lacks_has_no_probability(tmp_path):
    found = load(tmp_path / "three", ids=(0, 1, 3)).probabilities(
        planes(cloudy(20, 31)[0]), np.ones((20, 31), bool), kind="toa"
    )
    assert (found[2] == 0).all()
    np.testing.assert_allclose(found.sum(axis=0), 1, atol=1e-5)


def test_nir_is_optional_only_for_the_models_that_can(tmp_path):
    fixed, bright = load(tmp_path / "fixed"), load(tmp_path / "bright", normalization="bright_level")
    assert select_bands(bright.traits, RGBN[:3], "x") == RGBN[:3]
    with pytest.raises(BandError, match="x lacks nir"):
        select_bands(fixed.traits, RGBN[:3], "x")


def test_bright_level_is_of_four_bands(tmp_path):
    with pytest.raises(ModelError, match="bright_level"):
        load(tmp_path / "m", normalization="bright_level", bands=("red", "green", "blue"))


@pytest.mark.parametrize("kind", ["toa", "surface", "display"])
def test_the_wide_look_adds_no_cloud_over_open_water_unless_values_are_for_display(kind):
    names = ("green", "nir")
    clear, cloud = (Fake(answer, bands=names) for answer in ([0.9, 0.05, 0.05, 0], [0.1, 0.8, 0.1, 0]))
    data = np.full((2, 24, 40), 0.2, np.float32)
    data[1, :, :20] = 0.05  # water is dark in near infrared
    source, masker = array_source(data, names, kind=kind), Wide(clear, cloud, 2)
    found = np.full((24, 40), 9, np.uint8)
    for piece in mask_pieces(source, masker, classes=3, plan=plan_for(source, masker, MaskOptions(workers=1))):
        found[slices(piece.window)] = piece.class_map
    assert (found[:, 22:] == 1).all()
    assert (found[:, :18] == (1 if kind == "display" else 0)).all()


def test_an_ensemble_averages():
    one, two = Fake([1, 0, 0, 0]), Fake([0, 0.5, 0, 0.5], bands=("red", "nir"), optional=frozenset(("nir",)))
    both = Ensemble((one, two))
    assert both.traits.bands == ("red", "nir")
    assert both.traits.optional == {"nir"}
    found = both.probabilities({"red": np.zeros((2, 3))}, np.ones((2, 3), bool), kind="toa")
    assert found[:, 0, 0].tolist() == [0.5, 0.25, 0, 0.25]


def test_an_ensemble_needs_one_tile_size():
    with pytest.raises(OptionError, match="8 and 16 px"):
        Ensemble((Fake([1, 0, 0, 0]), Fake([1, 0, 0, 0], tile_size=16)))


def test_half_size_is_the_mean_of_valid_pixels():
    inner = Fake([0.25, 0.25, 0.25, 0.25])
    half = Halved(inner)
    assert (half.traits.tile_size, half.traits.network_size) == (16, 8)
    red = np.array([[1, 3, 5], [5, 7, 9], [2, 4, 6]], np.float32)
    valid = np.array([[1, 1, 1], [1, 0, 1], [1, 1, 0]], bool)
    half.probabilities({"red": red}, valid, kind="toa")
    seen, usable = inner.seen
    assert seen["red"].tolist() == [[3, 7], [3, 0]]
    assert usable.tolist() == [[True, True], [True, False]]


def test_twice_the_size_is_made_of_valid_pixels_alone():
    inner = Fake([0.4, 0.3, 0.2, 0.1])
    double = Doubled(inner)
    assert (double.traits.tile_size, double.traits.network_size) == (4, 8)
    red = np.full((3, 4), 0.3, np.float32)
    valid = np.ones((3, 4), bool)
    valid[1:, 2:] = False
    red[~valid] = 9.0
    found = double.probabilities({"red": red}, valid, kind="toa")
    seen, usable = inner.seen
    assert seen["red"].shape == (6, 8)
    np.testing.assert_allclose(seen["red"][usable], 0.3, rtol=1e-5)
    assert np.array_equal(usable[::2, ::2], valid)
    assert np.array_equal(usable[1::2, 1::2], valid)
    np.testing.assert_allclose(
        found, np.broadcast_to(np.reshape([0.4, 0.3, 0.2, 0.1], (4, 1, 1)), (4, 3, 4)), rtol=1e-6
    )


def test_how_many_classes_there_are():
    assert known_classes(Fake([1, 0, 0, 0]), 4) == 4
    assert known_classes(Fake([1, 0, 0, 0], classes=frozenset((0, 1, 3))), 4) == 3
    assert known_classes(Fake([1, 0, 0, 0], classes=frozenset((0, 1))), 3) == 2
    assert known_classes(Fake([1, 0, 0, 0]), 2) == 2


def test_display_color_is_refused_by_a_masker_of_reflectance():
    source = array_source(np.zeros((1, 3, 4), np.uint8), ("red",))
    with pytest.raises(OptionError, match="display color"):
        check_source(source, Fake([1, 0, 0, 0], kinds=frozenset(("toa",))))


def test_notes_about_pixels_and_bands():
    masker = Fake([1, 0, 0, 0], pixel_range_m=(10.0, 60.0), bands=("red", "nir"), optional=frozenset(("nir",)))
    notes = source_notes(masker, MaskOptions(classes=4), bands=("red",), pixel=(0.5, 0.5))
    assert "no nir" in notes[0]
    assert "--resolution 10" in notes[1]
    assert source_notes(masker, MaskOptions(classes=4), bands=("red", "nir"), pixel=(10.0, 10.0)) == []
    twice = Doubled(masker)
    assert source_notes(twice, MaskOptions(classes=4, fine=True), bands=("red", "nir"), pixel=(30.0, 30.0)) == []
    (note,) = source_notes(twice, MaskOptions(classes=4), bands=("red", "nir"), pixel=(30.0, 30.0))
    assert "--no-fine" in note


@pytest.mark.parametrize(
    ("options", "bands", "pixel", "is_doubled", "factor"),
    [
        (MaskOptions(), ("red", "nir"), (30.0, 30.0), True, 1),
        (MaskOptions(), ("red", "nir"), (20.0, 20.0), False, 2),
        (MaskOptions(), ("red",), (10.0, 10.0), False, 4),
        (MaskOptions(), ("red",), (8.0, 8.0), False, 5),
        (MaskOptions(), ("red",), (7.0, 7.0), False, 1),
        (MaskOptions(), ("red", "nir"), (24.6, 29.9), True, 1),  # 30 m at 35 degrees north, in degrees
        (MaskOptions(), ("red", "nir"), None, False, 1),
        (MaskOptions(), ("red",), (30.0, 30.0), False, 1),
        (MaskOptions(fine=False), ("red", "nir"), (30.0, 30.0), False, 1),
        (MaskOptions(wide=True), ("red", "nir"), (30.0, 30.0), True, 2),
        (MaskOptions(wide=True), ("red", "nir"), (0.5, 0.5), False, 16),
        (MaskOptions(wide=True), ("red", "nir"), None, False, 4),
        (MaskOptions(wide=False), ("red", "nir"), (10.0, 10.0), False, 1),
        (MaskOptions(fast=True), ("red", "nir"), (30.0, 30.0), False, 1),
        (MaskOptions(fast=True), ("red", "nir"), (10.0, 10.0), False, 1),
    ],
)
def test_how_pixels_of_a_size_are_looked_at(options, bands, pixel, is_doubled, factor):
    masker = Fake([1, 0, 0, 0], bands=("red", "nir"), optional=frozenset(("nir",)), has_further_looks=True)
    found = fitted(masker, options, bands=bands, pixel=pixel)
    if factor > 1:
        assert (found.factor, found.far) == (factor, masker)
        found = found.near
    assert isinstance(found, Doubled) == is_doubled
    assert found is masker or found.inner is masker


@pytest.mark.parametrize("meters", [30.0, 10.0])
def test_what_a_model_is_decides_how_it_looks_and_not_its_name(tmp_path, meters):
    bright, fixed = load(tmp_path / "bright", normalization="bright_level"), load(tmp_path / "fixed")
    options = MaskOptions(models=("mine",))
    for masker, has_looks in (
        (bright, True),
        (fixed, False),
        (Ensemble((bright, bright)), True),
        (Ensemble((bright, fixed)), False),
    ):
        found = fitted(masker, options, bands=RGBN, pixel=(meters, meters))
        assert isinstance(found, Doubled if meters == 30 else Wide) == has_looks


def test_a_class_is_averaged_over_the_members_that_know_it():
    every = Fake([0.1, 0.1, 0.2, 0.6])
    two = Fake([0.9, 0.1, 0, 0], classes=frozenset((0, 1)), thresholds=(0.0, 0.4, 0.0, 0.0))
    both = Ensemble((every, two))
    found = both.probabilities({}, np.ones((2, 3), bool), kind="toa")
    expected = np.array([0.5, 0.1, 0.2, 0.6]) / 1.4  # clear and thick of both, thin and shadow of the first
    np.testing.assert_allclose(found[:, 1, 1], expected, rtol=1e-6)
    assert both.traits.classes == {0, 1, 2, 3}
    assert both.traits.thresholds == (0.0, 0.2, 0.0, 0.0)


def test_shadow_stays_where_one_member_does_not_know_it():
    sure, blind = Fake([0.0, 0.0, 0.0, 1.0]), Fake([0.8, 0.2, 0, 0], classes=frozenset((0, 1)))
    found = Ensemble((sure, blind)).probabilities({}, np.ones((1, 1), bool), kind="toa")
    assert found[:, 0, 0].argmax() == 3


def test_notes_are_said_of_one_and_of_several():
    one = Fake([1, 0, 0, 0], classes=frozenset((0, 1)))
    other = Fake([1, 0, 0, 0], classes=frozenset((0, 1)), origins=(Origin("other", "1"),))
    words = {"bands": ("red",), "pixel": (10.0, 10.0)}
    assert source_notes(one, MaskOptions(), **words) == ["fake knows 2 classes, not 3; the mask has as many."]
    (note,) = source_notes(Ensemble((one, other)), MaskOptions(), **words)
    assert note.startswith("fake and other know 2")


@pytest.mark.parametrize(("n_pixels", "is_small"), [(95 * 96, True), (96 * 96, False), (None, False)])
def test_small_scenes_are_uncertain(n_pixels, is_small):
    notes = source_notes(Fake([1, 0, 0, 0]), MaskOptions(), bands=("red",), pixel=(10.0, 10.0), n_pixels=n_pixels)
    assert any("uncertain" in note for note in notes) == is_small


def test_that_nobody_knows_the_size_of_pixels_is_told_of_models_that_ask():
    asks, does_not = Fake([1, 0, 0, 0], has_further_looks=True), Fake([1, 0, 0, 0])
    for masker, options, n_notes in (
        (asks, MaskOptions(), 1),
        (asks, MaskOptions(wide=False), 0),
        (asks, MaskOptions(fast=True), 0),
        (does_not, MaskOptions(), 0),
    ):
        assert len(source_notes(masker, options, bands=("red",), pixel=None)) == n_notes


@pytest.mark.parametrize("side", [1, 100, 512])
def test_the_least_memory_is_enough_for_a_scene_of_a_tile(side):
    big = {"tile_size": 512, "network_size": 512, "bands": RGBN}
    masker = Fake([1, 0, 0, 0], **big)
    options = MaskOptions(memory_limit_mb=LEAST_MEMORY_MB, workers=4)
    source = array_source(np.zeros((4, side, side), np.float32), RGBN)
    for seen in (masker, Wide(masker, masker, 4)):
        assert plan_for(source, seen, options).workers == 1


def test_more_memory_is_asked_for_by_larger_scenes():
    masker = Fake([1, 0, 0, 0], tile_size=512, network_size=512, bands=RGBN)
    large = array_source(np.broadcast_to(np.float32(0), (4, 5000, 5000)), RGBN)
    with pytest.raises(OptionError, match="MB are needed") as caught:
        plan_for(large, Wide(masker, masker, 4), MaskOptions(memory_limit_mb=LEAST_MEMORY_MB))
    advised = int(caught.value.hint.split()[-1].rstrip("."))
    assert plan_for(large, Wide(masker, masker, 4), MaskOptions(memory_limit_mb=advised)).workers == 1


def test_twice_the_resolution_needs_near_infrared():
    masker = Doubled(Fake([1, 0, 0, 0], bands=("red", "nir"), optional=frozenset(("nir",))))
    both = array_source(np.zeros((2, 3, 4), np.float32), ("red", "nir"))
    assert check_source(both, masker) == ("red", "nir")
    with pytest.raises(OptionError, match="has no nir"):
        check_source(array_source(np.zeros((1, 3, 4), np.float32), ("red",)), masker)


def test_a_threshold_becomes_one_half_and_the_ends_stay():
    assert shifted(np.array([0, 0.4, 1], np.float32), 0.4) == pytest.approx([0, 0.5, 1])


def test_every_value_of_the_map_of_agreement_can_be_seen_and_has_a_name(tmp_path):
    write_agreement_style(tmp_path / "qa.qml")
    entries = ElementTree.parse(tmp_path / "qa.qml").findall(".//paletteEntry")
    assert {int(entry.get("value")): entry.get("label") for entry in entries} == {
        value: name for value, name in MAP_CATEGORIES.items() if value != NODATA
    }
    assert len({entry.get("color") for entry in entries}) == 5
    for value, color in MAP_COLORS.items():
        assert (color[3] == 255) == (value != NODATA)  # a color table keeps no other alpha
        assert value == NODATA or color[:3] != (0, 0, 0)


def test_agreement_by_hand():
    table = np.zeros((256, 256), np.int64)
    table[0, 0], table[1, 1], table[1, 2], table[3, 0], table[255, 1] = 50, 20, 10, 5, 7
    found = summarize(table, legend(4), "SCL")
    assert (found.compared, found.unknown) == (85, 7)
    assert found.percent_same == pytest.approx(100 * 70 / 85)
    assert found.iou == {"clear": pytest.approx(50 / 55), "cloud": 1.0, "shadow": 0.0}
