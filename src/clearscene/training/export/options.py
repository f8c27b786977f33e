"""What is exported, and how."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Literal

from torch import nn

from clearscene.synth.chip_set import ChipSet
from clearscene.training.export.evidence import Pool
from clearscene.training.export.manifest_file import Answering
from clearscene.training.networks.spec import NetworkSpec
from clearscene.training.training_set import SemanticSet

__all__ = ["ExportOptions", "Precision", "SemanticLook", "Trained"]


class Precision(StrEnum):
    """How weights are stored and numbers multiplied; the value of `--precision`."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"
    """Weights rounded to float16 and cast up at load: half the size, the same arithmetic."""
    INT8 = "int8"
    """Weights and activations of most of the encoder in 8 bits: smaller and faster, less exact."""


LIMITS = {Precision.FLOAT32: 0.01, Precision.FLOAT16: 0.25, Precision.INT8: 5.0}
"""Largest difference of a logit that is accepted if none is named."""


@dataclass(frozen=True)
class SemanticLook:
    """How chips of prepared sets become what a network sees."""

    spec: NetworkSpec
    view: Literal["crop", "whole"]


@dataclass(frozen=True, eq=False)
class Trained:
    """A trained network and what has to be known about it."""

    network: nn.Module
    answering: Answering
    sets: tuple[ChipSet | SemanticSet, ...]
    """Chips whose validation split measures it."""
    architecture: str
    pool: Pool | None = None
    """How the screening head makes a tile's logits of its cells'; None if it has no cells."""
    record: Mapping[str, Any] = field(default_factory=dict)
    """What the training wrote down about itself, for the card."""
    semantic: SemanticLook | None = None
    """How a semantic network sees its chips; None of all others."""

    @property
    def n_parameters(self) -> int:
        """Numbers that were learned."""
        return sum(parameter.numel() for parameter in self.network.parameters())


@dataclass(frozen=True)
class ExportOptions:
    """How to export."""

    precision: Precision = Precision.FLOAT16
    max_difference: float | None = None
    """Largest difference of a logit from the trained network; None: by the precision."""
    parity_chips: int = 8
    calibration_chips: int = 128
    """Chips on which the ranges of int8 are seen."""
    deepness: bool = False
    """Also write `deepness.onnx`."""
    measures_speed: bool = True
    threads: int = 1
    """Of the runtime that is asked about the validation split."""
    overwrite: bool = False

    @property
    def limit(self) -> float:
        """The largest difference that is accepted."""
        return LIMITS[self.precision] if self.max_difference is None else self.max_difference
