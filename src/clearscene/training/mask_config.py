"""`[mask]` of a training config: how chips for cloud masks are varied. Nothing here needs torch."""

from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

__all__ = ["MaskAugmentConfig"]

Share = Annotated[float, Field(ge=0, le=1)]
Amount = Annotated[float, Field(ge=0, le=1)]
Range = tuple[Annotated[float, Field(allow_inf_nan=False)], Annotated[float, Field(allow_inf_nan=False)]]


class MaskAugmentConfig(BaseModel):
    """Ranges are smallest, largest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    enlarge: Range = Field(default=(1.0, 1.4), description="Parts of a chip are enlarged this much.")
    enlarge_chance: Share = 0.3
    gain: Range = Field(default=(0.65, 1.5), description="Of all bands together: sun and scaling.")
    band_gain: Amount = Field(default=0.05, description="Deviation of the logarithm, each band by itself.")
    haze: Range = Field(default=(-0.02, 0.03), description="Reflectance in blue that comes on top, less in the others.")
    noise: Amount = Field(default=0.006, description="Largest deviation of pixel noise, reflectance.")
    nir_drop_chance: Share = Field(default=0.35, description="Of near infrared being absent where there is one.")
    display_chance: Share = Field(default=0.6, description="Without near infrared: of a picture of 8 bits.")
    white: Range = Field(default=(0.22, 1.0), description="Reflectance that a picture shows white.")
    gamma: Range = Field(default=(0.6, 1.15), description="Exponent of a picture's values.")
    saturation: Range = (0.6, 1.4)
    blur_chance: Share = 0.2
    nodata_chance: Share = 0.04

    @model_validator(mode="after")
    def _check(self) -> Self:
        for key, value in self:
            if isinstance(value, tuple) and value[0] > value[1]:
                raise ValueError(f"{key} {value} must be smallest, largest")
            if isinstance(value, tuple) and key != "haze" and value[0] <= 0:
                raise ValueError(f"{key} {value} must be greater than 0")
        return self
