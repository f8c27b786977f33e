"""Records and pictures for the tests of reports: a scene with findings, a clean one, a failed one."""

from datetime import UTC, datetime
from functools import cache

import cv2
import numpy as np
import shapely
from numpy.typing import NDArray
from rasterio.windows import Window
from shapely.geometry.base import BaseGeometry

from clearscene.batch import Failure
from clearscene.grid import slices
from clearscene.inspection.bilingual import Bilingual
from clearscene.inspection.notes import note
from clearscene.inspection.quicklook import ReadRgb
from clearscene.inspection.report_texts import defect_title, say, word
from clearscene.inspection.result import (
    Change,
    Detector,
    Finding,
    NotInspected,
    Pixels,
    Report,
    SceneInfo,
    ScoreRecord,
    Status,
    Timing,
    TypeSummary,
    UnitScore,
)
from clearscene.inspection.taxonomy import BY_NAME, TYPES, Group

HEIGHT, WIDTH = 1503, 2209
PIXEL_M2 = 0.25
WHEN = datetime(2025, 11, 21, 6, 5, tzinfo=UTC)
REMARK = "靠近河岸，<b>疑似</b>薄云 & 需复核"
REJECTION = say("edit_of_one", 8, say("edit_status", word("proposed"), word("rejected")))
NO_MODEL = say("no_model")


def geometries() -> dict[int, BaseGeometry]:
    """Finding id to geometry in scene pixels: large, small, one pixel, many parts, a hole, a seam."""
    cloud = shapely.Point(620, 420).buffer(170).union(shapely.Point(790, 470).buffer(120))
    ring = shapely.Point(1700, 1150).buffer(150).difference(shapely.Point(1700, 1150).buffer(60))
    return {
        1: cloud,
        2: shapely.box(1200, 300, 1203, 1100),
        3: shapely.box(1950, 200, 1951, 201),
        4: shapely.MultiPolygon([shapely.box(x, 700, x + 2, 702) for x in range(1500, 1530, 5)]),
        5: shapely.box(0, 900, 512, 1024),
        6: ring,
        7: shapely.box(300, 1200, 420, 1275),
        8: shapely.box(2100, 1400, 2140, 1420),
    }


def findings() -> list[Finding]:
    """The findings of `geometries`; number 8 is rejected."""
    shapes = geometries()
    return [
        _finding(
            1, "cloud", shapes[1], confidence=0.91, penalty=12, error_class="B", detector="screen-b0", remark=REMARK
        ),
        _finding(2, "stripe", shapes[2], confidence=0.88, penalty=4, error_class="C", detector="stripe"),
        _finding(3, "missing", shapes[3], confidence=1.0, penalty=1, error_class="D", detector="missing"),
        _finding(4, "missing", shapes[4], confidence=0.97, penalty=1, error_class="D", detector="missing"),
        _finding(5, "stitching_trace", shapes[5], confidence=0.62, penalty=4, error_class="C", detector="screen-b0"),
        _finding(6, "overflow", shapes[6], confidence=0.55, penalty=4, error_class="C", detector="segment-b0"),
        _finding(7, "blur", shapes[7], confidence=0.71, penalty=1, error_class="D", detector="segment-b0"),
        _finding(8, "shadow", shapes[8], confidence=0.3, detector="segment-b0", status=Status.REJECTED),
    ]


def report(*, crs: str | None = "EPSG:32633") -> Report:
    """A scene that failed: findings, a window not inspected, units, changes, a draft grade."""
    found = findings()
    if crs is None:
        found = [f.model_copy(update={"area_m2": None, "length_m": None}) for f in found]
    units = [
        UnitScore(
            unit=f"{'ABCD'[i // 6]}{i % 6 + 1}",
            bounds=(500000 + 200 * (i % 6), 5200000 - 200 * (i // 6), 500200 + 200 * (i % 6), 5200200 - 200 * (i // 6)),
            inspected_px=160_000 - 997 * i,
            n_findings=i % 4,
            score=100 - 7.3 * (i % 7),
            grade="excellent" if i % 7 < 2 else "good" if i % 7 < 4 else "pass" if i % 7 < 6 else "fail",
            passed=i % 7 < 6,
        )
        for i in range(24)
    ]
    return _report("DOM_城东_2025-11 <0.5m>.tif", crs, found, units=units).model_copy(
        update={
            "not_inspected": [
                NotInspected(
                    row=1024, col=1536, height=256, width=256, reason="tile 37 is corrupt: ZSTD stream ends early"
                ),
                NotInspected(row=0, col=2048, height=128, width=161, reason="read timed out"),
            ],
            "changes": [Change(when=WHEN, who="王丽", what=REJECTION)],
        }
    )


def clean_report() -> Report:
    """A scene without findings that passed, by a confirmed standard."""
    clean = _report("forest_meadow.tif", "EPSG:4547", [])
    score = ScoreRecord(
        standard="strict",
        title=Bilingual(en="Strict", zh="严格"),
        is_draft=False,
        score=100,
        grade="excellent",
        passed=True,
        reasons=[],
    )
    return clean.model_copy(update={"score": score})


def failure() -> Failure:
    """A scene that could not be opened."""
    return Failure(
        name="截断.tif",
        path="scenes/截断.tif",
        error="scenes/截断.tif cannot be opened: TIFF directory is missing <offset 8>.",
        hint="Copy the file again; it has 0 of 12,345 bytes.",
        seconds=0.02,
    )


@cache
def pixels() -> NDArray[np.uint8]:
    """An RGB scene (band, row, col) of fields and a river, with the defects of `geometries` in it."""
    rng = np.random.default_rng(7)
    coarse = rng.uniform(60, 150, (9, 13, 3)).astype(np.float32)
    fields = cv2.resize(coarse, (WIDTH, HEIGHT), interpolation=cv2.INTER_NEAREST)
    fields *= np.array([0.9, 1.05, 0.7], np.float32)
    fields += rng.normal(0, 6, fields.shape).astype(np.float32)
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float32)
    fields[np.abs(y - 1250 - 90 * np.sin(x / 260)) < 45] = (48, 78, 92)
    cloud = np.exp(-((((x - 690) / 190) ** 2 + ((y - 440) / 140) ** 2) ** 2))[..., None]
    scene = fields * (1 - cloud) + 244 * cloud
    scene[300:1100, 1200:1203] += 70
    scene[200, 1950] = 0
    for col in range(1500, 1530, 5):
        scene[700:702, col : col + 2] = 255
    scene[964:, :512] *= 1.12
    return np.clip(scene, 0, 255).astype(np.uint8).transpose(2, 0, 1)


def reader(scene: NDArray[np.uint8]) -> ReadRgb:
    """A `read_rgb` over an array (band, row, col)."""

    def read_rgb(window: Window, out_shape: tuple[int, int]) -> NDArray[np.uint8]:
        rows, cols = slices(window)
        assert 0 <= rows.start < rows.stop <= scene.shape[1]
        assert 0 <= cols.start < cols.stop <= scene.shape[2]
        part = scene[:, rows, cols].transpose(1, 2, 0)
        shrinks = out_shape[0] < part.shape[0]
        method = cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST
        sized = cv2.resize(part, out_shape[::-1], interpolation=method)
        return sized.reshape(*out_shape, -1).transpose(2, 0, 1)

    return read_rgb


def _finding(
    number: int,
    name: str,
    shape: BaseGeometry,
    *,
    confidence: float,
    detector: str,
    penalty: float = 0,
    error_class: str = "",
    remark: str = "",
    status: Status = Status.PROPOSED,
) -> Finding:
    kind = BY_NAME[name]
    left, top, right, bottom = (round(v) for v in shape.bounds)
    is_boundary = kind.group == Group.BOUNDARY
    return Finding(
        id=number,
        type_id=kind.id,
        type=name,
        group=kind.group.value,
        area_px=round(shape.area),
        area_m2=shape.area * PIXEL_M2,
        area_fraction=0 if is_boundary else shape.area / (HEIGHT * WIDTH),
        length_px=right - left if is_boundary else None,
        length_m=(right - left) / 2 if is_boundary else None,
        confidence=confidence,
        error_class=error_class,
        penalty=penalty,
        detector=detector,
        status=status,
        remark=remark,
        unit="A1",
        bounds_px=(left, top, right, bottom),
        n_parts=len(shapely.get_parts(shape)),
    )


def _summary(name: str, found: list[Finding], *, has_meters: bool) -> TypeSummary:
    mine = [f for f in found if f.type == name and f.status != Status.REJECTED]
    is_inspected = name not in ("distortion", "misalignment")
    return TypeSummary(
        type_id=BY_NAME[name].id,
        type=name,
        inspected=is_inspected,
        reason=None if is_inspected else NO_MODEL,
        count=len(mine) + (1200 if name == "missing" and mine else 0),
        n_not_drawn=1200 if name == "missing" and mine else 0,
        area_px=sum(f.area_px for f in mine),
        area_m2=sum(f.area_m2 or 0 for f in mine) if has_meters or not mine else None,
        area_fraction=sum(f.area_fraction for f in mine),
        length_m=sum(f.length_m or 0 for f in mine) if has_meters else None,
        penalty=sum(f.penalty for f in mine),
    )


def _report(name: str, crs: str | None, found: list[Finding], *, units: list[UnitScore] | None = None) -> Report:
    total = HEIGHT * WIDTH
    valid = total - 41_003 - 120_500
    return Report(
        clearscene_version="0.1.0",
        created=WHEN,
        scene=SceneInfo(
            name=name,
            path=f"/数据/orthophotos 2025/{name}",
            driver="GTiff",
            height=HEIGHT,
            width=WIDTH,
            dtype="uint16",
            bands={"red": 1, "green": 2, "blue": 3, "nir": 4},
            n_bands=4,
            crs=crs,
            resolution=(0.5, 0.5),
            bounds=(500000.0, 5199248.5, 501104.5, 5200000.0),
            transform=(0.5, 0.0, 500000.0, 0.0, -0.5, 5200000.0),
            nodata=0,
            stretch={"method": "percentiles", "low": 112.0, "high": 3480.0},
            notes=[
                note("The file holds 3 rasters; only the first is read."),
                note("The bands have no names; 1, 2 and 3 are taken as red, green and blue."),
            ],
        ),
        pixels=Pixels(
            total=total,
            valid=valid,
            nodata=41_003,
            collar=120_500,
            inspected=valid - 86_144 if found else valid,
            inspected_m2=None if crs is None else (valid - 86_144) * PIXEL_M2,
            hole=1_003,
        ),
        score=ScoreRecord(
            standard="gbt24356",
            title=Bilingual(en="GB/T 24356 (draft deductions)", zh="GB/T 24356（扣分值待确认）"),
            is_draft=True,
            score=59.96,
            grade="fail",
            passed=False,
            reasons=[
                say("fails_by_class", 1, "A", 0),
                say("type_cost", 12, defect_title("cloud"), say("share_of_inspected", "3.4 %")),
            ],
            grades={"fail": Bilingual(en="fail", zh="不合格"), "excellent": Bilingual(en="excellent", zh="优")},
        ),
        units=units or [],
        types=[_summary(t.name, found, has_meters=crs is not None) for t in TYPES],
        findings=found,
        detectors=[
            Detector(name="missing", kind="rule", types=["missing"], parameters={"mode": "default", "reach": 3}),
            Detector(
                name="stripe",
                kind="rule",
                types=["stripe"],
                parameters={"mode": "default", "min_length": 64, "angle_deg": 2.5},
            ),
            Detector(
                name="screen-b0",
                kind="model",
                types=["cloud", "stitching_trace"],
                version="0.3.1",
                parameters={"tile_size": 512, "overlap": 104, "threshold": 0.5},
            ),
            Detector(
                name="segment-b0", kind="model", types=["shadow", "blur", "overflow", "stretching"], version="0.3.1"
            ),
        ],
        timing=Timing(
            seconds=14.82,
            seconds_per_mpx=4.46,
            peak_memory_mb=812.4,
            workers=2,
            stages={"scan": 2.1, "detect": 4.7, "model": 6.9, "write": 1.1},
        ),
        files={
            "gpkg": "defects.gpkg",
            "classmap": "classmap.tif",
            "html": "report.html",
            "json": "report.json",
        },
    )


def type_word(name: str) -> Bilingual:
    """A type as the history names it: by its key in English."""
    return Bilingual(en=name, zh=BY_NAME[name].title_zh)
