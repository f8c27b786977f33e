"""The semantic networks by name: what is known of them, and the way to build one. Only building needs torch."""

import difflib
import importlib
from typing import TYPE_CHECKING, Any

from clearscene.errors import MissingExtraError, TrainingError
from clearscene.training.networks.cards import NetworkCard
from clearscene.training.networks.published_cloud import CLOUD_NETS, UNETS
from clearscene.training.networks.published_photo import DEEPLABS, OWN, SEGFORMERS, SKY_NETS, YOLOS

if TYPE_CHECKING:
    from clearscene.training.networks.sizes import AnySize

__all__ = ["CATALOG", "NetworkCard", "build_semantic", "card", "forms", "names"]

CATALOG: tuple[NetworkCard, ...] = (*UNETS, *CLOUD_NETS, *DEEPLABS, *YOLOS, *SKY_NETS, *SEGFORMERS, *OWN)
"""One card for each form of each network."""

MAX_BANDS = 64

BUILDERS: dict[str, tuple[str, str, tuple[str, ...]]] = {
    "unet": ("unet", "build_unet", ("form",)),
    "unet-plusplus": ("unet_plusplus", "build_unet_plusplus", ("form",)),
    "rs-net": ("rs_net", "build_rs_net", ("form",)),
    "deeplabv3plus": ("deeplab_v3_plus", "build_deeplab_v3_plus", ("form", "pretrained")),
    "cloud-net": ("cloud_net", "build_cloud_net", ()),
    "cloudx-net": ("cloudx_net", "build_cloudx_net", ()),
    "yolov8-seg": ("yolo", "build_yolo", ("form", "pretrained")),
    "deeplabv3": ("deeplab_v3", "build_deeplab_v3", ("pretrained",)),
    "unet-resnet50": ("unet_resnet", "build_unet_resnet", ("pretrained",)),
    "two-head": ("slim", "build_slim", ("pretrained",)),
    **{f"segformer-b{n}": ("segformer", "build_segformer", ("name", "pretrained")) for n in range(6)},
}
"""Module, function, and what the function wants besides bands and classes."""


def names() -> tuple[str, ...]:
    """The networks, each once, in the order of the catalog."""
    return tuple(dict.fromkeys(entry.name for entry in CATALOG))


def forms(name: str) -> dict[str, NetworkCard]:
    """The forms of a network.

    Raises:
        TrainingError: There is no such network.
    """
    found = {entry.form: entry for entry in CATALOG if entry.name == name}
    if not found:
        near = difflib.get_close_matches(name, names(), n=1, cutoff=0.4)
        hint = f"Did you mean {near[0]}? " if near else ""
        raise TrainingError(f"There is no network {name!r}.", hint=f"{hint}There are {', '.join(names())}.")
    return found


def card(name: str, form: str) -> NetworkCard:
    """What is known of one form of one network.

    Raises:
        TrainingError: There is no such network, or it has no such form.
    """
    found = forms(name)
    if form not in found:
        raise TrainingError(f"Network {name} has no form {form!r}.", hint=f"It has {', '.join(found)}.")
    return found[form]


def build_semantic(name: str, *, form: str, n_bands: int, n_classes: int = 1, pretrained: bool = False) -> "AnySize":
    """A network from images (n, band, h, w) float32 of any h, w >= 32 to logits (n, class, h, w).

    With one class, the sigmoid of its logit is the probability of cloud. `pretrained` starts what has published
    weights from them, where they can be reached; networks without such weights start from random numbers.

    Raises:
        TrainingError: There is no such network or form, or bands or classes are out of range.
        MissingExtraError: A library that the network needs is not installed.
    """
    known = card(name, form)
    for word, number in (("bands", n_bands), ("classes", n_classes)):
        if not 1 <= number <= MAX_BANDS:
            raise TrainingError(f"Network {name} cannot have {number} {word}.", hint=f"Use 1 to {MAX_BANDS}.")
    module, function, wanted = BUILDERS[name]
    options: dict[str, Any] = {"form": form, "name": name, "pretrained": pretrained}
    try:
        build = getattr(importlib.import_module(f"clearscene.training.networks.{module}"), function)
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"Network {name} needs the package {error.name}, which is not installed.",
            hint=f'Install it with: pip install "clearscene[{known.extra}]"',
        ) from error
    given = [options[word] for word in wanted if word in ("form", "name")]
    rest = {word: options[word] for word in wanted if word not in ("form", "name")}
    network: AnySize = build(*given, n_bands=n_bands, n_classes=n_classes, **rest)
    return network
