"""`clearscene export`, as typed, from the folder of a training to a model that inspects."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")
pytest.importorskip("onnx", reason="onnx comes with the extra `train`")
if importlib.util.find_spec("timm") is None:
    pytest.skip("timm comes with the extra `train`", allow_module_level=True)

from clearscene.cli import export  # noqa: E402  # after the check for torch
from clearscene.models.model import Model  # noqa: E402
from clearscene.training.calibrate import reliability  # noqa: E402
from clearscene.training.checkpoint import BEST, write_checkpoint  # noqa: E402
from clearscene.training.config import TrainConfig  # noqa: E402
from clearscene.training.export.calibration import PixelCalibration, ScreenCalibration  # noqa: E402
from clearscene.training.export.evidence import Screened  # noqa: E402
from clearscene.training.export.measured import Measured, Scores  # noqa: E402
from clearscene.training.export.run_source import load_trained, pair_up  # noqa: E402
from clearscene.training.networks.build import build_network  # noqa: E402
from clearscene.training.networks.spec import CLASSES, TYPE_NAMES, NetworkSpec  # noqa: E402
from tests.command import clearscene  # noqa: E402
from tests.small_networks import make_chips  # noqa: E402

SPEC = NetworkSpec(weights="none", decoder_width=8, screen_width=8)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """What a training leaves, as far as an export reads it."""
    folder = tmp_path_factory.mktemp("run")
    make_chips(folder / "chips", n=8)
    config = TrainConfig.model_validate({"data": {"chips": [{"folder": folder / "chips"}]}, "network": SPEC})
    torch.manual_seed(0)
    content = {"config": config.model_dump(mode="json"), "weights": build_network(SPEC).state_dict()}
    write_checkpoint(folder / BEST, content)
    (folder / "run.json").write_text(json.dumps({"seed": 4, "data": [{"name": "chips", "digest": "ab12"}]}))
    (folder / "card.toml").write_text("[tiles]\ntile_size = 64\n[model]\nname = 'typed'\n")
    return folder


def test_from_a_training_to_a_model(run, tmp_path):
    words = ("export", run, "--out", tmp_path / "m", "--card", run / "card.toml", "--no-speed")
    done = clearscene(*words, check=0)
    assert done.stdout == f"{tmp_path / 'm'}\n"
    for text in ("parity with the trained network, cpu, 8 chips", "mean IoU", "calibration error", "parameters"):
        assert text in done.stderr
    model = Model.load(tmp_path / "m", device="cpu")
    assert model.manifest.name == "typed"
    assert model.manifest.screen.types == TYPE_NAMES
    assert tuple(c.id for c in model.manifest.classes) == CLASSES
    assert json.loads((run / "export.json").read_text())["validation"]["n_chips"] == 8
    assert (run / "reliability.png").is_file()
    card = (tmp_path / "m" / "card.md").read_text()
    assert "| data.chips.digest | ab12 |" in card
    assert str(run) not in card  # a card names no folders of this machine
    again = clearscene(*words, check=2)
    assert "holds a model already" in again.stderr


def test_the_pool_is_what_the_head_does(run):
    """Cells pooled outside the network give the tile's logits that it gave itself."""
    trained = load_trained(run)
    image = torch.rand(1, 3, 64, 96, generator=torch.manual_seed(1))
    with torch.no_grad():
        tile, cells, _ = trained.network.encode(image)
    assert trained.pool(cells.numpy()) == pytest.approx(tile.numpy(), abs=1e-5)


def test_a_pair_of_two_trainings(run):
    one = load_trained(run)
    pair = pair_up(one, load_trained(run)).network.eval()
    image = torch.rand(1, 3, 64, 64, generator=torch.manual_seed(1))
    with torch.no_grad():
        assert torch.allclose(pair.encode(image)[0], one.network.encode(image)[0])
        assert torch.allclose(pair.decode(image), one.network.decode(one.network.encode(image)[2]), atol=1e-5)


def test_errors_are_told_before_anything_is_read(run, tmp_path):
    assert (
        "--precision 'half' is unknown" in clearscene("export", run, "-o", tmp_path / "m", "--precision", "half").stderr
    )
    (tmp_path / "empty").mkdir()
    done = clearscene("export", tmp_path / "empty", "-o", tmp_path / "m", check=2)
    assert "is no folder of a training" in done.stderr
    assert not (tmp_path / "m").exists()


def test_without_torch_the_extra_is_named(run, tmp_path, monkeypatch):
    import sys

    for name in [name for name in sys.modules if name.startswith("clearscene.training.export")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "torch", None)
    done = clearscene("export", run, "-o", tmp_path / "m", check=2)
    assert 'pip install "clearscene[train]"' in done.stderr
    assert export.PRECISIONS == ("float32", "float16", "int8")


def test_a_screen_alone_says_what_it_is_good_for(run, tmp_path):
    spec = NetworkSpec(kind="screening", name="timm:test_resnet", weights="none")
    (tmp_path / "run").mkdir()
    values = {"data": {"chips": [{"folder": run / "chips"}]}, "network": spec}
    config = TrainConfig.model_validate(values).model_dump(mode="json")
    write_checkpoint(tmp_path / "run" / BEST, {"config": config, "weights": build_network(spec).state_dict()})
    (tmp_path / "run" / "run.json").write_text((run / "run.json").read_text())
    words = ("export", tmp_path / "run", "--out", tmp_path / "m", "--card", run / "card.toml", "--no-speed", "--quiet")
    stderr = clearscene(*words, check=0).stderr
    assert "warning: it only screens: there is no model.onnx, so inspect does not take it" in stderr
    assert f"hint: pair it with a segmenter: clearscene export SEGMENTER_RUN --screen {tmp_path / 'run'}" in stderr


def test_temperatures_that_are_none_are_told():
    curve = reliability(np.array([0.9, 0.2]), np.array([1.0, 0.0]))
    pixels = PixelCalibration(1.0, 3.0, (0.0,), curve, curve)
    screen = ScreenCalibration(20.0, 19.9999, (), Screened(np.zeros((1, 1)), np.zeros((1, 1))), False, curve, curve)
    scores = Scores(2, threshold={})
    measured = Measured("float32", 5, {"model.onnx": 10}, {}, scores, screen, pixels, {})
    (warning,) = export._warnings(measured)
    assert warning.startswith("warning: screen: the temperature 19.9999 is an end of the range")
    assert "  the fitted temperature, 3, makes that error larger, so it is not used" in export._lines(measured)
    assert export._uses(measured, Path("run")) == []
