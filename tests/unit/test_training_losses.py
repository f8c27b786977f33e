"""Losses by hand, against scikit-learn, and at their limits."""

import math

import numpy as np
import pytest
from sklearn.metrics import jaccard_score, log_loss

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")

from clearscene.training.chips import Batch, segmentation_truth  # noqa: E402  # after the check for torch
from clearscene.training.config import LossConfig  # noqa: E402
from clearscene.training.losses import (  # noqa: E402
    Losses,
    cell_loss,
    cell_truth,
    dice_loss,
    focal_loss,
    lovasz_loss,
    pixel_loss,
    tile_loss,
)
from clearscene.training.networks.contract import Answers  # noqa: E402


def random(seed: int, *shape: int):
    return torch.from_numpy(np.random.default_rng(seed).normal(0, 2, shape))


def classes(seed: int, *shape: int, n: int = 4):
    return torch.from_numpy(np.random.default_rng(seed).integers(0, n, shape))


def test_tile_loss_by_hand():
    """Eq. (1): - [log s(2) + log(1 - s(-1)) + log(1 - s(0))] / 3, the fourth label unknown."""
    logits, labels = torch.tensor([[2.0, -1.0, 0.0, 9.0]]), torch.tensor([[1.0, 0.0, 0.0, -1.0]])
    expected = (math.log1p(math.exp(-2)) + math.log1p(math.exp(-1)) + math.log(2)) / 3
    assert tile_loss(logits, labels).item() == pytest.approx(expected)
    assert tile_loss(logits, -torch.ones(1, 4)).item() == 0


def test_tile_loss_is_that_of_scikit_learn():
    logits, labels = random(1, 7, 10), classes(2, 7, 10, n=2).double()
    chances = logits.sigmoid()
    expected = np.mean([log_loss(labels[:, i], chances[:, i], labels=[0, 1]) for i in range(10)])
    assert tile_loss(logits, labels).item() == pytest.approx(expected)


def test_positive_weights_count_what_is_there():
    logits, labels = torch.zeros(1, 2), torch.tensor([[1.0, 0.0]])
    assert tile_loss(logits, labels, torch.tensor([3.0, 3.0])).item() == pytest.approx(2 * math.log(2))


def test_cell_truth_is_the_share_of_the_pixels_that_count():
    mask = torch.zeros(1, 32, 48, dtype=torch.uint8)
    mask[0, :8, :8] = 1  # a quarter of the first cell
    mask[0, 16:24, 16:32] = 255  # half of the middle cell of the second row does not count
    mask[0, 24:26, 16:32] = 7  # a quarter of what counts of it
    mask[0, 16:, 32:] = 255
    truth, weight = cell_truth(mask, 2, 3, full_share=1.0)
    assert truth.shape == (1, 10, 2, 3)
    assert truth[0, 0, 0, 0].item() == 0.25
    assert truth[0, 6, 1, 1].item() == pytest.approx(0.25)
    assert truth.sum().item() == pytest.approx(0.5)
    assert weight[0, 0].tolist() == [[1, 1, 1], [1, 0.5, 0]]
    assert cell_truth(mask, 2, 3, full_share=0.25)[0][0, 0, 0, 0].item() == 1


def test_cells_that_do_not_count_have_no_gradient():
    mask = torch.zeros(1, 32, 32, dtype=torch.uint8)
    mask[0, :16] = 255
    logits = random(3, 1, 10, 2, 2).requires_grad_()
    cell_loss(logits, mask, full_share=1.0).backward()
    assert (logits.grad[0, :, 0] == 0).all()
    assert (logits.grad[0, :, 1] != 0).all()


def test_pixel_loss_is_that_of_scikit_learn():
    """Eq. (2) over the pixels that are not 255."""
    logits, truth = random(4, 2, 4, 5, 6), classes(5, 2, 5, 6)
    truth[0, :2] = 255
    known = truth != 255
    chances = logits.softmax(1).movedim(1, -1)[known]
    expected = log_loss(truth[known], chances, labels=[0, 1, 2, 3])
    assert pixel_loss(logits, truth).item() == pytest.approx(expected)
    assert pixel_loss(logits, torch.full_like(truth, 255)).item() == 0


def test_class_weights_are_of_the_true_class():
    logits, truth = torch.zeros(1, 2, 1, 2, dtype=torch.float64), torch.tensor([[[0, 1]]])
    logits[0, 0] = 1.0
    weights = torch.tensor([1.0, 3.0], dtype=torch.float64)
    expected = (math.log1p(math.exp(-1)) + 3 * math.log1p(math.e)) / 4
    assert pixel_loss(logits, truth, weights).item() == pytest.approx(expected)


def test_focal_loss_without_gamma_is_cross_entropy():
    logits, truth = random(6, 2, 4, 5, 6), classes(7, 2, 5, 6)
    truth[1, 3] = 255
    assert focal_loss(logits, truth, gamma=0).item() == pytest.approx(pixel_loss(logits, truth).item())
    assert focal_loss(logits, truth, gamma=2).item() < pixel_loss(logits, truth).item()


def test_dice_by_hand():
    logits = torch.log(torch.tensor([[0.75, 0.25], [0.25, 0.75]], dtype=torch.float64)).T[None, :, None]  # 1 x 2 pixels
    truth = torch.tensor([[[0, 1]]])
    assert dice_loss(logits, truth).item() == pytest.approx(0.25)  # each class: 1 - 2 * 0.75 / (1 + 1)


@pytest.mark.parametrize("loss", [dice_loss, lovasz_loss])
def test_right_answers_lose_nothing(loss):
    truth = classes(8, 1, 6, 7)
    truth[0, 0] = 255
    sure = 60.0 * (truth.where(truth != 255, 0)[:, None] == torch.arange(4)[None, :, None, None])
    assert loss(sure, truth).item() == pytest.approx(0, abs=1e-6)


def test_lovasz_of_hard_answers_is_one_minus_iou():
    """At the corners of the cube the Lovasz extension is the set function itself."""
    truth, answer = classes(9, 1, 8, 9), classes(10, 1, 8, 9)
    sure = 200.0 * (answer[:, None] == torch.arange(4)[None, :, None, None])
    expected = 1 - jaccard_score(truth.ravel(), answer.ravel(), average="macro", labels=[0, 1, 2, 3])
    assert lovasz_loss(sure, truth).item() == pytest.approx(expected, abs=1e-6)


def test_lovasz_without_pixels_is_zero():
    logits = random(1, 1, 4, 2, 2).requires_grad_()
    lovasz_loss(logits, torch.full((1, 2, 2), 255)).backward()
    assert (logits.grad == 0).all()


def batch(mask, *, is_clean=False):
    n = len(mask)
    labels, clean = torch.zeros(n, 10), torch.full((n,), is_clean)
    return Batch(torch.zeros(n, 3, *mask.shape[1:], dtype=torch.uint8), mask, labels, clean, ["chip"] * n)


def test_pixel_types_are_left_to_the_rules():
    truth = segmentation_truth(torch.tensor([0, 1, 8, 9, 10, 255], dtype=torch.uint8))
    assert truth.tolist() == [0, 1, 8, 255, 255, 255]


def test_the_sum_is_weighted_and_negatives_can_be_left_out():
    answers = Answers(random(1, 1, 10), random(2, 1, 10, 2, 2), random(3, 1, 9, 8, 8))
    given = batch(torch.zeros(1, 32, 32, dtype=torch.uint8), is_clean=True)
    config = LossConfig(tile=2, cells=0.5, cross_entropy=3, dice=1, lovasz=1, focal=1)
    keep = Losses(config, leave_out_negatives=False, device=torch.device("cpu"))
    total, parts = keep(answers, given)
    assert set(parts) == {"tile", "cells", "cross_entropy", "dice", "lovasz", "focal"}
    assert total.item() == pytest.approx(sum(getattr(config, name) * value.item() for name, value in parts.items()))
    _, without = Losses(config, leave_out_negatives=True, device=torch.device("cpu"))(answers, given)
    assert without["cross_entropy"].item() == 0
    assert without["tile"].item() == parts["tile"].item()


@pytest.mark.parametrize("step", [1, 2, 4])
def test_the_pixels_that_are_looked_at_fit_the_logits(step):
    """A step that is a power of two sees the same classes at the same places."""
    mask = torch.zeros(1, 32, 32, dtype=torch.uint8)
    mask[0, :, 16:] = 1
    logits = torch.zeros(1, 9, 8, 8)
    logits[0, 0, :, :4] = logits[0, 1, :, 4:] = 50.0
    losses = Losses(LossConfig(pixel_step=step), leave_out_negatives=False, device=torch.device("cpu"))
    assert losses(Answers(None, None, logits), batch(mask))[1]["cross_entropy"].item() < 1.5
