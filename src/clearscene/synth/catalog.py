"""All defect generators by type, and what only looks like a defect.

One table: the name of a generator (`cloud.stratus`), its function, and how often it is drawn within
its type.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from clearscene.errors import OptionError
from clearscene.synth import (
    blur,
    cloud,
    cloud_shadow,
    distortion,
    height_streaks,
    lookalikes,
    misalignment,
    missing,
    negatives,
    overflow,
    seam_lookalikes,
    stitching_trace,
    stretching,
    stripe_noise,
)
from clearscene.synth.degraded import Degrade

__all__ = ["GENERATORS", "LOOKALIKE", "LOOKALIKES", "ORDER", "REAL_CLOUD", "REDUCED", "Generator", "generators_of"]


@dataclass(frozen=True)
class Generator:
    """A generator and how often it is drawn."""

    name: str
    """`<type>.<kind>`, as in a recipe."""
    degrade: Degrade
    weight: float = 1.0

    @property
    def type(self) -> str:
        """Name of the defect type; `lookalike` for what is none."""
        return self.name.split(".", 1)[0]


GENERATORS: tuple[Generator, ...] = (
    Generator("cloud.cumulus", cloud.cumulus, 2.0),
    Generator("cloud.small_cumuli", cloud.small_cumuli),
    Generator("cloud.stratus", cloud.stratus),
    Generator("cloud.thin_cloud", cloud.thin_cloud, 1.5),
    Generator("cloud.haze", cloud.haze, 0.5),
    Generator("cloud.whole_cover", cloud.whole_cover, 0.4),
    Generator("cloud.paper_cloud", cloud.paper_cloud, 0.35),
    Generator("shadow.cloud_shadow", cloud_shadow.cloud_shadow),
    Generator("stretching.slope_streaks", stretching.slope_streaks),
    Generator("stretching.edge_streaks", stretching.edge_streaks),
    Generator("stretching.height_streaks", height_streaks.height_streaks),
    Generator("blur.defocus", blur.defocus),
    Generator("blur.motion_blur", blur.motion_blur),
    Generator("blur.resampling_blur", blur.resampling_blur),
    Generator("overflow.saturated_patch", overflow.saturated_patch, 2.0),
    Generator("overflow.wrapped", overflow.wrapped),
    Generator("overflow.color_stain", overflow.color_stain),
    Generator("distortion.ripple", distortion.ripple),
    Generator("distortion.melt", distortion.melt),
    Generator("distortion.swirl", distortion.swirl),
    Generator("distortion.shear_break", distortion.shear_break, 0.7),
    Generator("stitching_trace.stitching_trace", stitching_trace.stitching_trace, 2.0),
    Generator("stitching_trace.local_stitching_trace", stitching_trace.local_stitching_trace),
    Generator("misalignment.misalignment", misalignment.misalignment, 2.0),
    Generator("misalignment.local_misalignment", misalignment.local_misalignment),
    Generator("stripe.chip_stripes", stripe_noise.chip_stripes),
    Generator("missing.lost_points", missing.lost_points),
    Generator("missing.chip_pieces", missing.chip_pieces),
    Generator("missing.chip_lines", missing.chip_lines),
    Generator("missing.chip_block", missing.chip_block),
    Generator("missing.chip_packets", missing.chip_packets, 0.5),
    Generator("missing.chip_band", missing.chip_band, 0.5),
)

LOOKALIKES: tuple[Generator, ...] = (
    Generator("lookalike.snow", negatives.snow),
    Generator("lookalike.sand", negatives.sand),
    Generator("lookalike.ploughed_field", negatives.ploughed_field, 0.5),
    Generator("lookalike.water_glint", negatives.water_glint, 0.5),
    Generator("lookalike.surf", negatives.surf, 0.5),
    Generator("lookalike.overbright", negatives.overbright),
    Generator("lookalike.white_roofs", negatives.white_roofs),
    Generator("lookalike.concrete", negatives.concrete),
    Generator("lookalike.greenhouses", negatives.greenhouses),
    Generator("lookalike.road", negatives.road, 0.5),
    Generator("lookalike.roof_edges", negatives.roof_edges, 0.5),
    Generator("lookalike.building_shadow", negatives.building_shadow),
    Generator("lookalike.terrain_shadow", negatives.terrain_shadow, 0.15),
    Generator("lookalike.soft_ground", lookalikes.soft_ground),
    Generator("lookalike.soft_image", lookalikes.soft_image, 2.0),
    Generator("lookalike.colorful_roofs", lookalikes.colorful_roofs),
    Generator("lookalike.jpeg_softening", lookalikes.jpeg_softening),
    Generator("lookalike.field_border", seam_lookalikes.field_border),
    Generator("lookalike.illumination_drift", seam_lookalikes.illumination_drift),
)
"""Harmless: their mask is always empty."""

REAL_CLOUD = "cloud.real"
"""Name of the generator that pastes clouds of labeled images, which has none in the table."""

LOOKALIKE = "lookalike"
"""Stands for a type in the names of what is none."""

ORDER = (
    "stretching",
    "distortion",
    "misalignment",
    "blur",
    "stitching_trace",
    "overflow",
    "shadow",
    "cloud",
    "stripe",
    "missing",
)
"""In which order the types go into a chip: what moves pixels before what covers them, losses last."""

REDUCED = ("cloud", "shadow", "stitching_trace", "misalignment")
"""Types that are looked for in reduced views as well; all others are too fine to be seen there."""


def generators_of(weights: Mapping[str, float]) -> dict[str, list[Generator]]:
    """Generators by type, lookalikes included, with the weights of a recipe; those of weight 0 are left out.

    Raises:
        OptionError: A weight is for a generator that there is not.
    """
    known = (*(entry.name for entry in (*GENERATORS, *LOOKALIKES)), REAL_CLOUD)
    if unknown := sorted(set(weights) - set(known)):
        raise OptionError(
            f"generators names {', '.join(unknown)}, which there is not.", hint=f"They are {', '.join(known)}."
        )
    by_type: dict[str, list[Generator]] = {name: [] for name in (*ORDER, LOOKALIKE)}
    for entry in (*GENERATORS, *LOOKALIKES):
        weight = entry.weight * weights.get(entry.name, 1.0)
        if weight > 0:
            by_type[entry.type].append(Generator(entry.name, entry.degrade, weight))
    return {name: entries for name, entries in by_type.items() if entries}
