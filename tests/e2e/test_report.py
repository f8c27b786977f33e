import json
import re
from pathlib import Path
from urllib.parse import unquote

import pytest

from clearscene.errors import MissingExtraError, OptionError, OutputError
from clearscene.inspection import pdf
from clearscene.inspection.batch import write_index
from clearscene.inspection.bilingual import Bilingual
from clearscene.inspection.quicklook import Pictures, make_pictures
from clearscene.inspection.report import write_json, write_report
from clearscene.inspection.report_page import Page, is_empty
from clearscene.inspection.report_texts import Texts
from clearscene.inspection.result import Report
from clearscene.inspection.schema import report_schema, schema_text, write_schema
from clearscene.inspection.scoring import NOT_INSPECTED, score_findings
from clearscene.inspection.standard import load_standard
from tests import report_samples as samples
from tests.html_reader import Reader

SCHEMA = Path(__file__).parents[2] / "docs" / "reference" / "report.schema.json"


@pytest.fixture(scope="module")
def pictures() -> Pictures:
    return make_pictures(samples.report(), samples.geometries(), samples.reader(samples.pixels()))


def _page(report: Report, folder: Path, pictures: Pictures, lang: str = "en") -> Reader:
    path = write_report(report, folder, pictures=pictures, lang=lang)
    assert path == folder / "report.html"
    assert [p.name for p in folder.iterdir()] == ["report.html"]
    return Reader(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("lang", ["en", "zh"])
def test_the_page_fetches_nothing_and_its_links_resolve(tmp_path: Path, pictures: Pictures, lang: str) -> None:
    page = _page(samples.report(), tmp_path, pictures, lang)
    assert all(src.startswith("data:image/jpeg;base64,") for src in page.values("src"))
    assert len(page.values("src")) == 8
    ids = page.values("id")
    assert len(ids) == len(set(ids))
    inner = [href[1:] for href in page.values("href") if href.startswith("#")]
    assert set(inner) <= set(ids)
    assert [h for h in page.values("href") if not h.startswith("#")] == list(samples.report().files.values())
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://|url\(|@import|<link|<iframe|<script", html)


def test_text_of_people_is_escaped(tmp_path: Path, pictures: Pictures) -> None:
    hostile = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    both = Bilingual(en=hostile, zh=hostile)
    report = samples.report()
    report = report.model_copy(
        update={
            "scene": report.scene.model_copy(
                update={"name": hostile, "notes": [both], "path": hostile, "crs": hostile}
            ),
            "findings": [f.model_copy(update={"remark": hostile, "detector": hostile}) for f in report.findings],
            "score": report.score.model_copy(update={"title": both, "grade": hostile, "reasons": [both]}),
            "files": {hostile: hostile},
        }
    )
    page = _page(report, tmp_path, pictures)
    assert "script" not in {tag for tag, _ in page.tags}
    assert not any("onerror" in attributes for _, attributes in page.tags)
    assert page.text.count("alert(1)") > 10
    write_index([(tmp_path, report)], tmp_path)
    index = Reader((tmp_path / "index.html").read_text(encoding="utf-8"))
    assert [tag for tag, _ in index.tags].count("script") == 1
    assert not any("onerror" in attributes for _, attributes in index.tags)


def test_what_the_page_says(tmp_path: Path, pictures: Pictures) -> None:
    text = _page(samples.report(), tmp_path, pictures).text
    for words in (
        "DOM_城东_2025-11 <0.5m>.tif",
        "Failed",
        "Draft grade: Fail",
        "59.9 of 100",
        "Nobody has confirmed the deductions",
        "2 windows could not be read and were not inspected",
        "2 types were not looked for: Distortion, Stitching misalignment",
        "Not inspected: no model for it is installed",
        "1 rejected, not counted",
        "7 of 1,207 findings are pictured",
        "1,200 were counted and have no polygon of their own",
        "2.96 ha",
        "0.00075 %",
        "256 m",
        samples.REMARK,
        "21 of 24 units with data passed",
        "tile 37 is corrupt: ZSTD stream ends early",
        "The file holds 3 rasters",
        "min_length 64",
        "812 MB",
        "finding 8: status proposed -> rejected",
        "Signature",
        "Made by clearscene 0.1.0 on 21 Nov 2025, 06:05 UTC",
    ):
        assert words in text, words
    assert "No defects found" not in text


def test_chinese_page_has_no_english_labels(tmp_path: Path, pictures: Pictures) -> None:
    text = _page(samples.report(), tmp_path, pictures, "zh").text
    for words in (
        "不合格",
        "暂定等级",
        "2.96 公顷",
        "光谱溢出",
        "2 个窗口无法读取",
        "256 米",
        "签名",
        "第 1 号",
        "待确认",
    ):
        assert words in text, words
    for words in ("Penalty", "Findings", "Cloud ", "Signature", "Inspected", "Grade", "Total"):
        assert words not in text, words


def test_a_clean_scene_says_so_and_what_was_looked_for(tmp_path: Path) -> None:
    report = samples.clean_report()
    pictures = make_pictures(report, {}, samples.reader(samples.pixels()))
    text = _page(report, tmp_path, pictures).text
    assert "No defects found among the 8 types looked for" in text
    assert re.search(r"Looked for Cloud, Shadow, .* Not looked for Distortion, Stitching misalignment \(no model", text)
    assert "Draft grade" not in text
    assert "Findings in pictures" not in text


def test_without_crs_areas_are_pixels(tmp_path: Path, pictures: Pictures) -> None:
    text = _page(samples.report(crs=None), tmp_path, Pictures(pictures.quicklook, pictures.crops)).text
    assert "118,286 px" in text
    n_pixels = sum(t.area_px for t in samples.report().types if t.type != "stitching_trace")
    assert f"Affected {n_pixels:,} px" in text
    assert "256 px" in text
    assert "none: areas and lengths are in pixels" in text
    assert not re.search(r"\d (ha|m²|m)\b", text)


def test_a_page_without_pictures(tmp_path: Path) -> None:
    text = _page(samples.report(), tmp_path, Pictures()).text
    assert "No overview could be drawn." in text


def test_unknown_language_leaves_no_file(tmp_path: Path) -> None:
    with pytest.raises(OptionError):
        write_report(samples.report(), tmp_path, pictures=Pictures(), lang="de")
    assert list(tmp_path.iterdir()) == []


def test_json_reads_back_as_the_same_record(tmp_path: Path) -> None:
    report = samples.report()
    path = write_json(report, tmp_path)
    text = path.read_text(encoding="utf-8")
    assert Report.model_validate_json(text) == report
    assert "城东" in text


def test_the_published_schema_is_current(tmp_path: Path) -> None:
    assert SCHEMA.read_text(encoding="utf-8") == schema_text(), "run clearscene.inspection.schema.write_schema"
    assert write_schema(tmp_path / "s.json").read_text(encoding="utf-8") == schema_text()


def test_the_schema_names_what_the_record_holds() -> None:
    schema = report_schema()
    record = json.loads(samples.report().model_dump_json())
    assert set(schema["properties"]) == set(schema["required"]) == set(record)
    finding = schema["$defs"]["Finding"]
    assert set(finding["properties"]) == set(record["findings"][0])


@pytest.mark.skipif(pdf.find_browser() is None, reason="no Chromium or Chrome on PATH")
def test_pdf_is_printed_by_the_browser(tmp_path: Path, pictures: Pictures) -> None:
    folder = tmp_path / "成果 1"
    folder.mkdir()
    html = write_report(samples.report(), folder, pictures=pictures)
    path = pdf.write_pdf(html, folder / "report.pdf")
    content = path.read_bytes()
    assert content.startswith(b"%PDF-")
    assert len(re.findall(rb"/Type\s*/Page\b", content)) >= 4
    assert re.search(rb"/MediaBox\s*\[0 0 59[45][.\d]* 84[12]", content)  # A4 in points
    assert sorted(p.name for p in folder.iterdir()) == ["report.html", "report.pdf"]


def _fake_browser(folder: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = folder / "bin" / "chromium"
    browser.parent.mkdir()
    browser.write_text(f"#!/bin/sh\n{script}\n")
    browser.chmod(0o755)
    monkeypatch.setattr(pdf, "find_browser", lambda: str(browser))


def test_a_failing_browser_is_an_error_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_browser(tmp_path, "echo no display >&2; exit 3", monkeypatch)
    with pytest.raises(OutputError, match=r"exit 3\): no display"):
        pdf.write_pdf(tmp_path / "report.html", tmp_path / "report.pdf")
    assert [p.name for p in tmp_path.iterdir()] == ["bin"]


def test_a_browser_that_prints_nothing_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_browser(tmp_path, "exit 0", monkeypatch)
    with pytest.raises(OutputError, match="left no PDF"):
        pdf.write_pdf(tmp_path / "report.html", tmp_path / "report.pdf")


def test_a_hanging_browser_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _fake_browser(tmp_path, "exec sleep 20", monkeypatch)
    with pytest.raises(OutputError, match=r"within 0\.2 s"):
        pdf.write_pdf(tmp_path / "report.html", tmp_path / "report.pdf", timeout_s=0.2)


def test_without_any_printer_the_hint_names_both(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pdf, "find_browser", lambda: None)
    monkeypatch.setitem(__import__("sys").modules, "weasyprint", None)
    with pytest.raises(MissingExtraError) as caught:
        pdf.write_pdf(tmp_path / "report.html", tmp_path / "report.pdf")
    assert "clearscene[pdf]" in caught.value.hint
    assert list(tmp_path.iterdir()) == []


def test_links_to_files_are_quoted(tmp_path: Path, pictures: Pictures) -> None:
    report = samples.report().model_copy(update={"files": {"polygons": "缺陷 #1.gpkg"}})
    page = _page(report, tmp_path, pictures)
    link = next(h for h in page.values("href") if not h.startswith("#"))
    assert "#" not in link
    assert unquote(link) == "缺陷 #1.gpkg"


def test_units_without_data_are_neutral_and_last(tmp_path: Path) -> None:
    report = samples.report()
    empty = [
        u.model_copy(update={"inspected_px": 0, "score": 0.0, "grade": NOT_INSPECTED, "passed": False})
        for u in report.units[:4]
    ]
    page = Page.of(report.model_copy(update={"units": empty + report.units[4:]}), Texts(), pictured=[])
    assert [is_empty(u) for u in page.units.worst] == [False] * 20 + [True] * 4
    assert (page.units.n_seen, page.units.n_passed, page.units.pass_rate) == (20, 17, 0.85)
    assert [(b.weight, b.is_empty) for b in page.units.boxes[:4]] == [(0.0, True)] * 4
    text = _page(report.model_copy(update={"units": empty + report.units[4:]}), tmp_path, Pictures()).text
    assert "17 of 20 units with data passed · 4 units have nothing to inspect" in text
    assert "85 % of 20 units with data" in text.replace("\u202f", " ")


def test_little_data_and_unreadable_pixels_are_told_at_the_top(tmp_path: Path) -> None:
    report = samples.clean_report()
    total = report.pixels.total
    nodata, collar, unreadable = total * 6 // 10, total // 4, total // 100
    valid = total - nodata - collar - unreadable
    pixels = report.pixels.model_copy(
        update={"valid": valid, "inspected": valid, "nodata": nodata, "collar": collar, "unreadable": unreadable}
    )
    text = _page(report.model_copy(update={"pixels": pixels}), tmp_path, Pictures()).text.replace("\u202f", " ")
    assert (
        "Inspected 93.3 % of the valid and unreadable pixels 14 % of the scene has data 1 % could not be read" in text
    )
    assert "Only 14 % of the scene has data: 60 % is nodata, 25 % is collar" in text
    whole = _page(report, tmp_path, Pictures()).text
    assert "Only" not in whole


def test_how_it_was_run_and_where_findings_lie(tmp_path: Path, pictures: Pictures) -> None:
    report = samples.report()
    findings = [f.model_copy(update={"x": 500123.456, "y": 5200456.75}) for f in report.findings]
    options = {"units": "grid:200m", "types": "cloud,missing"}
    report = report.model_copy(update={"findings": findings, "options": options})
    text = _page(report, tmp_path, pictures).text
    assert "E / N 500123.5 / 5200456.8" in text
    assert "How it was run Units grid:200m Types Cloud, Pixel missing" in text
    scene = report.scene.model_copy(update={"crs": "EPSG:4326"})
    degrees = [f.model_copy(update={"x": 8.5400001, "y": 47.3}) for f in findings]
    text = _page(report.model_copy(update={"scene": scene, "findings": degrees}), tmp_path, pictures).text
    assert "Lon / lat 8.540000, 47.300000" in text


def test_reasons_name_the_cap_and_the_limit() -> None:
    stripes = [samples.findings()[1].model_copy(update={"id": i, "type": "cloud", "area_px": 60_000}) for i in range(3)]
    record = score_findings(stripes, load_standard("percent-area"), inspected_px=1_000_000)[1]
    assert (
        record.reasons[1].en == "Cloud is over the limit: 18 % of the inspected area, "
        "and at most 5.0 % of the inspected area allowed."
    )
    many = [samples.findings()[1].model_copy(update={"id": i, "area_px": 2}) for i in range(40)]
    record = score_findings(many, load_standard("gbt24356"), inspected_px=100_000_000)[1]
    assert "at most 12 per type" in record.reasons[0].en
