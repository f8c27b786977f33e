"""`clearscene sky`, typed."""

import json

import numpy as np
import pytest

import clearscene as package
from clearscene.models.zoo import find_model
from clearscene.sky.photo import stored
from clearscene.sky.run import sky_batch
from tests.command import clearscene
from tests.sky_photos import blue_model, indoors, read_gray, scene, write_photo


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return blue_model(tmp_path_factory.mktemp("model") / "blue")


@pytest.fixture
def photos(tmp_path):
    folder = tmp_path / "photos"
    photo, _ = scene()
    write_photo(folder / "one.JPG", photo)
    write_photo(folder / "left" / "two.jpg", stored(photo, 6), orientation=6)
    write_photo(folder / "room.png", indoors())
    (folder / "broken.jpg").write_bytes(b"\xff\xd8 no picture")
    return folder


def masked(photos, model, *more):
    out = photos.parent / "masks"
    return clearscene("sky", photos, "--model", model, "--device", "cpu", "--workers", 1, "-q", "-o", out, *more), out


def record_of(out):
    return json.loads((out / "sky.json").read_text())


def test_a_bad_photo_stops_nothing(photos, model):
    done, out = masked(photos, model)
    assert done.returncode == 2
    (line,) = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert line.count("broken.jpg") == 1
    assert "1 of 4 photos failed" in done.stderr
    assert "no sky" in done.stdout
    _, is_sky = scene()
    one, two, room = (read_gray(out / name) for name in ("one_mask.png", "left/two_mask.png", "room_mask.png"))
    assert ((one == 0) == is_sky).mean() > 0.97
    assert ((two == 0) == stored(is_sky.astype(np.uint8), 6)).mean() > 0.97  # lies as the file lies
    assert (room == 255).all()
    record = record_of(out)
    assert [entry["has_sky"] for entry in record["photos"]] == [True, True, False]
    assert record["photos"][0]["orientation"] == 6
    assert [record["photos"][0][key] for key in ("height", "width")] == [180, 120]
    assert record["photos"][1]["sky_percent"] == pytest.approx(100 * is_sky.mean(), abs=3)
    assert [entry["photo"].rsplit("/", 1)[1] for entry in record["failed"]] == ["broken.jpg"]
    assert not list(out.rglob(".*"))


@pytest.mark.parametrize(
    ("tool", "name"), [("colmap", "one.JPG.png"), ("odm", "one_mask.png"), ("metashape", "one_mask.png")]
)
def test_each_tool_gets_its_names(photos, model, tool, name):
    (photos / "broken.jpg").unlink()
    done, out = masked(photos, model, "--for", tool)
    assert done.returncode == 0
    mask = read_gray(out / name)
    assert ((mask == 0) == scene()[1]).mean() > 0.97
    assert set(np.unique(mask).tolist()) == {0, 255}
    turned = read_gray(out / "left" / name.replace("one", "two").replace("JPG", "jpg"))
    assert turned.shape == (scene()[1].shape if tool == "odm" else scene()[1].shape[::-1])  # OpenSfM turns photos


def test_one_photo_is_not_called_photos(photos, model):
    done, out = masked(photos / "one.JPG", model)
    assert done.returncode == 0
    assert "1 photo, " in done.stderr
    assert f"masks: {out}" in done.stdout


def test_where_all_fails_no_masks_are_named(photos, model):
    done, _ = masked(photos / "broken.jpg", model)
    assert done.returncode == 2
    assert "failed" in done.stdout
    assert "masks:" not in done.stdout


def test_what_is_done_is_skipped(photos, model):
    (photos / "broken.jpg").unlink()
    _, out = masked(photos, model)
    before = (out / "one_mask.png").stat().st_mtime_ns
    done, _ = masked(photos, model)
    assert done.stdout.count("was done") == 3
    assert (out / "one_mask.png").stat().st_mtime_ns == before
    assert masked(photos, model, "--threshold", 200)[0].stdout.count("was done") == 0
    (out / "one_mask.png").unlink()
    assert masked(photos, model, "--threshold", 200)[0].stdout.count("was done") == 2
    assert masked(photos, model, "--threshold", 200, "--overwrite")[0].stdout.count("was done") == 0


def test_masks_that_exist_hide_as_well(photos, model, tmp_path):
    _, is_sky = scene()
    hides = np.full(is_sky.shape, 255, np.uint8)
    hides[-20:, :30] = 0
    write_photo(tmp_path / "old" / "one.JPG.png", np.repeat(hides[..., None], 3, 2))
    write_photo(tmp_path / "old" / "room_mask.png", np.full((7, 33, 3), 255, np.uint8))
    done, out = masked(photos, model, "--merge", tmp_path / "old")
    assert done.returncode == 2  # the mask of room.png has the proportions of another photo
    assert "room_mask.png" in done.stderr
    mask = read_gray(out / "one_mask.png")
    assert (mask[-20:, :30] == 0).all()
    assert ((mask == 0) == (is_sky | (hides == 0))).mean() > 0.97
    entry = next(e for e in record_of(out)["photos"] if e["photo"].endswith("one.JPG"))
    assert entry["merged"].endswith("one.JPG.png")
    assert entry["hidden_percent"] > entry["sky_percent"]


def test_another_merge_and_a_missing_heat_map_are_not_done(photos, model, tmp_path):
    (photos / "broken.jpg").unlink()
    hides = np.full((*scene()[1].shape, 3), 255, np.uint8)
    for folder, rows in (("a", 5), ("b", 50)):
        hides[-rows:] = 0
        write_photo(tmp_path / folder / "one.png", hides)
    for folder in "ab":
        done, out = masked(photos, model, "--merge", tmp_path / folder)
    assert done.stdout.count("was done") == 2  # for one.JPG the merged mask is another
    assert (read_gray(out / "one_mask.png")[-50:] == 0).all()
    hides[-70:] = 0
    write_photo(tmp_path / "b" / "one.png", hides)
    merge = ("--merge", tmp_path / "b")
    assert [masked(photos, model, *merge)[0].stdout.count("was done") for _ in range(2)] == [2, 3]
    assert [masked(photos, model, *merge, "--heatmap")[0].stdout.count("was done") for _ in range(2)] == [0, 3]
    assert (out / "one_sky.jpg").is_file()


def test_masks_of_others_are_not_replaced(photos, model):
    (photos / "broken.jpg").unlink()
    hides = np.full((*scene()[1].shape, 3), 255, np.uint8)
    hides[-9:] = 0
    theirs = write_photo(photos.parent / "masks" / "one_mask.png", hides)
    before = theirs.read_bytes()
    done, out = masked(photos, model)
    assert done.returncode == 2
    assert str(theirs) in done.stderr.replace("\n", "")
    assert "--merge" in done.stderr
    assert theirs.read_bytes() == before
    assert (out / "room_mask.png").is_file()
    assert masked(photos, model, "--merge", out)[0].returncode == 0
    merged = read_gray(theirs)
    assert (merged[-9:] == 0).all()
    assert ((merged[:-9] == 0) == scene()[1][:-9]).mean() > 0.97
    assert masked(photos, model, "--merge", out, "--invert")[0].returncode == 2  # it would be read the wrong way round
    write_photo(out / "room_sky.jpg", hides)
    assert "place of the heat map" in masked(photos, model, "--heatmap")[0].stderr
    assert masked(photos, model, "--heatmap", "--overwrite")[0].returncode == 0


def test_a_photo_beside_its_mask_is_no_mask(photos, model):
    beside = ("--model", model, "--device", "cpu", "--workers", 1, "-q", "--for", "odm")
    clearscene("sky", photos / "room.png", *beside, "-o", photos, "--merge", photos, check=0)
    assert record_of(photos)["photos"][0]["merged"] is None
    assert (read_gray(photos / "room_mask.png") == 255).all()


def batch(photos, model, out, **more):
    options = package.SkyOptions(model=str(model), device="cpu", workers=1)
    return sky_batch(dict.fromkeys(photos), out, options=options, **more)


@pytest.mark.parametrize("share", [0, 0.05])
def test_an_interrupted_batch_is_known_to_the_next(photos, model, tmp_path, monkeypatch, share):
    monkeypatch.setattr("clearscene.sky.run.SAVING_SHARE", share)
    one, room = photos / "one.JPG", photos / "room.png"

    def interrupt(photo, stage, _):
        if (photo, stage) == (str(room), "look"):
            assert (tmp_path / "out" / "sky.json").is_file() == (share > 0)  # between photos too
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        batch([one, room], model, tmp_path / "out", progress=interrupt)
    assert [entry["photo"] for entry in record_of(tmp_path / "out")["photos"]] == [str(one)]
    assert batch([one, room], model, tmp_path / "out").skipped == {str(one)}


def test_the_record_keeps_what_other_calls_made(photos, model, tmp_path):
    one, room = photos / "one.JPG", photos / "room.png"
    batch([one], model, tmp_path)
    other = package.SkyOptions(model=str(model), device="cpu", workers=1, threshold=200)
    made = sky_batch({room: None}, tmp_path, options=other)
    assert [entry.photo for entry in made.done] == [str(room)]
    entries = {entry["photo"]: entry for entry in record_of(tmp_path)["photos"]}
    assert entries[str(room)]["made_with"] is None
    assert entries[str(one)]["made_with"]["threshold"] == 128
    assert batch([one, room], model, tmp_path).skipped == {str(one)}  # each by its own options
    (tmp_path / "one_mask.png").unlink()
    assert [entry.photo for entry in batch([room], model, tmp_path).record.photos] == [str(room)]


def test_polarity_heat_map_and_json(photos, model):
    (photos / "broken.jpg").unlink()
    done, out = masked(photos, model, "--invert", "--heatmap", "--json", "--no-refine", "--no-mirror")
    assert json.loads(done.stdout) == record_of(out)
    assert ((read_gray(out / "one_mask.png") == 255) == scene()[1]).mean() > 0.9
    assert read_gray(out / "one_sky.jpg").shape == (120, 180, 3)
    assert "s/Mpx" in done.stderr


def test_without_the_check_specks_are_masked(tmp_path, model):
    room = indoors()
    room[10:12, 20:23] = 0, 0, 255
    write_photo(tmp_path / "room.png", room)
    common = ("--model", model, "-q", "--device", "cpu", "--no-refine", "--overwrite", "-o", tmp_path / "out")
    clearscene("sky", tmp_path / "room.png", *common, "--no-sky-check", check=0)
    assert (read_gray(tmp_path / "out" / "room_mask.png") == 0).any()
    done = clearscene("sky", tmp_path / "room.png", *common, check=0)
    assert (read_gray(tmp_path / "out" / "room_mask.png") == 255).all()
    assert "too small or too uncertain" in done.stderr


def test_two_photos_with_one_mask_are_told(tmp_path, model):
    for name in ("a.jpg", "a.png"):
        write_photo(tmp_path / "p" / name, scene()[0])
    done = clearscene("sky", tmp_path / "p", "--model", model, "-q", "--device", "cpu", "-o", tmp_path / "out")
    assert done.returncode == 2
    assert "would be that of" in done.stderr
    out = tmp_path / "colmap"
    clearscene("sky", tmp_path / "p", "--model", model, "-q", "--device", "cpu", "-o", out, "--for", "colmap", check=0)
    heat = (tmp_path / "p", "--model", model, "-q", "--device", "cpu", "-o", out, "--for", "colmap", "--heatmap")
    assert "its heat map a_sky.jpg would be that of" in clearscene("sky", *heat).stderr.replace("\n", "")


def test_wrong_words_are_explained(tmp_path, model):
    for words, text in (
        ((tmp_path / "none*.jpg",), "matches no photo"),
        ((tmp_path, "--for", "maya"), "is not known"),
        ((tmp_path, "--threshold", 300), "not from 1 to 255"),
        ((tmp_path, "--merge", tmp_path / "x"), "not a folder"),
    ):
        done = clearscene("sky", *words, "-q")
        assert done.returncode == 2
        assert text in done.stderr


def test_the_package_has_the_call(model):
    options = package.SkyOptions(model=str(model), device="cpu", workers=1)
    photo, is_sky = scene()
    for _ in range(2):  # first the function, then the package of that name
        result = package.sky(photo, options=options)
        assert isinstance(result, package.SkyResult)
        assert ((result.mask == 0) == is_sky).mean() > 0.97


@pytest.mark.usefixtures("shipped_model")
def test_the_shipped_model_is_small_and_finds_a_drawn_sky(tmp_path):
    info = find_model("sky")
    assert (info.folder / "model.onnx").stat().st_size <= 5_000_000
    assert info.manifest.task == "sky"
    assert {"model.onnx", "model.toml", "card.md", "mlm.json"} <= {path.name for path in info.folder.iterdir()}
    rows, cols = np.mgrid[:240, :320]
    is_sky = rows < 120 + 25 * np.sin(cols / 40)
    ground = 60 + 40 * np.random.default_rng(3).random((240, 320, 1)) * np.array([0.7, 1.0, 0.5])
    photo = np.where(is_sky[..., None], np.array([150, 190, 235]) - 0.2 * rows[..., None], ground).astype(np.uint8)
    write_photo(tmp_path / "hills.jpg", photo)
    clearscene("sky", tmp_path / "hills.jpg", "-q", "--device", "cpu", "-o", tmp_path / "out", check=0)
    assert ((read_gray(tmp_path / "out" / "hills_mask.png") == 0) == is_sky).mean() > 0.9
