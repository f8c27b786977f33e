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
from clearscene.training.device import Arithmetic
from clearscene.training.networks import yolo, yolo_instances
from clearscene.training.networks.yolo_instances import InstanceNet
from clearscene.training.networks.yolo_trainer import Follower, arguments
from clearscene.training.networks.yolo_training import InstanceTraining, train_instances
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
        ({"epochs": 7, "max_minutes": 30}, 7, 0.5),
    ],
)
def test_epochs_and_minutes_are_both_passed_on(tmp_path, chosen, epochs, hours):
    passed = arguments(InstanceTraining("set", ("cloud",), **chosen), tmp_path, device="cpu")
    assert (passed["epochs"], passed["time"]) == (epochs, hours)


def follower_of(epochs, dtype=torch.float32):
    told = []
    return Follower(
        epochs, Arithmetic(torch.device("cpu"), dtype), lambda text, share: told.append((text, share))
    ), told


@pytest.mark.parametrize(
    ("chosen", "fitted", "left"), [(7, 40, 7), (7, 3, 3), (None, 40, 40)], ids=["epochs", "minutes", "minutes alone"]
)
def test_the_epochs_that_ultralytics_fits_to_its_time_are_never_more_than_those_chosen(chosen, fitted, left):
    trainer = SimpleNamespace(epochs=fitted, args=SimpleNamespace(epochs=fitted))
    follower_of(chosen)[0].on_fit_epoch_end(trainer)
    assert (trainer.epochs, trainer.args.epochs) == (left, left)


def test_steps_are_changes_of_the_weights_and_not_batches():
    follower, told = follower_of(None)
    for epoch, updates in ((0, 4), (1, 9)):
        follower.on_train_epoch_end(SimpleNamespace(epoch=epoch, epochs=4, ema=SimpleNamespace(updates=updates)))
    assert follower.steps == {1: 4, 2: 9}
    assert told == [("epoch 1", 0.25), ("epoch 2", 0.5)]


@pytest.mark.parametrize(("optimizer", "batches", "rate"), [("adamw", 1, 0.0), ("", None, None)])
def test_with_an_optimizer_of_ones_own_each_batch_is_a_step(tmp_path, optimizer, batches, rate):
    chosen = InstanceTraining("set", ("cloud",), optimizer=optimizer, batch_size=8)
    passed = arguments(chosen, tmp_path, device="cpu")
    assert passed.get("nbs") == (None if batches is None else batches * passed["batch"])
    assert passed.get("warmup_bias_lr") == rate


@pytest.mark.parametrize(
    ("device", "precision", "amp"),
    [
        ("cpu", "auto", False),
        ("cpu", "bfloat16", False),  # ultralytics has it for CUDA alone: see the next test
        ("cuda", "auto", True),
        ("cuda", "float32", False),
        ("cuda", "bfloat16", "bf16"),
    ],
)
def test_the_precision_reaches_ultralytics_in_its_words(tmp_path, device, precision, amp):
    assert arguments(InstanceTraining("set", ("cloud",), precision=precision), tmp_path, device=device)["amp"] == amp


class Tiny(torch.nn.Module):
    """As networks of ultralytics: a batch gives its loss, pixels give maps by name."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Conv2d(3, 2, 1)
        self.inside = []

    def forward(self, given):
        if isinstance(given, dict):
            return self(given["img"])["maps"][0].sum()
        found = self.layer(given)
        self.inside.append(found.dtype)
        return {"maps": [found], "places": torch.arange(3)}


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32])
def test_a_network_computes_in_bfloat16_on_the_cpu_and_its_loss_in_float32(dtype):
    net = Tiny()
    follower_of(None, dtype)[0].on_train_start(SimpleNamespace(model=net))
    loss = net({"img": torch.rand(2, 3, 4, 5)})
    loss.backward()
    assert net.inside == [dtype]
    assert loss.dtype is net.layer.weight.grad.dtype is torch.float32
    found = net(torch.rand(1, 3, 2, 2))
    assert found["maps"][0].dtype is torch.float32
    assert found["places"].dtype is torch.int64


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
    [
        ({"lr": 0.01}, "lr = 0.01 has no effect"),
        ({"optimizer": "adam-amsgrad"}, "not trained with 'adam-amsgrad'"),
        ({"precision": "half"}, "no precision 'half'"),
    ],
)
def test_what_would_have_no_effect_is_refused_before_anything_is_written(tmp_path, chosen, words):
    with pytest.raises(TrainingError, match=words):
        train_instances(InstanceTraining(str(tmp_path), ("cloud",), **chosen), tmp_path / "out", tell=print)
    assert not (tmp_path / "out").exists()
    InstanceTraining("set", ("cloud",), optimizer="adam", lr=0.01).check()
