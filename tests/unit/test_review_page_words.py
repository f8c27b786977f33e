"""The words of the review page: both languages say the same things, and everything the page asks for is there."""

import re
from pathlib import Path

import pytest

import clearscene.review

PAGE = Path(clearscene.review.__file__).parent / "page"
ENTRY = re.compile(r'^  (\w+):\s+"((?:[^"\\]|\\.)*)",$', re.MULTILINE)
VALUE = re.compile(r"\{\d\}")
MOST_LINES = 300


def words(language: str) -> dict[str, str]:
    return dict(ENTRY.findall((PAGE / "lang" / f"{language}.js").read_text("utf-8")))


def modules() -> list[Path]:
    return [path for path in PAGE.rglob("*.js") if "vendor" not in path.parts]


def test_both_languages_have_the_same_words() -> None:
    english, chinese = words("en"), words("zh")
    assert len(english) > 200
    assert english.keys() == chinese.keys()


@pytest.mark.parametrize("key", words("en"))
def test_both_forms_take_the_same_values(key: str) -> None:
    english, chinese = words("en")[key], words("zh")[key]
    assert set(VALUE.findall(english)) == set(VALUE.findall(chinese))
    assert not re.search(r"[a-z]\|", chinese), "Chinese has one form"


def test_every_word_asked_for_is_there() -> None:
    text = "".join(path.read_text("utf-8") for path in [*modules(), PAGE / "index.html"])
    asked = set(re.findall(r'\bt\("(\w+)"', text)) | set(re.findall(r'data-t(?:-label)?="(\w+)"', text))
    assert len(asked) > 100
    assert asked <= words("en").keys()


def test_every_key_has_a_name() -> None:
    asked = set(re.findall(r'\{ name: "(\w+)", keys:', (PAGE / "keymap.js").read_text("utf-8")))
    assert {f"do_{name}" for name in asked} <= words("en").keys()


@pytest.mark.parametrize("path", modules(), ids=lambda path: path.name)
def test_modules_are_short_and_make_no_markup(path: Path) -> None:
    text = path.read_text("utf-8")
    if "lang" not in path.parts:
        assert text.count("\n") < MOST_LINES
    assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function", text)


def test_the_page_needs_no_network_and_no_inline_script() -> None:
    html = (PAGE / "index.html").read_text("utf-8")
    assert not re.search(
        r"<script(?![^>]*\bsrc=)|\son\w+=|https?:", html.replace('xmlns="http://www.w3.org/2000/svg"', "")
    )
    for address in re.findall(r'(?:src|href)="/page/([^"]+)"', html):
        assert (PAGE / address).is_file(), address
