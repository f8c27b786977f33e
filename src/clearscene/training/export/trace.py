"""From a torch module to an ONNX graph without detours.

torch's tracer writes down every shape computation of the encoder (TensorFlow's padding rule alone brings
hundreds of nodes). ONNX Runtime's basic optimizations fold what is constant at the fixed tile size, and
join padding and batch normalization with the convolutions: what is left are the layers, in operators of
plain ONNX that every runtime reads.
"""

import tempfile
import warnings
from collections.abc import Sequence
from pathlib import Path

import onnx
import torch
from onnxruntime import GraphOptimizationLevel, InferenceSession, SessionOptions
from torch import Tensor, nn

from clearscene import __version__
from clearscene.errors import ModelError
from clearscene.training.export.portable import spell_out_log_sum_exp

__all__ = ["OPSET", "to_onnx"]

OPSET = 17
"""Operators that ONNX Runtime 1.19 and OpenVINO 2024.4 know, the oldest that the package allows."""

TRACED = "traced.onnx"


def to_onnx(
    module: nn.Module, example: tuple[Tensor, ...], *, inputs: Sequence[str], outputs: Sequence[str]
) -> onnx.ModelProto:
    """The module as a graph for inputs of exactly the shapes of `example`.

    Laws: all operators are of the domain of ONNX; inputs that nothing reads are dropped; the module is
    left as it was, each of its parts in training or not.

    Raises:
        ModelError: The module does something that has no operator.
    """
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        with tempfile.TemporaryDirectory() as folder, torch.no_grad(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # the tracer's asides; what it gets wrong, the parity check finds
            torch.onnx.export(
                module,
                example,
                str(Path(folder) / TRACED),
                input_names=list(inputs),
                output_names=list(outputs),
                opset_version=OPSET,
                dynamo=False,  # the other exporter needs onnxscript, which is no dependency
            )
            return _cleaned(_folded(Path(folder)))
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        text = str(error).strip().splitlines()[0]
        raise ModelError(f"{type(module).__name__} has no form in ONNX (opset {OPSET}): {text:.300}.") from error
    finally:
        for part, mode in modes:
            part.training = mode


def _folded(folder: Path) -> onnx.ModelProto:
    """The graph after constants are folded and neighbors joined."""
    options = SessionOptions()
    options.graph_optimization_level = GraphOptimizationLevel.ORT_ENABLE_BASIC
    options.log_severity_level = 3
    options.intra_op_num_threads = 1
    path = folder / "folded.onnx"
    options.optimized_model_filepath = str(path)
    InferenceSession(str(folder / TRACED), options, providers=["CPUExecutionProvider"])
    return onnx.load(path)


def _cleaned(model: onnx.ModelProto) -> onnx.ModelProto:
    """Without inputs that nothing reads, operator sets that nothing uses, and traces of source files."""
    used = {name for node in model.graph.node for name in node.input}
    inputs = [port for port in model.graph.input if port.name in used]
    domains = {node.domain for node in model.graph.node} | {""}
    opsets = [opset for opset in model.opset_import if opset.domain in domains]
    del model.graph.input[:], model.opset_import[:], model.graph.value_info[:]
    model.graph.input.extend(inputs)
    model.opset_import.extend(opsets)
    spell_out_log_sum_exp(model)
    for number, node in enumerate(model.graph.node):
        node.doc_string, node.name = "", f"{node.op_type}_{number}"
    model.producer_name, model.producer_version, model.graph.name = "clearscene", __version__, "clearscene"
    return model
