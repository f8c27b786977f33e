"""`[semantic]` of a training config: how chips of prepared sets are varied. Nothing here needs torch."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["SemanticAugmentConfig"]

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, le=1)]
Range = tuple[Annotated[float, Field(allow_inf_nan=False)], Annotated[float, Field(allow_inf_nan=False)]]


class SemanticAugmentConfig(BaseModel):
    """Ranges are smallest, largest. By default chips are only cut, flipped and turned, as most papers do it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    view: Literal["crop", "whole"] = Field(
        default="crop", description="crop: a square of the chip at its own scale; whole: all of it, made a square."
    )
    flips: Literal["all", "horizontal", "none"] = Field(default="all", description="all: flips and quarter turns.")
    area: Range = Field(default=(1.0, 1.0), description="Of whole: share of the chip that is seen.")
    aspect: Range = Field(default=(1.0, 1.0), description="Of whole: that part is so much wider than the chip.")
    scale: Range = Field(default=(1.0, 1.0), description="Of crop: enlarged this much.")
    color_chance: Share = Field(default=0.0, description="Of any change of values.")
    gain: Range = (0.7, 1.35)
    gamma: Range = (0.7, 1.4)
    offset: Range = (-0.06, 0.06)
    band_gain: Amount = Field(default=0.06, description="Deviation of the logarithm, each band by itself.")
    saturation: Range = Field(default=(0.5, 1.5), description="Of red, green, blue.")
    gray_chance: Share = Field(default=0.0, description="Of red, green and blue being one gray.")
    noise: Amount = Field(default=0.02, description="Largest deviation of pixel noise.")
    blur_chance: Share = 0.0
    sky_swap_chance: Share = Field(
        default=0.0, description="Of the last class showing another chip's pixels of that class, or a drawn sky."
    )
    drawn_share: Share = Field(default=0.4, description="Of the swapped skies, those that are drawn.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key, value in self:
            if isinstance(value, tuple) and value[0] > value[1]:
                raise ValueError(f"{key} {value} must be smallest, largest")
            if isinstance(value, tuple) and key != "offset" and value[0] <= 0:
                raise ValueError(f"{key} {value} must be greater than 0")
        if self.area[1] > 1:
            raise ValueError(f"area {self.area} is more than the whole")
        return self
