"""The kinds of defects that are placed into scenes: how many, how large, and what may happen at their border."""

from dataclasses import dataclass
from enum import StrEnum

from clearscene.synth import (
    blur,
    cloud,
    cloud_shadow,
    cloud_veil,
    distortion,
    misalignment,
    missing,
    overflow,
    stitching_trace,
    stretching,
    stripe_noise,
)
from clearscene.synth.degraded import Degrade
from clearscene.synth.seam import MIDDLE

__all__ = ["BY_KIND", "CAST", "KINDS", "Kind", "Rim"]


class Rim(StrEnum):
    """What a defect may do at the border of its window, beyond which the scene goes on undisturbed."""

    OPEN = "open"
    """End there: lines and blocks, and what ends in the window by itself."""
    FADE = "fade"
    """Not end there; it is made to fade away before."""
    INSIDE = "inside"
    """Not reach it; chance is asked again until it does not."""


@dataclass(frozen=True)
class Kind:
    """A kind of defect and how often and how large it is placed."""

    name: str
    """Key in the truth."""
    type: str
    """Name of the defect type, as in the taxonomy."""
    degrade: Degrade
    per_scene: float
    """Number in a scene of 12.6 megapixels (4096 x 3072)."""
    heights: tuple[int, int]
    """Rows of the window, smallest and largest."""
    widths: tuple[int, int]
    """Columns of the window."""
    may_turn: bool = False
    """True if rows and columns may change places."""
    spans_scene: bool = False
    """True if the window goes through whole rows of the scene."""
    rim: Rim = Rim.OPEN
    least: float = 0.0
    """Share of the window that the defect should cover; chance is asked again, a few times, until it does."""
    filled: float = 1.0
    """Share of the shorter side of the window, in its middle, that other defects keep off; they come later."""


def _patch(
    name: str, type_name: str, degrade: Degrade, *, side: tuple[int, int], per_scene: float = 1, least: float = 0.02
) -> Kind:
    """A kind that lies inside its window."""
    return Kind(name, type_name, degrade, per_scene, side, side, rim=Rim.INSIDE, least=least)


def _sheet_border(name: str, degrade: Degrade) -> Kind:
    """A seam along its window; the ground on both sides, where tone or place only change slowly, is free for others."""
    return Kind(name, name, degrade, 2, (560, 700), (1400, 2000), may_turn=True, filled=MIDDLE)


KINDS: tuple[Kind, ...] = (
    _sheet_border("stitching_trace", stitching_trace.sheet_trace),
    _sheet_border("misalignment", misalignment.sheet_misalignment),
    Kind("lost_line", "missing", missing.lost_line, 1, (1, 2), (0, 0), spans_scene=True),
    Kind("long_stripe", "stripe", stripe_noise.long_stripe, 3, (3, 7), (700, 1500), may_turn=True),
    Kind("cloud_deck", "cloud", cloud.stratus, 1, (550, 900), (700, 1100), may_turn=True, rim=Rim.FADE, least=0.2),
    Kind("cumulus", "cloud", cloud.cumulus, 1, (500, 900), (500, 900), rim=Rim.FADE, least=0.1),
    Kind("thin_cloud", "cloud", cloud_veil.thin_cloud, 1, (450, 800), (500, 900), rim=Rim.FADE, least=0.1),
    Kind("small_cumuli", "cloud", cloud.small_cumuli, 1, (400, 700), (400, 700), rim=Rim.FADE, least=0.03),
    Kind("cloud_shadow", "shadow", cloud_shadow.cloud_shadow, 1, (350, 600), (350, 600), rim=Rim.FADE, least=0.06),
    Kind("defocus", "blur", blur.defocus, 1, (280, 500), (280, 500), rim=Rim.FADE, least=0.08),
    Kind("motion_blur", "blur", blur.motion_blur, 1, (280, 500), (280, 500), rim=Rim.FADE, least=0.08),
    Kind("resampling_blur", "blur", blur.resampling_blur, 1, (280, 500), (280, 500), rim=Rim.FADE, least=0.08),
    Kind("periodic_stripes", "stripe", stripe_noise.periodic_stripes, 1, (110, 180), (260, 460)),
    _patch("ripple", "distortion", distortion.ripple, side=(240, 420), least=0.06),
    _patch("melt", "distortion", distortion.melt, side=(240, 420), least=0.06),
    _patch("shear_break", "distortion", distortion.shear_break, side=(240, 420), least=0.06),
    _patch("slope_streaks", "stretching", stretching.slope_streaks, side=(240, 400), per_scene=2),
    _patch("edge_streaks", "stretching", stretching.edge_streaks, side=(180, 300)),
    _patch("saturated_patch", "overflow", overflow.saturated_patch, side=(200, 380), per_scene=2),
    _patch("wrapped", "overflow", overflow.wrapped, side=(200, 380)),
    _patch("color_stain", "overflow", overflow.color_stain, side=(200, 380)),
    Kind("diagonal_stripe", "stripe", stripe_noise.diagonal_stripe, 2, (160, 320), (160, 320)),
    Kind("dead_band", "missing", missing.dead_band, 2, (40, 110), (60, 170)),
    Kind("black_block", "missing", missing.black_block, 3, (14, 110), (18, 130)),
    Kind("white_block", "missing", missing.white_block, 3, (10, 60), (14, 80)),
    Kind("lost_pieces", "missing", missing.lost_pieces, 4, (4, 5), (40, 260), may_turn=True),
    Kind("lost_points", "missing", missing.lost_points, 4, (40, 90), (40, 90)),
    Kind("short_stripes", "stripe", stripe_noise.short_stripes, 6, (40, 90), (90, 220), may_turn=True),
)
"""All kinds; the ones that others may lie beside come first, then those that are hardest to place."""

CAST: tuple[Kind, ...] = (Kind("cast_shadow", "shadow", cloud_shadow.cloud_shadow, 0, (0, 0), (0, 0)),)
"""What other kinds bring with them, by type: the shadow of a cloud. Never placed by themselves."""

BY_KIND = {kind.name: kind for kind in (*KINDS, *CAST)}
