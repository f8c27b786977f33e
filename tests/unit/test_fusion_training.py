"""Parts of the training for fusing: networks, losses, batches, what quality is taught."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")
from torch import nn  # noqa: E402  # after the check for torch
from torch.nn import functional  # noqa: E402

from clearscene.errors import TrainingError  # noqa: E402
from clearscene.training import quality_chips  # noqa: E402
from clearscene.training.checkpoint import take_fitting  # noqa: E402
from clearscene.training.chips import Batch, Place  # noqa: E402
from clearscene.training.config import RunConfig, ScheduleConfig, parse_config  # noqa: E402
from clearscene.training.device import Arithmetic  # noqa: E402
from clearscene.training.fusion_chips import FusionTrainChips, FusionValChips, collate_places, resized  # noqa: E402
from clearscene.training.fusion_config import FusionConfig  # noqa: E402
from clearscene.training.fusion_losses import FusionCounts, FusionLosses  # noqa: E402
from clearscene.training.mask_augment import MaskChip  # noqa: E402
from clearscene.training.networks.build import build_network  # noqa: E402
from clearscene.training.networks.contract import Answers  # noqa: E402
from clearscene.training.networks.fusion import QuarterUnet, fused  # noqa: E402
from clearscene.training.networks.spec import NetworkSpec  # noqa: E402
from clearscene.training.quality_chips import FAINT, LOST, put_defect  # noqa: E402
from clearscene.training.quality_losses import GOODNESS, QualityCounts, QualityLosses, goodness  # noqa: E402
from clearscene.training.schedule import factor  # noqa: E402
from tests.reflectance_images import ground  # noqa: E402

CPU = torch.device("cpu")


def config(**changes):
    values = {"data": {"chips": [{"folder": "x"}]}, "network": {"kind": "fusion"}, **changes}
    return parse_config(values, place="a test")


class Source:
    """Stands for a set: places whose pictures are drawn."""

    def __init__(self, size=48):
        self.size = size

    def read(self, record):
        rng = np.random.default_rng(record.number)
        mask = np.full((self.size, self.size), 2, np.uint8)
        mask[8:30, 6:26] = 0
        return rng.uniform(0.2, 0.8, (self.size, self.size, 3)).astype(np.float32), mask


class Record:
    def __init__(self, number):
        self.number, self.id = number, f"place{number}"


class OnePlace:
    def __init__(self, number=0, size=48):
        self.chips, self.record = Source(size), Record(number)


# precision


def of_cpu(monkeypatch, **has):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: has, raising=False)


@pytest.mark.parametrize("has", [{"amx_bf16": True}, {"avx512_bf16": True}])
def test_a_cpu_that_multiplies_bfloat16_may(monkeypatch, has):
    of_cpu(monkeypatch, **has)
    arithmetic = Arithmetic.choose(RunConfig(precision="bfloat16"), CPU)
    with arithmetic.autocast():
        assert functional.linear(torch.ones(1, 2), torch.ones(1, 2)).dtype == torch.bfloat16


@pytest.mark.parametrize(("precision", "has"), [("bfloat16", {"avx512_f": True}), ("float16", {"amx_bf16": True})])
def test_a_precision_that_is_slow_on_the_cpu_is_refused(monkeypatch, precision, has):
    of_cpu(monkeypatch, **has)
    with pytest.raises(TrainingError, match="many times slower than float32 on this CPU"):
        Arithmetic.choose(RunConfig(precision=precision), CPU)


def test_fused_values_are_of_full_precision():
    images = torch.full((1, 2, 3, 4, 4), 0.123456)
    result, share = fused(images, torch.zeros(1, 2, 4, 4, dtype=torch.bfloat16))
    assert result.dtype == share.dtype == torch.float32
    assert torch.equal(result, images[:, 0])


# networks


def test_the_published_numbers_of_parameters():
    pair = build_network(NetworkSpec(kind="fusion"))
    counts = {name: sum(p.numel() for p in part.parameters()) for name, part in pair.named_children()}
    assert counts == {"quality": 839_777, "segmenter": 839_811}
    convolutions = [part for part in pair.modules() if isinstance(part, nn.Conv2d)]
    assert len(convolutions) == 2 * 19
    assert all(part.bias is not None for part in convolutions)


@pytest.mark.parametrize(("height", "width"), [(16, 16), (37, 50), (64, 33)])
def test_any_size_from_16_pixels_on(height, width):
    assert QuarterUnet(3, 2).eval()(torch.rand(1, 3, height, width)).shape == (1, 2, height, width)


def test_one_image_is_fused_with_nothing_and_trains_the_segmenter_alone():
    pair = build_network(NetworkSpec(kind="fusion"))
    image = torch.rand(2, 3, 16, 16)
    answers = pair(image)
    assert answers.fused is image
    answers.pixels.sum().backward()
    assert all(p.grad is None for p in pair.quality.parameters())


def test_fusing_is_the_mean_by_the_softmax_of_quality():
    images, quality = (
        torch.rand(1, 2, 3, 1, 1),
        torch.tensor([0.0, float(np.log(3.0))], dtype=torch.float32).reshape(1, 2, 1, 1),
    )
    result, share = fused(images, quality)
    torch.testing.assert_close(share.flatten(), torch.tensor([0.25, 0.75]))
    torch.testing.assert_close(result, 0.25 * images[:, 0] + 0.75 * images[:, 1])


@pytest.mark.parametrize(("name", "size"), [("half", 16), ("full", 32), ("slim", 16)])
def test_the_quality_network_reads_four_bands(name, size):
    network = build_network(NetworkSpec(kind="quality", name=name, weights="none")).eval()
    assert network(torch.rand(1, 4, 32, 32)).pixels.shape == (1, 1, size, size)
    assert 2 * sum(parameter.numel() for parameter in network.parameters()) < 3_000_000, "bytes as float16"


def test_the_slim_network_is_that_of_cloud_masks_but_for_its_ends():
    mask = build_network(NetworkSpec(kind="mask", weights="none")).eval()
    quality = build_network(NetworkSpec(kind="quality", name="slim", weights="none")).eval()
    new = take_fitting(quality, mask.state_dict(), place=Path("mask.pt"))
    assert new == ["refine.pixels.weight", "refine.pixels.bias"]
    assert torch.equal(quality.encoder.body.blocks[4][2].conv_pw.weight, mask.encoder.body.blocks[4][2].conv_pw.weight)


@pytest.mark.parametrize("spec", [{"kind": "mask", "weights": "none"}, {"kind": "quality", "name": "full"}])
def test_a_start_from_another_network_is_refused(spec):
    half = build_network(NetworkSpec(kind="quality", name="half"))
    with pytest.raises(TrainingError, match="weights are not there in the same shape"):
        take_fitting(build_network(NetworkSpec(**spec)), half.state_dict(), place=Path("half.pt"))


def test_other_names_are_refused():
    with pytest.raises(TrainingError, match="quarter-unet"):
        config(network={"kind": "fusion", "name": "slim"})


# losses


def answers_and_batch():
    generator = torch.Generator().manual_seed(2)
    logits = torch.randn(2, 3, 5, 7, generator=generator)
    mask = torch.randint(0, 3, (2, 5, 7), generator=generator).to(torch.uint8)
    mask[0, 0] = 255
    clean = torch.rand(2, 3, 5, 7, generator=generator)
    batch = Batch(clean, mask, torch.zeros(2, 0), torch.zeros(2, dtype=torch.bool), ["a", "b"], clean)
    return Answers(None, None, logits, clean + 0.25), batch


def test_classes_have_the_published_weights_and_code_flattens():
    answers, batch = answers_and_batch()
    weight = torch.tensor([1.0, 2.0, 0.5])
    truth = batch.mask.long()
    wanted = functional.cross_entropy(answers.pixels, truth, weight=weight, ignore_index=255)
    torch.testing.assert_close(FusionLosses(config(), device=CPU)(answers, batch)[0], wanted)
    twice = functional.cross_entropy(answers.pixels.softmax(1), truth, weight=weight, ignore_index=255)
    flattening = FusionLosses(config(fusion={"mode": "code"}), device=CPU)
    torch.testing.assert_close(flattening(answers, batch)[0], twice)
    assert abs(float(twice) - float(wanted)) > 0.01


def test_counts_hold_every_class_and_the_distance_from_clean():
    answers, batch = answers_and_batch()
    counts = FusionCounts(("building", "road", "background"))
    counts.add_answers(answers, batch)
    found = counts.summary()
    assert found["l1"] == pytest.approx(0.25, abs=1e-6)
    best, truth = answers.pixels.argmax(1).numpy(), batch.mask.numpy()
    known = truth != 255
    iou = [((best == i) & (truth == i) & known).sum() / (((best == i) | (truth == i)) & known).sum() for i in range(3)]
    share = [(truth[known] == i).mean() for i in range(3)]
    assert found["miou"] == pytest.approx(np.mean(iou))
    assert found["fwiou"] == pytest.approx(np.dot(iou, share))
    assert found["pixel_accuracy"] == pytest.approx((best == truth)[known].mean())


def test_the_rate_is_halved_in_equal_parts():
    published = ScheduleConfig(parts=4, warmup_steps=0)
    rates = [factor(epoch, epoch / 20, published) for epoch in range(21)]
    assert rates == [0.5 ** min(epoch // 5, 3) for epoch in range(21)]


# batches


def test_code_mode_makes_a_road_between_building_and_ground():
    nearest = resized(OnePlace(), 33, mode="corrected")[1]
    averaged = resized(OnePlace(), 33, mode="code")[1]
    assert set(np.unique(nearest)) == {0, 2}
    assert set(np.unique(averaged)) == {0, 1, 2}
    assert resized(OnePlace(), 48, mode="code")[1].tolist() == resized(OnePlace(), 48, mode="corrected")[1].tolist()


def test_all_places_of_a_batch_have_as_many_images():
    chips = FusionTrainChips(
        [OnePlace(i) for i in range(4)], FusionConfig(images=(2, 5)), size=32, seed=1, batch_size=4
    )
    counts = Counter()
    for first in range(0, 80, 4):
        batch = collate_places([chips[Place(0, first + i, i)] for i in range(4)])
        assert batch.image.shape[0] == 4
        assert batch.clean.shape == (4, 3, 32, 32)
        counts[batch.image.shape[1] // 3] += 1
    assert set(counts) == {2, 3, 4, 5}


def test_a_place_is_a_function_of_its_numbers():
    chips = FusionTrainChips([OnePlace(3)], FusionConfig(), size=32, seed=1, batch_size=2)
    one, other, later = chips[Place(2, 5, 0)], chips[Place(2, 5, 0)], chips[Place(3, 5, 0)]
    np.testing.assert_array_equal(one.images, other.images)
    assert not np.array_equal(one.images, later.images)
    assert {tuple(np.bincount(place.mask.ravel(), minlength=3)) for place in (one, later)} == {
        tuple(np.bincount(resized(OnePlace(3), 32, mode="corrected")[1].ravel(), minlength=3))
    }


def test_validation_is_the_same_each_time_and_the_mean_is_one_image():
    chips = FusionValChips([OnePlace(1)], FusionConfig(images=(3, 3)), size=32)
    np.testing.assert_array_equal(chips[0].images, chips[0].images)
    mean = FusionValChips([OnePlace(1)], FusionConfig(images=(3, 3), fuses_by="mean"), size=32)
    np.testing.assert_allclose(mean[0].images, chips[0].images.reshape(3, 3, 32, 32).mean(axis=0), atol=1e-6)


@pytest.mark.parametrize("wrong", [{"images": (3, 2)}, {"images": (0, 2)}, {"area": (0.5, 0.2)}, {"area": (0, 2)}])
def test_wrong_keys_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FusionConfig(**wrong)


# quality


def chip(*, has_nir=True, kind="toa"):
    data = ground(1, 64, 64).transpose(1, 2, 0).copy()
    if not has_nir:
        data[..., 3] = 0
    data[:4] = 0
    mask = np.zeros((64, 64), np.uint8)
    mask[:4], mask[20:30, 20:40] = 255, 1
    return MaskChip(data, mask, has_nir, kind)


@pytest.mark.parametrize("has_nir", [True, False])
def test_defects_are_marked_and_all_else_stays(has_nir):
    before, kinds = chip(has_nir=has_nir, kind="toa" if has_nir else "display"), Counter()
    for seed in range(25):
        made = put_defect(before, np.random.default_rng(seed))
        changed = made.mask != before.mask
        kinds.update(np.unique(made.mask[changed]).tolist())
        assert set(np.unique(made.mask)) <= {0, 1, 255, LOST, FAINT}
        assert (made.mask[:4] == 255).all()
        np.testing.assert_array_equal(made.valid, before.valid)
        assert np.isfinite(made.image()).all()
        assert has_nir or not made.image()[3].any()
    assert set(kinds) == {LOST, FAINT}


def test_quality_is_taught_by_what_a_pixel_shows():
    mask = torch.tensor([[[0, 1, 2, 3, 4, LOST, FAINT, 255]]], dtype=torch.uint8)
    wanted = [GOODNESS[i] for i in (0, 1, 2, 3, 4, LOST, FAINT)]
    assert goodness(mask)[0, 0, :7].tolist() == pytest.approx(wanted)
    batch = Batch(mask, mask, torch.zeros(1, 0), torch.zeros(1, dtype=torch.bool), ["a"])
    logits = torch.logit(torch.tensor([*wanted, 0.5]))[None, None, None].requires_grad_()
    losses = QualityLosses(config().loss, device=CPU)
    loss, _ = losses(Answers(None, None, logits), batch)
    loss.backward()
    torch.testing.assert_close(logits.grad, torch.zeros_like(logits), atol=1e-6, rtol=0)  # it is where it should be
    nothing = batch._replace(mask=torch.full_like(mask, 255))
    assert float(losses(Answers(None, None, logits.detach()), nothing)[0]) == 0


def test_defects_of_each_type_are_as_frequent():
    before, kinds = chip(), Counter()
    for seed in range(150):
        made = put_defect(before, np.random.default_rng(seed))
        kinds["faint" if (made.mask == FAINT).any() else "lost" if (made.mask == LOST).any() else "none"] += 1
    assert kinds["faint"] > 0.2 * 150  # all but lost lines of four types, and half of all is a lost part


@pytest.mark.parametrize(("name", "value"), [("overflow", FAINT), ("stripe", FAINT), ("missing", LOST)])
def test_only_what_is_missing_is_lost(monkeypatch, name, value):
    monkeypatch.setattr(quality_chips, "TYPES", (name,))
    monkeypatch.setattr(quality_chips, "OCCLUDED", 0.0)
    found = {int(v) for seed in range(6) for v in np.unique(put_defect(chip(), np.random.default_rng(seed)).mask)}
    assert found - {0, 1, 255} == {value}


def test_a_pixel_counts_by_the_weight_of_what_it_shows():
    mask = torch.tensor([[[0, 0, 3, FAINT]]], dtype=torch.uint8)
    batch = Batch(mask, mask, torch.zeros(1, 0), torch.zeros(1, dtype=torch.bool), ["a"])
    answers = Answers(None, None, torch.tensor([0.3, -1.0, 0.5, 2.0])[None, None, None])
    weighted = config(loss={"class_weights": {"cloud_shadow": 3.0, "faint": 0.0}}).loss
    each = torch.nn.functional.binary_cross_entropy_with_logits(
        answers.pixels[0, 0], goodness(mask)[0], reduction="none"
    )[0]
    expected = (each[0] + each[1] + 3 * each[2]) / 5
    torch.testing.assert_close(QualityLosses(weighted, device=CPU)(answers, batch)[0], expected)
    same = config(loss={"class_weights": dict.fromkeys(("clear", "cloud_shadow", "faint"), 2.0)}).loss
    torch.testing.assert_close(QualityLosses(same, device=CPU)(answers, batch)[0], each.mean())


def test_good_and_bad_are_told_apart_at_0():
    counts = QualityCounts()
    counts.add_logits(np.array([[[0, 0, 1, 5, 255]]], np.uint8), np.array([[[1.0, -1.0, -1.0, 1.0, 1.0]]], np.float32))
    assert counts.counts.tolist() == [[1, 1], [1, 1]]


def test_a_faint_defect_over_cloud_does_not_make_it_better():
    mask = np.zeros((4, 6), np.uint8)
    mask[:, 2:4], mask[:, 4:] = 1, 255
    chip = MaskChip(np.full((4, 6, 4), 0.2, np.float32), mask, has_nir=True)
    everywhere = np.ones((4, 6), bool)
    faint = quality_chips._marked(chip, chip.data, everywhere, value=quality_chips.FAINT).mask
    assert faint.tolist() == [[6, 6, 1, 1, 255, 255]] * 4
    lost = quality_chips._marked(chip, chip.data, everywhere, value=quality_chips.LOST).mask
    assert lost.tolist() == [[5, 5, 5, 5, 255, 255]] * 4
