"""The ten defect types of inspection: ids, names, groups and colors.

Ids as in seed system's mask table (Yu, Wang et al., "Intelligent Remote Sensing Image Quality
Inspection System", IET Image Processing 2023, Table 1); 0 is background, 255 nodata.
The groups give the merge order of section 3.1.2: pixel over region over boundary.
"""

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["BACKGROUND", "BY_ID", "BY_NAME", "NODATA", "TYPES", "DefectType", "Group", "parse_types"]

from clearscene.errors import OptionError

BACKGROUND = 0
NODATA = 255


class Group(StrEnum):
    """How a defect shows: as single pixels, as a region, or as a boundary."""

    PIXEL = "pixel"
    REGION = "region"
    BOUNDARY = "boundary"


@dataclass(frozen=True)
class DefectType:
    """One of the ten types."""

    id: int
    """Value in the class map, 1 to 10."""
    name: str
    """Key in files and options, lower case with underscores."""
    title: str
    """English name for people."""
    title_zh: str
    """Chinese name for people."""
    group: Group
    color: str
    """Fill color in maps and reports, `#rrggbb`."""


TYPES: tuple[DefectType, ...] = (
    DefectType(1, "cloud", "Cloud", "云", Group.REGION, "#4f9dde"),
    DefectType(2, "shadow", "Shadow", "阴影", Group.REGION, "#5b4b8a"),
    DefectType(3, "stretching", "Stretching blur pattern", "拉花", Group.REGION, "#c2703d"),
    DefectType(4, "blur", "Blur", "模糊", Group.REGION, "#2a9d8f"),
    DefectType(5, "overflow", "Spectral overflow", "光谱溢出", Group.REGION, "#e63977"),
    DefectType(6, "distortion", "Distortion", "扭曲变形", Group.REGION, "#8a9a1b"),
    DefectType(7, "stitching_trace", "Stitching trace", "拼接痕迹", Group.BOUNDARY, "#d4a017"),
    DefectType(8, "misalignment", "Stitching misalignment", "拼接错位", Group.BOUNDARY, "#b5541c"),
    DefectType(9, "stripe", "Stripe noise", "条带噪声", Group.PIXEL, "#ff5a1f"),
    DefectType(10, "missing", "Pixel missing", "像素缺失", Group.PIXEL, "#d00000"),
)
"""All types, in the order of their ids."""

BY_ID = {t.id: t for t in TYPES}
BY_NAME = {t.name: t for t in TYPES}


def parse_types(text: str) -> tuple[DefectType, ...]:
    """Read a comma-separated list of type names or ids; a leading minus takes a type out of all.

    Law: `parse_types("cloud,9")` is (cloud, stripe); `parse_types("-cloud")` is all but cloud.

    Raises:
        OptionError: A name is unknown, or names with and without minus are mixed.
    """
    words = [word.strip() for word in text.split(",") if word.strip()]
    excluded = [word.startswith("-") for word in words]
    if any(excluded) and not all(excluded):
        raise OptionError(
            f"--types {text!r} mixes types to look for and types to leave out.",
            hint="Write either 'cloud,stripe' or '-cloud,-stripe'.",
        )
    chosen = {_type_of(word.lstrip("-"), text) for word in words}
    keep_chosen = not any(excluded) and bool(words)
    result = tuple(t for t in TYPES if (t in chosen) == keep_chosen)
    if not result:
        raise OptionError(f"--types {text!r} leaves nothing to look for.")
    return result


def _type_of(word: str, text: str) -> DefectType:
    found = BY_NAME.get(word) or (BY_ID.get(int(word)) if word.isdigit() else None)
    if found is None:
        allowed = ", ".join(f"{t.name} ({t.id})" for t in TYPES)
        raise OptionError(f"--types {text!r}: there is no type {word!r}.", hint=f"The types are {allowed}.")
    return found
