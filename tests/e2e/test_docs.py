"""What the documentation says of commands, files and numbers is what the code does."""

import importlib
import importlib.util
import re
import shlex
import tomllib
from collections.abc import Iterator
from functools import cache
from itertools import pairwise
from pathlib import Path
from types import ModuleType

import pytest

from clearscene.inspection.result import Report
from clearscene.inspection.standard import load_standard
from clearscene.inspection.taxonomy import TYPES
from clearscene.models import manifest as manifests
from tests.unit.test_layers import LAYERS, SOURCE

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(DOCS.rglob("*.md"))
TEXTS = [*PAGES, *(path for name in ("README.md", "CONTRIBUTING.md") if (path := ROOT / name).exists())]

FENCE = re.compile(r"^```.*?^```", re.DOTALL | re.MULTILINE)
BLOCK = re.compile(r"^```[^\n]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
NUMBER = re.compile(r"^-?\d+(\.\d+)?")
CONSTANT = re.compile(r"^`((?:raster|rules|models|inspection)\.[\w.\[\]]+)`$")


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def reference() -> ModuleType:
    """docs/make_cli_reference.py as a module."""
    spec = importlib.util.spec_from_file_location("make_cli_reference", DOCS / "make_cli_reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@cache
def known() -> dict[str, set[str]]:
    """Options of each command, by its words."""
    module = reference()
    return {words: module.options_of(command) for words, command in module.commands()}


def test_the_page_of_commands_is_current():
    assert (DOCS / "reference" / "cli.md").read_text("utf-8") == reference().page(), (
        "run: python docs/make_cli_reference.py"
    )


def test_the_page_of_commands_holds_every_command_and_option():
    page = reference().page()
    for words, options in known().items():
        section = page.split(f"## {words}\n")[1].split("\n## ")[0]
        assert all(f"`{option}`" in section for option in options - {"--help"}), words


# -- links and navigation --------------------------------------------------------------------------


def anchors(path: Path) -> set[str]:
    """Anchors of the headings of a page, as mkdocs makes them."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text("utf-8")), re.MULTILINE)
    return {re.sub(r"[\s-]+", "-", re.sub(r"[^\w\s-]", "", h).strip().lower()) for h in headings}


def broken(path: Path) -> Iterator[str]:
    for target in LINK.findall(FENCE.sub("", path.read_text("utf-8"))):
        file, _, anchor = target.partition("#")
        if "://" in file or file.startswith("mailto:"):
            continue
        found = (path.parent / file).resolve() if file else path
        if not found.exists() or (anchor and found.suffix == ".md" and anchor not in anchors(found)):
            yield target


@pytest.mark.parametrize("path", TEXTS, ids=named)
def test_every_relative_link_leads_somewhere(path):
    assert list(broken(path)) == []


def test_a_broken_link_would_be_seen(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A title: x\n[a](page.md#a-title-x) [b](gone.md) [c](page.md#gone)\n```\n[d](code.md)\n```\n")
    assert list(broken(page)) == ["gone.md", "page.md#gone"]


def test_every_page_is_in_the_navigation_and_every_entry_exists():
    text = (ROOT / "mkdocs.yml").read_text("utf-8").split("\nnav:")[1]
    entries = re.findall(r"([\w./-]+\.md)\s*$", text, re.MULTILINE)
    assert sorted(entries) == sorted(path.relative_to(DOCS).as_posix() for path in PAGES)


# -- commands --------------------------------------------------------------------------------------


def typed(path: Path) -> list[str]:
    """Lines of the code blocks of a page that call clearscene."""
    lines = "\n".join(BLOCK.findall(path.read_text("utf-8"))).replace("\\\n", " ").splitlines()
    return [line for line in lines if line.startswith("clearscene ")]


def wrong_words(line: str) -> list[str]:
    """Commands and options of a typed line that do not exist."""
    words = shlex.split(line, comments=True)
    name = max((n for n in known() if words[: len(n.split())] == n.split()), key=len, default="")
    if not name:
        return words[:2]
    given = [word.partition("=")[0] for word in words if re.match(r"--?[A-Za-z]", word)]
    return [word for word in given if word not in known()[name]]


@pytest.mark.parametrize("path", TEXTS, ids=named)
def test_typed_commands_and_options_exist(path):
    for line in typed(path):
        if "SCENE..." not in line and "[OPTIONS]" not in line:
            assert wrong_words(line) == [], line


def test_a_wrong_option_would_be_seen():
    assert wrong_words("clearscene inspect a.tif --outt x -o y") == ["--outt"]
    assert wrong_words("clearscene mend a.tif") == ["clearscene", "mend"]
    assert wrong_words("clearscene synth scene --size 9x9 --out a.tif  # --not an option") == []


def test_the_guide_names_every_option_in_text_that_exists():
    every = set().union(*known().values()) | {"--version"}
    for path in PAGES:
        text = BLOCK.sub("", path.read_text("utf-8"))
        spoken = {m for code in re.findall(r"`([^`]+)`", text) for m in re.findall(r"(?<!\w)--[a-z][a-z-]+", code)}
        assert spoken - every == set(), named(path)


# -- numbers, columns, keys ------------------------------------------------------------------------


def stated(path: Path) -> list[tuple[str, float]]:
    """Constants that tables of a page name, with the number in the cell before."""
    found = []
    for line in path.read_text("utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("| ").split("|")]
        for before, cell in pairwise(cells):
            if (constant := CONSTANT.match(cell)) and (number := NUMBER.match(before)):
                found.append((constant[1], float(number[0])))
    return found


def value_of(constant: str) -> float:
    """The number that a name such as `rules.stripe.STRAIGHT[0].length` means."""
    *path, last = re.findall(r"\w+", constant)
    place: object = importlib.import_module(f"clearscene.{path[0]}.{path[1]}")
    for step in [*path[2:], last]:
        place = place[int(step)] if step.isdigit() else getattr(place, step)  # type: ignore[index]
    return float(place)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["validity", "stripes"])
def test_numbers_of_the_concepts_are_those_of_the_code(name):
    claims = stated(DOCS / "concepts" / f"{name}.md")
    assert len(claims) >= 15
    assert claims == [(c, value_of(c)) for c, _ in claims]


def test_the_glossary_holds_the_ten_types():
    text = (DOCS / "concepts" / "glossary.md").read_text("utf-8")
    rows = [f"| {t.id} | `{t.name}` | {t.title} | {t.title_zh} | {t.group} |" for t in TYPES]
    assert [row for row in rows if row not in text] == []


def test_every_key_of_the_report_is_in_the_page_of_files():
    text = (DOCS / "reference" / "files.md").read_text("utf-8").split("## `defects.gpkg`")[0]
    assert [key for key in Report.model_fields if f"`{key}`" not in text] == []


def test_every_package_is_in_the_page_of_layers():
    text = (DOCS / "concepts" / "layout.md").read_text("utf-8")
    there = {path.name.removesuffix(".py") for path in SOURCE.iterdir() if not path.name.startswith("_")}
    rows = [re.findall(r"`(\w+)`", line) for line in text.splitlines() if line.startswith("|")]
    ordered = [name for row in rows for name in row]
    assert ordered == [name for row in LAYERS for name in row if name in there]


def test_the_example_manifest_and_standard_are_accepted(tmp_path):
    manifest, standard = (
        next(block for block in BLOCK.findall((DOCS / page).read_text("utf-8")) if "[[" in block)
        for page in ("concepts/tiling.md", "guides/standards.md")
    )
    assert manifests.Manifest.model_validate(tomllib.loads(manifest)).screen is not None
    (tmp_path / "ours.toml").write_text(standard, "utf-8")
    assert load_standard(tmp_path / "ours.toml").name == "ours"


def test_the_guide_to_models_names_every_key_of_the_manifest():
    text = (DOCS / "guides" / "models.md").read_text("utf-8")
    keys = [name for name in manifests.Manifest.model_fields if name not in ("input", "tiles", "output", "screen")]
    sections = {"input": "InputSpec", "tiles": "TileSection", "output": "OutputSpec", "screen": "ScreenSpec"}
    for section, kind in {**sections, "classes": "ClassEntry"}.items():
        keys += [f"{section}.{name}" for name in getattr(manifests, kind).model_fields]
    assert [key for key in keys if f"`{key}`" not in text] == []


def test_python_examples_compile():
    for path in TEXTS:
        for block in re.findall(r"^```python\n(.*?)^```", path.read_text("utf-8"), re.DOTALL | re.MULTILINE):
            compile(block, named(path), "exec")
            for module, names in re.findall(r"^from (clearscene[\w.]*) import (.+)$", block, re.MULTILINE):
                loaded = importlib.import_module(module)
                assert all(hasattr(loaded, name.strip()) for name in names.split(",")), (named(path), names)
