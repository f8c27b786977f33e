"""Parts of the training of semantic networks: chips, skies that are swapped, schedules, pieces."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")

from clearscene.datasets.prepared import PreparedSet  # noqa: E402  # after the check for torch
from clearscene.errors import DatasetError, TrainingError  # noqa: E402
from clearscene.training.chips import Failure, Place  # noqa: E402
from clearscene.training.config import OptimizerConfig, ScheduleConfig, load_config, parse_config  # noqa: E402
from clearscene.training.networks.build import build_network  # noqa: E402
from clearscene.training.networks.semantic import as_two_logits  # noqa: E402
from clearscene.training.networks.spec import NetworkSpec  # noqa: E402
from clearscene.training.optimizer import build_optimizer  # noqa: E402
from clearscene.training.schedule import factor  # noqa: E402
from clearscene.training.semantic_augment import placed, recolored, whole  # noqa: E402
from clearscene.training.semantic_chips import (  # noqa: E402
    SemanticChip,
    SemanticTrainChips,
    SemanticValChips,
    collate_semantic,
)
from clearscene.training.semantic_config import SemanticAugmentConfig  # noqa: E402
from clearscene.training.semantic_predict import _spans  # noqa: E402
from clearscene.training.semantic_scores import SemanticCounts, loss_name  # noqa: E402
from clearscene.training.sky_swap import drawn_sky, largest_rectangle, sky_of, swapped  # noqa: E402
from clearscene.training.torch_ready import mend_torchvision  # noqa: E402
from clearscene.training.training_set import SemanticSet  # noqa: E402
from tests.prepared_photos import cloud_set, photo_set, write_semantic_config  # noqa: E402
from tests.sky_photos import scene  # noqa: E402

mend_torchvision()
SPEC = NetworkSpec(kind="semantic", classes=("other", "sky"), encoder="test_efficientnet", weights="none")


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    return SemanticSet.open(photo_set(tmp_path_factory.mktemp("set") / "photos"), SPEC)


def values(seed=1):
    photo, is_sky = scene(50, 70, seed=seed)
    return photo.astype(np.float32) / 255, is_sky.astype(np.uint8)


@pytest.mark.parametrize("view", ["crop", "whole"])
def test_a_placed_chip_is_a_function_of_its_random_numbers(view):
    config = SemanticAugmentConfig(view=view, area=(0.3, 1), aspect=(0.7, 1.4), scale=(0.7, 1.5))
    image, mask = values()
    mask[:3] = 255
    for seed in range(8):
        a, b = (placed(image, mask, rng=np.random.default_rng(seed), config=config, size=32) for _ in "ab")
        np.testing.assert_array_equal(a[0], b[0])
        assert a[0].shape == (32, 32, 3)
        assert a[1].shape == (32, 32)
        assert set(np.unique(a[1])) <= {0, 1, 255}
        bluer = a[0][..., 2] - a[0][..., 0] > 0.3
        known = a[1] != 255
        assert (bluer == (a[1] == 1))[known].mean() > 0.9  # image and mask move together


def test_flips_are_those_that_the_config_allows():
    image, mask = values()
    image[..., 0], mask = np.linspace(0, 1, 50)[:, None], mask * 0
    for flips, turns in (("none", {1}), ("horizontal", {1}), ("all", {1, -1, 0})):
        config = SemanticAugmentConfig(view="whole", flips=flips)
        found = set()
        for seed in range(30):
            made = placed(image, mask, rng=np.random.default_rng(seed), config=config, size=32)[0][..., 0]
            found.add(int(np.sign(np.round(made[-1, 0] - made[0, 0], 3))))
        assert found == turns


def test_colors_stay_in_their_range():
    config = SemanticAugmentConfig(color_chance=1, gray_chance=0.5, blur_chance=0.5)
    image, _ = values()
    for seed in range(10):
        rng = np.random.default_rng(seed)
        made = recolored(image, rng=rng, config=config, is_color=True, is_display=True)
        assert made.dtype == np.float32
        assert 0 <= made.min() <= made.max() <= 1
    four = np.concatenate([image, image[..., :1] * 2], axis=2)
    made = recolored(four, rng=np.random.default_rng(1), config=config, is_color=True, is_display=False)
    assert made.shape == (50, 70, 4)
    assert made.min() >= 0
    never = SemanticAugmentConfig()
    assert recolored(image, rng=np.random.default_rng(1), config=never, is_color=True, is_display=True) is image


def test_the_whole_photo_keeps_its_classes():
    image, mask = values()
    small, of_small = whole(image, mask, 32)
    assert small.shape == (32, 32, 3)
    assert of_small.mean() == pytest.approx(mask.mean(), abs=0.03)


def test_the_largest_rectangle_is_the_largest():
    rng = np.random.default_rng(5)
    for _ in range(10):
        free = rng.random((7, 9)) < 0.7
        top, left, height, width = largest_rectangle(free)
        assert free[top : top + height, left : left + width].all()
        best = max(
            (b - t) * (r - le)
            for t in range(7)
            for b in range(t + 1, 8)
            for le in range(9)
            for r in range(le + 1, 10)
            if free[t:b, le:r].all()
        )
        assert height * width == best
    assert largest_rectangle(np.zeros((3, 4), bool))[2] == 0


def test_only_the_sky_is_swapped():
    image, mask = values()
    other = np.zeros_like(image)
    made = swapped(image, mask == 1, other)
    np.testing.assert_array_equal(swapped(image, mask == 2, other), image)
    far = np.abs(np.arange(50) - 25) > 15
    assert made[:8].max() < 0.01
    np.testing.assert_allclose(made[45:], image[45:], atol=1e-3)
    assert far.any()


def test_skies_come_from_photos_and_from_drawings():
    image, mask = values()
    sky = sky_of(image, mask == 1, height=20, width=30)
    assert sky.shape == (20, 30, 3)
    assert (sky[..., 2] > sky[..., 0]).all()  # blue, nothing of the ridge
    assert sky_of(image, mask == 7, height=20, width=30) is None
    for seed in range(12):
        drawn = drawn_sky(24, 33, rng=np.random.default_rng(seed))
        assert drawn.shape == (24, 33, 3)
        assert 0 <= drawn.min() <= drawn.max() <= 1
        np.testing.assert_array_equal(drawn, drawn_sky(24, 33, rng=np.random.default_rng(seed)))


def test_chips_of_a_set_are_read_varied_and_put_together(photos):
    config = SemanticAugmentConfig(view="whole", area=(0.5, 1), color_chance=1, sky_swap_chance=1)
    chips = [SemanticChip(photos, record) for record in photos.records("train")]
    assert [chip.is_clean for chip in chips].count(True) == 1  # photo 7 of 2 and 7 is for validation
    data = SemanticTrainChips(chips, config, SPEC, size=64, seed=3)
    loaded = [data[Place(0, i, i)] for i in range(len(chips))]
    np.testing.assert_array_equal(data[Place(0, 1, 1)].image, loaded[1].image)
    batch = collate_semantic(loaded)
    assert batch.image.shape == (len(chips), 3, 64, 64)
    assert batch.is_clean.sum() == 1
    val = SemanticValChips(chips, SemanticAugmentConfig(), SPEC, size=64)
    odd = collate_semantic([val[0], val[1]])
    assert odd.image.shape == (2, 3, 64, 96)
    assert (odd.mask[0, 60:] == 255).all()


def test_a_broken_chip_is_handed_over_as_an_error(tmp_path):
    chips = SemanticSet.open(photo_set(tmp_path / "set", 4), SPEC)
    record = chips.records("train")[0]
    (tmp_path / "set" / record.mask).write_bytes(b"x")
    data = SemanticTrainChips([SemanticChip(chips, record)], SemanticAugmentConfig(), SPEC, size=64, seed=1)
    found = data[Place(0, 0, 0)]
    assert isinstance(found, Failure)
    assert collate_semantic([found]) is found


def test_sets_that_do_not_fit_are_refused(tmp_path, photos):
    with pytest.raises(DatasetError, match="no band 'nir'"):
        SemanticSet(photos.prepared, NetworkSpec(kind="semantic", name="unet", bands=("red", "nir")))
    with pytest.raises(DatasetError, match=r"network.classes are \['clear', 'cloud'\]"):
        SemanticSet(photos.prepared, NetworkSpec(kind="semantic"))
    clouds = PreparedSet.open(cloud_set(tmp_path / "clouds"))
    spec = NetworkSpec(kind="semantic", name="unet", bands=("nir", "red"), classes=clouds.classes)
    one = SemanticSet(clouds, spec)
    image, mask = one.read(one.records("train")[0])
    assert image.shape == (64, 64, 2)
    assert not one.is_display
    np.testing.assert_allclose(image[..., 0], clouds.image(clouds.records("train")[0], ("nir",))[0])
    assert (mask[:2] == 255).all()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"name": "no-such"}, "no semantic network"),
        ({"bands": ("red", "nir")}, "three bands"),
        ({"name": "unet", "bands": ("nir",), "mean": (0.0, 0.0)}, "mean has 2 values"),
        ({"name": "unet", "frozen": ("a",)}, "slim networks only"),
        ({"classes": ("one",)}, "classes"),
    ],
)
def test_networks_that_cannot_be_are_refused(changes, text):
    with pytest.raises(TrainingError, match=text):
        parse_config({"data": {"chips": [{"folder": "x"}]}, "network": {"kind": "semantic", **changes}}, place="here")


def test_defaults_follow_the_network():
    plain = NetworkSpec(kind="semantic", name="unet", bands=("red", "nir"))
    assert (plain.mean, plain.std, plain.weights) == ((0, 0), (1, 1), "none")
    assert NetworkSpec(kind="semantic").mean == (0.5, 0.5, 0.5)
    assert NetworkSpec(kind="semantic").weights == "imagenet"
    assert NetworkSpec(kind="semantic").n_logits == 1
    assert NetworkSpec(kind="semantic", classes=("a", "b", "c")).n_logits == 3


def test_one_logit_is_the_softmax_of_two():
    logits = torch.randn(2, 1, 5, 7, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(as_two_logits(logits).softmax(1)[:, 1:], logits.sigmoid())
    three = torch.randn(2, 3, 5, 7)
    assert as_two_logits(three) is three


def test_counts_give_iou_and_dice_of_the_answer():
    counts = SemanticCounts(("other", "sky"))
    truth = np.array([[[1, 1, 0, 255]]])
    counts.add_logits(truth, torch.tensor([[[[2.0, -1.0, 3.0, 5.0]]]]))
    found = counts.summary()
    assert found["iou_sky"] == found["miou"] == pytest.approx(1 / 3)
    assert found["dice_sky"] == pytest.approx(2 / 4)
    assert found["dice_other"] == 0


def test_the_slim_network_answers_at_half_the_size_and_learns_everywhere():
    network = build_network(SPEC.model_copy(update={"frozen": ("conv_stem",)})).train()
    answer = network(torch.randn(2, 3, 64, 96)).pixels
    assert answer.shape == (2, 1, 32, 48)
    answer.square().sum().backward()
    silent = [name for name, p in network.named_parameters() if p.grad is None]
    assert silent == ["net.encoder.conv_stem.weight"]
    assert network.is_of_encoder("net.encoder.bn1.weight")
    assert not network.is_of_encoder("net.pixels.weight")
    assert network(torch.randn(2, 3, 67, 45)).pixels.shape == (2, 1, 34, 23)


def test_schedules_of_papers():
    plateau = ScheduleConfig(kind="plateau", warmup_steps=0, factor=0.2)
    assert [factor(9, 0.9, plateau, n_plateaus=n) for n in range(3)] == pytest.approx([1, 0.2, 0.04])
    constant = ScheduleConfig(kind="constant", warmup_steps=3)
    assert [factor(step, 1.0, constant) for step in (0, 1, 3, 99)] == [0.25, 0.5, 1, 1]


@pytest.mark.parametrize(
    ("name", "kind", "amsgrad"), [("adam", "Adam", False), ("adam-amsgrad", "Adam", True), ("adamw", "AdamW", False)]
)
def test_optimizers_of_papers(name, kind, amsgrad):
    optimizer = build_optimizer(build_network(SPEC), OptimizerConfig(name=name))
    assert type(optimizer).__name__ == kind
    assert optimizer.defaults["amsgrad"] is amsgrad


def test_the_loss_is_that_of_the_config_or_of_the_network(tmp_path):
    config = load_config(write_semantic_config(tmp_path / "c.toml", tmp_path))
    assert loss_name(config) == "bce-dice"
    named = load_config(write_semantic_config(tmp_path / "c.toml", tmp_path), ["loss.name=dice"])
    assert loss_name(named) == "dice"
    three = load_config(write_semantic_config(tmp_path / "c.toml", tmp_path), ['network.classes=["a","b","c"]'])
    assert loss_name(three) == "cross-entropy"


@pytest.mark.parametrize("length", [5, 1024, 1025, 1700, 2500, 9000])
def test_pieces_answer_for_each_row_once(length):
    covered = np.zeros(length, int)
    for start, rows in _spans(length):
        covered[rows] += 1
        assert start >= 0
        assert start + min(1024, length) <= length
        assert rows.start - start >= (96 if rows.start else 0)
    assert (covered == 1).all()
