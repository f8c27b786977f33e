"""Imports go one way: the layout of docs/concepts/layout.md, read from the source."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[2] / "src" / "clearscene"

LAYERS = [
    ["__init__"],
    ["errors", "grid", "runs", "atomic", "timing", "batch"],
    ["raster"],
    ["tiling", "blend", "stream"],
    ["models"],
    ["rules"],
    ["vector"],
    ["masking"],
    ["inspection"],
    ["fusion", "sky"],
    ["synth"],
    ["datasets"],
    ["training"],
    ["benchmark"],
    ["language"],
    ["review"],
    ["cli"],
    ["__main__"],
]
ORDER = {name: (row, col) for row, names in enumerate(LAYERS) for col, name in enumerate(names)}


def package_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Top-level parts of clearscene that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "clearscene":
            parts = node.module.split(".")
            names = [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
            found |= {name if name in ORDER else "__init__" for name in names}
        if isinstance(node, ast.Import):
            found |= {a.name.split(".")[1] for a in node.names if a.name.startswith("clearscene.")}
    return found


def back_edges(path: Path) -> list[str]:
    here = package_of(path)
    # The package itself only names where its lazy attributes live.
    above = set() if here == "__init__" else imported(path) - {here, "__init__"}
    wrong = [name for name in above if ORDER[name] >= ORDER[here]]
    return [f"{path.relative_to(SOURCE)} imports {name}" for name in wrong]


def test_every_module_has_a_place():
    assert {package_of(path) for path in SOURCE.rglob("*.py")} <= set(ORDER)


def test_no_import_goes_back():
    assert [edge for path in SOURCE.rglob("*.py") for edge in back_edges(path)] == []


def test_a_back_edge_would_be_seen(tmp_path, monkeypatch):
    monkeypatch.setitem(globals(), "SOURCE", tmp_path)
    (tmp_path / "raster").mkdir()
    bad = tmp_path / "raster" / "scene.py"
    bad.write_text("from clearscene.inspection import taxonomy\n")
    assert back_edges(bad) == ["raster/scene.py imports inspection"]


def test_stream_imports_no_model():
    path = SOURCE / "stream.py"
    assert "models" not in imported(path)


@pytest.mark.parametrize("module", ["clearscene", "clearscene.cli.main", "clearscene.inspection.inspect"])
def test_base_paths_load_no_heavy_package(module):
    heavy = ["torch", "matplotlib", "weasyprint", "transformers", "scipy"]
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
