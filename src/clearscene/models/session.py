"""One ONNX graph ready to run: on the CPU, on CUDA, or through OpenVINO."""

import importlib.util
from collections.abc import Mapping
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from onnxruntime import (
    InferenceSession,
    NodeArg,
    SessionOptions,
    get_available_providers,
)

from clearscene.errors import MissingExtraError, ModelError, OptionError
from clearscene.models.graph import Graph, Port
from clearscene.models.onnx_file import check_onnx

__all__ = ["Device", "available_devices", "choose_device", "load_graph"]

_DTYPES = {"tensor(float)": "float32", "tensor(float16)": "float16", "tensor(uint8)": "uint8"}


class Device(StrEnum):
    """Where networks run; the value of `--device`."""

    AUTO = "auto"
    CPU = "cpu"
    CUDA = "cuda"
    OPENVINO = "openvino"


def available_devices() -> tuple[Device, ...]:
    """Devices that can be used here, the preferred first. The CPU is always among them.

    OpenVINO comes last: where it was measured, the whole inspection took a fifth longer with it than with ONNX Runtime.
    """
    found = [Device.CPU]
    if "CUDAExecutionProvider" in get_available_providers():
        found.insert(0, Device.CUDA)
    if importlib.util.find_spec("openvino") is not None:
        found.append(Device.OPENVINO)
    return tuple(found)


def choose_device(device: Device | str = Device.AUTO) -> Device:
    """The device to use: what was asked for, or by `auto` CUDA, else the CPU.

    Raises:
        OptionError: There is no device of that name.
        MissingExtraError: The device was asked for by name and is not available.
    """
    if str(device) not in list(Device):
        raise OptionError(f"--device {device!r} is unknown.", hint=f"Use one of {', '.join(Device)}.")
    device, available = Device(device), available_devices()
    if device is Device.AUTO:
        return available[0]
    if device not in available:
        extra = "gpu" if device is Device.CUDA else "openvino"
        raise MissingExtraError(
            f"--device {device}: not available here (available: {', '.join(available)}).",
            hint=f"Install clearscene[{extra}], or use --device auto; `clearscene doctor` shows what is found.",
        )
    return device


def load_graph(path: Path, *, device: Device | str = Device.AUTO, threads: int = 1) -> Graph:
    """Check an ONNX file and load it.

    `threads` is for one call of `run`; several calls at once multiply it. Weights stored as float16
    are cast up by the graph itself and folded at load, so that they cost no time later.

    Raises:
        ModelError: The file is broken, hostile, or holds types that are not handled.
    """
    summary = check_onnx(path)
    chosen = choose_device(device)
    try:
        graph = _open(path, chosen, threads)
    except (ModelError, MemoryError):
        raise
    except Exception as error:  # each runtime has its own exceptions
        opset = summary.opsets.get("", summary.opsets.get("ai.onnx", 0))
        raise ModelError(
            f"{path} (opset {opset}) cannot be loaded on {chosen}: {str(error).strip().splitlines()[0]:.300}.",
            hint="Export it again, with an opset that the installed runtime knows.",
        ) from error
    return graph


def _open(path: Path, device: Device, threads: int) -> Graph:
    if device is Device.OPENVINO:
        from clearscene.models.openvino_graph import OpenVinoGraph  # optional and slow to import

        return OpenVinoGraph(path, threads)
    return OnnxRuntimeGraph(path, device, threads)


class OnnxRuntimeGraph:
    """A graph in ONNX Runtime."""

    def __init__(self, path: Path, device: Device, threads: int) -> None:
        options = SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3  # errors come as exceptions
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # cores are shared
        wanted = ["CPUExecutionProvider"]
        if device is Device.CUDA:
            wanted.insert(0, "CUDAExecutionProvider")
        self._session = InferenceSession(str(path), options, providers=wanted)
        self.provider = self._session.get_providers()[0]
        if self.provider != wanted[0]:
            raise ModelError(
                f"{path}: {wanted[0]} did not start, only {self.provider}.",
                hint="The CUDA or cuDNN libraries do not fit; see `clearscene doctor`, or use --device cpu.",
            )
        self.inputs = tuple(_port(node, path) for node in self._session.get_inputs())
        self.outputs = tuple(_port(node, path) for node in self._session.get_outputs())

    def run(self, feeds: Mapping[str, NDArray[np.generic]]) -> dict[str, NDArray[np.float32]]:
        """See `Graph.run`."""
        cast = {port.name: np.asarray(feeds[port.name], port.dtype) for port in self.inputs}
        names = [port.name for port in self.outputs]
        results = self._session.run(names, cast)
        return {name: np.asarray(value, np.float32) for name, value in zip(names, results, strict=True)}


def _port(node: NodeArg, path: Path) -> Port:
    if node.type not in _DTYPES:
        raise ModelError(
            f"{path}: {node.name!r} is {node.type}; float32, float16 and uint8 are handled.",
            hint="Add a Cast at the ends of the network and export again.",
        )
    shape = tuple(size if isinstance(size, int) and size > 0 else None for size in node.shape)
    return Port(node.name, shape, _DTYPES[node.type])
