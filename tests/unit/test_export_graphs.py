"""Networks cut into graphs: clean, complete, and saying what torch says."""

from collections import Counter

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")
onnx = pytest.importorskip("onnx", reason="onnx comes with the extra `train`")

from clearscene.errors import ModelError  # noqa: E402  # after the check for torch
from clearscene.models.onnx_file import check_onnx  # noqa: E402
from clearscene.models.session import Device, available_devices, load_graph  # noqa: E402
from clearscene.training.export.graphs import cut_network  # noqa: E402
from clearscene.training.export.half import halve_weights  # noqa: E402
from clearscene.training.export.pair import Pair  # noqa: E402
from clearscene.training.export.parity import Parity, check_parity, compare_runners  # noqa: E402
from clearscene.training.export.quantize import answering_nodes, large_nodes, quantize_graph  # noqa: E402
from clearscene.training.export.runner import GraphRunner, TorchRunner  # noqa: E402
from clearscene.training.export.trace import OPSET, to_onnx  # noqa: E402
from tests.small_networks import INPUT, Screens, Segments, TwoHeads, made  # noqa: E402

SIZE = 64


class Picture:
    """As much of a sample as a comparison needs."""

    id = "picture"

    def __init__(self, seed=0):
        self.image = np.random.default_rng(seed).normal(0, 1, (1, 3, SIZE, SIZE)).astype(np.float32)


def saved(graphs, folder):
    folder.mkdir(exist_ok=True)
    for name, graph in (("screen.onnx", graphs.screen), ("model.onnx", graphs.model)):
        if graph is not None:
            (folder / name).write_bytes(graph.SerializeToString())
    return folder


def cut(network):
    return cut_network(network, n_bands=3, tile_size=SIZE)


def ports(ports_):
    return {port.name: tuple(d.dim_value for d in port.type.tensor_type.shape.dim) for port in ports_}


def test_two_heads_share_the_features_that_are_read_and_no_others():
    graphs = cut(made(TwoHeads))
    assert ports(graphs.screen.graph.input) == {"image": (1, 3, SIZE, SIZE)}
    outputs = ports(graphs.screen.graph.output)
    assert set(outputs) == {"logits", "cells", "fine", "coarse"}
    assert outputs["logits"] == (1, 3)
    assert outputs["cells"] == (1, 3, 4, 4)
    assert ports(graphs.model.graph.input) == {name: outputs[name] for name in ("fine", "coarse")}
    assert ports(graphs.model.graph.output) == {"segmentation": (1, 3, 16, 16)}


def test_a_screen_alone_and_a_segmenter_alone():
    screen, segmenter = cut(made(Screens)), cut(made(Segments))
    assert screen.model is None
    assert set(ports(screen.screen.graph.output)) == {"logits"}
    assert segmenter.screen is None
    assert set(ports(segmenter.model.graph.input)) == {"image"}


def test_the_graph_holds_layers_and_no_arithmetic_of_shapes(tmp_path):
    graphs = cut(made(TwoHeads))
    kinds = Counter(node.op_type for graph in (graphs.screen, graphs.model) for node in graph.graph.node)
    assert not {"Shape", "BatchNormalization", "Constant", "Gather", "Slice", "Unsqueeze", "Pad", "Cast"} & set(kinds)
    assert kinds["Conv"] == 5
    path = saved(graphs, tmp_path) / "screen.onnx"
    summary = check_onnx(path)
    assert summary.opsets == {"": OPSET}
    onnx.checker.check_model(path, full_check=True)
    assert not any(node.doc_string for node in onnx.load(path).graph.node)
    names = [node.name for node in graphs.screen.graph.node]
    assert len(set(names)) == len(names)


@pytest.mark.parametrize("kind", [TwoHeads, Screens, Segments])
@pytest.mark.parametrize("device", [Device.CPU, Device.OPENVINO])
def test_the_graphs_say_what_torch_says(tmp_path, kind, device):
    if device not in available_devices():
        pytest.skip("openvino is not installed")
    network = made(kind)
    parity = compare_runners(
        TorchRunner(network), GraphRunner(saved(cut(network), tmp_path), device=device), [Picture(1), Picture(2)]
    )
    assert parity.n_chips == 2
    assert max(parity.largest.values()) < 1e-4
    assert parity.other_class == 0


def test_a_pair_says_what_its_parts_say_alone(tmp_path):
    screen, segmenter = made(Screens, 1), made(Segments, 2)
    other = INPUT.model_copy(update={"mean": (0.2, 0.5, 0.1), "std": (0.4, 0.3, 0.6)})
    pair = Pair(screen, segmenter, given=INPUT, wanted=other).eval()
    answers = GraphRunner(saved(cut(pair), tmp_path))(Picture().image)
    assert answers.tile == pytest.approx(TorchRunner(screen)(Picture().image).tile, abs=1e-4)
    mean, std, other_mean, other_std = (
        np.array(v, np.float32).reshape(3, 1, 1) for v in (INPUT.mean, INPUT.std, other.mean, other.std)
    )
    seen = ((Picture().image * std + mean) - other_mean) / other_std
    assert answers.pixels == pytest.approx(TorchRunner(segmenter)(seen).pixels, abs=1e-4)
    assert set(ports(cut(pair).screen.graph.output)) == {"logits"}


def test_half_weights_are_the_weights_rounded_once(tmp_path):
    """Oracle: the graph with its weights rounded by numpy."""
    graphs = cut(made(Segments))
    halved = halve_weights(graphs.model, smallest=1)
    rounded = onnx.ModelProto()
    rounded.CopyFrom(graphs.model)
    for weight in rounded.graph.initializer:
        if weight.data_type == onnx.TensorProto.FLOAT:
            values = onnx.numpy_helper.to_array(weight).astype(np.float16).astype(np.float32)
            weight.CopyFrom(onnx.numpy_helper.from_array(values, weight.name))
    found = []
    for name, graph in (("half", halved), ("rounded", rounded)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "model.onnx").write_bytes(graph.SerializeToString())
        found.append(GraphRunner(folder)(Picture().image).pixels)
    assert np.array_equal(*found)
    assert not np.array_equal(found[0], TorchRunner(made(Segments))(Picture().image).pixels)
    assert graphs.model.graph.initializer[0].data_type == onnx.TensorProto.FLOAT  # a copy was halved


def test_half_weights_are_half_the_size():
    graph = to_onnx(torch.nn.Conv2d(3, 900, 9), (torch.zeros(1, 3, 9, 9),), inputs=["a"], outputs=["b"])
    assert 0.49 < halve_weights(graph).ByteSize() / graph.ByteSize() < 0.51


def test_a_weight_that_float16_cannot_hold_is_refused():
    layer = torch.nn.Conv2d(3, 8, 5)
    layer.weight.data[0, 0, 0, 0] = 70_000
    graph = to_onnx(layer, (torch.zeros(1, 3, 9, 9),), inputs=["a"], outputs=["b"])
    with pytest.raises(ModelError, match=r"reaches 7e\+04; float16 ends at 65504"):
        halve_weights(graph, smallest=1)


def test_int8_is_near_and_keeps_the_first_and_the_last_layers_in_float(tmp_path):
    network = made(TwoHeads)
    graphs = cut(network)
    kept = answering_nodes(graphs.screen)
    kinds = {node.name: node.op_type for node in graphs.screen.graph.node}
    assert [kinds[name] for name in kept].count("Conv") == 1  # the layer of the cells, of three
    assert [kinds[name] for name in large_nodes(graphs.screen)] == ["Conv", "Clip"]  # at stride 4
    screen = quantize_graph(graphs.screen, ({"image": Picture(i).image} for i in range(4)))
    whole = [node for node in screen.graph.node if node.name in kept]
    assert len(whole) == len(kept)
    stored = {weight.name: weight.data_type for weight in screen.graph.initializer}
    weights = [name for name, kind in stored.items() if kind == onnx.TensorProto.INT8 and "_zero_point" not in name]
    assert len(weights) == 1  # of three: the first is at a quarter of the size
    graphs = type(graphs)(screen, graphs.model)
    parity = compare_runners(TorchRunner(network), GraphRunner(saved(graphs, tmp_path)), [Picture(9)])
    assert 0 < parity.mean["cells"] < 0.1


def test_quantizing_leaves_the_log_as_it_was():
    import logging

    before = logging.root.manager.disable, logging.root.level
    quantize_graph(cut(made(Segments)).model, [{"image": Picture().image}])
    assert (logging.root.manager.disable, logging.root.level) == before


def test_a_network_without_a_form_in_onnx_is_one_error():
    class Odd(torch.nn.Module):
        def forward(self, image):
            return torch.linalg.svd(image).S

    with pytest.raises(ModelError, match="Odd has no form in ONNX"):
        to_onnx(Odd(), (torch.zeros(1, 3, 8, 8),), inputs=["image"], outputs=["x"])


def test_a_runner_differs_from_itself_by_nothing():
    runner = TorchRunner(made(TwoHeads))
    parity = compare_runners(runner, runner, [Picture()])
    assert parity.largest == {"tile": 0, "cells": 0, "pixels": 0}
    check_parity(parity, 0.0)


def test_what_differs_is_refused_with_the_head_and_the_number():
    parity = Parity(2, {"tile": 0.1, "pixels": 0.5}, {"tile": 0.01, "pixels": 0.1}, 0.25)
    check_parity(parity, 0.5)
    with pytest.raises(ModelError, match=r"by 0.5 in the logits \(pixels\); the limit is 0.4.*25.000% of the pixels"):
        check_parity(parity, 0.4)


def test_another_head_or_a_nan_is_an_error():
    with pytest.raises(ModelError, match="tile of chip picture: the trained network answers with shape"):
        compare_runners(TorchRunner(made(TwoHeads)), TorchRunner(made(Segments)), [Picture()])
    broken = made(Segments)
    broken.pixels.bias.data[0] = float("nan")
    with pytest.raises(ModelError, match="NaN or infinite"):
        compare_runners(TorchRunner(broken), TorchRunner(broken), [Picture()])


@pytest.mark.parametrize("keeps", [False, True])
@pytest.mark.parametrize("axis", [1, 2])
@pytest.mark.parametrize("device", [Device.CPU, Device.OPENVINO])
def test_sums_of_exponentials_are_right_on_every_runtime(tmp_path, device, axis, keeps):
    """OpenVINO summed over the wrong axes, and overflowed; oracle: numpy."""
    if device not in available_devices():
        pytest.skip("openvino is not installed")

    class Sums(torch.nn.Module):
        def forward(self, image):
            return torch.logsumexp(image * 30, dim=axis, keepdim=keeps)

    given = np.random.default_rng(2).normal(0, 5, (1, 3, 5, 7)).astype(np.float32)
    graph = to_onnx(Sums(), (torch.from_numpy(given),), inputs=["image"], outputs=["sums"])
    (tmp_path / "model.onnx").write_bytes(graph.SerializeToString())
    top = (given.astype(np.float64) * 30).max(axis=axis, keepdims=True)
    wanted = top + np.log(np.exp(given * 30.0 - top).sum(axis=axis, keepdims=True))
    (found,) = load_graph(tmp_path / "model.onnx", device=device).run({"image": given}).values()
    assert found.shape == (wanted if keeps else wanted.squeeze(axis)).shape
    assert found.ravel() == pytest.approx(wanted.ravel(), rel=1e-5)


def test_an_output_keeps_its_name_though_layers_that_change_nothing_are_joined(tmp_path):
    """OpenVINO joins a multiplication by one with its neighbors and gives the tensor the names of all."""
    if Device.OPENVINO not in available_devices():
        pytest.skip("openvino is not installed")

    class Scaled(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer, self.scale = torch.nn.Conv2d(3, 2, 1), torch.nn.Parameter(torch.ones(1))

        def forward(self, image):
            return self.layer(image) * self.scale

    graph = to_onnx(Scaled(), (torch.zeros(1, 3, 8, 8),), inputs=["image"], outputs=["wanted"])
    (tmp_path / "model.onnx").write_bytes(graph.SerializeToString())
    loaded = load_graph(tmp_path / "model.onnx", device=Device.OPENVINO)
    assert [port.name for port in loaded.outputs] == ["wanted"]
    assert [port.name for port in loaded.inputs] == ["image"]
