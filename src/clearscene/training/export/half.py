"""Weights stored as float16 and cast up in the graph: half the size, the same arithmetic."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from clearscene.errors import ModelError

__all__ = ["halve_weights"]

LARGEST = float(np.finfo(np.float16).max)


def halve_weights(model: onnx.ModelProto, *, smallest: int = 256) -> onnx.ModelProto:
    """A copy of the graph whose float32 weights of at least `smallest` numbers are stored as float16.

    Each gets a `Cast` to float32 under its old name; runtimes fold it when they load the graph. Law: the
    graph answers as if each of those weights had been rounded to float16 once.

    Raises:
        ModelError: A weight exceeds what float16 holds.
    """
    halved = onnx.ModelProto()
    halved.CopyFrom(model)
    casts = []
    for weight in halved.graph.initializer:
        if weight.data_type != TensorProto.FLOAT or int(np.prod(weight.dims)) < smallest:
            continue
        values = numpy_helper.to_array(weight)
        if np.abs(values).max() > LARGEST:
            raise ModelError(
                f"Weight {weight.name!r} reaches {np.abs(values).max():.3g}; float16 ends at {LARGEST:g}.",
                hint="Export with --precision float32.",
            )
        name = weight.name
        weight.CopyFrom(numpy_helper.from_array(values.astype(np.float16), f"{name}.half"))
        casts.append(helper.make_node("Cast", [f"{name}.half"], [name], name=f"{name}.cast", to=TensorProto.FLOAT))
    nodes = list(halved.graph.node)
    del halved.graph.node[:]
    halved.graph.node.extend(casts + nodes)
    return halved
