"""The stripe rule on real scenes: next to no false alarms, and stripes drawn on them are found."""

from pathlib import Path

import numpy as np
import pytest
import rasterio
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.rules.rule import View
from clearscene.rules.stripe import StripeRule
from clearscene.runs import Runs, measure
from clearscene.synth.stripes import Stripe, add_stripes

CLEAN = Path(__file__).parents[2].parent / "shared" / "data" / "scenes" / "clean"
NAMES = ["coast_cropped2_12.tif", "forest_meadow_2299x2472.tif", "zurich_0p5m.tif", "drone_shore_4000x2250.tif"]
MAX_FALSE = 0.001

pytestmark = [
    pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning"),
    pytest.mark.real,
    pytest.mark.skipif(not CLEAN.is_dir(), reason="the real imagery is not beside the checkout"),
]


def find(data: NDArray[np.uint8]) -> NDArray[np.bool_]:
    rule = StripeRule()
    valid = np.ones(data.shape[1:], np.bool_)
    evidence = rule.detect(View(data, data, valid, ~valid, 255.0))
    runs = Runs.from_mask(evidence.mask, evidence.confidence)
    if len(runs) == 0:
        return evidence.mask
    labels = runs.label(reach=rule.reach)
    kept = rule.accept(measure(runs, labels))
    return runs.take(kept[labels]).to_mask(Window(0, 0, data.shape[2], data.shape[1]))


def read(name: str) -> NDArray[np.uint8]:
    with rasterio.open(CLEAN / name) as source:
        return np.asarray(source.read(window=Window(0, 0, 1500, 1500))[:3])


@pytest.mark.parametrize("name", NAMES)
def test_clean_scenes_are_clean_and_stripes_on_them_are_found(name: str) -> None:
    data = read(name)
    assert find(data).mean() <= MAX_FALSE
    height, width = data.shape[1:]
    stripes = [
        Stripe(row=height / 3, col=width / 2, length=width, width=2, offset=40, bands=(0,)),
        Stripe(row=height / 2, col=width / 3, length=height // 2, width=3, offset=-45, bands=(0, 1, 2), angle=90),
    ]
    striped, truth = add_stripes(data, stripes)
    found = find(striped)
    assert (found & truth).sum() >= 0.6 * truth.sum()
    assert (found & truth).sum() >= 0.85 * found.sum()
