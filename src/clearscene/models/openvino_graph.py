"""A graph in OpenVINO; imported only where that runtime was chosen."""

import os
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import openvino as ov
from numpy.typing import NDArray

from clearscene.errors import ModelError
from clearscene.models.graph import Port

__all__ = ["OpenVinoGraph"]

_DTYPES = {"f32": "float32", "f16": "float16", "u8": "uint8"}

_CORE = ov.Core()
"""The one runtime of the process, kept to its end.

The CPU plugin swaps the signal stack of the thread that loads it, and unmaps the new one when the last user
of the plugin is gone. In another thread (a pool, or the collector running there) it is unmapped but not
swapped back, and the next Ctrl-C ends the first thread by a fault.
"""


class OpenVinoGraph:
    """A graph compiled for the CPU by OpenVINO.

    Requests of one compiled graph wait for each other unless it was given streams when it was compiled.
    So calls at the same time have a compiled graph each: made when they first meet, as many as the cores
    can feed, and kept.
    """

    def __init__(self, path: Path, threads: int) -> None:
        self._config = {
            "INFERENCE_NUM_THREADS": threads,
            "PERFORMANCE_HINT": "LATENCY",
            "INFERENCE_PRECISION_HINT": "f32",
        }
        self._source = _CORE.read_model(str(path))
        self._room = threading.BoundedSemaphore(max(1, (os.cpu_count() or 1) // threads))
        first = self._compiled()
        self._idle = deque([first.create_infer_request()])
        self.provider = "OpenVINO CPU"
        self.inputs = tuple(_port(node, path) for node in first.inputs)
        self.outputs = tuple(_port(node, path) for node in first.outputs)

    def run(self, feeds: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.float32]]:
        """See `Graph.run`."""
        cast = {port.name: np.ascontiguousarray(feeds[port.name], port.dtype) for port in self.inputs}
        with self._request() as request:
            results = request.infer(cast)
            # a request reuses its buffers: copy, so that what was answered before stays as it was
            return {p.name: np.array(results[i], np.float32) for i, p in enumerate(self.outputs)}

    @contextmanager
    def _request(self) -> Iterator[ov.InferRequest]:
        """A request that nobody else uses meanwhile; waits where the cores are busy."""
        with self._room:
            try:
                request = self._idle.pop()
            except IndexError:
                request = self._compiled().create_infer_request()
            try:
                yield request
            finally:
                self._idle.append(request)

    def _compiled(self) -> ov.CompiledModel:
        return _CORE.compile_model(self._source, "CPU", self._config)


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
