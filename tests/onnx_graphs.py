"""Small ONNX graphs and model folders for tests: networks whose answer can be computed by hand.

The brightness model calls a pixel cloud where the mean of its bands exceeds 0.7 and shadow where it
is below 0.15 (of full white). Its screen answers with the strongest logit in the tile, so that a
tile is flagged exactly where it holds such a pixel.
"""

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 17
STEEPNESS = 100.0
TYPES = [
    "cloud",
    "shadow",
    "stretching",
    "blur",
    "overflow",
    "distortion",
    "stitching_trace",
    "misalignment",
    "stripe",
    "missing",
]

MANIFEST = """
name = "bright"
version = "0.1.0"
task = "inspection"
license = "Apache-2.0"
[input]
bands = ["red", "green", "blue"]
scale = 255
mean = [0.4, 0.4, 0.4]
[tiles]
tile_size = {tile_size}
reductions = {reductions}
[[classes]]
id = 0
name = "background"
[[classes]]
id = 1
name = "cloud"
scales = "all"
[[classes]]
id = 2
name = "shadow"
scales = "{shadow_scales}"
"""

SCREEN = """
[screen]
types = {types}
scales = {{ stitching_trace = "all" }}
"""


def tensor(name, values, dtype=np.float32):
    return numpy_helper.from_array(np.asarray(values, dtype), name)


def port(name, shape, kind=TensorProto.FLOAT):
    return helper.make_tensor_value_info(name, kind, shape)


def save(path: Path, nodes, inputs, outputs, weights=(), domains=()) -> Path:
    graph = helper.make_graph(nodes, "test", inputs, outputs, list(weights))
    opsets = [helper.make_opsetid("", OPSET), *(helper.make_opsetid(d, 1) for d in domains)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=9)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(model.SerializeToString())
    return path


def brightness_weights(steepness=STEEPNESS):
    """1 x 1 convolution from 3 bands (less the mean 0.4) to background 0, cloud and shadow logits."""
    kernel = np.zeros((3, 3, 1, 1), np.float32)
    kernel[1], kernel[2] = steepness / 3, -steepness / 3
    return tensor("kernel", kernel), tensor("bias", [0, -0.3 * steepness, -0.25 * steepness])


def segmenter(path: Path, size="n", *, steepness=STEEPNESS):
    """Image to three logits a pixel."""
    conv = helper.make_node("Conv", ["image", "kernel", "bias"], ["logits"])
    image, logits = port("image", [1, 3, size, size]), port("logits", [1, 3, size, size])
    return save(path, [conv], [image], [logits], brightness_weights(steepness))


def decoder(path: Path, size="n"):
    """Features (the logits that the screen computed) to logits, unchanged."""
    node = helper.make_node("Identity", ["features"], ["segmentation"])
    return save(path, [node], [port("features", [1, 3, size, size])], [port("segmentation", [1, 3, size, size])])


def screener(path: Path, size="n", *, others=-10.0, trace_above=None):
    """Image to ten logits and features: cloud and shadow by their strongest pixel, the rest `others`.

    With `trace_above`, stitching_trace is flagged (logit 3) where a tile's mean of band 1 exceeds it (0 to 1).
    """
    weights = [*brightness_weights()]
    weights += [tensor(n, [v], np.int64) for n, v in (("starts", 1), ("ends", 3), ("axes", 1))]
    weights += [tensor("four", np.full((1, 4), others)), tensor("three", np.full((1, 3), others))]
    weights += [tensor("shape", [1, -1], np.int64)]
    nodes = [
        helper.make_node("Conv", ["image", "kernel", "bias"], ["features"]),
        helper.make_node("Slice", ["features", "starts", "ends", "axes"], ["two"]),
        helper.make_node("GlobalMaxPool", ["two"], ["strongest"]),
        helper.make_node("Reshape", ["strongest", "shape"], ["first"]),
    ]
    if trace_above is None:
        weights += [tensor("trace", [[others]])]
    else:
        weights += [tensor("limit", [[trace_above - 0.4]]), tensor("yes", [[3.0]]), tensor("no", [[others]])]
        weights += [tensor("zero", [0], np.int64), tensor("one", [1], np.int64)]
        nodes += [
            helper.make_node("Slice", ["image", "zero", "one", "axes"], ["red"]),
            helper.make_node("GlobalAveragePool", ["red"], ["mean4"]),
            helper.make_node("Reshape", ["mean4", "shape"], ["mean"]),
            helper.make_node("Greater", ["mean", "limit"], ["is_trace"]),
            helper.make_node("Where", ["is_trace", "yes", "no"], ["trace"]),
        ]
    nodes += [helper.make_node("Concat", ["first", "four", "trace", "three"], ["logits"], axis=1)]
    outputs = [port("logits", [1, 10]), port("features", [1, 3, size, size])]
    return save(path, nodes, [port("image", [1, 3, size, size])], outputs, weights)


def brightness_folder(
    folder: Path, *, tile_size=32, reductions=(1,), screen=True, trace_above=None, shadow_scales="native"
) -> Path:
    """A whole model folder; with a screen it has two heads, without it a plain segmenter."""
    text = MANIFEST.format(tile_size=tile_size, reductions=list(reductions), shadow_scales=shadow_scales)
    if screen:
        text += SCREEN.format(types=TYPES)
        screener(folder / "screen.onnx", trace_above=trace_above)
        decoder(folder / "model.onnx")
    else:
        segmenter(folder / "model.onnx")
    (folder / "model.toml").write_text(text, encoding="utf-8")
    (folder / "card.md").write_text("# A test model\n", encoding="utf-8")
    return folder


def edit_manifest(folder: Path, old: str, new: str) -> Path:
    text = (folder / "model.toml").read_text(encoding="utf-8")
    assert old in text
    (folder / "model.toml").write_text(text.replace(old, new), encoding="utf-8")
    return folder


def half_weights(path: Path) -> Path:
    """The segmenter with weights stored as float16 and cast up in the graph."""
    kernel, bias = (numpy_helper.to_array(w) for w in brightness_weights())
    nodes = [
        helper.make_node("Cast", ["kernel16"], ["kernel"], to=TensorProto.FLOAT),
        helper.make_node("Cast", ["bias16"], ["bias"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["image", "kernel", "bias"], ["logits"]),
    ]
    weights = [tensor("kernel16", kernel, np.float16), tensor("bias16", bias, np.float16)]
    return save(path, nodes, [port("image", [1, 3, "n", "n"])], [port("logits", [1, 3, "n", "n"])], weights)


def external_weights(path: Path, location: str) -> Path:
    """The segmenter with its kernel in a file named `location`."""
    segmenter(path)
    model = onnx.load(path)
    kernel = model.graph.initializer[0]
    (path.parent / "kernel.bin").write_bytes(kernel.raw_data)
    kernel.ClearField("raw_data")
    kernel.data_location = TensorProto.EXTERNAL
    kernel.external_data.add(key="location", value=location)
    path.write_bytes(model.SerializeToString())
    return path
