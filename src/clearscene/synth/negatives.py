"""Bright and dark things that are no cloud and no cloud's shadow; `NEGATIVES` names all."""

from collections.abc import Mapping

from clearscene.synth.degraded import Degrade
from clearscene.synth.negatives_built import concrete, greenhouses, road, roof_edges, white_roofs
from clearscene.synth.negatives_natural import overbright, ploughed_field, sand, snow, surf, water_glint
from clearscene.synth.negatives_water import open_water
from clearscene.synth.shade_negatives import building_shadow, terrain_shadow

__all__ = [
    "NEGATIVES",
    "building_shadow",
    "concrete",
    "greenhouses",
    "open_water",
    "overbright",
    "ploughed_field",
    "road",
    "roof_edges",
    "sand",
    "snow",
    "surf",
    "terrain_shadow",
    "water_glint",
    "white_roofs",
]

NEGATIVES: Mapping[str, Degrade] = {
    "snow": snow,
    "sand": sand,
    "ploughed_field": ploughed_field,
    "water_glint": water_glint,
    "surf": surf,
    "overbright": overbright,
    "white_roofs": white_roofs,
    "concrete": concrete,
    "greenhouses": greenhouses,
    "road": road,
    "roof_edges": roof_edges,
    "building_shadow": building_shadow,
    "terrain_shadow": terrain_shadow,
    "open_water": open_water,
}
"""All of them by name; each leaves an empty mask."""
