import numpy as np
import pytest

from clearscene.masking.classes import collapse, decide, legend, merge


def probabilities(*columns):
    """(class, 1, n) from one column of four a pixel."""
    return np.array(columns, np.float32).T[:, None]


def test_ids_of_three_and_two_classes_are_those_of_four():
    assert [e.id for e in legend(4)] == [0, 1, 2, 3]
    assert [e.id for e in legend(3)] == [0, 1, 3]
    assert [e.id for e in legend(2)] == [0, 1]


def test_collapse_by_hand():
    class_map = np.array([[0, 1, 2, 3, 255]], np.uint8)
    assert collapse(class_map, 3).tolist() == [[0, 1, 1, 3, 255]]
    assert collapse(class_map, 2).tolist() == [[0, 1, 1, 0, 255]]


def test_a_sure_cloud_of_unsure_thickness_is_cloud_in_three_classes():
    found = probabilities((0.4, 0.3, 0.3, 0.0))
    assert decide(found, 4).tolist() == [[0]]
    assert decide(found, 3).tolist() == [[1]]


def test_shadow_counts_as_clear_in_two_classes():
    assert decide(probabilities((0.3, 0.4, 0.0, 0.3)), 2).tolist() == [[0]]


def test_of_equals_the_smaller_id():
    assert decide(probabilities((0.0, 0.5, 0.0, 0.5)), 4).tolist() == [[1]]


def test_a_class_below_its_threshold_does_not_win():
    found = probabilities((0.1, 0.0, 0.2, 0.7), (0.0, 0.0, 0.05, 0.95))
    assert decide(found, 4, (0, 0, 0, 0.8)).tolist() == [[2, 3]]


def test_clear_needs_no_threshold():
    assert decide(probabilities((0.4, 0.3, 0.2, 0.1)), 4, (0.9, 0.9, 0.9, 0.9)).tolist() == [[0]]


@pytest.mark.parametrize("classes", [4, 3, 2])
def test_merged_probabilities_sum_to_one(classes):
    found = np.random.default_rng(0).dirichlet(np.ones(4), (5, 7)).transpose(2, 0, 1).astype(np.float32)
    assert merge(found, classes).shape == (classes, 5, 7)
    np.testing.assert_allclose(merge(found, classes).sum(axis=0), 1, rtol=1e-6)
