"""The one repair that torch needs on CPU machines, for what is optional and in torch.

The wheel of torchvision that pip takes beside a CPU build of torch is made for CUDA: importing it raises
"operator torchvision::nms does not exist", and with it timm and others that import it. The two operators are
only named there, never called by what is used here; once their names are known, the import works.
"""

import importlib

import torch

__all__ = ["mend_torchvision"]

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
