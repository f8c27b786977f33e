"""`clearscene train`: what it leaves, how it goes on, and how it ends when something is wrong."""

import csv
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")

from clearscene.errors import MissingExtraError, TrainingError  # noqa: E402  # after the check for torch
from clearscene.synth.chip_set import ChipSet  # noqa: E402
from clearscene.training.checkpoint import load_checkpoint, read_checkpoint, write_checkpoint  # noqa: E402
from clearscene.training.config import load_config  # noqa: E402
from clearscene.training.curves import HEIGHT, WIDTH  # noqa: E402
from clearscene.training.learner import Learner  # noqa: E402
from clearscene.training.run import train  # noqa: E402
from clearscene.training.torch_ready import mend_torchvision  # noqa: E402
from tests.command import clearscene  # noqa: E402
from tests.training_chips import make_chips, write_config  # noqa: E402

mend_torchvision()
pytest.importorskip("timm", reason="timm comes with the extra `train`")


class Silent:
    """A reporter that asks to stop after a number of steps, or in the course of a validation."""

    def __init__(self, stop_at: int | None = None, *, in_validation: bool = False):
        self.stop_at, self.in_validation = stop_at, in_validation
        self.steps, self.asked, self.validations = 0, 0, []

    def step(self, done, text):
        assert 0 <= done <= 1
        self.steps += 1

    def validated(self, step, by_set, *, is_best):
        self.validations.append((step, is_best))

    @property
    def stop_requested(self):
        self.asked += 1
        if self.in_validation:
            return self.steps >= (self.stop_at or 0) and self.asked > self.steps
        return self.stop_at is not None and self.steps >= self.stop_at


@pytest.fixture(scope="module")
def chips(tmp_path_factory):
    return make_chips(tmp_path_factory.mktemp("chips") / "set", 20)


@pytest.fixture(scope="module")
def file(tmp_path_factory, chips):
    return write_config(tmp_path_factory.mktemp("config") / "tiny.toml", chips)


@pytest.fixture(scope="module")
def done(tmp_path_factory, file):
    """A whole training: 4 steps an epoch, 2 epochs."""
    out = tmp_path_factory.mktemp("trained") / "out"
    result = clearscene("train", file, "--out", out, "--quiet", check=0)
    assert result.stdout.strip() == str(out)
    return out


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as table:
        return list(csv.DictReader(table))


def weights(out: Path, key: str = "network"):
    return read_checkpoint(out / "last.pt")[key]


def same(one, other) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_everything_is_left_that_makes_it_again(done, file, chips):
    assert load_config(done / "config.toml") == load_config(file)
    record = json.loads((done / "run.json").read_text())
    assert record["data"][0]["digest"] == ChipSet.open(chips).digest()
    assert record["data"][0]["splits"] == {"train": 16, "val": 4, "test": 0}
    assert record["packages"]["torch"] == torch.__version__
    assert record["seed"] == 0
    assert record["hardware"]["device"] == "cpu"
    assert (record["outcome"]["reason"], record["outcome"]["step"]) == ("done", 8)
    assert not [path for path in done.iterdir() if "part" in path.name]


def test_tables_and_curves_show_the_course(done):
    (row,) = rows(done / "train.csv")
    assert (row["step"], row["epoch"]) == ("8", "2")
    parts = [float(row[key]) for key in ("tile", "cells", "cross_entropy")]
    assert float(row["loss"]) == pytest.approx(sum(parts), rel=1e-4)
    assert [row["step"] for row in rows(done / "val.csv")] == ["4", "8"]
    assert "iou_cloud" in rows(done / "val.csv")[0]
    picture = cv2.imread(str(done / "curves.png"))
    assert picture.shape == (HEIGHT, 3 * WIDTH, 3)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 20


def test_the_best_checkpoint_is_a_network(done):
    network, config = load_checkpoint(done)
    assert config.name == "tiny"
    with torch.no_grad():
        answers = network(torch.zeros(1, 3, 64, 64))
    assert answers.pixels.shape == (1, 9, 16, 16)
    assert not network.training
    content = read_checkpoint(done / "best.pt")
    assert content["value"] == max(float(row["monitored"]) for row in rows(done / "val.csv")) or content["step"] == 4


def test_training_learns(tmp_path, chips, file):
    sets = ["--set", "run.epochs=12", "--set", "optimizer.lr=0.01", "--set", "run.validate_every=12"]
    clearscene("train", file, "--out", tmp_path, "--quiet", *sets, check=0)
    table = rows(tmp_path / "train.csv")
    assert float(table[-1]["loss"]) < 0.8 * float(table[0]["loss"])


@pytest.mark.parametrize("stop_at", [1, 4, 5])
def test_resumed_it_ends_as_if_it_had_not_stopped(tmp_path, file, done, stop_at):
    config = load_config(file)
    first = train(config, tmp_path, Silent(stop_at))
    assert (first.reason, first.step) == ("stopped", stop_at)
    assert json.loads((tmp_path / "run.json").read_text())["outcome"]["reason"] == "stopped"
    second = train(config, tmp_path, Silent(), resume=True)
    assert (second.reason, second.step) == ("done", 8)
    for key in ("network", "weights"):
        assert same(weights(tmp_path, key), weights(done, key))
    dropped = ("monitored", "step", "set", "miou", "macro_f1")
    pairs = zip(rows(tmp_path / "val.csv"), rows(done / "val.csv"), strict=True)
    assert all(one[key] == other[key] for one, other in pairs for key in dropped)


def test_a_validation_that_was_interrupted_is_made_up_for(tmp_path, file, done):
    config = load_config(file)
    reporter = Silent(4, in_validation=True)
    assert train(config, tmp_path, reporter).step == 4
    assert reporter.validations == []
    reporter = Silent()
    train(config, tmp_path, reporter, resume=True)
    assert [step for step, _ in reporter.validations] == [4, 8]
    assert same(weights(tmp_path), weights(done))


def test_reading_in_another_process_changes_nothing(tmp_path, file, done):
    # in a process of its own, as for a user: workers are forked, and this one holds the threads of many tests
    command = [sys.executable, "-m", "clearscene", "train", str(file), "--out", str(tmp_path), "--quiet"]
    result = subprocess.run([*command, "--set", "run.workers=1"], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    assert same(weights(tmp_path), weights(done))


def test_accumulated_batches_are_one_step(tmp_path, file):
    sets = ["--set", "run.batch_size=2", "--set", "run.accumulate=2", "--set", "run.epochs=1"]
    clearscene("train", file, "--out", tmp_path, "--quiet", *sets, check=0)
    assert json.loads((tmp_path / "run.json").read_text())["outcome"]["step"] == 4


def test_a_finished_training_has_nothing_to_resume(file, done, tmp_path):
    before = (done / "last.pt").read_bytes()
    result = clearscene("train", file, "--out", done, "--resume", "--quiet", check=0)
    assert "done: step 8" in result.stderr
    assert (done / "last.pt").read_bytes() == before


def test_a_folder_that_holds_a_training_is_kept(file, done):
    result = clearscene("train", file, "--out", done, check=2)
    assert "holds a training already" in result.stderr
    assert "--resume, --overwrite" in result.stderr


def test_overwrite_begins_anew(file, tmp_path):
    train(load_config(file), tmp_path, Silent(1))
    clearscene("train", file, "--out", tmp_path, "--overwrite", "--quiet", "--set", "run.epochs=1", check=0)
    assert [row["step"] for row in rows(tmp_path / "val.csv")] == ["4"]


def test_it_goes_on_only_as_what_it_was(file, tmp_path, chips):
    config = load_config(file)
    train(config, tmp_path, Silent(2))
    with pytest.raises(TrainingError, match=r"optimizer.lr = 0.003, the config says 0.1"):
        train(load_config(file, ["optimizer.lr=0.1"]), tmp_path, Silent(), resume=True)
    copied = make_chips(tmp_path / "set", 24)
    other = write_config(tmp_path / "other.toml", copied)
    with pytest.raises(TrainingError, match="chips of 'set' are not those"):
        train(load_config(other), tmp_path, Silent(), resume=True)
    assert train(load_config(file, ["run.epochs=1"]), tmp_path, Silent(), resume=True).reason == "done"


def test_it_starts_from_the_weights_of_another(file, tmp_path, done):
    sets = [f"run.start_from={done / 'best.pt'}", "run.epochs=1", "optimizer.lr=1e-12", "run.batch_size=16"]
    train(load_config(file, sets), tmp_path, Silent())
    best, start = weights(tmp_path), read_checkpoint(done / "best.pt")["weights"]
    assert torch.allclose(best["screen.cells.weight"], start["screen.cells.weight"], atol=1e-6)


def test_it_starts_from_the_mean_of_several(file, tmp_path, done):
    other = ["run.epochs=1", "optimizer.lr=0.1", "optimizer.ema_decay=0"]
    train(load_config(file, [f"run.start_from={done / 'best.pt'}", *other]), tmp_path / "other", Silent())
    starts = [str(done / "best.pt"), str(tmp_path / "other/best.pt")]
    sets = [f"run.start_from={starts}", "run.epochs=1", "optimizer.lr=1e-12", "run.batch_size=16"]
    train(load_config(file, sets), tmp_path / "mean", Silent())
    left, right = (read_checkpoint(Path(path))["weights"] for path in starts)
    for key in ("screen.cells.weight", "screen.cells.bias"):
        assert not torch.allclose(left[key], right[key], atol=1e-3)
        assert torch.allclose(weights(tmp_path / "mean")[key], (left[key] + right[key]) / 2, atol=1e-5)


def test_the_mean_of_different_networks_is_refused(file, tmp_path, done):
    content = read_checkpoint(done / "best.pt")
    content["weights"].popitem()
    write_checkpoint(tmp_path / "other.pt", content)
    starts = [str(done / "best.pt"), str(tmp_path / "other.pt")]
    with pytest.raises(TrainingError, match=r"other.pt is of another network than .*best.pt"):
        train(load_config(file, [f"run.start_from={starts}"]), tmp_path / "mean", Silent())


def test_what_is_kept_can_hold_a_share_of_the_start(file, tmp_path, done):
    sets = [f"run.start_from={done / 'best.pt'}", "run.epochs=1", "optimizer.lr=0.1", "optimizer.ema_decay=0"]
    keys = ("screen.cells.weight", "screen.cells.bias")
    train(load_config(file, sets), tmp_path / "all", Silent())
    train(load_config(file, [*sets, "run.start_share=0.75"]), tmp_path / "part", Silent(2))
    train(load_config(file, [*sets, "run.start_share=0.75"]), tmp_path / "part", Silent(), resume=True)
    start = read_checkpoint(done / "best.pt")["weights"]
    learned, mixed = (read_checkpoint(tmp_path / name / "best.pt")["weights"] for name in ("all", "part"))
    for key in keys:
        assert not torch.allclose(learned[key], start[key], atol=1e-3)
        assert torch.allclose(mixed[key], 0.75 * start[key] + 0.25 * learned[key], atol=1e-5)


def test_the_start_of_which_a_share_is_kept_stays_the_same(file, tmp_path, done):
    share = ["run.start_share=0.5", "run.epochs=1"]
    train(load_config(file, [f"run.start_from={done / 'best.pt'}", *share]), tmp_path, Silent(2))
    with pytest.raises(TrainingError, match=r"run.start_from"):
        train(load_config(file, [f"run.start_from={done / 'last.pt'}", *share]), tmp_path, Silent(), resume=True)


def test_a_share_of_no_start_is_refused(file, tmp_path):
    result = clearscene("train", file, "--out", tmp_path, "--set", "run.start_share=0.5", check=2)
    assert "start_share 0.5 is of the weights of start_from, which is not named" in result.stderr


def test_without_gain_it_stops_early(file, tmp_path):
    sets = ["run.patience=1", "run.epochs=50", "run.validate_every=0.25", "optimizer.lr=1e-9", "optimizer.ema_decay=0"]
    outcome = train(load_config(file, sets), tmp_path, Silent())
    assert outcome.reason == "early"
    assert outcome.step < 20


def test_time_ends_it(file, tmp_path):
    outcome = train(load_config(file, ["run.epochs=100000", "run.max_minutes=0.02"]), tmp_path, Silent())
    assert outcome.reason == "done"
    assert outcome.minutes < 1
    assert float(rows(tmp_path / "val.csv")[-1]["step"]) == outcome.step


def test_a_loss_that_is_no_number_names_step_rate_and_chips(file, tmp_path):
    sets = ["--set", "optimizer.lr=1e30", "--set", "optimizer.clip_norm=0", "--set", "schedule.warmup_steps=0"]
    result = clearscene("train", file, "--out", tmp_path, "--quiet", *sets, check=2)
    assert "error: The loss is nan at step" in result.stderr
    assert "learning rate 9.62e+29" in result.stderr  # the cosine of the second of eight steps
    assert "chip0" in result.stderr
    assert "lower optimizer.lr and begin anew with --overwrite" in result.stderr
    assert "There is no checkpoint to go on from yet." in result.stderr
    assert not (tmp_path / "last.pt").exists()


def test_after_a_checkpoint_a_loss_that_is_no_number_names_it(file, tmp_path, monkeypatch):
    train(load_config(file), tmp_path, Silent(2))
    monkeypatch.setattr("clearscene.training.learner.math.isfinite", lambda _: False)
    with pytest.raises(TrainingError) as caught:
        train(load_config(file), tmp_path, Silent(), resume=True)
    assert f"{tmp_path / 'last.pt'} is from before it: --resume goes on" in caught.value.hint


def test_there_must_be_something_to_resume(file, tmp_path):
    result = clearscene("train", file, "--out", tmp_path / "new", "--resume", check=2)
    assert f"error: {tmp_path / 'new'} holds no training to go on with." in result.stderr
    assert not (tmp_path / "new").exists()
    train(load_config(file), tmp_path / "killed", Silent(5))
    (tmp_path / "killed/last.pt").unlink()  # as if it had been killed before
    result = clearscene("train", file, "--out", tmp_path / "killed", "--resume", check=2)
    assert "ended before its first checkpoint to go on from: there is no last.pt" in result.stderr
    assert "Begin anew with --overwrite, or from its best network with run.start_from = " in result.stderr
    (tmp_path / "killed/best.pt").unlink()
    result = clearscene("train", file, "--out", tmp_path / "killed", "--resume", check=2)
    assert "Begin anew with --overwrite; run.save_minutes" in result.stderr


def test_what_is_best_has_a_name(file, tmp_path):
    result = clearscene("train", file, "--out", tmp_path / "a", check=0)
    assert "best mean of miou and macro_f1 0." in result.stderr
    assert ", accuracy by type 0." in result.stderr  # of every answer for every type, not of whole chips
    sets = ("--quiet", "--set", "run.monitor=loss", "--set", "run.epochs=1")
    result = clearscene("train", file, "--out", tmp_path / "b", *sets, check=0)
    loss = float(rows(tmp_path / "b/val.csv")[0]["loss"])
    assert f"best loss {loss:.4f} at step 4" in result.stderr


def test_a_checkpoint_with_unplain_paths_is_gone_on_with(file, tmp_path, done):
    (tmp_path / "deep").mkdir()
    start = tmp_path / "deep" / ".." / "start.pt"
    start.write_bytes((done / "best.pt").read_bytes())
    config = load_config(file, [f"run.start_from={start}", "run.start_share=0.5", "run.epochs=1"])
    assert config.run.start_from == (tmp_path / "start.pt",)
    before = config.model_copy(update={"run": config.run.model_copy(update={"start_from": (start,)})})
    train(before, tmp_path / "out", Silent(2))
    assert train(config, tmp_path / "out", Silent(), resume=True).reason == "done"


def test_a_wrong_key_is_named(file):
    result = clearscene("train", file, "--set", "run.epohcs=3", check=2)
    assert "tiny.toml: run.epohcs: no such key; perhaps run.epochs is meant." in result.stderr
    assert "hint: See the guide to training." in result.stderr


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ("run.monitor=iou", "no metric 'iou'"),
        ("run.device=tpu9", "no device"),
        ("run.device=cuda:77", "CUDA devices"),
        ("run.device=meta", "not supported"),
        ("run.precision=float16", "many times slower than float32 on this CPU"),
        ("run.start_from=none.pt", "does not exist"),
    ],
)
def test_what_does_not_fit_the_machine_is_said_before_work_starts(file, tmp_path, setting, words):
    result = clearscene("train", file, "--out", tmp_path, "--set", 'run.device="cpu"', "--set", setting, check=2)
    assert words in result.stderr
    assert not (tmp_path / "train.csv").exists()


def test_chips_that_are_not_there(file, tmp_path):
    config = write_config(tmp_path / "none.toml", tmp_path / "nothing")
    result = clearscene("train", config, "--out", tmp_path / "out", check=2)
    assert "holds no chips.jsonl" in result.stderr
    assert not (tmp_path / "out").exists()


def test_an_unknown_id_names_the_file(tmp_path):
    folder = make_chips(tmp_path / "set", 10)
    for path in (folder / "masks").iterdir():
        cv2.imwrite(str(path), np.full((64, 64), 99, np.uint8))
    config = write_config(tmp_path / "bad.toml", folder)
    result = clearscene("train", config, "--out", tmp_path / "out", "--quiet", check=2)
    assert "holds the values [99]" in result.stderr
    assert ".png" in result.stderr


def test_chips_of_odd_sizes_are_learned_from(tmp_path):
    config = write_config(tmp_path / "odd.toml", make_chips(tmp_path / "set", 10, size=(45, 77)))
    clearscene("train", config, "--out", tmp_path / "out", "--quiet", "--set", "run.epochs=1", check=0)


@pytest.mark.parametrize(
    "settings",
    [
        ["network.kind=screening", "network.name=timm:test_resnet"],
        ["network.kind=segmentation", "network.name=unet", "data.leave_out_negatives=true", "loss.lovasz=0.5"],
    ],
)
def test_the_heads_alone_are_trained_too(file, tmp_path, settings):
    if "network.name=unet" in settings:
        pytest.importorskip("segmentation_models_pytorch", reason="smp comes with the extra `train`")
    words = [word for setting in settings for word in ("--set", setting)]
    clearscene("train", file, "--out", tmp_path, "--quiet", "--set", "run.epochs=1", *words, check=0)
    network, _ = load_checkpoint(tmp_path)
    assert sum(p.numel() for p in network.parameters()) > 0


def test_sets_are_judged_one_by_one(tmp_path, chips):
    more = make_chips(tmp_path / "more", 10)
    text = write_config(tmp_path / "two.toml", chips).read_text()
    two = text.replace("[network]", f'[[data.chips]]\nfolder = "{more}"\nweight = 0.5\n\n[network]')
    (tmp_path / "two.toml").write_text(two)
    clearscene("train", tmp_path / "two.toml", "--out", tmp_path / "out", "--set", "run.epochs=1", check=0)
    table = rows(tmp_path / "out" / "val.csv")
    assert [row["set"] for row in table] == ["set", "more"]
    expected = np.mean([np.nanmean([float(row["miou"]), float(row["macro_f1"])]) for row in table])
    assert float(table[0]["monitored"]) == pytest.approx(expected, abs=1e-4)


def test_ctrl_c_leaves_a_checkpoint(file, tmp_path, monkeypatch):
    step = Learner.step

    def interrupted(self, batches, **options):
        if options["number"] == 2:
            signal.raise_signal(signal.SIGINT)
        return step(self, batches, **options)

    monkeypatch.setattr(Learner, "step", interrupted)
    before = signal.getsignal(signal.SIGINT)
    result = clearscene("train", file, "--out", tmp_path, "--quiet", check=130)
    assert signal.getsignal(signal.SIGINT) is before
    assert "--resume" in result.stderr
    monkeypatch.setattr(Learner, "step", step)
    result = clearscene("train", file, "--out", tmp_path, "--resume", "--quiet", check=0)
    assert "done: step 8" in result.stderr


def test_a_full_disk_keeps_the_last_checkpoint(file, tmp_path):
    train(load_config(file), tmp_path, Silent(2))
    before = (tmp_path / "last.pt").read_bytes()
    code = (  # in a process of its own: the limit holds for every file and every library of a process
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000));"
        "from clearscene.cli.main import run; run(sys.argv[1:])"
    )
    command = [sys.executable, "-c", code, "train", str(file), "--out", str(tmp_path), "--resume", "--quiet"]
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 2, result.stderr
    assert "best.pt cannot be written: the file grows past the size limit" in result.stderr
    assert (tmp_path / "last.pt").read_bytes() == before
    assert not [path for path in tmp_path.iterdir() if "part" in path.name]
    assert train(load_config(file), tmp_path, Silent(), resume=True).reason == "done"


@pytest.mark.parametrize("name", ["last.pt", "best.pt"])
def test_a_broken_checkpoint_is_named(file, tmp_path, name):
    (tmp_path / name).write_bytes(b"PK\x03\x04 not a checkpoint")
    with pytest.raises(TrainingError, match=f"{name} cannot be read"):
        read_checkpoint(tmp_path / name)
    torch.save({"format": 99}, tmp_path / name)
    with pytest.raises(TrainingError, match="no checkpoint of clearscene"):
        read_checkpoint(tmp_path / name)


def test_without_torch_it_says_what_to_install(file, monkeypatch):
    for name in [name for name in sys.modules if name.startswith("clearscene.training.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    result = clearscene("train", file, check=2)
    assert "Training needs torch, which is not installed" in result.stderr
    assert "clearscene[train]" in result.stderr
    assert issubclass(MissingExtraError, ImportError)


def test_the_command_itself_needs_no_torch():
    code = "import clearscene.cli.train, sys; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


@pytest.mark.slow
def test_two_processes_train_one_network(file, tmp_path):
    """By torchrun, with gloo on the CPU: both take part, the first one writes."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port", "0"]
    command += ["--rdzv-backend", "c10d", "--rdzv-endpoint", "localhost:0"]
    words = ["-m", "clearscene", "train", str(file), "--out", str(tmp_path), "--set", "run.batch_size=2", "--quiet"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    result = subprocess.run(
        [*command, *words], env=environment, capture_output=True, text=True, timeout=120, check=False
    )
    assert result.returncode == 0, result.stderr
    record = json.loads((tmp_path / "run.json").read_text())
    assert (record["hardware"]["processes"], record["outcome"]["step"]) == (2, 8)
    assert [row["step"] for row in rows(tmp_path / "val.csv")] == ["4", "8"]
    assert result.stdout.count(str(tmp_path)) == 1


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no CUDA device")
@pytest.mark.parametrize("precision", ["float16", "bfloat16", "float32"])
def test_it_trains_on_a_gpu(file, tmp_path, precision):
    sets = ["--set", f"run.precision={precision}", "--device", "cuda"]
    clearscene("train", file, "--out", tmp_path, "--quiet", *sets, check=0)
    assert float(rows(tmp_path / "train.csv")[-1]["loss"]) > 0
    assert json.loads((tmp_path / "run.json").read_text())["hardware"]["gpu"]
    result = clearscene("train", file, "--out", tmp_path, "--quiet", "--resume", *sets, check=0)
    assert "done: step 8" in result.stderr
