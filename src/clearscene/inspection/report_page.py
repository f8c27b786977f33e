"""What the page of a scene shows beyond the record itself: sums, shares, places and short forms."""

from collections.abc import Sequence
from dataclasses import dataclass

from pyproj import CRS

from clearscene.inspection.report_texts import Texts
from clearscene.inspection.result import Finding, NotInspected, Report, SceneInfo, Status, TypeSummary, UnitScore
from clearscene.inspection.scoring import NOT_INSPECTED
from clearscene.inspection.taxonomy import BY_NAME, Group
from clearscene.inspection.units import lot_of
from clearscene.raster.stretch import REFLECTANCE_WHITE, TAILS

__all__ = ["Page", "Share", "Tag", "Units", "is_empty", "place"]

MAX_TAGS = 40
TAG_SPACING = 2.4  # percent of the picture; closer numbers would cover each other
SMALL = 0.03  # of the scene; a number in the middle would cover the finding
MAX_UNITS = 100
MAX_BOXES = 4000
MAX_GAPS = 100
MAP_SIZE = 1000.0
LABEL_SIZES = 22.0, 36.0  # of names in the map of units; smaller ones nobody can read
LITTLE_DATA = 0.5  # of the scene; less data than this is worth a warning


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
    is_below: bool = False
    """True for a small finding at the upper edge: the number stands below (x, y)."""


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
    is_empty: bool
    """True if nothing was inspected in it."""
    label: list[tuple[str, float, float]]
    """Lines of its name with the middle of their base line; empty where there is no room."""
    label_size: float


@dataclass(frozen=True)
class Units:
    """Units for people: the worst ones, how many passed, and where they lie."""

    worst: list[UnitScore]
    n_left_out: int
    n_seen: int
    """Units of which something was inspected."""
    n_passed: int
    pass_rate: float
    boxes: list[Box]
    map_width: float
    map_height: float

    @classmethod
    def of(cls, units: Sequence[UnitScore]) -> "Units":
        """Order units by score, lowest first and empty ones last, and place them on a map with north up."""
        worst = sorted(units, key=lambda u: (is_empty(u), u.passed, u.score, u.unit))
        lot = lot_of(units)
        boxes, width, height = _boxes(units)
        return cls(
            worst=worst[:MAX_UNITS],
            n_left_out=max(0, len(units) - MAX_UNITS),
            n_seen=lot.n_units,
            n_passed=lot.n_passed,
            pass_rate=lot.passed_fraction,
            boxes=boxes,
            map_width=width,
            map_height=height,
        )


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
    left_out_reasons: list[tuple[str, list[str]]]
    """Why types were not looked for, and which."""
    affected_px: int
    affected_m2: float | None
    affected_fraction: float
    penalty: float
    inspected_fraction: float
    """Of the valid and the unreadable pixels."""
    data_fraction: float
    """Of all pixels of the scene."""
    has_little_data: bool
    run_options: list[tuple[str, str]]
    """Name and value of what was chosen for the run."""
    is_geographic: bool
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
        px = report.pixels
        data_fraction = px.valid / px.total if px.total else 0.0
        return cls(
            n_found=sum(t.count for t in report.types),
            n_rejected=sum(f.status == Status.REJECTED for f in report.findings),
            n_not_drawn=sum(t.n_not_drawn for t in report.types),
            found_types=[t for t in report.types if t.count],
            looked_for=looked_for,
            left_out=left_out,
            looked_for_names=[texts.defect(t.type) for t in looked_for],
            left_out_names=[texts.defect(t.type) for t in left_out],
            left_out_reasons=_reasons(left_out, texts),
            affected_px=sum(t.area_px for t in areal),
            affected_m2=_total(known) if report.pixels.inspected_m2 is not None else None,
            affected_fraction=sum(t.area_fraction for t in areal),
            penalty=sum(t.penalty for t in report.types),
            inspected_fraction=px.inspected / max(1, px.valid + px.unreadable),
            data_fraction=data_fraction,
            has_little_data=data_fraction < LITTLE_DATA and px.total > 0,
            run_options=_run_options(report, texts),
            is_geographic=unit == "°",
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


def _reasons(left_out: Sequence[TypeSummary], texts: Texts) -> list[tuple[str, list[str]]]:
    grouped: dict[str, list[str]] = {}
    for summary in left_out:
        reason = texts.of(summary.reason) if summary.reason else texts("no_reason")
        grouped.setdefault(reason, []).append(texts.defect(summary.type))
    return list(grouped.items())


def _run_options(report: Report, texts: Texts) -> list[tuple[str, str]]:
    """What was chosen for the run, for people; names of types and known values in the report's language."""
    chosen: dict[str, str] = getattr(report, "options", {})
    return [(_capital(texts.word(_key(name))), _value(_key(name), str(value), texts)) for name, value in chosen.items()]


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:].replace("_", " ")


def _key(name: str) -> str:
    return name.lstrip("-").replace("-", "_")


def _value(key: str, value: str, texts: Texts) -> str:
    if key == "types":
        return texts.join([texts.defect(name.strip()) for name in value.split(",")])
    return texts.word(value)


def is_empty(unit: UnitScore) -> bool:
    """True for a unit of which no pixel was inspected."""
    return unit.grade == NOT_INSPECTED


def place(finding: Finding, *, is_geographic: bool) -> str:
    """Map coordinates of the middle of a finding; empty where the record has none."""
    x, y = getattr(finding, "x", None), getattr(finding, "y", None)
    if x is None or y is None:
        return ""
    return f"{x:.6f}, {y:.6f}" if is_geographic else f"{x:.1f} / {y:.1f}"


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
            tags.append(Tag(finding.id, x, max(1.5, y), is_above=is_small and y > 8, is_below=is_small and y <= 8))
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
    on_top = sorted(units, key=lambda u: (not is_empty(u), not u.passed))  # red edges last
    boxes = [_box(unit, (west, north), scale) for unit in on_top]
    return boxes, round((east - west) * scale, 2), round((north - south) * scale, 2)


def _box(unit: UnitScore, corner: tuple[float, float], scale: float) -> Box:
    """A unit in a drawing whose upper left is `corner` of the map."""
    x, y = (unit.bounds[0] - corner[0]) * scale, (corner[1] - unit.bounds[3]) * scale
    width, height = (unit.bounds[2] - unit.bounds[0]) * scale, (unit.bounds[3] - unit.bounds[1]) * scale
    lines = unit.unit.split("_")
    size = min(0.92 * width / max(0.3, *map(_ems, lines)), 0.85 * height / (1.2 * len(lines)), LABEL_SIZES[1])
    top = y + height / 2 - size * (1.2 * len(lines) / 2 - 0.95)
    label = [(line, x + width / 2, top + 1.2 * size * i) for i, line in enumerate(lines)]
    return Box(
        unit=unit.unit,
        score=unit.score,
        passed=unit.passed,
        x=x,
        y=y,
        width=width,
        height=height,
        weight=0.0 if is_empty(unit) else min(0.85, 1 - unit.score / 100),
        is_empty=is_empty(unit),
        label=label if size >= LABEL_SIZES[0] else [],
        label_size=round(size, 1),
    )


def _ems(text: str) -> float:
    """About how wide a text is, in units of its size."""
    return sum(1.0 if ord(c) > 0x2E80 else 0.62 for c in text)


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
