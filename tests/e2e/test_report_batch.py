import base64
import csv
import re
from pathlib import Path
from urllib.parse import unquote

import cv2
import numpy as np
import pytest

from clearscene.batch import Failure
from clearscene.inspection.batch import collect, write_index
from clearscene.inspection.quicklook import make_pictures
from clearscene.inspection.report import write_json, write_report
from clearscene.inspection.result import Report
from tests import report_samples as samples


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A batch of a failed scene with findings, a clean scene and an unreadable one."""
    out = tmp_path_factory.mktemp("批次 1")
    report = samples.report()
    (out / "城东 #1").mkdir()
    pictures = make_pictures(report, samples.geometries(), samples.reader(samples.pixels()))
    write_report(report, out / "城东 #1", pictures=pictures)
    write_index(_outcomes(out), out)
    return out


def _outcomes(out: Path) -> list[tuple[Path, Report | Failure]]:
    return [
        (out / "城东 #1", samples.report()),
        (out / "forest", samples.clean_report()),
        (out / "bad", samples.failure()),
    ]


def test_links_lead_to_the_reports(folder: Path) -> None:
    html = (folder / "index.html").read_text(encoding="utf-8")
    links = {unquote(link) for link in re.findall(r'href="([^"#]+report\.html)"', html)}
    assert links == {"城东 #1/report.html", "forest/report.html"}
    assert (folder / "城东 #1/report.html").is_file()


def test_thumbnail_is_the_overview_of_the_report(folder: Path) -> None:
    html = (folder / "index.html").read_text(encoding="utf-8")
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', html)
    assert len(found) == 1  # the clean scene has no report on disk here
    image = cv2.imdecode(np.frombuffer(base64.b64decode(found[0]), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape == (152, 224, 3)  # the whole scene, 2209 x 1503
    blue, green, red = image[45, 70].astype(int)  # the cloud: white, tinted blue
    assert blue > green > red > 150


def test_index_tells_verdicts_reasons_and_errors(folder: Path) -> None:
    html = (folder / "index.html").read_text(encoding="utf-8")
    for words in (
        "Rejected scenes and reasons",
        "and at most 0 allowed",
        "No defects found among the 8 types looked for",
        "Not every type of defect was looked for",
        "In all 2 scenes: Distortion, Stitching misalignment",
        "1 of 2 inspected scenes passed, 1 could not be read",
        "截断.tif",
        "Copy the file again",
    ):
        assert words in html, words
    assert "&lt;offset 8&gt;" in html
    assert html.index("Rejected scenes") < html.index("and at most")
    assert not re.search(r"https?://|url\(", html)


def test_csv_has_one_row_a_scene(folder: Path) -> None:
    raw = (folder / "summary.csv").read_bytes()
    assert raw.startswith(b"\xef\xbb\xbf")  # Excel reads Chinese by this mark
    assert b"\r\r\n" not in raw
    with (folder / "summary.csv").open(encoding="utf-8-sig", newline="") as file:
        dirty, clean, failed = csv.DictReader(file)
    assert dirty["name"] == samples.report().scene.name
    assert float(dirty["score"]) == 59.96
    assert (dirty["passed"], clean["passed"], failed["passed"]) == ("False", "True", "")
    assert dirty["missing_count"] == "1202"
    assert float(dirty["cloud_area_m2"]) == pytest.approx(samples.geometries()[1].area / 4)
    assert float(dirty["cloud_penalty"]) == 12
    assert (dirty["distortion_inspected"], dirty["distortion_count"]) == ("False", "")
    assert clean["cloud_count"] == "0"
    assert "Cloud cost 12 points" in dirty["reasons"]
    assert failed["error"].startswith("scenes/截断.tif cannot be opened")
    assert failed["score"] == ""


def test_names_that_look_like_formulas_stay_text(tmp_path: Path) -> None:
    write_index([(tmp_path, Failure("=1+1.tif", "@x", "-broken"))], tmp_path)
    with (tmp_path / "summary.csv").open(encoding="utf-8-sig", newline="") as file:
        row = next(csv.DictReader(file))
    assert (row["name"], row["path"], row["error"]) == ("'=1+1.tif", "'@x", "'-broken")


def test_chinese_index(tmp_path: Path) -> None:
    write_index(_outcomes(tmp_path), tmp_path, lang="zh")
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    for words in ("批量检查汇总", "不合格影像及原因", "未能检查的影像", 'lang="zh-CN"'):
        assert words in html, words


def test_an_empty_batch_still_has_a_page(tmp_path: Path) -> None:
    assert write_index([], tmp_path).is_file()
    assert "No scene was inspected." in (tmp_path / "index.html").read_text(encoding="utf-8")
    assert len((tmp_path / "summary.csv").read_text(encoding="utf-8-sig").splitlines()) == 1


def test_a_broken_report_page_costs_only_its_thumbnail(tmp_path: Path) -> None:
    (tmp_path / "forest").mkdir()
    (tmp_path / "forest" / "report.html").write_text('<img id="quicklook" src="data:image/jpeg;base64,AAAA">')
    write_index([(tmp_path / "forest", samples.clean_report())], tmp_path)
    assert "data:image" not in (tmp_path / "index.html").read_text(encoding="utf-8").replace("img-src data:", "")


def _batch(out: Path) -> list[tuple[Path, Report | Failure]]:
    """The scenes of `folder` with their records on disk."""
    scenes = _outcomes(out)
    for path, outcome in scenes:
        if isinstance(outcome, Report):
            path.mkdir()
            write_json(outcome, path)
    return scenes


def test_a_batch_on_disk_is_collected_whole_and_in_the_order_of_names(tmp_path: Path) -> None:
    write_index(_batch(tmp_path), tmp_path)
    before = (tmp_path / "summary.csv").read_bytes()
    (tmp_path / ".half").mkdir()
    write_json(samples.report(), tmp_path / ".half")
    found = collect(tmp_path)
    assert [path.name for path, _ in found] == ["forest", "城东 #1", "截断.tif"]
    assert found[:2] == [(tmp_path / "forest", samples.clean_report()), (tmp_path / "城东 #1", samples.report())]
    lost = found[2][1]
    assert isinstance(lost, Failure)
    assert (lost.name, lost.path, lost.seconds) == ("截断.tif", "scenes/截断.tif", 0.02)
    assert lost.error.endswith("Copy the file again; it has 0 of 12,345 bytes.")
    write_index(found, tmp_path)
    assert sorted((tmp_path / "summary.csv").read_bytes().splitlines()) == sorted(before.splitlines())
    assert collect(tmp_path) == found


def test_a_failure_that_has_a_result_since_is_gone(tmp_path: Path) -> None:
    write_index(_batch(tmp_path), tmp_path)
    report = samples.clean_report()
    scene = report.scene.model_copy(update={"path": "./scenes/截断.tif"})
    (tmp_path / "截断").mkdir()
    write_json(report.model_copy(update={"scene": scene}), tmp_path / "截断")
    assert [type(outcome) for _, outcome in collect(tmp_path)] == [Report] * 3


def test_names_that_look_like_formulas_come_back(tmp_path: Path) -> None:
    failure = Failure("=1+1.tif", "@x", "-broken", "")
    write_index([(tmp_path / "x", failure)], tmp_path)
    assert [outcome for _, outcome in collect(tmp_path)] == [failure]


def test_a_record_that_cannot_be_read_is_a_failure(tmp_path: Path) -> None:
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "report.json").write_text("{", encoding="utf-8")
    (tmp_path / "summary.csv").write_bytes(b"\xff\xfe")
    ((path, outcome),) = collect(tmp_path)
    assert isinstance(outcome, Failure)
    assert (path.name, outcome.name) == ("bad", "bad")
    assert collect(tmp_path / "nothing") == []


def test_types_left_out_in_some_scenes_are_counted(tmp_path: Path) -> None:
    clean = samples.clean_report()
    whole = [t.model_copy(update={"inspected": True, "reason": None}) for t in clean.types]
    all_types = clean.model_copy(update={"types": whole})
    write_index([(tmp_path / "a", all_types), (tmp_path / "b", clean)], tmp_path)
    html = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "In 1 of 2 scenes: Distortion, Stitching misalignment" in html
    assert "No defects found" in html
    write_index([(tmp_path / "a", all_types)], tmp_path)
    assert "Not every type" not in (tmp_path / "index.html").read_text(encoding="utf-8")
