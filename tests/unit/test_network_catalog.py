"""What is known of the semantic networks without building one: cards, command, page; and labels for instances."""

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from clearscene.cli.benchmark import app
from clearscene.errors import TrainingError
from clearscene.training.networks.catalog import BUILDERS, CATALOG, build_semantic, card, names
from clearscene.training.networks.yolo_instances import joined, label_lines

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "networks.md"


def test_every_form_of_a_card_has_a_card():
    assert {(c.name, form) for c in CATALOG for form in c.forms} == {(c.name, c.form) for c in CATALOG}
    assert set(names()) == set(BUILDERS)
    assert len({(c.name, c.form) for c in CATALOG}) == len(CATALOG)


def test_every_card_says_where_it_comes_from():
    for c in CATALOG:
        assert c.source, c.name
        assert c.gflop_per_mpx > 0
        assert c.n_parameters > 1e6
        assert c.optimizer in ("sgd", "adam", "adam-amsgrad", "adamw")
        assert c.schedule in ("constant", "plateau", "poly", "cosine")


def test_the_published_training_of_rs_net_and_of_the_comparison():
    paper, comparison = card("rs-net", "paper"), card("rs-net", "benchmark")
    assert (paper.loss, paper.optimizer, paper.lr, paper.training.batch) == ("bce", "adam-amsgrad", 1e-4, 40)
    assert (comparison.loss, comparison.schedule, comparison.input_size) == ("soft-jaccard", "plateau", 256)


@pytest.mark.parametrize(
    ("name", "form", "words"), [("unett", "paper", "mean unet"), ("unet", "benchmrk", "paper, benchmark")]
)
def test_what_is_not_there_is_named_with_what_is(name, form, words):
    with pytest.raises(TrainingError, match=words):
        card(name, form)


@pytest.mark.parametrize(("n_bands", "n_classes"), [(0, 1), (65, 1), (3, 0)])
def test_bands_and_classes_must_be_possible(n_bands, n_classes):
    with pytest.raises(TrainingError, match="cannot have"):
        build_semantic("unet", form="benchmark", n_bands=n_bands, n_classes=n_classes)


def test_the_catalog_needs_no_torch():
    code = "import sys, clearscene.training.networks.catalog; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_command_lists_every_network():
    listed = CliRunner().invoke(app, ["networks"]).stdout.splitlines()[1:]
    assert [tuple(line.split()[:3]) for line in listed] == [(c.name, c.form, str(c.bands)) for c in CATALOG]


def test_the_command_for_programs():
    records = json.loads(CliRunner().invoke(app, ["networks", "rs-net", "unet", "--json"]).stdout)
    assert [(r["name"], r["form"]) for r in records] == [
        (name, form) for name in ("unet", "rs-net") for form in ("paper", "benchmark")
    ]
    assert records[3]["parameters"] == records[3]["parameters_by_bands"]["3"] == 7_854_593
    assert records[3]["training"]["optimizer"] == "adam"


def test_the_command_names_a_network_that_is_not_there():
    outcome = CliRunner().invoke(app, ["networks", "segformer"])
    assert isinstance(outcome.exception, TrainingError)


def test_the_page_of_networks_is_current():
    rows = re.findall(r"^\| `([\w-]+)` \| (`.*?`) \| (\d+) \| ([\d,]+) \| ([\d.]+) \|", PAGE.read_text("utf-8"), re.M)
    told = {
        (name, form.strip("` ")): (int(bands), int(count.replace(",", "")), float(work))
        for name, forms, bands, count, work in rows
        for form in forms.split(",")
    }
    assert told == {(c.name, c.form): (c.bands, c.n_parameters, c.gflop_per_mpx) for c in CATALOG}


# Instances


def test_labels_are_outer_outlines_of_what_is_large_enough():
    is_cloud = np.zeros((40, 60), np.bool_)
    is_cloud[5:21, 10:31] = True
    is_cloud[10:13, 15:18] = False  # a hole, which is lost
    is_cloud[30:35, 50:55] = True  # too small
    (line,) = label_lines(is_cloud)
    number, *values = line.split()
    points = np.array(values, float).reshape(-1, 2) * (60, 40)
    assert number == "0"
    assert points.min(axis=0) == pytest.approx([10, 5], abs=1e-3)
    assert points.max(axis=0) == pytest.approx([30, 20], abs=1e-3)
    assert len(label_lines(is_cloud, min_area=0)) == 2


def test_the_join_is_the_union_at_every_confidence():
    generator = np.random.default_rng(0)
    chances = generator.random(6, dtype=np.float32)
    masks = (generator.random((6, 5, 8)) < 0.3).astype(np.float32)
    found = joined(chances, masks)
    assert found.shape == (5, 8)
    for least in (0.1, 0.25, 0.5):
        assert np.array_equal(found >= least, masks[chances >= least].astype(bool).any(axis=0))
    assert not joined(chances[:0], masks[:0]).any()
