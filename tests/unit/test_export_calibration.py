"""Which rule chooses which threshold."""

import numpy as np
import pytest

pytest.importorskip("torch", reason="torch comes with the extra `train`")
pytest.importorskip("onnx", reason="onnx comes with the extra `train`")

from clearscene.inspection.constraint import sigmoid  # after the check for torch
from clearscene.training.export.calibration import calibrate_pixels, calibrate_screen, drawn, sampled_iou
from clearscene.training.export.evidence import Evidence, Screened
from clearscene.training.export.measured import score
from clearscene.training.export.settings import CalibrationSettings
from clearscene.training.metrics import PixelCounts

TYPES = ("cloud", "misalignment", "blur")
CLASSES = ("background", "cloud")


def evidence(seed=0, n=400):
    """Tiles of which a third has each type, told with errors; and pixels of two classes."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((n, 3)) < 0.33).astype(np.float32)
    logits = (rng.normal(0, 2, (n, 3)) + 4 * labels - 2).astype(np.float32)
    labels[0, 0] = np.nan
    truth = (rng.random(n) < 0.4).astype(np.uint8)
    pixels = np.stack([np.zeros(n), rng.normal(0, 2, n) + 3 * truth - 1], axis=1).astype(np.float32)
    counts = PixelCounts(CLASSES)
    counts.add(truth, pixels.argmax(axis=1))
    certainty = rng.random((n, 2)).astype(np.float32)
    return Evidence(Screened(logits, labels), None, ("a",) * n, pixels, truth, counts, certainty)


def screen_of(found, **settings):
    rules = CalibrationSettings(**settings)
    return calibrate_screen(found, rules, types=TYPES, pool=None, rng=np.random.default_rng(0))


def test_region_types_keep_the_recall_and_boundary_types_the_false_alarms():
    found = evidence()
    screen = screen_of(found, recall=0.95, boundary_false_alarms=0.05)
    flagged = sigmoid(found.tiles.logits / screen.temperature) >= np.array(screen.thresholds)
    labels = found.tiles.labels
    for i in (0, 2):
        assert 0.95 <= flagged[labels[:, i] == 1, i].mean() < 0.97
    assert 0.03 < flagged[labels[:, 1] == 0, 1].mean() <= 0.05


def test_a_few_sure_examples_do_not_raise_the_threshold_above_even_odds():
    found = evidence()
    logits, labels = found.tiles.logits.copy(), np.zeros_like(found.tiles.labels)
    labels[:3, 2], logits[:3, 2] = 1, 9.0
    screen = screen_of(Evidence(**{**vars(found), "tiles": Screened(logits, labels)}))
    assert screen.thresholds[2] == 0.5
    assert screen.thresholds[0] is None  # no example


def test_only_what_the_segmenter_draws_counts_for_the_recall_if_asked():
    found = evidence()
    certainty = found.certainty.copy()
    certainty[0, 1], certainty[1, 1] = np.nan, 0
    found = Evidence(**{**vars(found), "certainty": certainty})
    pixels = calibrate_pixels(found, CalibrationSettings(class_thresholds={"cloud": 0.6}), names=CLASSES)
    counted = drawn(found, pixels, types=TYPES, names=CLASSES)
    assert counted[0, 0]
    assert not counted[1, 0]
    assert counted[2:, 0].tolist() == (certainty[2:, 1] >= 0.6).tolist()
    assert counted[:, 1:].all()  # no classes of the segmenter

    rng = np.random.default_rng(0)
    rules = CalibrationSettings(recall=0.9)
    screen = calibrate_screen(found, rules, types=TYPES, pool=None, rng=rng, counted=counted)
    scores = score(found, screen, pixels, types=TYPES, counted=counted)
    assert 0.9 <= scores.recall_of_drawn["cloud"] < 0.93
    everything = screen_of(found, recall=0.9)
    assert screen.thresholds[1:] == everything.thresholds[1:]
    assert screen.thresholds[0] != everything.thresholds[0]


def test_scores_say_on_how_many_tiles_they_rest_and_what_the_screen_saves():
    found = evidence()
    screen, pixels = screen_of(found), calibrate_pixels(found, CalibrationSettings(), names=CLASSES)
    scores = score(found, screen, pixels, types=TYPES)
    labels = found.tiles.labels
    assert scores.n_tiles == {name: int((labels[:, i] == 1).sum()) for i, name in enumerate(TYPES)}
    clean = (labels == 0).all(axis=1)
    chances = sigmoid(found.tiles.logits[clean] / screen.temperature)
    # only cloud is both screened for and segmented here
    assert scores.clean_flagged == pytest.approx((chances[:, 0] >= screen.thresholds[0]).mean(), abs=1e-5)


def test_the_rules_for_pixels():
    found = evidence(n=5000)
    best = calibrate_pixels(found, CalibrationSettings(), names=CLASSES)
    assert sampled_iou(found, best)[1] >= found.counts.iou()[1] - 1e-3
    precise = calibrate_pixels(found, CalibrationSettings(class_rule="precision", precision=0.9), names=CLASSES)
    chances = 1 / (1 + np.exp(-found.pixel_logits[:, 1] / precise.temperature))
    taken = (chances >= precise.thresholds[1]) & (chances > 0.5)
    assert (found.pixel_labels[taken] == 1).mean() == pytest.approx(0.9, abs=0.005)
    assert precise.thresholds[0] == best.thresholds[0] == 0
    assert best.after.error <= best.before.error


def test_a_temperature_that_makes_the_error_larger_is_not_used():
    """The cross-entropy of a few sure mistakes asks for a higher temperature, and what was right says too little."""
    found = evidence()
    truth = np.zeros(1000, np.uint8)
    pixels = np.zeros((1000, 2), np.float32)
    pixels[:, 0] = 4.0
    truth[:20] = 1
    pixels[:3, 0] = 200.0  # sure, and wrong
    odd = Evidence(**{**vars(found), "pixel_logits": pixels, "pixel_labels": truth})
    kept = calibrate_pixels(odd, CalibrationSettings(), names=CLASSES)
    assert kept.fitted > 1.5
    assert kept.temperature == 1.0
    assert kept.after.error == kept.before.error
    logits, labels = np.repeat(pixels[:, :1], 3, axis=1), np.repeat(1.0 - truth[:, None], 3, axis=1).astype(np.float32)
    screen = screen_of(Evidence(**{**vars(found), "tiles": Screened(logits, labels)}))
    assert (screen.fitted > 1.5, screen.temperature) == (True, 1.0)
    useful = calibrate_pixels(found, CalibrationSettings(), names=CLASSES)
    assert useful.temperature == useful.fitted
