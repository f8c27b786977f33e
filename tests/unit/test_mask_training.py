"""Parts of the training for cloud masks: chips, losses, metrics, network."""

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")
from torch.nn import functional  # noqa: E402  # after the check for torch

from clearscene.errors import TrainingError  # noqa: E402
from clearscene.training.mask_augment import MaskChip, plain, varied  # noqa: E402
from clearscene.training.mask_config import MaskAugmentConfig  # noqa: E402
from clearscene.training.mask_losses import partly_known_loss, region_dice  # noqa: E402
from clearscene.training.mask_metrics import MaskCounts  # noqa: E402
from clearscene.training.networks.build import build_network  # noqa: E402
from clearscene.training.networks.spec import NetworkSpec  # noqa: E402
from clearscene.training.torch_ready import mend_torchvision  # noqa: E402
from tests.reflectance_images import ground  # noqa: E402

mend_torchvision()
ONES = torch.ones(4)


def chip(seed=1, *, has_nir=True):
    data = ground(seed, 96, 96).transpose(1, 2, 0).copy()
    if not has_nir:
        data[..., 3] = 0
    mask = np.zeros((96, 96), np.uint8)
    mask[10:40, 20:70], mask[50:60], mask[80:, :9] = 1, 3, 4
    return MaskChip(data, mask, has_nir)


def logits(seed=0):
    return torch.randn(2, 4, 7, 9, generator=torch.Generator().manual_seed(seed))


def truth(*, with_cloud=False):
    mask = torch.arange(2 * 7 * 9).reshape(2, 7, 9).remainder(5 if with_cloud else 4).to(torch.uint8)
    mask[0, 0, :3] = 255
    return mask


def test_without_cloud_of_either_kind_the_loss_is_cross_entropy():
    weights = torch.tensor([1.0, 2.0, 0.5, 3.0])
    wanted = functional.cross_entropy(logits(), truth().long(), weight=weights, ignore_index=255)
    torch.testing.assert_close(partly_known_loss(logits(), truth(), weights), wanted)


def test_cloud_of_either_kind_has_the_chance_of_both():
    mask = torch.full((2, 7, 9), 4, dtype=torch.uint8)
    chances = logits().softmax(1)
    wanted = -(chances[:, 1] + chances[:, 2]).log().mean()
    torch.testing.assert_close(partly_known_loss(logits(), mask, ONES), wanted)
    nothing = torch.full((2, 7, 9), 255, dtype=torch.uint8)
    assert float(partly_known_loss(logits(), nothing, ONES)) == 0


def test_dice_is_0_for_the_right_answer_whatever_the_kind_of_cloud():
    mask = truth(with_cloud=True)
    right = torch.where(mask == 4, 1, mask.long()).where(mask != 255, 0)
    sure = functional.one_hot(right, 4).permute(0, 3, 1, 2).float() * 60
    assert float(region_dice(sure, mask)) == pytest.approx(0, abs=1e-5)
    assert float(region_dice(-sure, mask)) > 0.5
    assert float(region_dice(sure, torch.full_like(mask, 255))) == 0


def test_counts_know_cloud_of_either_kind_only_as_cloud():
    counts = MaskCounts()
    counts.add(np.array([0, 1, 2, 4, 4, 3, 255]), np.array([0, 2, 2, 1, 0, 3, 1]))
    found = counts.summary()
    assert found["iou_cloud"] == pytest.approx(3 / 4)
    assert found["iou_shadow"] == 1
    assert found["iou_thick_cloud"] == 0
    assert found["iou_thin_cloud"] == pytest.approx(1 / 2)
    assert counts.counts.sum() == 6


@pytest.mark.parametrize("has_nir", [True, False])
def test_a_varied_chip_is_a_function_of_its_random_numbers(has_nir):
    config = MaskAugmentConfig(nodata_chance=0.5, blur_chance=0.5)
    for seed in range(6):
        made = [varied(chip(has_nir=has_nir), rng=np.random.default_rng(seed), config=config, size=64) for _ in "ab"]
        np.testing.assert_array_equal(made[0].image(), made[1].image())
        assert made[0].image().shape == (4, 64, 64)
        assert set(np.unique(made[0].mask)) <= {0, 1, 3, 4, 255}
        assert np.all(made[0].mask[~made[0].valid] == 255)
        assert np.isfinite(made[0].image()).all()
        if not has_nir:
            assert not made[0].has_nir
            assert not made[0].image()[3].any()


def test_near_infrared_is_dropped_as_often_as_the_config_says():
    always, never = MaskAugmentConfig(nir_drop_chance=1), MaskAugmentConfig(nir_drop_chance=0)
    assert not varied(chip(), rng=np.random.default_rng(1), config=always, size=96).has_nir
    assert varied(chip(), rng=np.random.default_rng(1), config=never, size=96).has_nir
    assert not plain(chip(), without_nir=True).image()[3].any()


@pytest.mark.parametrize("wrong", [{"gain": (2.0, 1.0)}, {"white": (0.0, 1.0)}, {"noise": 3.0}])
def test_wrong_keys_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        MaskAugmentConfig(**wrong)


def spec(**changes):
    values = {"kind": "mask", "encoder": "test_efficientnet", "weights": "none", **changes}
    return NetworkSpec.model_validate(values)


def test_the_network_answers_four_classes_at_half_the_size():
    pytest.importorskip("timm")
    network = build_network(spec()).eval()
    answers = network(torch.randn(2, 4, 64, 96))
    assert answers.pixels.shape == (2, 4, 32, 48)
    assert answers.tile is None


def test_near_infrared_gets_a_gradient_past_frozen_stages():
    pytest.importorskip("timm")
    network = build_network(spec(frozen=["conv_stem", "bn1", "blocks.0", "blocks.1"]))
    image = torch.randn(2, 4, 64, 64)
    with torch.no_grad():
        _, joined = network.side(image)
    assert joined.abs().max() == 0, "the first features are those of the pretrained weights"
    network.train()(image).pixels.square().sum().backward()
    assert network.encoder.body.conv_stem.weight.grad is None
    assert network.side.second[-1].weight.grad.abs().sum() > 0
    assert network.side.first[0].weight.grad[:, 3].abs().sum() > 0


def test_an_encoder_of_another_family_is_refused():
    pytest.importorskip("timm")
    with pytest.raises(TrainingError, match="fourth band"):
        build_network(spec(encoder="resnet18"))
