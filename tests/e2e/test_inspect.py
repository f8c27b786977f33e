"""The main job through the typed command: values, CRS and transform of the files that it leaves."""

import csv
import signal
import subprocess
import sys
import time
from xml.etree import ElementTree

import cv2
import numpy as np
import pyogrio
import pytest
import rasterio
import shapely
from rasterio.crs import CRS

from clearscene.inspection.inspect import inspect_scene
from clearscene.inspection.inspector import prepare
from clearscene.inspection.options import InspectOptions
from clearscene.inspection.rescore import rescore
from clearscene.inspection.result import Report
from tests.command import clearscene
from tests.scenes import TRANSFORM, UTM, defective, ground, write_scene


def report_of(folder):
    return Report.model_validate_json((folder / "report.json").read_text(encoding="utf-8"))


def iou(one, two):
    return (one & two).sum() / (one | two).sum()


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """One scene with known defects, inspected once."""
    folder = tmp_path_factory.mktemp("run")
    truth = defective()
    scene = write_scene(folder / "影像 一.tif", truth.data)
    done = clearscene(
        "inspect", scene, "--out", folder / "out", "--confidence", "--format", "gpkg,shp,geojson", check=0
    )
    return truth, folder / "out" / "影像 一", done


def test_finds_what_was_placed(run):
    truth, folder, _ = run
    with rasterio.open(folder / "classmap.tif") as dataset:
        class_map = dataset.read(1)
    assert iou(class_map == 10, truth.missing) >= 0.98
    assert iou(class_map == 9, truth.stripe & ~truth.missing) >= 0.70
    assert set(np.unique(class_map)) == {0, 9, 10}


def test_class_map_is_a_georeferenced_cog(run):
    _, folder, _ = run
    with rasterio.open(folder / "classmap.tif") as dataset:
        assert dataset.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert (dataset.crs, dataset.transform) == (UTM, TRANSFORM)
        assert (dataset.dtypes, dataset.nodata, dataset.shape) == (("uint8",), 255, (389, 517))
        assert dataset.colormap(1)[10][:3] == (0xD0, 0, 0)
        assert dataset.tags(1)["CLASS_9"] == "Stripe noise"
    assert "Stripe noise" in (folder / "classmap.tif.aux.xml").read_text()


def test_polygons_match_the_report_and_the_map(run):
    truth, folder, _ = run
    meta, _, wkb, columns = pyogrio.raw.read(folder / "defects.gpkg", layer="defects")
    fields = dict(zip(meta["fields"], columns, strict=True))
    geometries = shapely.from_wkb(wkb)
    report = report_of(folder)
    assert CRS.from_user_input(meta["crs"]) == UTM
    assert shapely.is_valid(geometries).all()
    assert fields["id"].tolist() == [f.id for f in report.findings]
    assert fields["type_zh"][-1] == "像素缺失"
    missing = fields["type"] == "missing"
    assert fields["area_px"][missing].sum() == pytest.approx(truth.missing.sum(), rel=0.02)
    assert fields["area_m2"][missing].sum() == pytest.approx(truth.missing.sum() * 0.125, rel=0.02)
    # Drawn as detected: the map area of the polygons is their pixels times 0.125 m2.
    assert shapely.area(geometries[missing]).sum() == pytest.approx(fields["area_px"][missing].sum() * 0.125)
    block = geometries[missing][fields["area_px"][missing].argmax()]
    x, y = TRANSFORM * (50, 40)
    assert block.bounds[0] == pytest.approx(x)
    assert block.bounds[3] == pytest.approx(y)


def test_every_format_holds_the_same_features(run):
    _, folder, _ = run
    n = len(report_of(folder).findings)
    for name in ("defects.shp", "defects.geojson"):
        assert pyogrio.read_info(folder / name)["features"] == n
    assert pyogrio.read_info(folder / "defects.geojson")["crs"] == "EPSG:4326"


def test_report_json_adds_up(run):
    _, folder, _ = run
    report = report_of(folder)
    pixels = report.pixels
    assert pixels.total == pixels.valid + pixels.nodata + pixels.collar == 389 * 517
    assert pixels.inspected == pixels.valid
    assert pixels.inspected_m2 == pytest.approx(389 * 517 * 0.125, rel=2e-3)
    assert report.score.score == pytest.approx(100 - sum(t.penalty for t in report.types), abs=1e-3)
    assert report.score.is_draft
    by_type = {t.type: t for t in report.types}
    assert by_type["missing"].inspected
    assert not by_type["cloud"].inspected
    assert by_type["cloud"].reason
    assert report.timing.seconds > 0
    assert report.timing.peak_memory_mb > 20
    for name in report.files.values():
        assert (folder / name).exists()


def test_confidence_raster_is_one_band_a_type(run):
    _, folder, _ = run
    with rasterio.open(folder / "confidence.tif") as dataset:
        assert dataset.descriptions == ("stitching_trace", "misalignment", "stripe", "missing")
        assert 1 <= dataset.read(4).max() <= 100


def test_report_page_is_self_contained(run):
    _, folder, _ = run
    html = (folder / "report.html").read_text(encoding="utf-8")
    assert "影像 一" in html
    assert "http://" not in html.replace("http://www.w3.org", "")
    assert 'src="data:image' in html


def test_summary_goes_to_stdout_and_nothing_else(run):
    _, folder, done = run
    assert str(folder / "report.html") in done.stdout
    assert "error" not in done.stderr


def only_finding(scene, out, name):
    """Inspect a scene for the type of one rule: the report, and the one finding in it, which costs something."""
    clearscene("inspect", scene, "--out", out, "--types", name, check=0)
    report = report_of(out / scene.stem)
    (finding,) = report.findings
    assert (finding.type, finding.detector) == (name, f"rule:{name}")
    assert report.score.score < 100
    return report, finding


def test_a_seam_is_a_finding_with_a_length(tmp_path):
    data = ground(700, 900, seed=5).astype(np.float32)
    data[:, :, 420:] += np.array([9, 6, 8], np.float32)[:, None, None]
    scene = write_scene(tmp_path / "mosaic.tif", np.clip(data, 0, 255).astype(np.uint8))
    report, seam = only_finding(scene, tmp_path / "out", "stitching_trace")
    assert seam.bounds_px[0] in range(414, 421)
    assert seam.bounds_px[2] in range(420, 427)
    assert 200 < seam.length_px <= 720
    assert seam.area_fraction == 0
    (detector,) = report.detectors
    assert detector.parameters["reduction"] == 1
    assert "seams" in report.timing.stages


def test_a_scene_too_small_for_seams_says_so(tmp_path):
    scene = write_scene(tmp_path / "small.tif", ground(150, 180))
    clearscene("inspect", scene, "--out", tmp_path / "out", check=0)
    types = {t.type: t for t in report_of(tmp_path / "out" / "small").types}
    for name, shortest in (("stitching_trace", "192 px"), ("misalignment", "384 px")):
        assert not types[name].inspected
        assert shortest in types[name].reason.en


def test_a_misaligned_seam_is_a_finding_with_a_length(tmp_path):
    rng = np.random.default_rng(6)
    wide = sum(cv2.GaussianBlur(rng.normal(0, 90, (807, 900, 3)), (0, 0), sigma) * sigma for sigma in (1.2, 3))
    wide = np.clip(np.moveaxis(wide, -1, 0) + 120, 0, 255).astype(np.uint8)
    data = np.concatenate([wide[:, :-7, :500], wide[:, 7:, 500:]], axis=2)  # what lies to the right goes up by 7 px
    scene = write_scene(tmp_path / "mosaic.tif", data)
    _, seam = only_finding(scene, tmp_path / "out", "misalignment")
    assert seam.bounds_px[0] in range(494, 501)
    assert seam.bounds_px[2] in range(500, 507)
    assert 500 < seam.length_px <= 793


def test_a_clean_scene_scores_100_and_says_so(tmp_path):
    scene = write_scene(tmp_path / "clean.tif", ground(300, 411))
    clearscene("inspect", scene, "--out", tmp_path / "out", "--fail-under", 99, check=0)
    report = report_of(tmp_path / "out" / "clean")
    assert (report.findings, report.score.score) == ([], 100)
    assert "No defects found" in (tmp_path / "out" / "clean" / "report.html").read_text()
    assert pyogrio.read_info(tmp_path / "out" / "clean" / "defects.gpkg", layer="defects")["features"] == 0


def test_fail_under_exits_with_1(tmp_path):
    scene = write_scene(tmp_path / "bad.tif", defective().data)
    done = clearscene("inspect", scene, "--out", tmp_path / "out", "--standard", "strict", "--fail-under", 100, check=1)
    assert "score under 100" in done.stderr


def test_batch_goes_on_after_a_bad_scene(tmp_path):
    good = write_scene(tmp_path / "in" / "good.tif", ground(120, 130))
    (tmp_path / "in" / "a-broken.tif").write_bytes(b"II*\0" + bytes(40))
    done = clearscene("inspect", tmp_path / "in", "missing.tif", "--out", tmp_path / "out", check=2)
    assert report_of(tmp_path / "out" / good.stem).score.score == 100
    assert not (tmp_path / "out" / "a-broken").exists()
    assert "a-broken.tif" in done.stderr.replace("\n", "")
    with (tmp_path / "out" / "summary.csv").open(encoding="utf-8-sig") as table:
        rows = list(csv.DictReader(table))
    assert len(rows) == 3
    assert (tmp_path / "out" / "index.html").exists()


def test_one_scene_has_its_own_report_beside_those_of_an_earlier_batch(tmp_path):
    for name in ("a", "b"):
        write_scene(tmp_path / "in" / f"{name}.tif", ground(120, 130))
    out = tmp_path / "out"
    batch = clearscene("inspect", tmp_path / "in", "--out", out, check=0)
    assert f"report: {out / 'index.html'}\n" in batch.stdout
    one = clearscene("inspect", tmp_path / "in" / "a.tif", "--out", out, check=0)
    assert one.stdout.splitlines()[-2:] == [f"report: {out / 'a' / 'report.html'}", f"all scenes: {out / 'index.html'}"]


def test_finished_scenes_are_skipped_until_overwrite(tmp_path):
    scene = write_scene(tmp_path / "a.tif", ground(120, 130))
    out = tmp_path / "out"
    clearscene("inspect", scene, "--out", out, check=0)
    first = (out / "a" / "report.json").stat().st_mtime_ns
    clearscene("inspect", scene, "--out", out, check=0)
    assert (out / "a" / "report.json").stat().st_mtime_ns == first
    clearscene("inspect", scene, "--out", out, "--overwrite", check=0)
    assert (out / "a" / "report.json").stat().st_mtime_ns > first
    assert sorted(p.name for p in out.iterdir()) == ["a"]


def test_other_options_on_a_finished_scene_are_noticed(tmp_path):
    scene = write_scene(tmp_path / "a.tif", defective().data)
    clearscene("inspect", scene, "--out", tmp_path / "out", check=0)
    same = clearscene("inspect", scene, "--out", tmp_path / "out", "--workers", 1, check=0)
    assert "other options" not in same.stderr
    other = clearscene("inspect", scene, "--out", tmp_path / "out", "--types", "missing", check=0)
    assert "other options" in other.stderr
    assert "--overwrite" in other.stderr
    assert report_of(tmp_path / "out" / "a").options == {"standard": "gbt24356"}


def test_a_changed_file_is_noticed(tmp_path):
    scene = write_scene(tmp_path / "a.tif", ground(60, 70))
    clearscene("inspect", scene, "--out", tmp_path / "out", check=0)
    write_scene(scene, defective().data)
    done = clearscene("inspect", scene, "--out", tmp_path / "out", check=0)
    assert "before the file changed" in done.stderr


def test_the_same_scene_by_another_path_is_the_same_result(tmp_path, monkeypatch):
    scene = write_scene(tmp_path / "a.tif", ground(60, 70))
    (tmp_path / "w").mkdir()
    monkeypatch.chdir(tmp_path / "w")
    for path in (scene, "../a.tif", "../w/../a.tif"):
        clearscene("inspect", path, "--out", "out", check=0)
    assert [p.name for p in (tmp_path / "w" / "out").iterdir()] == ["a"]


def test_a_folder_of_the_users_own_is_left_alone(tmp_path):
    scene = write_scene(tmp_path / "a.tif", ground(60, 70))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "notes.txt").write_text("precious")
    clearscene("inspect", scene, "--out", tmp_path, "--overwrite", check=0)
    assert (tmp_path / "a" / "notes.txt").read_text() == "precious"
    assert (tmp_path / "a-2" / "report.json").exists()


def test_units_count_what_has_no_polygon(tmp_path):
    data = ground(200, 400)
    data[:, 10:190:12, 10:390:12] = 0  # points on a lattice, alike everywhere
    scene = write_scene(tmp_path / "salt.tif", data)
    inspector = prepare(InspectOptions(units="grid:100px", max_drawn=40))
    report = inspect_scene(scene, tmp_path / "salt", inspector)
    assert len(report.findings) == 40
    assert sum(u.n_findings for u in report.units) == next(t.count for t in report.types if t.type == "missing")
    assert max(u.score for u in report.units) < 100
    again = rescore(tmp_path / "salt")
    assert [u.score for u in again.units] == [u.score for u in report.units]


def test_types_that_nothing_can_find_are_an_error_not_a_clean_scene(tmp_path):
    scene = write_scene(tmp_path / "a.tif", ground(60, 70))
    done = clearscene("inspect", scene, "--out", tmp_path / "out", "--types", "cloud,blur", check=2)
    assert "blur, cloud" in done.stderr
    assert not (tmp_path / "out").exists()


def test_class_map_has_a_style_with_a_clear_background(run):
    _, folder, _ = run
    entries = ElementTree.parse(folder / "classmap.qml").iter("paletteEntry")
    assert [int(e.get("value")) for e in entries] == list(range(1, 11))


def test_two_scenes_of_one_name(tmp_path):
    one = write_scene(tmp_path / "1" / "x.tif", ground(100, 110))
    two = write_scene(tmp_path / "2" / "x.tif", ground(100, 120))
    clearscene("inspect", one, two, "--out", tmp_path / "out", check=0)
    assert report_of(tmp_path / "out" / "x").scene.width == 110
    assert report_of(tmp_path / "out" / "x-2").scene.width == 120


def test_aoi_and_ignore_limit_what_is_inspected(tmp_path):
    truth = defective()
    scene = write_scene(tmp_path / "s.tif", truth.data)
    upper = shapely.box(*(TRANSFORM * (0, 195)), *(TRANSFORM * (517, 0)))
    block = shapely.box(*(TRANSFORM * (40, 70)), *(TRANSFORM * (95, 30)))
    for name, shape in (("aoi", upper), ("ignore", block)):
        pyogrio.raw.write(
            tmp_path / f"{name}.gpkg", shapely.to_wkb([shape]), [], [], geometry_type="Polygon", crs=UTM.to_wkt()
        )
    clearscene(
        *("inspect", scene, "--out", tmp_path / "out"),
        *("--aoi", tmp_path / "aoi.gpkg", "--ignore", tmp_path / "ignore.gpkg"),
        check=0,
    )
    report = report_of(tmp_path / "out" / "s")
    assert report.pixels.inspected == 195 * 517 - 40 * 55
    with rasterio.open(tmp_path / "out" / "s" / "classmap.tif") as dataset:
        class_map = dataset.read(1)
    assert (class_map[195:] == 255).all()
    assert (class_map[40:60, 50:80] == 255).all()
    assert (class_map[90:110, 300:325] == 10).all()


def test_types_are_left_out(tmp_path):
    scene = write_scene(tmp_path / "s.tif", defective().data)
    clearscene("inspect", scene, "--out", tmp_path / "out", "--types", "stripe", check=0)
    report = report_of(tmp_path / "out" / "s")
    assert {f.type for f in report.findings} == {"stripe"}
    assert {t.type for t in report.types if t.inspected} == {"stripe"}


def test_units_are_scored(tmp_path):
    scene = write_scene(tmp_path / "s.tif", defective().data)
    clearscene("inspect", scene, "--out", tmp_path / "out", "--units", "grid:200px", check=0)
    report = report_of(tmp_path / "out" / "s")
    assert len(report.units) == 6
    assert sum(u.inspected_px for u in report.units) == 389 * 517
    assert all(f.unit for f in report.findings)


def test_a_scale_shows_reflectance_as_metadata_would(tmp_path):
    """The stretch is that of reflectance, the same as by the file's own scale; the report records it."""
    data = ground(120, 130).astype(np.uint16) * 40 + 1000
    plain, told = (write_scene(tmp_path / f"{name}.tif", data) for name in ("plain", "told"))
    with rasterio.open(told, "r+") as dataset:
        dataset.scales, dataset.offsets = [0.0001] * 3, [-0.1] * 3
    clearscene("inspect", told, "--out", tmp_path / "out", check=0)
    clearscene("inspect", plain, "--out", tmp_path / "out", "--scale", 0.0001, "--offset", -0.1, check=0)
    named, known = (report_of(tmp_path / "out" / name) for name in ("plain", "told"))
    assert named.scene.stretch == known.scene.stretch
    assert named.scene.stretch["method"] == "reflectance"
    assert named.options == {"scale": "0.0001", "offset": "-0.1", "standard": "gbt24356"}
    other = clearscene("inspect", plain, "--out", tmp_path / "out", check=0)
    assert "other options" in other.stderr


def test_chinese_report(tmp_path):
    scene = write_scene(tmp_path / "s.tif", defective().data)
    clearscene("inspect", scene, "--out", tmp_path / "out", "--lang", "zh", check=0)
    html = (tmp_path / "out" / "s" / "report.html").read_text(encoding="utf-8")
    assert 'lang="zh' in html
    assert "像素缺失" in html


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--types", "fog"], "fog"),
        (["--standard", "nosuch"], "nosuch"),
        (["--bands", "red=9,green=2,blue=3"], "9"),
        (["--units", "grid:0m"], "grid:0m"),
        (["--aoi", "nowhere.shp"], "nowhere.shp"),
        (["--format", "dwg"], "dwg"),
        (["--workers", "0"], "0"),
        (["--lang", "fr"], "fr"),
        (["--device", "tpu"], "tpu"),
        (["--model", "nowhere"], "nowhere"),
        (["--scale", "-2"], "--scale -2.0"),
        (["--scale", "1", "--offset", "-1000"], "-1000 x 0.0001 is -0.1"),
        (["--offset", "0.5"], "--offset 0.5 goes with a --scale"),
        (["--scale", "0.0001"], "--scale 0.0001 does not make reflectance, 0 to 1, of the values: the brightest"),
        (["--scale", "1"], "half of them are above"),
    ],
)
def test_a_wrong_option_names_its_value(tmp_path, words, said):
    scene = write_scene(tmp_path / "s.tif", ground(60, 70))
    done = clearscene("inspect", scene, "--out", tmp_path / "out", *words, check=2)
    assert said in done.stderr
    assert "error" in done.stderr.lower()
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out" / "s").exists()


def test_interruption_leaves_nothing_half_written(tmp_path):
    scene = write_scene(tmp_path / "big.tif", np.tile(ground(500, 500), (1, 6, 6)))
    process = subprocess.Popen(
        [sys.executable, "-m", "clearscene", "inspect", str(scene), "--out", str(tmp_path / "out")],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background job ignores it
    )
    deadline = time.monotonic() + 60
    while not list((tmp_path / "out").glob(".big.*")) and time.monotonic() < deadline:
        time.sleep(0.02)
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=60)
    assert process.returncode == 130, stderr
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    assert list((tmp_path / "out").iterdir()) == []


def run_limited(scene, out, limit):
    """Inspect with a limit on the size of any file, as a full disk would set it."""
    code = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}));"
        "from clearscene.cli.main import run; run(sys.argv[1:])"
    )
    return subprocess.run(
        [sys.executable, "-c", code, "inspect", str(scene), "--out", str(out)], capture_output=True, text=True
    )


@pytest.mark.parametrize("limit", [1, 20_000, 60_000])
def test_full_disk_is_an_error_and_leaves_nothing(tmp_path, limit):
    scene = write_scene(tmp_path / "s.tif", defective().data)
    done = run_limited(scene, tmp_path / "out", limit)
    assert done.returncode == 2, done.stderr
    assert "error:" in done.stderr
    assert "Traceback" not in done.stderr
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


def test_read_only_folder_is_an_error(tmp_path):
    scene = write_scene(tmp_path / "s.tif", ground(60, 70))
    (tmp_path / "out").write_text("a file where the folder should be")
    done = clearscene("inspect", scene, "--out", tmp_path / "out", check=2)
    assert str(tmp_path / "out") in done.stderr.replace("\n", "")
    assert "Traceback" not in done.stderr
