import re
import string
from datetime import datetime
from pathlib import Path

import pytest

import clearscene.inspection
from clearscene.errors import OptionError
from clearscene.inspection.report_texts import Texts
from clearscene.inspection.result import Status
from clearscene.inspection.taxonomy import TYPES, Group
from clearscene.inspection.texts import TEXTS, WORDS

EN, ZH = Texts("en"), Texts("zh")
CHINESE = re.compile(r"[\u4e00-\u9fff]")
SOURCES = Path(clearscene.inspection.__file__).parent


def _plain(text: str) -> str:
    return text.replace("\u202f", " ")


def _values(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("key", TEXTS)
def test_every_key_has_both_languages_with_the_same_values(key: str) -> None:
    english, chinese = TEXTS[key]
    for form in english.split("|"):
        assert form.strip() == form != ""
        assert _values(form) == _values(chinese)
    assert CHINESE.search(chinese)
    assert not CHINESE.search(english)
    assert "|" not in chinese


def test_every_word_has_both_languages() -> None:
    for english, chinese in WORDS.values():
        assert english
        assert CHINESE.search(chinese)


def test_every_key_is_used_and_every_key_used_exists() -> None:
    sources = [p for p in (*SOURCES.glob("*.py"), *SOURCES.glob("templates/*.j2")) if p.name != "texts.py"]
    code = "\n".join(p.read_text(encoding="utf-8") for p in sources)
    used = set(re.findall(r"""\b(?:t|texts|say|self)\(\s*["'](\w+)["'][,)]""", code))
    computed = {k for k in TEXTS if k.startswith(("px_", "unit_"))} | {"name", "decision", "date", "signature"}
    assert used <= TEXTS.keys()
    assert TEXTS.keys() - used - computed == {"inspector", "reviewer"}


def test_values_of_the_record_have_words() -> None:
    assert {*Status, *Group, "rule", "model"} <= WORDS.keys()
    assert ZH.word("rejected") == "已驳回"
    assert ZH.word("Excellent") == "优"
    assert ZH.word("甲") == "甲"
    assert [ZH.defect(t.name) for t in TYPES[:2]] == ["云", "阴影"]
    assert EN.defect("stripe") == "Stripe noise"


def test_singular_and_plural() -> None:
    assert EN("n_scenes", "1") == "1 scene"
    assert EN("n_scenes", "0") == "0 scenes"
    assert EN("n_scenes", "1,001") == "1,001 scenes"
    assert ZH("n_scenes", "1") == "1 景影像"


def test_unknown_language_is_an_error() -> None:
    with pytest.raises(OptionError, match="'fr' is not available"):
        Texts("fr")


@pytest.mark.parametrize(
    ("fraction", "text"),
    [
        (0, "0 %"),
        (1, "100 %"),
        (0.000003, "0.0003 %"),
        (0.00000312, "0.00031 %"),
        (1e-12, "<0.0000001 %"),
        (0.0312, "3.1 %"),
        (0.312, "31 %"),
        (0.964, "96.4 %"),
        (0.999996, "99.9996 %"),
        (1 - 1e-12, ">99.9999999 %"),
        (0.9949, "99.49 %"),
        (0.00996, "1 %"),
    ],
)
def test_percent_never_rounds_to_nothing_or_all(fraction: float, text: str) -> None:
    shown = _plain(EN.percent(fraction))
    assert shown == text
    assert ZH.percent(fraction) == text.replace(" ", "")
    assert 0 < fraction < 1 or shown in ("0 %", "100 %")


@pytest.mark.parametrize(
    ("area", "english", "chinese"),
    [
        (0.0025, "0.0025 m²", "0.0025 平方米"),
        (6.25, "6.25 m²", "6.25 平方米"),
        (0, "0 m²", "0 平方米"),
        (1234.4, "1,234 m²", "1,234 平方米"),
        (29_571, "2.96 ha", "2.96 公顷"),
        (999_999, "100 ha", "100 公顷"),
        (1_234_567, "1.23 km²", "1.23 平方千米"),
        (12_345_678_901, "12,346 km²", "12,346 平方千米"),
    ],
)
def test_area_changes_its_unit(area: float, english: str, chinese: str) -> None:
    assert _plain(EN.area(area, 1)) == english
    assert _plain(ZH.area(area, 1)) == chinese


def test_pixels_where_meters_are_unknown() -> None:
    assert _plain(EN.area(None, 12_345)) == "12,345 px"
    assert _plain(ZH.area(None, 12_345)) == "12,345 像素"
    assert _plain(EN.length(None, 256.0)) == "256 px"
    assert EN.area(None) == EN.length(None) == "–"


def test_length_time_and_memory() -> None:
    assert _plain(EN.length(256.2)) == "256 m"
    assert _plain(EN.length(12_340)) == "12.3 km"
    assert _plain(EN.round_length(0.2)) == "0.2 m"
    assert _plain(ZH.round_length(2000)) == "2 千米"
    assert _plain(EN.seconds(0.02)) == "0.02 s"
    assert _plain(ZH.seconds(0.000979)) == "<0.01 秒"
    assert _plain(EN.seconds(0.5774)) == "0.58 s"
    assert _plain(EN.seconds(119.6)) == "2 min 0 s"
    assert _plain(EN.seconds(7384)) == "2 h 3 min"
    assert _plain(EN.memory(812.4)) == "812 MB"
    assert _plain(EN.memory(1412)) == "1.41 GB"


def test_a_score_never_shows_as_more_than_it_is() -> None:
    assert [EN.score(s) for s in (59.96, 60, 99.99, 100, 92.3, 0)] == ["59.9", "60.0", "99.9", "100.0", "92.3", "0.0"]


def test_a_penalty_never_shows_as_nothing() -> None:
    assert [EN.penalty(p) for p in (0, 0.001, 0.05, 1, 12.5, 1200)] == ["0", "<0.01", "0.05", "1", "12.5", "1,200"]


def test_moment_does_not_follow_the_locale() -> None:
    when = datetime(2025, 3, 9, 6, 5)
    assert EN.moment(when) == "9 Mar 2025, 06:05"
    assert ZH.moment(when) == "2025年3月9日 06:05"
