"""YOLOv8 trained on instances, around ultralytics: what is loaded, what is passed on, what is refused."""

from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch", reason="the train extra is not installed")

import torch

from clearscene.benchmark import rows
from clearscene.benchmark.suite import ModelEntry
from clearscene.errors import TrainingError
from clearscene.training import semantic_predict
from clearscene.training.config import RunConfig
from clearscene.training.networks import yolo, yolo_instances, yolo_training
from clearscene.training.networks.yolo_instances import InstanceNet
from clearscene.training.networks.yolo_training import InstanceTraining, _arguments, _TimeLimit, train_instances
from clearscene.training.run import _make_folder

OF_INSTANCES = '[network]\nname = "yolov8-seg"\n[instances]\nfolder = "x"\n'


class Loaded:
    """Stands for a network; keeps what it was made with."""

    def __init__(self, *given, **named):
        self.given, self.named = given, named
        self.config = type("Config", (), {"semantic": type("Section", (), {"view": "chip"})})


def row_of(folder, monkeypatch, *, device="cpu"):
    monkeypatch.setattr(yolo_instances, "InstanceNet", type("Instances", (Loaded,), {}))
    monkeypatch.setattr(semantic_predict, "load_semantic", type("Pixels", (Loaded,), {}))
    entry = ModelEntry(name="x", network="unet")
    return rows.load_row(entry, run=folder, positive=("cloud",), kind="toa", device=device, threads=1)


@pytest.mark.parametrize(("config", "loaded"), [('[network]\nname = "unet"\n', "Pixels"), (OF_INSTANCES, "Instances")])
def test_the_config_says_what_a_folder_holds_whatever_an_earlier_training_left(tmp_path, monkeypatch, config, loaded):
    (tmp_path / "config.toml").write_text(config, encoding="utf-8")
    for name in ("instances.pt", "best.pt"):
        (tmp_path / name).write_bytes(b"weights")
    assert type(row_of(tmp_path, monkeypatch).net).__name__ == loaded


def test_a_training_that_begins_anew_removes_the_instances_of_an_earlier_one(tmp_path):
    (tmp_path / "instances.pt").write_bytes(b"weights")
    (tmp_path / "notes.txt").write_text("mine", encoding="utf-8")
    _make_folder(tmp_path, resume=False, overwrite=True)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


@pytest.mark.parametrize(
    ("chosen", "epochs", "hours"),
    [
        ({}, 300, None),
        ({"epochs": 7}, 7, None),
        ({"max_minutes": 30}, 300, 0.5),
        ({"epochs": 7, "max_minutes": 30}, 7, None),
    ],
)
def test_minutes_replace_epochs_only_where_none_are_chosen(tmp_path, chosen, epochs, hours):
    passed = _arguments(InstanceTraining("set", ("cloud",), **chosen), tmp_path)
    assert (passed["epochs"], passed["time"]) == (epochs, hours)


def test_a_training_of_epochs_and_minutes_stops_after_the_minutes(monkeypatch):
    now = [100.0]
    monkeypatch.setattr(yolo_training, "perf_counter", lambda: now[0])
    limit, trainer = _TimeLimit(2.0), SimpleNamespace(stop=False)
    limit.start(trainer)
    for seconds, is_over in ((119, False), (121, True)):
        now[0] = 100 + seconds
        limit.look(trainer)
        assert trainer.stop is is_over


class Answering:
    """Stands for a model of ultralytics that finds nothing; keeps what it was asked with."""

    def __init__(self, _):
        self.asked = {}

    def predict(self, pixels, **named):
        self.asked = named
        return [SimpleNamespace(masks=None)]


def test_instances_answer_on_the_device_that_was_chosen(tmp_path, monkeypatch):
    monkeypatch.setattr(yolo, "ultralytics", lambda _: SimpleNamespace(YOLO=Answering))
    monkeypatch.setattr(yolo_instances, "mend_suppression", lambda: None)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    (tmp_path / "instances.pt").write_bytes(b"weights")
    for name, passed in (("cpu", "cpu"), ("cuda:1", "cuda:1"), ("auto", "cuda:0")):
        net = InstanceNet(tmp_path / "instances.pt", device=name)
        assert not net.predict(np.zeros((3, 5, 7), np.float32)).any()
        assert net.model.asked["device"] == passed
    with pytest.raises(TrainingError, match="2 CUDA devices"):
        InstanceNet(tmp_path / "instances.pt", device="cuda:2")


def test_the_device_of_the_suite_reaches_instances(tmp_path, monkeypatch):
    (tmp_path / "config.toml").write_text(OF_INSTANCES, encoding="utf-8")
    assert row_of(tmp_path, monkeypatch, device="cuda:1").net.named == {"device": "cuda:1"}


def test_instances_are_trained_where_other_networks_are():
    assert InstanceTraining("set", ("cloud",)).device == RunConfig().device


@pytest.mark.parametrize(
    ("chosen", "words"),
    [({"lr": 0.01}, "lr = 0.01 has no effect"), ({"optimizer": "adam-amsgrad"}, "not trained with 'adam-amsgrad'")],
)
def test_what_would_have_no_effect_is_refused_before_anything_is_written(tmp_path, chosen, words):
    with pytest.raises(TrainingError, match=words):
        train_instances(InstanceTraining(str(tmp_path), ("cloud",), **chosen), tmp_path / "out", tell=print)
    assert not (tmp_path / "out").exists()
    InstanceTraining("set", ("cloud",), optimizer="adam", lr=0.01).check()
