"""Optional libraries of training, imported when needed."""

import importlib
from types import ModuleType

from clearscene.errors import MissingExtraError
from clearscene.models.torch_ready import mend_torchvision

__all__ = ["library", "mend_torchvision"]


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
