"""`[network]` of a training: which network, and what its numbers mean. Nothing here needs torch."""

from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from clearscene.inspection.taxonomy import TYPES, Group
from clearscene.masking.classes import legend

__all__ = ["CLASSES", "CLASS_NAMES", "MASK_CLASS_NAMES", "SPOILED_NAMES", "TYPE_NAMES", "Kind", "NetworkSpec"]

Kind = Literal["two-head", "screening", "segmentation", "mask", "semantic", "fusion", "quality"]

TYPE_NAMES = tuple(t.name for t in TYPES)
"""What the screening head answers, in the order of its logits."""
CLASSES = (0, *(t.id for t in TYPES if t.group is not Group.PIXEL))
"""Ids of what the decoder answers, in the order of its logits; pixel types are left to the rules."""
CLASS_NAMES = ("background", *(t.name for t in TYPES if t.group is not Group.PIXEL))
MASK_CLASS_NAMES = tuple(entry.name for entry in legend(4))
"""What a network for cloud masks answers, in the order of its logits, which are the ids."""
SPOILED_NAMES = ("faint", "lost")
"""What else spoils a pixel for the network of quality: it shows the ground badly, or not at all."""

SWINS = {
    "swinv2-base": "swinv2_base_window12_192",
    "swinv2-small": "swinv2_small_window8_256",
    "swinv2-tiny": "swinv2_tiny_window8_256",
    "swin-tiny": "swin_tiny_patch4_window7_224",
}
"""Names of the timm library for the screening networks that read images of one size only."""
SCREENS = ("resnet50", *SWINS)
UNETS = {"unet": "unet", "unetplusplus": "unetplusplus", "fpn": "fpn", "deeplabv3plus": "deeplabv3plus"}
"""Names of segmentation-models-pytorch."""
SLIM = "slim"
"""The name of our own networks."""
FUSION_NAMES = {"fusion": ("quarter-unet",), "quality": ("half", "full", SLIM)}
"""Networks of fusion: the published pair; a quality network on features of half the size, as published, or ours."""
FUSION_CLASSES = ("building", "road", "background")
SEGMENTERS = (*(f"segformer-b{number}" for number in range(6)), "mobilenetv2", *UNETS)

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}
"""Of the values that most published weights were trained with."""
RGB = ("red", "green", "blue")
HALVES = {"mean": (0.5, 0.5, 0.5), "std": (0.5, 0.5, 0.5)}
"""Of those that came from TensorFlow: EfficientNet-Lite and MobileNetV2."""

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Number = Annotated[float, Field(allow_inf_nan=False)]


class NetworkSpec(BaseModel):
    """What `build_network` needs. Input is `(value / 255 - mean) / std` of red, green, blue.

    That of a network for cloud masks is `masking.normalize` of red, green, blue, nir. A semantic network reads
    `(value - mean) / std` of the bands that it names, values of a prepared set being 0 to 1.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind = Field(default="two-head", description="What the network answers: two-head, one head alone, mask ...")
    name: str = Field(
        default="slim",
        description="two-head, mask: slim; screening: resnet50, swinv2-base, swinv2-small, swinv2-tiny, swin-tiny or "
        "a name of timm as timm:NAME; segmentation: segformer-b0 to -b5, mobilenetv2, unet, unetplusplus, fpn, "
        "deeplabv3plus; quality: half, full or slim; semantic: slim or a name of `clearscene benchmark networks`.",
    )
    form: Literal["paper", "benchmark", "semantic"] = Field(
        default="paper", description="Of semantic networks with several; `clearscene benchmark networks` lists them."
    )
    bands: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        default=RGB, min_length=1, max_length=64, description="Of semantic networks: bands of the prepared set."
    )
    classes: tuple[Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$")], ...] = Field(
        default=("clear", "cloud"),
        min_length=2,
        max_length=255,
        description="Of semantic networks: classes of the prepared set. With two, the network answers one logit.",
    )
    encoder: str = Field(
        default="tf_efficientnet_lite0", description="Name of timm; for two-head, mask and the U-Net family."
    )
    weights: str = Field(
        default="imagenet", description="What the encoder starts from: imagenet, none, or a file of weights."
    )
    frozen: tuple[str, ...] = Field(
        default=(),
        description="Parts of the encoder that do not learn, such as conv_stem, bn1, blocks.0: faster steps.",
    )
    mean: tuple[Number, ...] = Field(
        default=HALVES["mean"], description="Default: what the published weights of the network were trained with."
    )
    std: tuple[Positive, ...] = HALVES["std"]
    decoder_width: int = Field(default=64, ge=8, le=512, description="Channels of the slim decoder.")
    screen_width: int = Field(default=128, ge=8, le=1024, description="Channels of the screening head.")
    temperature: Positive = Field(
        default=0.5, description="Of the smooth maximum over cells: the smaller, the closer to the largest cell."
    )
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Share of features dropped before the heads.")

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, values: Any) -> Any:
        """Mean and standard deviation by network, if neither is given."""
        if isinstance(values, dict) and values.get("kind") == "semantic":
            return _semantic_defaults(values)
        if isinstance(values, dict) and values.get("kind") in FUSION_NAMES:
            weights = "imagenet" if values.get("name") == SLIM else "none"
            return {"name": FUSION_NAMES[values["kind"]][0], "classes": FUSION_CLASSES, "weights": weights, **values}
        if not isinstance(values, dict) or {"mean", "std"} & values.keys():
            return values
        name, encoder = str(values.get("name", "")), str(values.get("encoder", "tf_efficientnet_lite0"))
        reads_encoder = values.get("kind", "two-head") in ("two-head", "mask") or name in UNETS
        source = encoder if reads_encoder else name
        is_halved = "efficientnet_lite" in source or source == "mobilenetv2"
        return {**values, **(HALVES if is_halved else IMAGENET)}

    @model_validator(mode="after")
    def _check(self) -> Self:
        choices: dict[str, tuple[str, ...]] = {"two-head": ("slim",), "screening": SCREENS, "segmentation": SEGMENTERS}
        choices["mask"] = (SLIM,)
        choices |= FUSION_NAMES
        choices["semantic"] = (SLIM, *_catalog()) if self.kind == "semantic" else ()
        allowed = choices[self.kind]
        is_of_timm = self.kind == "screening" and self.name.startswith("timm:")
        if "name" not in self.model_fields_set and self.name not in allowed:
            names = ", ".join((*allowed, *(["timm:NAME"] if self.kind == "screening" else [])))
            raise ValueError(f"kind {self.kind!r} needs a name beside it; there are {names}")
        if self.name not in allowed and not is_of_timm:
            raise ValueError(f"name {self.name!r} is no {self.kind} network; there are {', '.join(allowed)}")
        if self.frozen and self.name != SLIM:
            raise ValueError(f"frozen {self.frozen} is for slim networks only")
        n_bands = len(self.bands) if self.kind == "semantic" else len(RGB)
        if self.name == SLIM and n_bands != len(RGB):
            raise ValueError(f"the slim network reads three bands, not {list(self.bands)}")
        if not len(self.mean) == len(self.std) == n_bands:
            raise ValueError(f"mean has {len(self.mean)} values and std {len(self.std)} for {n_bands} bands")
        return self

    @property
    def screens(self) -> bool:
        """True if it answers for whole tiles."""
        return self.kind in ("two-head", "screening")

    @property
    def product(self) -> str:
        """What its chips are for."""
        by_kind = {"mask": "mask", "quality": "mask", "semantic": "semantic", "fusion": "semantic"}
        return by_kind.get(self.kind, "inspection")

    @property
    def n_logits(self) -> int:
        """Channels that a semantic network answers: one for two classes."""
        return 1 if len(self.classes) == 2 else len(self.classes)

    @property
    def segments(self) -> bool:
        """True if it answers for pixels."""
        return self.kind != "screening"


def _semantic_defaults(values: dict[str, Any]) -> dict[str, Any]:
    """Published networks start from random numbers and read values as they are, unless the config says otherwise."""
    is_slim = values.get("name", SLIM) == SLIM
    filled = {"weights": "imagenet" if is_slim else "none", **values}
    if {"mean", "std"} & values.keys():
        return filled
    if is_slim or (tuple(values.get("bands", RGB)) == RGB and filled["weights"] == "imagenet"):
        return {**filled, **(HALVES if is_slim else IMAGENET)}
    n_bands = len(values.get("bands", RGB))
    return {**filled, "mean": (0.0,) * n_bands, "std": (1.0,) * n_bands}


def _catalog() -> tuple[str, ...]:
    """Names of the published networks."""
    from clearscene.training.networks.catalog import CATALOG  # reads this module's words itself

    return tuple(dict.fromkeys(card.name for card in CATALOG))
