"""What the export of a quality model measures: good and bad pixels of the validation split."""

from collections.abc import Callable

import numpy as np

from clearscene.models.model import enlarge
from clearscene.training.export.measured import Scores
from clearscene.training.export.runner import Runner
from clearscene.training.export.samples import Samples
from clearscene.training.quality_losses import QualityCounts

__all__ = ["judge_quality"]


def judge_quality(runner: Runner, samples: Samples, *, progress: Callable[[int, int], None]) -> Scores:
    """IoU of good and bad pixels, told apart at a logit of 0.

    Chips whose masks are about classes of the place, not about defects, have no such truth: then nothing is scored.
    """
    if not samples.tells_defects:
        return Scores(len(samples))
    counts = QualityCounts()
    for done, sample in enumerate(samples, start=1):
        answers = runner(sample.image)
        assert answers.pixels is not None
        height, width = sample.mask.shape
        logits = enlarge(answers.pixels, sample.image.shape[-1])[:, :height, :width]
        counts.add_logits(sample.mask[np.newaxis], logits)
        progress(done, len(samples))
    iou = zip(counts.names, counts.iou().tolist(), strict=True)
    return Scores(len(samples), iou={name: round(value, 5) for name, value in iou if not np.isnan(value)})
