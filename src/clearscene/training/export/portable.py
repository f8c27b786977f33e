"""Rewrite operators that not every runtime computes right."""

import numpy as np
import onnx
from onnx import helper, numpy_helper

__all__ = ["spell_out_log_sum_exp"]


def spell_out_log_sum_exp(model: onnx.ModelProto) -> None:
    """Replace each `ReduceLogSumExp` by max, subtraction, exponential, sum and logarithm, in place.

    OpenVINO (2026.4) does not see the axes of that operator in opset 17 and sums over others, and it takes the
    exponential without subtracting the maximum first, which overflows. Law: the answer is the same up to rounding.
    """
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes += _spelled_out(node, model) if node.op_type == "ReduceLogSumExp" else [node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)


def _spelled_out(node: onnx.NodeProto, model: onnx.ModelProto) -> list[onnx.NodeProto]:
    """The steps for one node; its axes are an attribute, as opset 17 has them."""
    attributes = {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}
    axes, keeps = list(attributes["axes"]), int(attributes.get("keepdims", 1))
    (given,), (answer,) = node.input, node.output
    name = f"{answer}.axes"
    model.graph.initializer.append(numpy_helper.from_array(np.array(axes, np.int64), name))
    top, rest, power, total, log, flat = (f"{answer}.{step}" for step in ("top", "rest", "power", "sum", "log", "flat"))
    return [
        helper.make_node("ReduceMax", [given], [top], axes=axes, keepdims=1),
        helper.make_node("ReduceMax", [given], [flat], axes=axes, keepdims=keeps),
        helper.make_node("Sub", [given, top], [rest]),
        helper.make_node("Exp", [rest], [power]),
        helper.make_node("ReduceSum", [power, name], [total], keepdims=keeps),
        helper.make_node("Log", [total], [log]),
        helper.make_node("Add", [log, flat], [answer]),
    ]
