"""A Chinese report is Chinese throughout: no English words of ours are left in it."""

import re
from pathlib import Path

import pytest

from clearscene.inspection.batch import write_index
from clearscene.inspection.charging import Rest
from clearscene.inspection.describe import types_left_out
from clearscene.inspection.notes import NOTES, note
from clearscene.inspection.quicklook import Pictures
from clearscene.inspection.report import write_report
from clearscene.inspection.report_texts import TEXTS, say, word
from clearscene.inspection.result import Change, Detector, Report
from clearscene.inspection.scoring import score_findings
from clearscene.inspection.standard import list_standards, load_standard
from clearscene.inspection.taxonomy import BY_NAME, TYPES
from clearscene.vector.geopackage import edit
from tests import report_samples as samples
from tests.command import clearscene
from tests.html_reader import Reader
from tests.scenes import defective, write_scene

ENGLISH = re.compile(r"[A-Za-z]{2,}(?:[,;:]? +[A-Za-z]{2,})+")
"""Two or more words in a row."""

NAMES = ("WGS 84 / UTM zone", "CGCS2000 / 3-degree Gauss-Kruger CM", "orthophotos 2025")
"""Of coordinate systems, which pyproj has in English only, and of a folder."""


def english_in(page: Path, *, allowed: tuple[str, ...] = ()) -> list[str]:
    """English phrases in the text of a page, and in what it shows of pictures and tips."""
    reader = Reader(page.read_text(encoding="utf-8"))
    pieces = [*reader.words, *(v for name in ("alt", "title", "aria-label") for v in reader.values(name))]
    found = []
    for piece in pieces:
        for name in (*NAMES, *allowed):
            piece = piece.replace(name, "…")
        found += ENGLISH.findall(piece)
    return found


def rendered(report: Report, folder: Path) -> Path:
    return write_report(report, folder, pictures=Pictures(), lang="zh")


def test_the_check_sees_english(tmp_path):
    page = write_report(samples.report(), tmp_path, pictures=Pictures(), lang="en")
    assert len(english_in(page)) > 50


def test_a_sample_with_everything(tmp_path):
    report = samples.report()
    reader_errors = tuple(gap.reason for gap in report.not_inspected)  # in the words of GDAL
    assert english_in(rendered(report, tmp_path), allowed=reader_errors) == []
    write_index([(tmp_path, report), (tmp_path, samples.clean_report())], tmp_path, lang="zh")
    assert english_in(tmp_path / "index.html", allowed=(report.scene.name,)) == []


@pytest.mark.parametrize("standard", list_standards())
@pytest.mark.parametrize("crs", ["EPSG:32633", None])
def test_reasons_of_every_standard(tmp_path, standard, crs):
    rest = {"missing": Rest(1200, 90_000), "stripe": Rest(3, 200)}
    found = [
        finding.model_copy(update={"type": kind.name, "type_id": kind.id, "group": kind.group.value, "length_px": 30})
        for finding, kind in zip(samples.report(crs=crs).findings, TYPES, strict=False)
    ]
    for some in (found, found[::2], []):
        found_in, score = score_findings(some, load_standard(standard), inspected_px=10_000_000, rest=rest)
        report = samples.report(crs=crs).model_copy(update={"score": score, "findings": found_in, "not_inspected": []})
        assert english_in(rendered(report, tmp_path)) == []


@pytest.mark.parametrize("method", ["none", "bits", "reflectance", "percentiles", "empty"])
def test_every_stretch(tmp_path, method):
    scene = samples.clean_report().scene.model_copy(update={"stretch": {"method": method, "low": 1.5, "high": 3e4}})
    page = rendered(samples.clean_report().model_copy(update={"scene": scene}), tmp_path)
    assert english_in(page) == []
    assert method not in Reader(page.read_text(encoding="utf-8")).text


def test_every_note_change_detector_and_reason(tmp_path):
    """Whatever else a record can say, taken from the lists it is said from."""
    report = samples.report().model_copy(update={"not_inspected": []})
    notes = [note(english.format("2", "3.5", "4")) for english, _ in NOTES]
    edits = [
        say("edit_status", word("proposed"), word("rejected")),
        say("edit_type", samples.type_word("cloud"), samples.type_word("blur")),
        *(say(key, *[7] * 5) for key in TEXTS if key.startswith("edit_")),
    ]
    changes = [Change(when=samples.WHEN, who="王丽", what=edit) for edit in edits]
    parameters = {"provider": "CPU", "tiles": 9, "tiles segmented": 2, "flagged fraction": 0.2, "mode": "default"}
    parameters |= {f"flagged {name}": 3 for name in BY_NAME}
    detector = Detector(name="model:screen-b0", kind="model", types=list(BY_NAME), version="1", parameters=parameters)
    left_out = types_left_out(TYPES[:4], {1, 10}, needs_bands=("red", "nir")) | types_left_out(TYPES[:2], {10})
    types = [t.model_copy(update={"inspected": False, "reason": left_out.get(t.type)}) for t in report.types]
    page = rendered(
        report.model_copy(
            update={
                "scene": report.scene.model_copy(update={"notes": notes, "nodata": "nan"}),
                "changes": changes,
                "detectors": [detector],
                "types": types,
            }
        ),
        tmp_path,
    )
    assert english_in(page) == []


def test_an_inspected_scene_before_and_after_editing(tmp_path):
    scene = write_scene(tmp_path / "影像.tif", defective().data)
    words = ("--units", "grid:200px", "--format", "gpkg,shp,geojson", "--confidence", "--standard", "percent-area")
    clearscene("inspect", scene, "--out", tmp_path / "out", "--lang", "zh", *words, check=0)
    run = tmp_path / "out" / "影像"
    assert english_in(run / "report.html") == []
    with edit(run / "defects.gpkg") as database:
        database.execute("UPDATE defects SET status = 'rejected', remark = '屋顶' WHERE type = 'stripe'")
        database.execute("UPDATE defects SET type = 'cloud' WHERE id = (SELECT max(id) FROM defects)")
        database.execute("DELETE FROM defects WHERE id = (SELECT max(id) - 1 FROM defects)")
    clearscene("score", run, "--who", "王丽", "--standard", "strict", check=0)
    assert english_in(run / "report.html") == []
    text = Reader((run / "report.html").read_text(encoding="utf-8")).text
    for phrase in (
        "状态由“待确认”改为“已驳回”",
        "类型由“像素缺失”改为“云”",
        "备注改为“屋顶”",
        "删除“像素缺失”",
        "严格",
    ):
        assert phrase in text, phrase
