"""`[fusion]` of a training config: how images are spoiled for the networks of fusion. Nothing here needs torch."""

from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["FusionConfig"]

Share = Annotated[float, Field(ge=0, le=1)]
Area = Annotated[float, Field(ge=0, le=0.95)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class FusionConfig(BaseModel):
    """Ranges are smallest, largest; the defaults are the seed's first setting."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    images: tuple[int, int] = Field(default=(2, 2), description="Images of each place; drawn anew for each batch.")
    area: tuple[Area, Area] = Field(default=(0.25, 0.25), description="Share of each image that is spoiled.")
    artifacts: Literal["paper", "rich", "none"] = Field(
        default="paper", description="paper: clouds and occlusions in turn; rich: the generators; none: clean images."
    )
    fuses_by: Literal["quality", "mean"] = Field(
        default="quality", description="mean: the baseline, one image that is the mean of all."
    )
    mode: Literal["corrected", "code"] = Field(
        default="corrected",
        description="code: a softmax before that of the loss, and class ids resized by interpolation, as the "
        "published code has it.",
    )
    class_weights: dict[str, Weight] = Field(
        default={"building": 1.0, "road": 2.0, "background": 0.5}, description="By class: weight of its pixels."
    )
    defect_chance: Share = Field(default=0.35, description="Kind quality: of a defect beside clouds and shadows.")

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key in ("images", "area"):
            low, high = getattr(self, key)
            if low > high:
                raise ValueError(f"{key} {low, high} must be smallest, largest")
        if self.images[0] < 1:
            raise ValueError(f"images {self.images} must be 1 or more")
        return self
