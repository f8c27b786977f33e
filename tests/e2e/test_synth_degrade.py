"""Defects in a copy of a scene: the files reopened, and the truth checked against the scene it was made from."""

import json
import warnings

import numpy as np
import pyogrio
import pytest
import rasterio
import rasterio.features
import shapely

from clearscene.errors import BandError, OptionError, OutputError, SceneError
from clearscene.inspection.taxonomy import BY_NAME, TYPES
from clearscene.raster.gdal import no_place_needed
from clearscene.synth.degrade_scene import degrade_scene
from clearscene.synth.kinds import BY_KIND
from clearscene.synth.matching import found_against_placed
from clearscene.synth.truth import read_truth
from tests.command import clearscene
from tests.scenes import TRANSFORM, UTM, ground

HEIGHT, WIDTH = 640, 830
ALL = frozenset(t.name for t in TYPES)
QUICK = frozenset({"missing", "stripe"})


def write_scene(path, data, *, nodata=None, mask=None, **more):
    profile = {"driver": "GTiff", "height": data.shape[1], "width": data.shape[2], "count": len(data)}
    profile |= {"dtype": data.dtype, "crs": UTM, "transform": TRANSFORM, "nodata": nodata} | more
    with rasterio.Env(GDAL_TIFF_INTERNAL_MASK=True), rasterio.open(path, "w", **profile) as raster:
        raster.write(data)
        for band in range(1, len(data) + 1):
            raster.set_band_description(band, ("blue", "green", "red", "nir")[band - 1])
        if mask is not None:
            raster.write_mask(mask)
    return path


def streets(height, width, n_bands=3):
    """Ground with streets and roofs: straight lines in which warps and breaks are seen."""
    data = ground(height, width, seed=2, n_bands=n_bands).astype(np.float64)
    row, col = np.mgrid[0:height, 0:width]
    line = (np.abs((row * 0.3 + col) % 47 - 20) < 4) | (np.abs((row - col * 0.25) % 53 - 20) < 3)
    data[:, line] += 55
    roof = ((row // 14) % 3 == 1) & ((col // 17) % 3 == 1)
    data[:, roof] -= np.array([40, 60, 70, 30])[:n_bands, None]
    return np.clip(np.rint(data), 5, 245).astype(np.uint8)


def read(path):
    with rasterio.open(path) as raster:
        return raster.read()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("degrade 场景")
    data = streets(HEIGHT, WIDTH)
    data[:, :120, :90] = 0
    write_scene(folder / "scene.tif", data, nodata=0)
    steps = []
    degrade_scene(
        folder / "scene.tif", folder / "bad.tif", seed=8, types=ALL, density=2.0, progress=lambda *a: steps.append(a)
    )
    assert [done for done, _ in steps] == list(range(1, steps[-1][1] + 1))
    return folder


def test_the_copy_is_the_scene_with_all_that_belongs_to_it(folder):
    with rasterio.open(folder / "scene.tif") as scene, rasterio.open(folder / "bad.tif") as copy:
        for name in ("height", "width", "count", "dtypes", "crs", "transform", "nodatavals", "descriptions"):
            assert getattr(scene, name) == getattr(copy, name), name
        assert np.array_equal(scene.dataset_mask(), copy.dataset_mask())
        assert copy.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
    names = [f"bad{end}" for end in (".tif", "_truth.gpkg", "_truth.json", "_truth.tif")]
    assert sorted(p.name for p in folder.iterdir()) == sorted([*names, "scene.tif"])


def test_outside_the_truth_only_the_ground_at_a_seam_and_faint_rims_change(folder):
    scene, copy, truth = read(folder / "scene.tif"), read(folder / "bad.tif"), read(folder / "bad_truth.tif")[0]
    changed = (scene != copy).any(axis=0)
    placements = read_truth(folder / "bad.tif").placements
    near_seam, near_rim = np.zeros_like(changed), np.zeros_like(changed)
    for p in placements:
        near = near_seam if p.type in ("stitching_trace", "misalignment") else near_rim
        near[p.row : p.row + p.height, p.col : p.col + p.width] |= p.type not in ("missing", "stripe")
    outside = changed & (truth == 0)
    assert not (outside & ~near_seam & ~near_rim).any()
    rim = np.abs(scene.astype(int) - copy)[:, outside & ~near_seam]
    assert rim.size == 0 or np.quantile(rim, 0.9) < 40
    assert not changed[:120, :90].any()
    assert (truth[:120, :90] == 255).all()
    assert (truth == 255).sum() == 120 * 90
    for p in placements:
        inside = truth[p.row : p.row + p.height, p.col : p.col + p.width] == p.type_id
        # A step may change one side of its seam alone.
        least = 0.3 if p.type in ("stitching_trace", "misalignment") else 0.6
        assert changed[p.row : p.row + p.height, p.col : p.col + p.width][inside].mean() > least, p


def test_polygons_and_record_tell_the_same(folder):
    truth = read(folder / "bad_truth.tif")[0]
    document = json.loads((folder / "bad_truth.json").read_text(encoding="utf-8"))
    assert (document["seed"], document["density"], document["source"]) == (8, 2.0, "scene.tif")
    assert [entry["id"] for entry in document["defects"]] == list(range(1, len(document["defects"]) + 1))
    for entry in document["defects"]:
        part = truth[entry["row"] : entry["row"] + entry["height"], entry["col"] : entry["col"] + entry["width"]]
        assert (part == entry["type_id"]).sum() == entry["area_px"] > 0
    _, _, wkb, (type_ids,) = pyogrio.raw.read(folder / "bad_truth.gpkg", layer="truth", columns=["type_id"])
    with rasterio.open(folder / "bad_truth.tif") as raster:
        shapes = zip(shapely.from_wkb(wkb), type_ids, strict=True)
        drawn = rasterio.features.rasterize(shapes, truth.shape, transform=raster.transform, dtype=np.uint8)
    assert np.array_equal(drawn, np.where(truth == 255, 0, truth))
    for match in found_against_placed(folder / "bad_truth.tif", read_truth(folder / "bad.tif")):
        assert (match.missed, match.false, match.iou) == (0, 0, 1.0)


def test_most_types_show_and_the_rest_is_told(folder):
    truth = read_truth(folder / "bad.tif")
    document = json.loads(truth.record.read_text(encoding="utf-8"))
    untold = ALL - truth.counts().keys()
    assert len(untold) <= 4
    lacking = {**document["found_no_room"], **document["did_not_show"]}
    assert untold <= {BY_KIND[name].type for name in lacking}
    assert set(truth.counts()) <= set(BY_NAME)


def test_the_same_seed_gives_the_same_scene_and_another_one_does_not(folder, tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        degrade_scene(folder / "scene.tif", tmp_path / f"{name}.tif", seed=seed, types=QUICK)
    a, b, c = (read(tmp_path / f"{name}.tif") for name in "abc")
    assert np.array_equal(a, b)
    assert not np.array_equal(a, c)


def test_lost_pixels_are_no_nodata(folder, tmp_path):
    truth = degrade_scene(folder / "scene.tif", tmp_path / "lost.tif", seed=3, types=frozenset({"missing"}))
    lost = read(truth.class_map)[0] == 10
    copy = read(truth.scene)
    assert lost.any()
    assert not (copy[:, lost] == 0).all(axis=0).any()
    whole = (copy[:, lost] == 255).all(axis=0)
    assert whole.mean() > 0.4  # the others lost one band


def test_sixteen_bits_are_degraded_in_the_range_that_is_shown(tmp_path):
    data = streets(400, 530, n_bands=4).astype(np.uint16) * 9 + 310
    write_scene(tmp_path / "wide.tif", data, interleave="band")
    truth = degrade_scene(
        tmp_path / "wide.tif", tmp_path / "bad.tif", seed=5, types=frozenset({"stripe", "missing", "shadow"})
    )
    copy, classes = read(truth.scene), read(truth.class_map)[0]
    assert copy.dtype == np.uint16
    lost = copy[:, classes == 10]
    assert np.isin(lost[(lost == 0) | (lost == 65535)], (0, 65535)).all()
    assert ((lost == 0) | (lost == 65535)).any(axis=0).all()
    stripe = classes == 9
    step = np.abs(copy[:, stripe].astype(int) - data[:, stripe]).max(axis=0)
    assert 20 < np.median(step) < 1200  # levels of what is shown, not of 65,535
    others = degrade_scene(tmp_path / "wide.tif", tmp_path / "lines.tif", seed=5, types=QUICK)
    untouched = read(others.class_map)[0] == 0
    assert np.array_equal(read(others.scene)[:, untouched], data[:, untouched])


@pytest.mark.parametrize("n_bands", [1, 3])
def test_floats_and_masks_stay(tmp_path, n_bands):
    data = (streets(300, 410)[:n_bands] / 400.0).astype(np.float32)
    data[:, 200:, :60] = np.nan
    mask = np.full((300, 410), 255, np.uint8)
    mask[:50, 300:] = 0
    write_scene(tmp_path / "float.tif", data, mask=mask)
    truth = degrade_scene(
        tmp_path / "float.tif", tmp_path / "bad.tif", seed=2, types=frozenset({"stripe", "missing", "cloud"})
    )
    copy, classes = read(truth.scene), read(truth.class_map)[0]
    gone = np.isnan(data[0]) | (mask == 0)
    assert np.array_equal(classes == 255, gone)
    assert np.array_equal(copy[:, gone], data[:, gone], equal_nan=True)
    assert np.isfinite(copy[:, ~gone]).all()
    with rasterio.open(truth.scene) as raster:
        assert np.array_equal(raster.dataset_mask() > 0, mask > 0)
    assert (copy[:, classes == 10] == 0).any(axis=0).all()


def test_a_scene_without_georeference(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", rasterio.errors.NotGeoreferencedWarning)
        profile = {"driver": "PNG", "height": 300, "width": 410, "count": 3, "dtype": "uint8"}
        with rasterio.open(tmp_path / "plain.png", "w", **profile) as raster:
            raster.write(streets(300, 410))
    truth = degrade_scene(tmp_path / "plain.png", tmp_path / "new folder" / "bad.tif", seed=2, types=QUICK)
    assert truth.counts()
    with no_place_needed():
        assert read(truth.scene).shape == (3, 300, 410)


def test_what_cannot_work_is_told(tmp_path, folder):
    small = write_scene(tmp_path / "small.tif", streets(100, 300))
    empty = write_scene(tmp_path / "empty.tif", np.zeros((3, 200, 300), np.uint8), nodata=0)
    scene = folder / "scene.tif"
    for path, out, types, error, words in (
        (small, "out.tif", QUICK, SceneError, "300 x 100"),
        (empty, "out.tif", QUICK, SceneError, "no valid pixels"),
        (tmp_path / "nowhere.tif", "out.tif", QUICK, SceneError, "nowhere"),
        (scene, "out.png", QUICK, OptionError, "png"),
        (small, "small.tif", QUICK, OptionError, "over the scene"),
        (scene, "out.tif", frozenset({"cirrus"}), OptionError, "cirrus"),
        (scene, "small.tif/out.tif", QUICK, OutputError, "exists"),
    ):
        with pytest.raises(error, match=words):
            degrade_scene(path, tmp_path / out, seed=1, types=types)
    unnamed = tmp_path / "unnamed.tif"
    with rasterio.open(
        unnamed, "w", driver="GTiff", height=200, width=300, count=4, dtype="uint16", transform=TRANSFORM
    ) as raster:
        raster.write(streets(200, 300, n_bands=4))
    with pytest.raises(BandError, match="unnamed"):
        degrade_scene(unnamed, tmp_path / "out.tif", seed=1, types=QUICK)
    indexed = tmp_path / "indexed.tif"
    with rasterio.open(
        indexed,
        "w",
        driver="GTiff",
        height=200,
        width=300,
        count=1,
        dtype="uint8",
        photometric="palette",
        crs=UTM,
        transform=TRANSFORM,
    ) as raster:
        raster.write(streets(200, 300)[:1])
        raster.write_colormap(1, {value: (value, 255 - value, 7, 255) for value in range(256)})
    with pytest.raises(SceneError, match="palette"):
        degrade_scene(indexed, tmp_path / "out.tif", seed=1, types=QUICK)
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "empty.tif",
        "indexed.tif",
        "small.tif",
        "unnamed.tif",
    ]


def test_types_that_were_asked_for_and_are_not_there_are_told(tmp_path):
    flat = np.full((3, 400, 500), 90, np.uint8) + np.arange(3, dtype=np.uint8)[:, None, None]
    scene = write_scene(tmp_path / "flat.tif", flat)
    words = ("synth", "degrade", scene, "--out", tmp_path / "bad.tif", "--types", "blur,missing,distortion")
    stderr = clearscene(*words, check=0).stderr
    assert "missing" in stderr.splitlines()[0]
    for name in ("blur", "distortion"):
        assert f"{name}: not placed, does not show on this ground (1 tried); another --seed" in stderr
    assert "missing: not placed" not in stderr
    assert "not placed" not in clearscene(*words, "--quiet", check=0).stderr


def test_an_interrupted_run_leaves_nothing_and_the_older_file(folder, tmp_path):
    def stop(done, total):
        if done == 3:
            raise KeyboardInterrupt

    (tmp_path / "out.tif").write_text("older")
    with pytest.raises(KeyboardInterrupt):
        degrade_scene(folder / "scene.tif", tmp_path / "out.tif", seed=1, types=QUICK, progress=stop)
    assert [p.name for p in tmp_path.iterdir()] == ["out.tif"]
    assert (tmp_path / "out.tif").read_text() == "older"
