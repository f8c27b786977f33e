"""Losses of semantic networks: numbers by hand, what is ignored, and where a gradient is."""

import math

import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")

from clearscene.errors import TrainingError  # noqa: E402  # after the check for torch
from clearscene.training.semantic_losses import LOSSES, semantic_loss  # noqa: E402

NAMES = ["bce", "soft-jaccard", "dice", "bce-dice", "filtered-jaccard", "cross-entropy"]
CHANCES = torch.tensor([[[[0.9, 0.2, 0.5]]], [[[0.1, 0.4, 0.7]]]])
TRUTH = torch.tensor([[[1, 0, 1]], [[0, 0, 0]]])
"""Two samples of 1 x 3 pixels, one with cloud and one without."""


def batch(n_logits: int, *, seed: int = 0):
    generator = torch.Generator().manual_seed(seed)
    logits = 2 * torch.randn(2, n_logits, 5, 7, generator=generator)
    return logits.requires_grad_(), torch.randint(0, max(2, n_logits), (2, 5, 7), generator=generator)


def test_all_are_there():
    assert list(LOSSES) == NAMES
    with pytest.raises(TrainingError, match=r"no loss 'jaccard'.*soft-jaccard"):
        semantic_loss("jaccard")


BCE = -(math.log(0.9) + math.log(0.8) + math.log(0.5) + math.log(0.9) + math.log(0.6) + math.log(0.3)) / 6
BOTH, TRUE, SAID = 1.4, 2.0, 2.8
JACCARD = 1 - BOTH / (TRUE + SAID - BOTH)
DICE = 1 - (2 * BOTH + 1) / (TRUE + SAID + 1)
BY_HAND = {
    "bce": BCE,
    "cross-entropy": BCE,
    "soft-jaccard": JACCARD,
    "dice": DICE,
    "bce-dice": 0.5 * BCE + DICE,
    # the first sample has cloud: I = 1.4, T = 2, P = 1.6; the second has none: of clear I = 1.8, T = 3, P = 1.8
    "filtered-jaccard": ((1 - 1.4 / 2.2) + (1 - 1.8 / 3.0)) / 2,
}


@pytest.mark.parametrize("name", NAMES)
def test_the_number_is_that_by_hand(name):
    assert semantic_loss(name)(CHANCES.logit(), TRUTH).item() == pytest.approx(BY_HAND[name], abs=1e-5)


@pytest.mark.parametrize("n_logits", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_ignored_pixels_change_nothing(name, n_logits):
    logits, target = batch(n_logits)
    target[0, 1:3, 2:] = target[1, 0] = 255
    other = logits.detach().clone()
    other[(target == 255)[:, None].expand_as(other)] = 9.0
    other.requires_grad_()
    loss = semantic_loss(name)
    assert torch.allclose(loss(logits, target), loss(other, target))
    loss(other, target).backward()
    assert (other.grad[(target == 255)[:, None].expand_as(other)] == 0).all()
    assert other.grad.abs().sum() > 0


@pytest.mark.parametrize("n_logits", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_a_batch_without_a_pixel_that_counts_gives_zero(name, n_logits):
    logits, target = batch(n_logits)
    loss = semantic_loss(name)(logits, torch.full_like(target, 255))
    loss.backward()
    assert loss.item() == pytest.approx(0.0, abs=1e-6)
    assert (logits.grad == 0).all()


@pytest.mark.parametrize("n_logits", [1, 3])
@pytest.mark.parametrize("name", NAMES)
def test_a_perfect_answer_gives_zero_and_a_wrong_one_more(name, n_logits):
    _, target = batch(n_logits)
    if n_logits == 1:
        perfect = (40.0 * (target == 1) - 20)[:, None]
    else:
        perfect = 40.0 * torch.nn.functional.one_hot(target, n_logits).movedim(-1, 1) - 20
    loss = semantic_loss(name)
    assert loss(perfect, target).item() == pytest.approx(0.0, abs=1e-4)
    assert loss(-perfect, target) > 0.5


@pytest.mark.parametrize("name", ["bce", "cross-entropy", "filtered-jaccard", "bce-dice", "dice"])
def test_an_alarm_without_cloud_is_felt(name):
    logits = torch.zeros(1, 1, 8, 8, requires_grad=True)
    semantic_loss(name)(logits, torch.zeros(1, 8, 8, dtype=torch.long)).backward()
    assert (logits.grad > 1e-4).all()


def test_soft_jaccard_does_not_feel_it_and_the_filtered_one_is_equal_with_cloud():
    logits = torch.zeros(1, 1, 8, 8, requires_grad=True)
    semantic_loss("soft-jaccard")(logits, torch.zeros(1, 8, 8, dtype=torch.long)).backward()
    assert logits.grad.abs().max() < 1e-8
    one = torch.zeros(1, 8, 8, dtype=torch.long)
    one[0, 3, 4] = 1  # one pixel of cloud is enough
    given = torch.randn(1, 1, 8, 8)
    assert semantic_loss("filtered-jaccard")(given, one) == pytest.approx(
        semantic_loss("soft-jaccard")(given, one).item()
    )


def test_one_logit_and_two_are_the_same_cross_entropy():
    logits, target = batch(1)
    both = torch.cat([torch.zeros_like(logits), logits], dim=1)
    loss = semantic_loss("cross-entropy")
    assert torch.allclose(loss(logits, target), loss(both, target), atol=1e-6)


def test_a_class_that_the_truth_does_not_hold_is_left_out():
    logits, target = batch(3)
    target[target == 2] = 0
    held = torch.stack([1 - _index(logits.softmax(1)[:, k], target == k) for k in (0, 1)]).mean()
    assert torch.allclose(semantic_loss("soft-jaccard")(logits, target), held, atol=1e-5)


def _index(said, true):
    both = (said * true).sum()
    return both / (said.sum() + true.sum() - both)


@pytest.mark.parametrize("name", NAMES)
def test_half_precision_is_computed_in_full(name):
    logits, target = torch.full((1, 1, 400, 400), 3.0), torch.ones(1, 400, 400, dtype=torch.long)
    full, half = (semantic_loss(name)(values, target) for values in (logits, logits.bfloat16()))
    assert half.dtype == torch.float32
    assert torch.allclose(full, half)
