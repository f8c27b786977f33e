"""Optional libraries of training, imported when needed, and the one repair that they need on CPU machines.

The wheel of torchvision that pip takes beside a CPU build of torch is made for CUDA: importing it raises
"operator torchvision::nms does not exist", and with it timm and others that import it. The two operators are
only named there, never called by what is used here; once their names are known, the import works.
"""

import importlib
from types import ModuleType

import torch

from clearscene.errors import MissingExtraError

__all__ = ["library", "mend_torchvision"]

SCHEMAS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)

_kept: list[torch.library.Library] = []  # names live as long as the library that registered them


def mend_torchvision() -> None:
    """Make `import torchvision` work; where it works, or torchvision is absent, nothing is changed."""
    try:
        importlib.import_module("torchvision")
    except ModuleNotFoundError:
        return
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        fragment = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]  # torch has no type for it
        for schema in SCHEMAS:
            fragment.define(schema)  # type: ignore[no-untyped-call]  # nor for this
        _kept.append(fragment)
        importlib.import_module("torchvision")


def library(name: str) -> ModuleType:
    """Import timm, transformers or segmentation_models_pytorch.

    Raises:
        MissingExtraError: It is not installed.
    """
    mend_torchvision()
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"{name} is not installed.", hint='Install it with: pip install "clearscene[train]"'
        ) from error
