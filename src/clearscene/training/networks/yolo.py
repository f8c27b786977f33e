"""YOLOv8-seg as a semantic network: its instances joined, or its prototypes read pixel by pixel.

The layers come from the optional package ultralytics (AGPL-3.0), which is imported only when this network is built.
"""

import importlib
import os
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from clearscene.errors import MissingExtraError
from clearscene.training.networks.conv_blocks import grown_conv
from clearscene.training.networks.hub import from_hub
from clearscene.training.networks.sizes import AnySize
from clearscene.training.torch_ready import mend_torchvision

__all__ = ["JoinedInstances", "PrototypePixels", "build_yolo", "joined_logits", "ultralytics"]

MODEL = "yolov8n-seg"
MOST_INSTANCES = 100
SMALLEST = 1e-6
"""Chances are kept this far from 0 and 1, so that their logits are finite."""


def ultralytics(part: str) -> ModuleType:
    """Import a part of ultralytics; it is told to send nothing, ask no server and install nothing by itself.

    Its published weights are fetched all the same, where they are asked for.

    Raises:
        MissingExtraError: It is not installed.
    """
    mend_torchvision()
    for key, value in (("VERBOSE", "false"), ("OFFLINE", "true"), ("AUTOINSTALL", "false")):
        os.environ.setdefault(f"YOLO_{key}", value)
    try:
        return importlib.import_module(f"ultralytics.{part}")
    except ModuleNotFoundError as error:
        raise MissingExtraError(
            f"YOLOv8 needs the package {error.name}, which is not installed.",
            hint='Install it with: pip install "clearscene[yolo]" (AGPL-3.0).',
        ) from error


def build_yolo(form: str, *, n_bands: int, n_classes: int, pretrained: bool) -> AnySize:
    """YOLOv8n-seg (Jocher, Chaurasia, Qiu, Ultralytics YOLOv8, 2023).

    `paper` and `benchmark`: the whole network; its instances are joined to one answer for each pixel, which a loss
    of pixels can train. `semantic`: boxes and classes are taken off, and a 1 x 1 convolution reads prototypes and
    mask coefficients at each pixel. `pretrained` takes the weights of COCO where they can be reached.
    """
    body = _body(n_classes, pretrained)
    grown_conv(body, n_bands)
    net = PrototypePixels(body, n_classes) if form == "semantic" else JoinedInstances(body)
    return AnySize(net, divisor=32, encoder="trunk.layers")


def _body(n_classes: int, pretrained: bool) -> Any:
    """The network of ultralytics for three bands; a class head that does not fit starts anew."""
    tasks = ultralytics("nn.tasks")
    body = tasks.SegmentationModel(f"{MODEL}.yaml", ch=3, nc=n_classes, verbose=False)
    if pretrained:
        donor = from_hub(MODEL, lambda: ultralytics("models").YOLO(f"{MODEL}.pt").model, lambda: None)
        if donor is not None:
            own, given = body.state_dict(), donor.state_dict()
            body.load_state_dict({key: given[key] for key in own if given[key].shape == own[key].shape}, strict=False)
    return body


class _Trunk(nn.Module):
    """Backbone and neck: maps at strides 8, 16 and 32."""

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.layers = nn.ModuleList(list(body.model)[:-1])
        self.ends = tuple(body.model[-1].f)
        self.kept = frozenset(body.save)

    def forward(self, x: Tensor) -> list[Tensor]:
        """(n, band, h, w), multiples of 32, to three maps."""
        found: list[Tensor | None] = []
        for number, layer in enumerate(self.layers):
            source: Any = layer.f
            if isinstance(source, int):
                given: Any = x if source == -1 else found[source]
            else:
                given = [x if place == -1 else found[place] for place in source]
            x = layer(given)
            found.append(x if number in self.kept else None)
        return [found[end] for end in self.ends]


class JoinedInstances(nn.Module):
    """Every cell of the three maps proposes an instance; a pixel belongs to a class if it is in any of them.

    Law: `joined_logits` of the 100 proposals that are surest of any class. Nothing is suppressed: a second proposal
    for the same cloud adds no pixel to the union. Boxes cut with an edge as soft as the cell that proposes them, so
    that a loss of pixels also moves them.
    """

    def __init__(self, body: Any) -> None:
        super().__init__()
        self.trunk, self.head = _Trunk(body), body.model[-1]
        self.strides = tuple(float(stride) for stride in body.stride)

    def forward(self, image: Tensor) -> Tensor:
        """(n, band, h, w) to logits (n, class, h / 4, w / 4)."""
        maps, head = self.trunk(image), self.head
        prototypes = head.proto(maps[0])  # (n, 32, h / 4, w / 4)
        chances = _flat([layer(x) for layer, x in zip(head.cv3, maps, strict=True)]).sigmoid()  # (n, class, cell)
        keep = chances.amax(dim=1).topk(min(MOST_INSTANCES, chances.shape[2]), dim=1).indices
        coefficients = _picked(_flat([layer(x) for layer, x in zip(head.cv4, maps, strict=True)]), keep)
        boxes = _picked(self._boxes(maps, image.shape[-1] / prototypes.shape[-1]), keep)
        masks = torch.einsum("nck,nchw->nkhw", coefficients, prototypes).sigmoid()
        return joined_logits(_picked(chances, keep), masks * _inside(boxes, prototypes))

    def _boxes(self, maps: list[Tensor], stride: float) -> Tensor:
        """Left, top, right, bottom of each proposal and the side of its cell, in pixels of the prototypes."""
        boxes = []
        for x, layer, step in zip(maps, self.head.cv2, self.strides, strict=True):
            rows, cols = (torch.arange(n, device=x.device, dtype=x.dtype) + 0.5 for n in x.shape[-2:])
            centers = torch.stack([cols.expand(len(rows), -1), rows[:, None].expand(-1, len(cols))]).flatten(1)
            before, after = self.head.dfl(layer(x).flatten(2)).chunk(2, dim=1)
            sides = torch.ones_like(before[:, :1])
            boxes.append(torch.cat([centers - before, centers + after, sides], dim=1) * (step / stride))
        return torch.cat(boxes, dim=2)  # (n, 5, cell)


class PrototypePixels(nn.Module):
    """A 1 x 1 convolution of the prototypes and of the mask coefficients of the cells that a pixel lies in."""

    def __init__(self, body: Any, n_classes: int) -> None:
        super().__init__()
        head = body.model[-1]
        self.trunk, self.proto, self.coefficients = _Trunk(body), head.proto, head.cv4
        self.pixels = nn.Conv2d(head.nm * (1 + len(head.cv4)), n_classes, 1)

    def forward(self, image: Tensor) -> Tensor:
        """(n, band, h, w) to logits (n, class, h / 4, w / 4)."""
        maps = self.trunk(image)
        prototypes = self.proto(maps[0])
        size = prototypes.shape[-2:]
        cells = [layer(x) for layer, x in zip(self.coefficients, maps, strict=True)]
        cells = [functional.interpolate(x, size=size, mode="bilinear", align_corners=False) for x in cells]
        logits: Tensor = self.pixels(torch.cat([prototypes, *cells], dim=1))
        return logits


def joined_logits(chances: Tensor, masks: Tensor) -> Tensor:
    """Logits that a pixel lies in at least one instance, each seen as independent of the others.

    `chances` (n, class, instance), `masks` (n, instance, h, w), both 0 to 1, to (n, class, h, w): the logit of
    `1 - product over instances of (1 - chance * mask)`. Laws: one instance alone gives the logit of chance * mask;
    more instances never lower it; order is irrelevant.
    """
    both = chances[:, :, :, None, None] * masks[:, None]  # (n, class, instance, h, w)
    # ONNX 17 has neither log1p nor expm1; what plain log and exp lose is below SMALLEST
    none = torch.log(1 - both.clamp(max=1 - SMALLEST)).sum(dim=2).clamp(max=-SMALLEST)
    return torch.log(1 - torch.exp(none)) - none


def _flat(maps: list[Tensor]) -> Tensor:
    """(n, c, h, w) of several sizes to (n, c, cell)."""
    return torch.cat([x.flatten(2) for x in maps], dim=2)


def _picked(values: Tensor, keep: Tensor) -> Tensor:
    """(n, c, cell) at the places (n, k): (n, c, k)."""
    return values.gather(2, keep[:, None].expand(-1, values.shape[1], -1))


def _inside(boxes: Tensor, like: Tensor) -> Tensor:
    """How far a pixel is inside a box, 0 to 1, a half on its edge: (n, 5, k) to (n, k, h, w)."""
    rows, cols = (torch.arange(n, device=like.device, dtype=like.dtype) + 0.5 for n in like.shape[-2:])
    left, top, right, bottom, soft = (edge[:, :, None] for edge in boxes.unbind(dim=1))
    across = torch.sigmoid((cols - left) / soft) * torch.sigmoid((right - cols) / soft)
    down = torch.sigmoid((rows - top) / soft) * torch.sigmoid((bottom - rows) / soft)
    return down[:, :, :, None] * across[:, :, None, :]
