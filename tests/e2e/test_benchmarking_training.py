"""A benchmark that trains a real network, from the typed command; needs the extra `train`."""

import contextlib
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

from clearscene.benchmark.results import read_results
from clearscene.benchmark.suite import parse_suite
from clearscene.benchmark.trained import training_values
from clearscene.datasets.prepared import PreparedSet
from clearscene.training.config import parse_config
from clearscene.training.networks.catalog import CATALOG
from tests.benchmark_sets import SHAPE, make_set
from tests.command import clearscene

SUITE = """
name = "trained"
protocols = ["pooled"]
pictures = 1
[[sets]]
name = "Made"
folder = "set"
[training]
epochs = 1
size = 32
batch_size = 4
threads = 1
device = "cpu"
[[models]]
name = "U-Net"
network = "unet"
form = "benchmark"
bands = ["red", "green"]
"""

YOLO = """network = "yolov8-seg"
form = "instances"
[models.training]
epochs = 2
optimizer = "adamw"
augment = false
max_val_chips = 4"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("benchmark")
    make_set(folder / "set", n_scenes=6)
    (folder / "suite.toml").write_text(SUITE, encoding="utf-8")
    return folder


def test_a_network_is_trained_judged_and_not_trained_again(folder):
    out = folder / "out"
    clearscene("benchmark", "run", folder / "suite.toml", "--out", out, "--quiet", check=0)
    results = read_results(out)
    (cell,), (training,), (model,) = results.cells, results.trainings, results.models
    assert cell.bands == ("red", "green")
    assert cell.n_scenes == 2
    assert 0 <= cell.metrics["auc"].value <= 1
    assert training.minutes > 0
    assert training.val_loss.values
    assert model.parameters == 1_941_105 - 16 * 9  # a band less than the published three
    assert model.gflop_per_mpx > 0
    best = out / "trained" / "made" / "u-net" / "best.pt"
    before = best.stat().st_mtime_ns
    clearscene("benchmark", "run", folder / "suite.toml", "--out", out, "--quiet", check=0)
    assert best.stat().st_mtime_ns == before
    assert read_results(out).cells == results.cells


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="processes of a session are counted in /proc")
def test_a_run_that_is_ended_leaves_a_checkpoint_and_no_process_behind(folder, tmp_path):
    with endless_run(folder, tmp_path) as run:
        assert not list(tmp_path.glob("trained/*/*/last.pt")), "one is written every ten minutes"
        run.send_signal(signal.SIGTERM)
        said = run.communicate(timeout=60)[1]
    assert run.returncode == 130
    assert "stopping after this step" in said
    assert "the same command goes on" in said
    assert list(tmp_path.glob("trained/*/*/last.pt"))
    until(lambda: not of_session(run.pid))


@pytest.mark.skipif(not Path("/proc/self/stat").is_file(), reason="processes of a session are counted in /proc")
def test_what_reads_chips_ends_with_a_run_that_is_killed(folder, tmp_path):
    with endless_run(folder, tmp_path) as run:
        run.kill()
    until(lambda: not of_session(run.pid))


@contextlib.contextmanager
def endless_run(folder, out):
    """A run of the suite that trains, with a process that reads chips; it is killed if the test fails."""
    text = SUITE.replace("epochs = 1", "epochs = 100000").replace('"set"', f'"{folder / "set"}"')
    (out / "suite.toml").write_text(text, encoding="utf-8")
    command = [sys.executable, "-m", "clearscene", "benchmark", "run", out / "suite.toml", "--out", out]
    with subprocess.Popen(command, stderr=subprocess.PIPE, start_new_session=True, text=True) as run:
        try:
            until(lambda: list(out.glob("trained/*/*/train.csv")) and len(of_session(run.pid)) > 3)
            yield run
        finally:
            run.kill()


def until(is_so, *, seconds=90):
    """Wait for something that takes time."""
    end = time.monotonic() + seconds
    while not is_so():
        assert time.monotonic() < end, "it never came about"
        time.sleep(0.1)


def of_session(leader):
    """Ids of the processes that a process and its children have started, itself included."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it has just ended
            state, _, _, session = stat.read_text(encoding="utf-8").rpartition(")")[2].split()[:4]
            if int(session) == leader and state != "Z":
                found.append(int(stat.parent.name))
    return found


def test_yolo_learns_instances_with_the_trainer_of_its_makers(folder, tmp_path):
    pytest.importorskip("ultralytics", reason="ultralytics comes with the extra `yolo`")
    text = SUITE.replace('network = "unet"\nform = "benchmark"\nbands = ["red", "green"]', YOLO)
    (tmp_path / "suite.toml").write_text(text.replace('"set"', f'"{folder / "set"}"'), encoding="utf-8")
    clearscene("benchmark", "run", tmp_path / "suite.toml", "--out", tmp_path / "out", "--quiet", check=0)
    results = read_results(tmp_path / "out")
    (cell,), (training,), (model,) = results.cells, results.trainings, results.models
    assert (cell.status, cell.bands) == ("done", ("red", "green", "blue"))
    assert cell.n_pixels == 2 * SHAPE[0] * SHAPE[1]
    assert (training.status, training.steps) == ("done", 2 * 3)
    assert len(training.val_loss.values) == len(training.train_loss.values) == 2
    assert model.parameters == 3_274_915
    trained = tmp_path / "out" / "trained" / "made" / "u-net"
    assert (trained / "instances.pt").is_file()
    assert not (trained / "yolo" / "images").exists()
    again = folder / "again.toml"
    again.write_text(
        f'name = "again"\n[[sets]]\nname = "Made"\nfolder = "set"\ntrain = false\n'
        f'[[models]]\nname = "earlier"\nrun = "{trained}"\n',
        encoding="utf-8",
    )
    clearscene("benchmark", "run", again, "--out", tmp_path / "again", "--quiet", check=0)
    assert read_results(tmp_path / "again").cells[0].metrics["iou"] == cell.metrics["iou"]


@pytest.mark.parametrize("card", CATALOG, ids=lambda card: f"{card.name}-{card.form}")
def test_every_network_of_the_catalog_has_a_config(folder, card):
    models = [{"name": "x", "network": card.name, "form": card.form}]
    suite = parse_suite(
        {"name": "x", "sets": [{"name": "Made", "folder": "set"}], "models": models}, place="x", folder=folder
    )
    values = training_values(suite, suite.models[0], suite.sets[0], prepared=PreparedSet.open(folder / "set"))
    config = parse_config(values, place="x")
    assert (config.network.name, config.network.bands) == (card.name, ("red", "green", "blue"))
    assert config.run.epochs >= 1
    assert json.dumps(values)


def test_what_is_chosen_for_all_and_for_one_network_reaches_the_training(folder):
    training = {"precision": "bfloat16", "size": 64, "lr": 0.01, "augment": False, "clean_share": 0.3}
    models = [{"name": "x", "network": "unet", "training": {"size": 32}}]
    values = {"name": "x", "sets": [{"name": "Made", "folder": "set"}], "models": models, "training": training}
    suite = parse_suite(values, place="x", folder=folder)
    prepared = PreparedSet.open(folder / "set")
    config = parse_config(training_values(suite, suite.models[0], suite.sets[0], prepared=prepared), place="x")
    assert (config.run.precision, config.data.size, config.optimizer.lr) == ("bfloat16", 32, 0.01)
    assert (config.semantic.flips, config.data.clean_share) == ("none", 0.3)
