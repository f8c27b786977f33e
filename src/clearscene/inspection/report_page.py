"""What the page of a scene shows beyond the record itself: sums, shares, places and short forms."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyproj import CRS

from clearscene.inspection.report_texts import Texts
from clearscene.inspection.result import Finding, NotInspected, Report, SceneInfo, Status, TypeSummary, UnitScore
from clearscene.inspection.taxonomy import BY_NAME, Group
from clearscene.raster.stretch import REFLECTANCE_WHITE, TAILS

__all__ = ["Page", "Share", "Tag", "Units"]

MAX_TAGS = 40
TAG_SPACING = 2.4  # percent of the picture; closer numbers would cover each other
SMALL = 0.03  # of the scene; a number in the middle would cover the finding
MAX_UNITS = 100
MAX_BOXES = 4000
MAX_GAPS = 100
MAP_SIZE = 1000.0


@dataclass(frozen=True)
class Tag:
    """The number of a finding on the overview."""

    id: int
    x: float
    """Percent of the width."""
    y: float
    """Percent of the height."""
    is_above: bool
    """True for a small finding, which the number would cover: the number stands above (x, y)."""


@dataclass(frozen=True)
class Share:
    """A number of pixels and its share of all pixels of the scene."""

    key: str
    """Of the text, after `px_`."""
    name: str
    """Of its color in the bar; empty for sums and parts of others."""
    pixels: int
    fraction: float


@dataclass(frozen=True)
class Box:
    """A unit on the map of units, in units of its drawing."""

    unit: str
    score: float
    passed: bool
    x: float
    y: float
    width: float
    height: float
    weight: float
    """0 for a score of 100, near 1 for 0."""


@dataclass(frozen=True)
class Units:
    """Units for people: the worst ones, how many passed, and where they lie."""

    worst: list[UnitScore]
    n_left_out: int
    n_passed: int
    pass_rate: float
    boxes: list[Box]
    map_width: float
    map_height: float

    @classmethod
    def of(cls, units: Sequence[UnitScore]) -> "Units":
        """Order units by score, lowest first, and place them on a map with north up."""
        worst = sorted(units, key=lambda u: (u.passed, u.score, u.unit))
        n_passed = sum(u.passed for u in units)
        rate = n_passed / len(units) if units else 0.0
        boxes, width, height = _boxes(units)
        return cls(worst[:MAX_UNITS], max(0, len(units) - MAX_UNITS), n_passed, rate, boxes, width, height)


@dataclass(frozen=True)
class Page:
    """Prepared values for `report.html.j2`. Rejected findings are counted apart and nowhere else."""

    n_found: int
    n_rejected: int
    n_not_drawn: int
    found_types: list[TypeSummary]
    looked_for: list[TypeSummary]
    left_out: list[TypeSummary]
    looked_for_names: list[str]
    left_out_names: list[str]
    affected_px: int
    affected_m2: float | None
    affected_fraction: float
    penalty: float
    inspected_fraction: float
    length_px: dict[str, float]
    tags: list[Tag]
    units: Units
    pixel_rows: list[Share]
    pixel_bar: list[Share]
    gaps: list[NotInspected]
    n_more_gaps: int
    crs: str
    resolution: str
    bounds: str
    bands: str
    stretch: str

    @classmethod
    def of(cls, report: Report, texts: Texts, *, pictured: Sequence[Finding]) -> "Page":
        """Prepare a record; `pictured` findings, in this order, get numbers on the overview."""
        areal = [t for t in report.types if not _is_boundary(t.type)]
        looked_for = [t for t in report.types if t.inspected]
        left_out = [t for t in report.types if not t.inspected]
        rows = _pixel_rows(report)
        known = [t.area_m2 for t in areal if t.count]
        crs, unit = _crs(report.scene)
        return cls(
            n_found=sum(t.count for t in report.types),
            n_rejected=sum(f.status == Status.REJECTED for f in report.findings),
            n_not_drawn=sum(t.n_not_drawn for t in report.types),
            found_types=[t for t in report.types if t.count],
            looked_for=looked_for,
            left_out=left_out,
            looked_for_names=[texts.defect(t.type) for t in looked_for],
            left_out_names=[texts.defect(t.type) for t in left_out],
            affected_px=sum(t.area_px for t in areal),
            affected_m2=_total(known) if report.pixels.inspected_m2 is not None else None,
            affected_fraction=sum(t.area_fraction for t in areal),
            penalty=sum(t.penalty for t in report.types),
            inspected_fraction=report.pixels.inspected / report.pixels.valid if report.pixels.valid else 0.0,
            length_px=_lengths(report),
            tags=_tags(pictured, report.scene),
            units=Units.of(report.units),
            pixel_rows=rows,
            pixel_bar=[row for row in rows if row.name],
            gaps=report.not_inspected[:MAX_GAPS],
            n_more_gaps=max(0, len(report.not_inspected) - MAX_GAPS),
            crs=crs,
            resolution=" × ".join(f"{n:.10g}" for n in report.scene.resolution) + unit,
            bounds=", ".join(f"{n:,.6f}" if unit == "°" else f"{n:,.2f}" for n in report.scene.bounds),
            bands=_bands(report.scene, texts),
            stretch=_stretch(report.scene, texts),
        )


def _is_boundary(name: str) -> bool:
    return name in BY_NAME and BY_NAME[name].group == Group.BOUNDARY


def _total(areas: Sequence[float | None]) -> float | None:
    """Sum of the areas, or None if one is not known."""
    known = [area for area in areas if area is not None]
    return sum(known) if len(known) == len(areas) else None


def _lengths(report: Report) -> dict[str, float]:
    """Type to length in pixels, summed over findings that are not rejected."""
    lengths = {summary.type: 0.0 for summary in report.types}
    for finding in report.findings:
        if finding.status != Status.REJECTED:
            lengths[finding.type] = lengths.get(finding.type, 0.0) + (finding.length_px or 0.0)
    return lengths


def _tags(findings: Sequence[Finding], scene: SceneInfo) -> list[Tag]:
    """Numbers at the centers of findings; one that would cover an earlier one is left out."""
    tags: list[Tag] = []
    for finding in findings:
        left, top, right, bottom = finding.bounds_px
        x = min(98.5, max(1.5, 50 * (left + right) / scene.width))
        y = 50 * (top + bottom) / scene.height
        is_small = max((right - left) / scene.width, (bottom - top) / scene.height) < SMALL
        is_free = all(max(abs(x - tag.x), abs(y - tag.y)) >= TAG_SPACING for tag in tags)
        if is_free and len(tags) < MAX_TAGS:
            tags.append(Tag(finding.id, x, y, is_above=is_small and y > 5))
    return tags


def _boxes(units: Sequence[UnitScore]) -> tuple[list[Box], float, float]:
    """Units as boxes on a drawing of `MAP_SIZE` on its longest side, with its width and height."""
    if not units or len(units) > MAX_BOXES:
        return [], MAP_SIZE, MAP_SIZE
    west, south = min(u.bounds[0] for u in units), min(u.bounds[1] for u in units)
    east, north = max(u.bounds[2] for u in units), max(u.bounds[3] for u in units)
    if not (east > west and north > south):
        return [], MAP_SIZE, MAP_SIZE
    scale = MAP_SIZE / max(east - west, north - south)
    boxes = [
        Box(
            unit=u.unit,
            score=u.score,
            passed=u.passed,
            x=(u.bounds[0] - west) * scale,
            y=(north - u.bounds[3]) * scale,
            width=(u.bounds[2] - u.bounds[0]) * scale,
            height=(u.bounds[3] - u.bounds[1]) * scale,
            weight=min(0.85, 1 - u.score / 100),
        )
        for u in sorted(units, key=lambda u: not u.passed)  # red edges on top
    ]
    return boxes, round((east - west) * scale, 2), round((north - south) * scale, 2)


def _pixel_rows(report: Report) -> list[Share]:
    """Where the pixels of the scene went; the rows with a name add up to the total."""
    px = report.pixels
    rows = [
        ("total", "", px.total),
        ("valid", "", px.valid),
        ("inspected", "inspected", px.inspected),
        ("skipped", "skipped", px.valid - px.inspected),
        ("nodata", "nodata", px.nodata),
        ("hole", "", px.hole),
        ("collar", "collar", px.collar),
        ("unreadable", "unreadable", px.unreadable),
    ]
    return [Share(key, name, n, n / px.total if px.total else 0.0) for key, name, n in rows]


def _crs(scene: SceneInfo) -> tuple[str, str]:
    """Name of the CRS for people, and the sign of its unit; empty without CRS."""
    if scene.crs is None:
        return "", ""
    try:
        crs = CRS.from_user_input(scene.crs)
    except Exception:  # pyproj raises several kinds; the record's own text is shown instead
        return scene.crs, ""
    unit = {"metre": " m", "degree": "°"}.get(crs.axis_info[0].unit_name if crs.axis_info else "", "")
    code = f" ({scene.crs})" if len(scene.crs) < 20 and scene.crs != crs.name else ""
    return f"{crs.name}{code}", unit


def _bands(scene: SceneInfo, texts: Texts) -> str:
    if not scene.bands:
        return texts("bands_unnamed", scene.n_bands)
    return texts("bands_all", scene.n_bands, texts.join([f"{texts.word(n)} {i}" for n, i in scene.bands.items()]))


def _stretch(scene: SceneInfo, texts: Texts) -> str:
    method = scene.stretch.get("method", "none")
    low, high = (f"{value:.6g}" for value in (scene.stretch.get("low", 0.0), scene.stretch.get("high", 0.0)))
    match method:
        case "none":
            return texts("stretch_none")
        case "bits":
            return texts("stretch_bits", low, high)
        case "reflectance":
            return texts("stretch_reflectance", low, high, REFLECTANCE_WHITE)
        case "percentiles":
            return texts("stretch_percentiles", low, high, *TAILS)
        case "empty":
            return texts("stretch_empty")
    return f"{method} {low} {high}"
