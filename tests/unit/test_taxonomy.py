import pytest

from clearscene.errors import OptionError
from clearscene.inspection.taxonomy import TYPES, parse_types


def test_ids_are_those_of_the_published_mask_table():
    assert [t.id for t in TYPES] == list(range(1, 11))
    assert {t.id for t in TYPES if t.group == "pixel"} == {9, 10}
    assert {t.id for t in TYPES if t.group == "boundary"} == {7, 8}


def test_names_ids_and_exclusion():
    assert [t.name for t in parse_types("stripe, 1")] == ["cloud", "stripe"]
    assert "cloud" not in [t.name for t in parse_types("-cloud,-10")]
    assert parse_types("") == TYPES


@pytest.mark.parametrize("text", ["fog", "11", "cloud,-stripe"])
def test_bad_types_name_the_value(text):
    with pytest.raises(OptionError, match=text.split(",")[0]):
        parse_types(text)
