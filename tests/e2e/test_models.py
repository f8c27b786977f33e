"""Model folders on disk: good ones answer, broken and hostile ones are refused with a reason."""

import json
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper

from clearscene.errors import MissingExtraError, ModelError, OptionError
from clearscene.models import onnx_file
from clearscene.models.model import Model, softmax
from clearscene.models.onnx_file import check_onnx
from clearscene.models.session import Device, available_devices, choose_device, load_graph
from clearscene.models.zoo import available_models, find_model
from tests.onnx_graphs import (
    TYPES,
    brightness_folder,
    brightness_weights,
    decoder,
    edit_manifest,
    external_weights,
    half_weights,
    port,
    save,
    screener,
    segmenter,
    tensor,
)


@pytest.fixture
def folder(tmp_path):
    return brightness_folder(tmp_path / "bright 云")


@pytest.fixture
def plain(tmp_path):
    return brightness_folder(tmp_path / "plain", screen=False)


def image_of(model, level, size=32):
    display = np.full((3, size, size), level, np.uint8)
    return model.prepare(display, np.ones((size, size), bool))


def test_a_two_head_folder_answers(folder):
    model = Model.load(folder, device="cpu")
    image = image_of(model, 230)
    screening = model.screen(image)
    expected = (230 / 255 - 0.7) * 100
    assert screening.logits[0] == pytest.approx(expected, rel=1e-4)
    assert np.all(screening.logits[2:] == -10)
    logits = model.segment(image, screening.features)
    assert logits.shape == (3, 32, 32)
    np.testing.assert_allclose(logits[1], expected, rtol=1e-4)
    assert model.has_screen
    assert model.provider == "CPUExecutionProvider"


def test_temperatures_divide_the_logits(folder):
    edit_manifest(folder, "[screen]", "[screen]\ntemperature = 4.0")
    edit_manifest(folder, "[tiles]", "[output]\ntemperature = 2.0\n[tiles]")
    model = Model.load(folder, device="cpu")
    image = image_of(model, 230)
    screening = model.screen(image)
    assert screening.logits[1:][1] == -2.5
    full = screening.features["features"][0, 1, 0, 0]
    assert model.segment(image, screening.features)[1, 0, 0] == pytest.approx(full / 2)


def test_invalid_pixels_enter_as_the_mean_and_small_tiles_are_reflected(plain):
    model = Model.load(plain, device="cpu")
    display = np.arange(3 * 5 * 7, dtype=np.uint8).reshape(3, 5, 7)
    valid = np.ones((5, 7), bool)
    valid[1, 2] = False
    image = model.prepare(display, valid)
    assert image.shape == (1, 3, 32, 32)
    assert np.all(image[0, :, 1, 2] == 0)
    assert image[0, 1, 0, 0] == pytest.approx(35 / 255 - 0.4)
    assert np.array_equal(image[0, :, 5], image[0, :, 3])  # reflected about row 4
    one = model.prepare(np.full((3, 1, 1), 51, np.uint8), np.ones((1, 1), bool))
    np.testing.assert_allclose(one, 0.2 - 0.4, rtol=1e-5)


def test_per_tile_normalization_uses_valid_pixels_only(plain):
    edit_manifest(plain, "scale = 255\nmean = [0.4, 0.4, 0.4]", 'normalization = "per_tile"')
    model = Model.load(plain, device="cpu")
    display = np.random.default_rng(1).integers(50, 90, (3, 32, 32)).astype(np.uint8)
    valid = np.ones((32, 32), bool)
    valid[:10], display[:, :10] = False, 255
    image = model.prepare(display, valid)[0]
    np.testing.assert_allclose(image[:, valid].mean(axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(image[:, valid].std(axis=1), 1, atol=1e-3)


def test_float16_weights_are_cast_up(plain):
    half_weights(plain / "model.onnx")
    model = Model.load(plain, device="cpu")
    logits = model.segment(image_of(model, 230))
    assert logits.dtype == np.float32
    assert logits[1, 0, 0] == pytest.approx((230 / 255 - 0.7) * 100, rel=2e-3)


def test_a_coarse_output_is_enlarged(plain):
    nodes = [
        helper.make_node("Conv", ["image", "kernel", "bias"], ["full"]),
        helper.make_node("AveragePool", ["full"], ["logits"], kernel_shape=[4, 4], strides=[4, 4]),
    ]
    save(
        plain / "model.onnx",
        nodes,
        [port("image", [1, 3, "n", "n"])],
        [port("logits", [1, 3, "m", "m"])],
        brightness_weights(),
    )
    model = Model.load(plain, device="cpu")
    assert model.segment(image_of(model, 230)).shape == (3, 32, 32)


def test_the_wrong_number_of_bands_names_them(plain):
    model = Model.load(plain, device="cpu")
    with pytest.raises(ModelError, match=r"reads 3 bands \(red, green, blue\); the tile has 1"):
        model.prepare(np.zeros((1, 32, 32), np.uint8), np.ones((32, 32), bool))


def test_external_weights_beside_the_model_are_read(plain):
    external_weights(plain / "model.onnx", "kernel.bin")
    model = Model.load(plain, device="cpu")
    assert model.segment(image_of(model, 230))[1, 0, 0] == pytest.approx((230 / 255 - 0.7) * 100, rel=1e-4)


@pytest.mark.parametrize(
    "location", ["../secret.bin", "/etc/passwd", "sub/kernel.bin", "..", "", "..\\secret.bin", "C:kernel.bin"]
)
def test_external_weights_elsewhere_are_refused(plain, location):
    (plain.parent / "secret.bin").write_bytes(bytes(36))
    external_weights(plain / "model.onnx", location)
    with pytest.raises(ModelError, match=re.escape(f"names external weights {location!r}")):
        Model.load(plain, device="cpu")


def test_external_weights_behind_a_link_are_refused(plain):
    external_weights(plain / "model.onnx", "link.bin")
    (plain.parent / "secret.bin").write_bytes(bytes(36))
    (plain / "link.bin").symlink_to(plain.parent / "secret.bin")
    with pytest.raises(ModelError, match=r"link\.bin"):
        Model.load(plain, device="cpu")


def test_external_weights_in_a_subgraph_are_found(tmp_path):
    """The branch of an If holds the weights; a reader of the top level only would miss them."""
    hidden = tensor("hidden", [1.0])
    hidden.ClearField("raw_data")
    hidden.data_location = TensorProto.EXTERNAL
    hidden.external_data.add(key="location", value="../elsewhere.bin")
    out = [port("value", [1])]
    branch = helper.make_graph([helper.make_node("Identity", ["hidden"], ["value"])], "b", [], out, [hidden])
    node = helper.make_node("If", ["yes"], ["out"], then_branch=branch, else_branch=branch)
    path = save(tmp_path / "model.onnx", [node], [port("yes", [], TensorProto.BOOL)], [port("out", [1])])
    with pytest.raises(ModelError, match=r"elsewhere\.bin"):
        check_onnx(path)


def test_custom_operators_are_refused(plain):
    node = helper.make_node("Steal", ["image"], ["logits"], domain="evil.ops")
    ends = [port("image", [1, 3, "n", "n"])], [port("logits", [1, 3, "n", "n"])]
    save(plain / "model.onnx", [node], *ends, domains=["evil.ops"])
    with pytest.raises(ModelError, match=r"not part of ONNX Runtime: evil.ops.*never loaded"):
        Model.load(plain, device="cpu")
    node = helper.make_node("EPContext", ["image"], ["logits"], domain="com.microsoft", ep_cache_context="../x")
    save(plain / "model.onnx", [node], *ends, domains=["com.microsoft"])
    with pytest.raises(ModelError, match="EPContext"):
        Model.load(plain, device="cpu")


class Bomb:
    """Unpickling this would write a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


@pytest.mark.parametrize("kind", ["pickle", "empty", "text", "random", "cut", "zeros"])
def test_what_is_not_onnx_is_refused_and_runs_nothing(plain, kind):
    path, trap = plain / "model.onnx", plain / "trap"
    whole = path.read_bytes()
    path.write_bytes(
        {
            "pickle": pickle.dumps(Bomb(trap)),
            "empty": b"",
            "text": b"import os",
            "random": np.random.default_rng(3).bytes(5000),
            "cut": whole[: len(whole) // 2],
            "zeros": bytes(4096),
        }[kind]
    )
    with pytest.raises(ModelError, match=r"model\.onnx"):
        Model.load(plain, device="cpu")
    assert not trap.exists()


def test_a_valid_file_that_the_runtime_cannot_load_is_one_error(plain):
    node = helper.make_node("NoSuchOperator", ["image"], ["logits"])
    save(plain / "model.onnx", [node], [port("image", [1, 3, 8, 8])], [port("logits", [1, 3, 8, 8])])
    with pytest.raises(ModelError, match=r"opset 17\) cannot be loaded on cpu"):
        Model.load(plain, device="cpu")


def test_too_deep_and_too_large(plain, monkeypatch):
    graph = helper.make_graph([helper.make_node("Identity", ["a"], ["b"])], "g", [], [])
    for _ in range(15):
        graph = helper.make_graph([helper.make_node("If", ["a"], ["b"], then_branch=graph)], "g", [], [])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    (plain / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ModelError, match="nested more than"):
        check_onnx(plain / "model.onnx")
    monkeypatch.setattr(onnx_file, "MAX_MODEL_BYTES", 100)
    with pytest.raises(ModelError, match="the limit is 100"):
        Model.load(plain, device="cpu")


def test_the_summary_agrees_with_the_onnx_package(folder):
    """Oracle: the official reader."""
    summary = check_onnx(folder / "screen.onnx")
    model = onnx.load(folder / "screen.onnx")
    assert summary.opsets == {o.domain: o.version for o in model.opset_import}
    assert summary.operators == {(n.domain, n.op_type) for n in model.graph.node}
    assert summary.external == set()


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('license = "Apache-2.0"', 'licence = "Apache-2.0"', "licence: no such key; perhaps license is meant"),
        ('name = "bright"', 'name = "../../bright"', "name: String should match pattern"),
        ('name = "bright"', 'name = "<script>"', "name: String should match pattern"),
        ('task = "inspection"', 'task = "detect"', "task: must be 'inspection'"),
        ("mean = [0.4, 0.4, 0.4]", "mean = [0.4]", "model.toml: input: mean has 1 values for 3 bands"),
        ("mean = [0.4, 0.4, 0.4]", "mean = [nan, 0.4, 0.4]", "input.mean.0: must be a finite number"),
        ("mean = [0.4, 0.4, 0.4]", "std = [0.0, 1.0, 1.0]", "input.std.0: must be greater than 0"),
        ("tile_size = 32", "tile_size = 32\noverlap = 32", "overlap 32 px is not smaller than tile_size 32"),
        ("reductions = [1]", "reductions = [1, 1]", "names one twice"),
        ("id = 2", "id = 1", r"two classes have the same id: \[0, 1, 1\]"),
        ("id = 0", "id = 9", "must be the background, id 0"),
        ("'cloud', ", "", r"screen.types lacks \['cloud'\]"),
        ("stitching_trace = ", "fog = ", "name ..fog.., which types does not hold"),
        ("[input]", "[input", "is not a TOML file"),
    ],
)
def test_a_wrong_manifest_names_the_key(folder, old, new, message):
    edit_manifest(folder, old, new)
    with pytest.raises(ModelError, match=message):
        Model.load(folder, device="cpu")


def test_a_manifest_that_is_missing_huge_or_no_text(tmp_path, plain):
    with pytest.raises(ModelError, match="is not a folder"):
        Model.load(tmp_path / "nowhere")
    (plain / "model.toml").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="is not a TOML file"):
        Model.load(plain)
    (plain / "model.toml").write_text("x = " + "[" * 20_000)
    with pytest.raises(ModelError, match="is not a TOML file"):
        Model.load(plain)
    (plain / "model.toml").write_bytes(b"#" * 2_000_000)
    with pytest.raises(ModelError, match="2000000 bytes"):
        Model.load(plain)
    (plain / "model.toml").unlink()
    with pytest.raises(ModelError, match=r"no model\.toml"):
        Model.load(plain)


def conv(kernel_bands, classes):
    weights = [tensor("k", np.ones((classes, kernel_bands, 1, 1))), tensor("b", np.zeros(classes))]
    return [helper.make_node("Conv", ["image", "k", "b"], ["logits"])], weights


@pytest.mark.parametrize(
    ("bands", "classes", "size", "message"),
    [
        (4, 3, "n", r"'image' has shape \(1, 4, None, None\); model.toml means \(1, 3, 32, 32\)"),
        (3, 7, "n", r"'logits' has shape \(1, 7, None, None\); model.toml means \(1, 3, None, None\)"),
        (3, 3, 64, r"'image' has shape \(1, 3, 64, 64\)"),
    ],
)
def test_graph_and_manifest_must_agree(plain, bands, classes, size, message):
    nodes, weights = conv(bands, classes)
    inputs, outputs = [port("image", [1, bands, size, size])], [port("logits", [1, classes, size, size])]
    save(plain / "model.onnx", nodes, inputs, outputs, weights)
    with pytest.raises(ModelError, match=message):
        Model.load(plain, device="cpu")


def test_types_of_the_ends_that_are_not_handled(plain):
    node = helper.make_node("Identity", ["image"], ["logits"])
    ends = [port(name, [1, 3, "n", "n"], TensorProto.DOUBLE) for name in ("image", "logits")]
    save(plain / "model.onnx", [node], ends[:1], ends[1:])
    with pytest.raises(ModelError, match=r"'image' is tensor\(double\)"):
        Model.load(plain, device="cpu")


def test_float16_and_uint8_ends_are_cast(tmp_path):
    node = helper.make_node("Cast", ["image"], ["logits"], to=TensorProto.FLOAT16)
    inputs, outputs = [port("image", [1, "n"], TensorProto.UINT8)], [port("logits", [1, "n"], TensorProto.FLOAT16)]
    graph = load_graph(save(tmp_path / "g.onnx", [node], inputs, outputs), device="cpu")
    answer = graph.run({"image": np.array([[3.0, 200.0]])})["logits"]
    assert answer.dtype == np.float32
    assert answer.tolist() == [[3, 200]]


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_answers_that_are_not_finite_are_an_error(folder, bad):
    nodes = [helper.make_node("Mul", ["features", "bad"], ["segmentation"])]
    ends = [port("features", [1, 3, "n", "n"])], [port("segmentation", [1, 3, "n", "n"])]
    save(folder / "model.onnx", nodes, *ends, [tensor("bad", [bad])])
    model = Model.load(folder, device="cpu")
    image = image_of(model, 230)
    with pytest.raises(ModelError, match=r"model\.onnx answers with NaN or infinity"):
        model.segment(image, model.screen(image).features)
    screener(folder / "screen.onnx", others=bad)
    model = Model.load(folder, device="cpu")
    with pytest.raises(ModelError, match=r"screen\.onnx answers with NaN"):
        model.screen(image)


def test_answers_of_the_wrong_size_are_an_error(plain):
    nodes = [
        helper.make_node("Conv", ["image", "kernel", "bias"], ["full"]),
        helper.make_node("Slice", ["full", "zero", "ten", "axis"], ["logits"]),
    ]
    numbers = [tensor(n, [v], np.int64) for n, v in (("zero", 0), ("ten", 10), ("axis", 2))]
    ends = [port("image", [1, 3, "n", "n"])], [port("logits", [1, 3, "h", "w"])]
    save(plain / "model.onnx", nodes, *ends, [*brightness_weights(), *numbers])
    model = Model.load(plain, device="cpu")
    with pytest.raises(ModelError, match=r"answers with shape \(1, 3, 10, 32\)"):
        model.segment(image_of(model, 100))


def test_screen_and_decoder_must_fit(folder):
    node = helper.make_node("Add", ["other", "more"], ["segmentation"])
    shape = [1, 3, "n", "n"]
    save(folder / "model.onnx", [node], [port("other", shape), port("more", shape)], [port("segmentation", shape)])
    with pytest.raises(ModelError, match="inputs that nothing provides: other, more"):
        Model.load(folder, device="cpu")
    decoder(folder / "model.onnx")
    (folder / "screen.onnx").unlink()
    with pytest.raises(ModelError, match="come only together"):
        Model.load(folder, device="cpu")


def test_a_separate_classifier_and_segmenter_work(folder):
    """The segmenter reads the image itself; the screen's features are not used."""
    segmenter(folder / "model.onnx")
    model = Model.load(folder, device="cpu")
    image = image_of(model, 230)
    assert model.segment(image, model.screen(image).features)[1, 0, 0] == pytest.approx(20.2, abs=0.01)


def test_probabilities_as_output_become_logits(plain):
    node = helper.make_node("Softmax", ["l"], ["logits"], axis=1)
    first = helper.make_node("Conv", ["image", "kernel", "bias"], ["l"])
    ends = [port("image", [1, 3, "n", "n"])], [port("logits", [1, 3, "n", "n"])]
    direct = Model.load(plain, device="cpu")
    expected = softmax(direct.segment(image_of(direct, 190)))
    save(plain / "model.onnx", [first, node], *ends, brightness_weights())
    edit_manifest(plain, "[tiles]", '[output]\nkind = "probabilities"\n[tiles]')
    model = Model.load(plain, device="cpu")
    np.testing.assert_allclose(softmax(model.segment(image_of(model, 190))), expected, atol=1e-5)


def test_devices():
    assert set(available_devices()) >= {Device.CPU}
    assert choose_device() in (Device.CUDA, Device.CPU), "OpenVINO was slower where it was measured"
    assert choose_device("cpu") is Device.CPU
    assert choose_device() is available_devices()[0]
    with pytest.raises(OptionError, match="--device 'tpu' is unknown"):
        choose_device("tpu")


def test_cuda_that_is_not_there_is_an_error_and_not_silence():
    if Device.CUDA in available_devices():
        pytest.skip("this machine has CUDA")
    with pytest.raises(MissingExtraError, match="--device cuda: not available"):
        choose_device("cuda")


def test_the_zoo(tmp_path, folder, plain):
    assert [info.is_shipped for info in available_models()] == [True] * len(available_models())
    infos = available_models([tmp_path])
    assert [info.folder for info in infos if not info.is_shipped] == sorted([folder, plain])
    assert infos[-1].size_bytes == sum(f.stat().st_size for f in sorted([folder, plain])[-1].iterdir())
    assert find_model(plain).folder == plain
    assert find_model("bright", paths=[plain]).manifest.version == "0.1.0"
    with pytest.raises(ModelError, match="no model 'fog'"):
        find_model("fog")
    with pytest.raises(ModelError, match="holds no model"):
        available_models([tmp_path / "nothing"])


def test_the_manifest_is_plain_json(folder):
    manifest = Model.load(folder, device="cpu").manifest
    record = json.loads(manifest.model_dump_json())
    assert record["screen"]["types"] == TYPES
    assert [spec.tile_size for spec in manifest.tiles.specs()] == [32]


def test_the_manifest_shown_in_the_documentation_is_one(folder):
    page = (Path(__file__).parents[2] / "docs" / "concepts" / "tiling.md").read_text(encoding="utf-8")
    (shown,) = re.findall(r"```toml\n(.*?)```", page, re.DOTALL)
    (folder / "model.toml").write_text(shown, encoding="utf-8")
    manifest = find_model(folder).manifest
    assert [c.name for c in manifest.classes] == ["background", "cloud"]
    assert [spec.reduction for spec in manifest.tiles.specs()] == [1, 4]


def test_openvino_answers_like_onnx_runtime(folder):
    pytest.importorskip("openvino", reason="openvino is not installed")
    image = image_of(Model.load(folder, device="cpu"), 190)
    answers = []
    for device in ("cpu", "openvino"):
        model = Model.load(folder, device=device)
        screening = model.screen(image)
        answers.append((screening.logits, model.segment(image, screening.features)))
    np.testing.assert_allclose(answers[0][0], answers[1][0], rtol=1e-4)
    np.testing.assert_allclose(answers[0][1], answers[1][1], rtol=1e-4)


def test_openvino_answers_calls_at_once_with_a_graph_each(plain, monkeypatch):
    """Two requests of one compiled graph wait for each other: of two cores one did nothing."""
    pytest.importorskip("openvino", reason="openvino is not installed")
    from clearscene.models.openvino_graph import OpenVinoGraph

    made, compiled = [], OpenVinoGraph._compiled
    monkeypatch.setattr(OpenVinoGraph, "_compiled", lambda graph: made.append(1) or compiled(graph))
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    graph = load_graph(plain / "model.onnx", device="openvino")
    assert len(made) == 1
    for _ in range(2):  # the second time both are there already
        with graph._request() as one, graph._request() as two:
            assert one is not two
            assert not graph._room.acquire(blocking=False)  # a third call waits: the cores are busy
        assert len(made) == 2


def test_ctrl_c_is_heard_after_openvino_was_let_go_in_another_thread(plain):
    """Its CPU plugin swaps the signal stack of the thread that loads it; unloaded elsewhere, a signal was fatal."""
    pytest.importorskip("openvino", reason="openvino is not installed")
    code = (  # in a process of its own: where it goes wrong, the process ends by a fault
        "import gc, signal, sys, threading\n"
        "from pathlib import Path\n"
        "from clearscene.models.session import load_graph\n"
        "held = [load_graph(Path(sys.argv[1]), device='openvino')]\n"
        "thread = threading.Thread(target=lambda: (held.clear(), gc.collect()))\n"
        "thread.start(); thread.join()\n"
        "signal.signal(signal.SIGINT, lambda *_: print('heard'))\n"
        "signal.raise_signal(signal.SIGINT)\n"
    )
    words = [sys.executable, "-c", code, str(plain / "model.onnx")]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "heard\n"), done.stderr
