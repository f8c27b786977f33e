"""A whole export, of networks small enough for seconds: what is in the folder is right, or there is no folder."""

import json
import math

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")
onnx = pytest.importorskip("onnx", reason="onnx comes with the extra `train`")

from clearscene.errors import DatasetError, ModelError, OptionError, OutputError  # noqa: E402  # after the check
from clearscene.inspection.constraint import sigmoid  # noqa: E402
from clearscene.inspection.two_step import TwoStep  # noqa: E402
from clearscene.models.manifest import load_manifest  # noqa: E402
from clearscene.models.model import Model, enlarge, softmax  # noqa: E402
from clearscene.training.export.export import export_model, write_evidence  # noqa: E402
from clearscene.training.export.options import ExportOptions, Precision  # noqa: E402
from clearscene.training.export.runner import GraphRunner, TorchRunner  # noqa: E402
from clearscene.training.export.settings import ExportSettings, load_settings  # noqa: E402
from tests.small_networks import Screens, Segments, TwoHeads, make_chips, trained  # noqa: E402

CARD = """
[model]
name = "tiny"
version = "1.2.3"
license = "Apache-2.0"
description = "A tiny | model."
ground_sample_distance_m = [0.25, 4]
[tiles]
tile_size = 64
reductions = [1, 2]
[scales]
cloud = "all"
[calibration]
recall = 0.8
pixels_per_chip = 300
[card]
known_failures = ["Snow is called cloud."]
accuracy = { "elsewhere.iou.cloud" = 0.5 }
[[data]]
name = "noise"
license = "CC0"
"""


@pytest.fixture(scope="module")
def chips(tmp_path_factory):
    return make_chips(tmp_path_factory.mktemp("chips"))


@pytest.fixture(scope="module")
def settings(tmp_path_factory):
    path = tmp_path_factory.mktemp("card") / "card.toml"
    path.write_text(CARD)
    return load_settings(path)


@pytest.fixture(scope="module")
def done(chips, settings, tmp_path_factory):
    """A network with two heads, exported with everything."""
    source, out = trained(TwoHeads, chips), tmp_path_factory.mktemp("models") / "tiny"
    steps = []
    options = ExportOptions(Precision.FLOAT16, deepness=True)
    measured = export_model(
        source, out, settings=settings, options=options, say=lambda what, share: steps.append((what, share))
    )
    return source, out, measured, steps


def test_the_folder_is_a_model_that_inspection_takes(done):
    _, out, _, steps = done
    assert {p.name for p in out.iterdir()} == {
        *("screen.onnx", "model.onnx", "deepness.onnx"),
        *("model.toml", "card.md", "mlm.json"),
    }
    two_step = TwoStep(Model.load(out, device="cpu"))
    assert {kind.name for kind in two_step.types} == {"cloud", "shadow"}
    scene = np.random.default_rng(4).integers(0, 256, (3, 100, 90)).astype(np.uint8)

    def read(window, out_shape):
        rows = slice(window.row_off, window.row_off + window.height)
        cols = slice(window.col_off, window.col_off + window.width)
        part = scene[:, rows, cols][:, : out_shape[0], : out_shape[1]]
        return np.pad(part, [(0, 0), *((0, n - m) for n, m in zip(out_shape, part.shape[1:], strict=True))]), np.ones(
            out_shape, bool
        )

    list(two_step.stream(read, 100, 90))
    assert two_step.statistics.screened > 0
    assert ("validating", 1.0) in steps


def test_model_answers_as_torch_does_after_the_temperatures(done, chips):
    source, out, measured, _ = done
    model = Model.load(out, device="cpu")
    image = model.prepare(chips.image(chips.records()[0]), np.ones((48, 40), bool))
    screening, reference = model.screen(image), TorchRunner(source.network)(image)
    assert screening.logits == pytest.approx(reference.tile / measured.screen.temperature, abs=0.05)
    assert screening.cells == pytest.approx(reference.cells / measured.screen.temperature, abs=0.05)
    logits = model.segment(image, screening.features)
    assert logits == pytest.approx(enlarge(reference.pixels, 64) / measured.pixels.temperature, abs=0.05)


def test_the_manifest_says_what_was_set_and_what_was_found(done):
    _, out, measured, _ = done
    manifest = load_manifest(out)
    assert (manifest.name, manifest.version, manifest.tiles.reductions) == ("tiny", "1.2.3", (1, 2))
    assert manifest.input.ground_sample_distance_m == (0.25, 4)
    assert [(c.id, c.name, c.scales) for c in manifest.classes] == [
        (0, "background", "native"),
        (1, "cloud", "all"),
        (2, "shadow", "native"),
    ]
    assert manifest.screen.temperature == measured.screen.temperature
    assert manifest.output.temperature == measured.pixels.temperature
    assert set(manifest.screen.thresholds) == {"cloud", "shadow"}  # no stripe in the chips, so nothing is said of it
    assert manifest.accuracy["val.iou.cloud"] == pytest.approx(measured.scores.iou["cloud"], abs=1e-4)
    assert manifest.accuracy["elsewhere.iou.cloud"] == 0.5
    assert manifest.training_data[0].license == "CC0"


def test_the_thresholds_keep_the_recall_that_was_asked_for(done):
    measured = done[2]
    tiles = measured.screen.screened
    for i, name in enumerate(("cloud", "shadow")):
        flagged = sigmoid(tiles.logits[:, i] / measured.screen.temperature) >= measured.screen.thresholds[i]
        assert flagged[tiles.labels[:, i] == 1].mean() == pytest.approx(measured.scores.recall[name], abs=1e-5)
        assert measured.scores.recall[name] >= 0.8
    assert measured.screen.is_surrounded


def test_the_card_holds_the_numbers_and_no_others(done):
    _, out, measured, _ = done
    card = (out / "card.md").read_text(encoding="utf-8")
    for text in (
        "| seed | 17 |",
        "| noise | CC0 |",
        "- Snow is called cloud.",
        f"| cloud | {measured.scores.iou['cloud']:.3f} |",
        f"| screening | {measured.screen.temperature:g} |",
        measured.parity["cpu"].describe(),
        "A tiny | model.",
        "On 12 chips",
    ):
        assert text in card
    assert "stripe |" not in card.split("## Measured: screening")[1]


def test_the_stac_item_states_the_shapes_of_the_graphs(done):
    out = done[1]
    item = json.loads((out / "mlm.json").read_text())
    properties = item["properties"]
    required = ("mlm:name", "mlm:architecture", "mlm:tasks", "mlm:input", "mlm:output")  # of the extension's schema
    assert all(properties[key] for key in required)
    assert properties["mlm:tasks"] == ["scene-classification", "semantic-segmentation"]
    assert [band["name"] for band in properties["bands"]] == properties["mlm:input"][0]["bands"]
    assert properties["mlm:input"][0]["input"]["shape"] == [1, 3, 64, 64]
    assert [output["result"]["shape"] for output in properties["mlm:output"]] == [[1, 3], [1, 3, 16, 16]]
    for output in properties["mlm:output"]:
        assert len(output["result"]["shape"]) == len(output["result"]["dim_order"])
    assert properties["mlm:total_parameters"] == sum(p.numel() for p in done[0].network.parameters())
    assert properties["mlm:pretrained_source"] is None
    assert all((out / asset["href"]).is_file() for asset in item["assets"].values())
    scaling = properties["mlm:input"][0]["value_scaling"][0]
    assert (scaling["mean"], scaling["stddev"]) == (0.5 * 255, 0.5 * 255)


def test_deepness_finds_its_keys_and_probabilities(done, chips):
    """What the plugin does with the file: JSON texts, values from 0 to 1 less mean by std, the largest wins."""
    source, out, measured, _ = done
    graph = onnx.load(out / "deepness.onnx")
    found = {entry.key: json.loads(entry.value) for entry in graph.metadata_props}
    assert found["model_type"] == "Segmentor"
    assert found["class_names"] == {"0": "background", "1": "cloud", "2": "shadow"}
    assert found["resolution"] == pytest.approx(100 * math.sqrt(0.25 * 4))
    assert found["tile_size"] == 64
    assert found["tiles_overlap"] == pytest.approx(20, abs=6)
    assert found["standardization_mean"] == [0.5, 0.4, 0.3]
    image = np.random.default_rng(6).integers(0, 256, (64, 64, 3)).astype(np.uint8)
    given = (image / 255 - found["standardization_mean"]) / found["standardization_std"]
    given = np.float32(given.transpose(2, 0, 1)[None])
    import onnxruntime

    (answer,) = onnxruntime.InferenceSession(out / "deepness.onnx").run(None, {"image": given})
    assert answer.shape == (1, 3, 64, 64)
    pixels = TorchRunner(source.network)(given).pixels
    assert answer[0] == pytest.approx(softmax(enlarge(pixels, 64) / measured.pixels.temperature), abs=0.01)


def test_the_evidence_lies_beside_the_run(done, tmp_path):
    measured = done[2]
    paths = write_evidence(measured, tmp_path)
    record = json.loads(paths[0].read_text())
    assert record["screen"]["temperature"] == measured.screen.temperature
    assert record["validation"]["n_chips"] == 12
    assert sum(record["screen"]["reliability"]["before"]["counts"]) == 12 * 3
    assert record["pixels"]["reliability"]["before"]["expected_calibration_error"] >= 0
    import cv2

    picture = cv2.imread(str(paths[1]))
    assert picture.shape[1] == 2 * picture.shape[0]
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) > 4


def test_int8_is_measured_beside_float32(chips, settings, tmp_path):
    options = ExportOptions(Precision.INT8, calibration_chips=4, measures_speed=False)
    measured = export_model(trained(TwoHeads, chips), tmp_path / "small", settings=settings, options=options)
    assert measured.float_scores.n_chips == measured.scores.n_chips
    assert set(measured.float_scores.iou) == set(measured.scores.iou)
    assert measured.speed == measured.float_speed == {}
    card = (tmp_path / "small" / "card.md").read_text()
    assert "IoU in float32" in card
    assert "In float32 it is" in card
    kinds = {node.op_type for node in onnx.load(tmp_path / "small" / "screen.onnx").graph.node}
    assert {"QuantizeLinear", "DequantizeLinear"} <= kinds
    Model.load(tmp_path / "small", device="cpu")


def test_a_segmenter_alone_has_no_screen(chips, settings, tmp_path):
    measured = export_model(
        trained(Segments, chips), tmp_path / "one", settings=settings, options=ExportOptions(measures_speed=False)
    )
    assert measured.screen is None
    assert not (tmp_path / "one" / "screen.onnx").exists()
    model = Model.load(tmp_path / "one", device="cpu")
    assert model.manifest.screen is None
    assert not model.has_screen
    assert "no screening head" in (tmp_path / "one" / "card.md").read_text()


def test_a_screen_alone_is_written_for_a_pair(chips, settings, tmp_path):
    measured = export_model(
        trained(Screens, chips), tmp_path / "one", settings=settings, options=ExportOptions(measures_speed=False)
    )
    assert measured.pixels is None
    assert not measured.screen.is_surrounded  # it has no cells
    assert GraphRunner(tmp_path / "one").model is None
    assert load_manifest(tmp_path / "one").screen.types == ("cloud", "shadow", "stripe")
    with pytest.raises(ModelError, match=r"one only screens: .* no model.onnx") as caught:
        Model.load(tmp_path / "one", device="cpu")
    assert "clearscene export SEGMENTER_RUN --screen SCREENING_RUN --out MODEL" in caught.value.hint
    with pytest.raises(ModelError, match="--deepness needs a segmenter"):
        export_model(trained(Screens, chips), tmp_path / "two", settings=settings, options=ExportOptions(deepness=True))


def test_what_differs_too_much_is_not_written(chips, settings, tmp_path):
    with pytest.raises(ModelError, match=r"differs from the trained one by .* the limit is 1e-09"):
        export_model(
            trained(TwoHeads, chips), tmp_path / "m", settings=settings, options=ExportOptions(max_difference=1e-9)
        )
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_has_diverged_is_not_written(chips, settings, tmp_path):
    source = trained(TwoHeads, chips)
    source.network.pixels.weight.data.fill_(float("nan"))
    with pytest.raises(ModelError, match="NaN or infinite"):
        export_model(source, tmp_path / "m", settings=settings, options=ExportOptions())
    assert list(tmp_path.iterdir()) == []


def test_an_existing_model_is_kept_unless_asked(chips, settings, tmp_path, done):
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "model.toml").write_text("old")
    with pytest.raises(OutputError, match="Use --overwrite"):
        export_model(trained(Segments, chips), tmp_path / "m", settings=settings, options=ExportOptions())
    assert (tmp_path / "m" / "model.toml").read_text() == "old"


def test_without_chips_there_is_no_export(settings, tmp_path):
    empty = make_chips(tmp_path / "chips", n=2, split="train")
    with pytest.raises(DatasetError, match="no chips in the split 'val'"):
        export_model(trained(Segments, empty), tmp_path / "m", settings=settings, options=ExportOptions())
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[model]\nnom = 1", "model.nom: no such key; there are name, version, license"),
        ("[calibration]\nrecall = 1.5", "calibration.recall: must be less than or equal to 1"),
        ('[scales]\nsnow = "all"', r"card\.toml: the file: scales or silent name \['snow'\]"),
        ("[model", "is not a TOML file"),
    ],
)
def test_a_wrong_card_names_the_key(tmp_path, text, message):
    (tmp_path / "card.toml").write_text(text)
    with pytest.raises(OptionError, match=message):
        load_settings(tmp_path / "card.toml")


def test_without_a_card_there_are_defaults():
    assert load_settings(None) == ExportSettings()
    assert ExportSettings().calibration.recall == 0.99
