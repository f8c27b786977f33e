"""Real photos: the shipped model on some of those that it was not trained on."""

from pathlib import Path

import pytest

from clearscene.sky.model import SkyModel
from clearscene.sky.options import SkyOptions
from sky_accuracy import Measured
from sky_set import pairs, read_pair

FOLDER = Path(__file__).parents[2].parent / "shared" / "data" / "dev" / "sky"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not FOLDER.exists(), reason="the real photos are not beside this checkout"),
]


@pytest.mark.usefixtures("shipped_model")
def test_most_of_the_sky_is_found():
    options = SkyOptions(device="cpu", workers=1)
    given, measured = (SkyModel.load(options), options), Measured()
    for image, mask in pairs(FOLDER)[::5]:
        photo, truth = read_pair(image, mask)
        measured.add(image.stem, truth, photo, given)
    found = measured.summary()
    assert found["photos"] == 10
    assert found["iou"] > 0.85
    assert found["auroc"] > 0.97
