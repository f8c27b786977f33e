"""A graph in OpenVINO; imported only where that runtime was chosen."""

import threading
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from clearscene.errors import ModelError
from clearscene.models.graph import Port

__all__ = ["OpenVinoGraph"]

_DTYPES = {"f32": "float32", "f16": "float16", "u8": "uint8"}


class OpenVinoGraph:
    """A graph compiled for the CPU by OpenVINO; each thread has its own inference request."""

    def __init__(self, path: Path, threads: int) -> None:
        config = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._model = ov.Core().compile_model(str(path), "CPU", config)
        self._local = threading.local()
        self.provider = "OpenVINO CPU"
        self.inputs = tuple(_port(node, path) for node in self._model.inputs)
        self.outputs = tuple(_port(node, path) for node in self._model.outputs)

    def run(self, feeds: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.float32]]:
        """See `Graph.run`."""
        if not hasattr(self._local, "request"):
            self._local.request = self._model.create_infer_request()
        cast = {port.name: np.ascontiguousarray(feeds[port.name], port.dtype) for port in self.inputs}
        results = self._local.request.infer(cast)
        # a request reuses its buffers: copy, so that what was answered before stays as it was
        return {p.name: np.array(results[i], np.float32) for i, p in enumerate(self.outputs)}


def _port(node: ov.ConstOutput, path: Path) -> Port:
    kind = node.get_element_type().get_type_name()
    if kind not in _DTYPES:
        raise ModelError(f"{path}: {_name(node)!r} is {kind}; float32, float16 and uint8 are handled.")
    shape = tuple(None if size.is_dynamic else size.get_length() for size in node.get_partial_shape())
    return Port(_name(node), shape, _DTYPES[kind])


def _name(node: ov.ConstOutput) -> str:
    """The name in the file. A tensor also has the names of those that were joined with it, in no order."""
    name = str(node.node.get_friendly_name()).removesuffix("/sink_port_0")
    return name if name in node.get_names() else str(node.get_any_name())
