"""Laws of the TOML writer; the oracle is the standard library's reader."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from clearscene.training.export.toml_text import to_toml

texts = st.text(st.characters(codec="utf-8"), max_size=20)
plain = texts | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False) | st.booleans()
values = st.recursive(
    plain,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@given(st.dictionaries(texts, values, max_size=5))
def test_what_is_written_is_read_back(document):
    assert tomllib.loads(to_toml(document)) == document


def test_tables_come_after_plain_keys_and_none_is_left_out():
    text = to_toml({"table": {"x": 1, "gone": None}, "list": [{"a": 1}, {"b": [{"c": 2}]}], "plain": "ä\x7f\\"})
    assert text.splitlines()[0].startswith("plain = ")
    assert tomllib.loads(text) == {"table": {"x": 1}, "list": [{"a": 1}, {"b": [{"c": 2}]}], "plain": "ä\x7f\\"}


def test_other_types_are_refused():
    with pytest.raises(TypeError, match="cannot be written as TOML"):
        to_toml({"x": object()})
