"""What quality bands mean, and Landsat's metadata by group."""

import numpy as np
import pytest

from clearscene.errors import SceneError
from clearscene.raster.sensors.mtl import parse_mtl
from clearscene.raster.sensors.quality import from_bqa, from_old_bqa, from_qa_pixel, from_scl, most_common
from clearscene.raster.sensors.resampling import Axis, footprint_taps


def test_scene_classes():
    codes = from_scl(np.arange(13, dtype=np.uint8))
    np.testing.assert_array_equal(codes, [255, 255, 0, 3, 0, 0, 0, 255, 1, 1, 2, 0, 255])


def test_collection_2_by_the_values_that_the_agency_lists():
    """USGS, Landsat 8-9 Collection 2 QA_PIXEL value interpretations: clear, water, cloud, shadow, cirrus, fill."""
    listed = np.array([21824, 21952, 22280, 23888, 54596, 1], np.uint16)
    np.testing.assert_array_equal(from_qa_pixel(listed), [0, 0, 1, 3, 2, 255])
    assert from_qa_pixel(np.array([21826], np.uint16))[0] == 255  # dilated cloud alone


def test_cloud_over_shadow_over_cirrus():
    cloud, shadow, cirrus = 1 << 3, 1 << 4, 1 << 2
    words = np.array([cloud | shadow | cirrus, shadow | cirrus, cirrus, cloud | 1], np.uint16)
    np.testing.assert_array_equal(from_qa_pixel(words), [1, 3, 2, 255])


def test_collection_1():
    """USGS, Collection 1 BQA values of Landsat 8: clear 2720, cloud 2800, shadow 2976, cirrus 6816, fill 1."""
    np.testing.assert_array_equal(from_bqa(np.array([2720, 2800, 2976, 6816, 1], np.uint16)), [0, 1, 3, 2, 255])


def test_before_the_collections():
    """USGS, pre-collection BQA: clear 20480, cloud 53248, cirrus and cloud 61440, cirrus 28672, fill 1."""
    words = np.array([20480, 53248, 61440, 28672, 1, 20484], np.uint16)
    np.testing.assert_array_equal(from_old_bqa(words), [0, 1, 1, 2, 255, 255])


def test_the_code_with_the_most_area_wins():
    codes = np.array([[0, 0, 1, 3, 3, 2, 0, 0, 0]], np.uint8)
    valid = np.ones(codes.shape, np.bool_)
    valid[0, 6:8] = False
    rows, cols = footprint_taps(Axis(1.0, 0, 1), 0, 1), footprint_taps(Axis(3.0, 0, 9), 0, 3)
    np.testing.assert_array_equal(most_common(codes, valid, rows, cols), [[0, 3, 255]])


TEXT = """GROUP = LANDSAT_METADATA_FILE
  GROUP = A
    KEY = "one"
    OTHER = 2
  END_GROUP = A
  GROUP = B
    KEY = 3.5E-05
  END_GROUP = B
END_GROUP = LANDSAT_METADATA_FILE
END
GROUP = C
"""


def test_values_by_group():
    groups = parse_mtl(TEXT, "MTL")
    assert groups["A"] == {"KEY": "one", "OTHER": "2"}
    assert groups["B"] == {"KEY": "3.5E-05"}
    assert "C" not in groups


@pytest.mark.parametrize("text", ["", "no metadata", TEXT[:90], TEXT.replace("END_GROUP = A", "END_GROUP = B")])
def test_broken_metadata(text):
    with pytest.raises(SceneError, match="MTL"):
        parse_mtl(text, "MTL")
