"""What a training of semantic networks can make small: the losses of the published cloud networks, by name.

All take logits (n, class, row, col) and truth (n, row, col) of class indices, 255 ignored, and give one number. With
one logit a pixel is of the class if its index is 1. Laws of all: ignored pixels change nothing, a batch without a
pixel that counts gives 0, and a perfect answer that is sure of itself gives 0 in the limit.

Losses of regions (soft-jaccard, dice, filtered-jaccard) are computed in float32 on probabilities; with more than one
logit they are the mean over those classes that the truth of the batch holds, the first class among them.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from clearscene.errors import TrainingError
from clearscene.inspection.taxonomy import NODATA

__all__ = ["LOSSES", "SemanticLoss", "semantic_loss"]

SemanticLoss = Callable[[Tensor, Tensor], Tensor]

JACCARD_EPS = 1e-7
"""Of Cloud-Net, CloudX-Net and the comparison, added above and below the fraction."""
DICE_SMOOTH = 1.0
"""Of the comparison, added above and below the fraction."""
BCE_SHARE = 0.5
"""Of the cross-entropy in bce-dice: the comparison, and U-Net++."""
FILTER_SLOPE, FILTER_EDGE = 1000.0, 0.5
"""m and p_c of the filtered Jaccard loss."""
OVER_BATCH, OVER_SAMPLE = (0, 2, 3), (2, 3)


def semantic_loss(name: str) -> SemanticLoss:
    """The loss of a name.

    Raises:
        TrainingError: There is no such loss.
    """
    if name not in LOSSES:
        raise TrainingError(f"There is no loss {name!r}.", hint=f"There are {', '.join(LOSSES)}.")
    return LOSSES[name]


def bce(logits: Tensor, target: Tensor) -> Tensor:
    """Mean binary cross-entropy of all pixels that count; with more logits each class against the rest."""
    truth, counts = _truth(target, logits.shape[1])
    losses = functional.binary_cross_entropy_with_logits(logits.float(), truth, reduction="none")
    return (losses * counts).sum() / (counts.sum() * logits.shape[1]).clamp(min=1)


def cross_entropy(logits: Tensor, target: Tensor) -> Tensor:
    """Mean cross-entropy of all pixels that count; with one logit it is `bce`, the same number of two classes."""
    if logits.shape[1] == 1:
        return bce(logits, target)
    total = functional.cross_entropy(logits.float(), target, ignore_index=NODATA, reduction="sum")
    return total / (target != NODATA).sum().clamp(min=1)


def soft_jaccard(logits: Tensor, target: Tensor) -> Tensor:
    """1 - (I + e) / (T + P - I + e) over all pixels of the batch together, e = 1e-7.

    I sums truth times probability, T truth, P probability. Source: code of Cloud-Net (Mohajerani and Saeedi, 2019).
    Where the truth holds no cloud it is close to 1 whatever the answer, and its gradient close to 0.
    """
    said, true, _, held = _regions(logits, target)
    return _mean(_jaccard(said, true, OVER_BATCH), held)


def dice(logits: Tensor, target: Tensor) -> Tensor:
    """1 - (2 I + 1) / (T + P + 1) over all pixels of the batch together."""
    said, true, _, held = _regions(logits, target)
    both, sizes = (said * true).sum(dim=OVER_BATCH), (said + true).sum(dim=OVER_BATCH)
    return _mean(1 - (2 * both + DICE_SMOOTH) / (sizes + DICE_SMOOTH), held)


def bce_dice(logits: Tensor, target: Tensor) -> Tensor:
    """Half of `bce` plus `dice`: the code of the comparison; U-Net++ (Zhou et al., 2018) weights them alike."""
    return BCE_SHARE * bce(logits, target) + dice(logits, target)


def filtered_jaccard(logits: Tensor, target: Tensor) -> Tensor:
    """The filtered Jaccard loss of Cloud-Net+ (Mohajerani and Saeedi, IEEE JSTARS 2021), mean over samples.

    For each sample `low * G + high * J`: J is the soft Jaccard loss of cloud, G that of clear (1 - truth against 1 -
    probability), high = sigmoid(m (S - p)), low = sigmoid(m (p - S)), m = 1000, p = 0.5, both weights 1.

    Reading: S is the *sum* of the sample's true cloud pixels, so that one pixel of cloud takes J and none takes G.
    The printed text leaves open whether S is a sum or a mean, of truth or of the answer; a mean would switch at half
    of the sample covered, which is not the stated aim, a loss that feels the absence of cloud. G is the paper's
    Jaccard form, not its cross-entropy form. Law: a sample with cloud counts as in `soft_jaccard`, one without has
    a gradient too.
    """
    said, true, counts, held = _regions(logits, target)
    cloud = _jaccard(said, true, OVER_SAMPLE)  # (n, logit)
    clear = _jaccard(counts - said, (1 - true) * counts, OVER_SAMPLE)
    high = torch.sigmoid(FILTER_SLOPE * (true.sum(dim=OVER_SAMPLE) - FILTER_EDGE))
    n_samples = counts.amax(dim=(1, 2, 3)).sum().clamp(min=1)  # those with a pixel that counts; the others give 0
    return _mean(((1 - high) * clear + high * cloud).sum(dim=0) / n_samples, held)


LOSSES: dict[str, SemanticLoss] = {
    "bce": bce,
    "soft-jaccard": soft_jaccard,
    "dice": dice,
    "bce-dice": bce_dice,
    "filtered-jaccard": filtered_jaccard,
    "cross-entropy": cross_entropy,
}


def _truth(target: Tensor, n_logits: int) -> tuple[Tensor, Tensor]:
    """Truth as 0 and 1 of each logit (n, logit, row, col), and the pixels that count (n, 1, row, col)."""
    counts = (target != NODATA)[:, None]
    if n_logits == 1:
        return (target == 1)[:, None].float(), counts.float()
    classes = torch.arange(n_logits, device=target.device)[None, :, None, None]
    return (target[:, None] == classes).float(), counts.float()


def _regions(logits: Tensor, target: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Probability and truth (n, logit, row, col), both 0 where ignored; pixels that count; classes that count.

    The last is (logit,), True for classes that the truth holds, and for the only logit.
    """
    n_logits = logits.shape[1]
    chances = logits.float().sigmoid() if n_logits == 1 else logits.float().softmax(dim=1)
    true, counts = _truth(target, n_logits)
    held = true.sum(dim=OVER_BATCH) > 0 if n_logits > 1 else torch.ones(1, dtype=torch.bool, device=target.device)
    return chances * counts, true, counts, held


def _jaccard(said: Tensor, true: Tensor, dims: tuple[int, ...]) -> Tensor:
    """1 - the soft Jaccard index of two maps of 0 to 1, summed over `dims`."""
    both = (said * true).sum(dim=dims)
    return 1 - (both + JACCARD_EPS) / (said.sum(dim=dims) + true.sum(dim=dims) - both + JACCARD_EPS)


def _mean(losses: Tensor, held: Tensor) -> Tensor:
    """Mean of the losses by class over the classes that count; 0 if there are none."""
    return (losses * held).sum() / held.sum().clamp(min=1)
