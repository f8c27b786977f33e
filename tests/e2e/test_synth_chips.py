"""`clearscene synth chips` and `sheet`: real files in, chips out."""

import json
import shutil

import cv2
import numpy as np
import pytest
import rasterio
from affine import Affine

from clearscene.inspection.taxonomy import BY_ID, BY_NAME, NODATA
from clearscene.synth.chip_set import CHIPS, ChipSet
from clearscene.synth.chips import ChipMaker
from clearscene.synth.recipe import ChipsRecipe, SourceSpec, load_recipe
from tests.command import clearscene
from tests.town import town

N = 24


def write_image(path, data):
    meta = {"driver": "GTiff", "height": data.shape[1], "width": data.shape[2], "count": len(data), "dtype": data.dtype}
    with rasterio.open(
        path, "w", crs="EPSG:4547", transform=Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000), **meta
    ) as raster:
        raster.write(data)
        raster.colorinterp = [rasterio.enums.ColorInterp[c] for c in ("red", "green", "blue", "undefined")[: len(data)]]
        for band, name in enumerate(("red", "green", "blue", "nir")[: len(data)], start=1):
            raster.set_band_description(band, name)


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """12 images of 8 bits, 3 of 16 bits with labels of clouds."""
    folder = tmp_path_factory.mktemp("orthos")
    (folder / "rgb").mkdir()
    for k in range(12):
        data = town(170 + 9 * k, 190 + 5 * k, seed=k)
        write_image(folder / "rgb" / f"field{k:02}.tif", np.rint(data * 255).astype(np.uint8))
    (folder / "wide").mkdir()
    (folder / "labels").mkdir()
    for k in range(3):
        data, labels = town(180, 150, bands=4, seed=50 + k) * 0.2, np.zeros((180, 150), np.uint8)
        labels[30:100, 20 + 10 * k : 90] = 1
        labels[110:150, 20:90] = 2
        labels[:10] = 255
        data[:, labels == 1] = data[:, labels == 1] * 0.1 + 0.6
        write_image(folder / "wide" / f"s2_{k}.tif", np.rint(data * 10_000).astype(np.uint16))
        cv2.imwrite(str(folder / "labels" / f"s2_{k}.png"), labels)
    return folder


@pytest.fixture(scope="module")
def recipe(images):
    text = f"""
n = {N}
size = 128
seed = 4
clean = 0.25
[[sources]]
folder = "rgb"
[[sources]]
folder = "wide"
labels = "labels"
"""
    (images / "recipe.toml").write_text(text, encoding="utf-8")
    return images / "recipe.toml"


@pytest.fixture(scope="module")
def dataset(recipe, tmp_path_factory):
    out = tmp_path_factory.mktemp("sets") / "chips"
    done = clearscene("synth", "chips", "--recipe", recipe, "--out", out, check=0)
    assert f"{N} chips made" in done.stderr
    return out


def test_every_chip_is_there_and_says_what_it_shows(dataset):
    chips = ChipSet.open(dataset)
    assert len(chips) == N
    for record in chips.records():
        image, mask = chips.image(record), chips.mask(record)
        assert image.shape == (3, 128, 128)
        assert mask.shape == (128, 128)
        shown = {BY_ID[int(i)].name for i in np.unique(mask) if int(i) in BY_ID}
        big = {name for name in shown if (mask == BY_NAME[name].id).mean() > 0.001}
        assert big <= set(record.labels)
        assert ("flawless" in record.text_en) == (not record.labels)
        assert ("完全合格" in record.text_zh) == (not record.labels)


def test_scenes_are_in_one_split_and_real_labels_are_kept(dataset):
    chips = ChipSet.open(dataset)
    splits: dict[str, set[str]] = {}
    for record in chips.records():
        splits.setdefault(record.source, set()).add(record.split)
    assert all(len(names) == 1 for names in splits.values())
    real = [r for r in chips.records() if r.parameters.get("labels") == "real image"]
    assert real
    assert any("cloud" in r.labels for r in real)
    assert any((chips.mask(r) == NODATA).any() for r in real)


def test_interrupted_and_gone_on_with_is_the_same_set(dataset, recipe, tmp_path):
    whole = ChipSet.open(dataset)
    shutil.copytree(dataset, tmp_path / "half")
    lines = (dataset / CHIPS).read_text(encoding="utf-8").splitlines(keepends=True)
    (tmp_path / "half" / CHIPS).write_text("".join(lines[:9]) + lines[9][:40], encoding="utf-8")
    for line in lines[9:]:
        (tmp_path / "half" / json.loads(line)["image"]).unlink()
    clearscene("synth", "chips", "--recipe", recipe, "--out", tmp_path / "half", "--quiet", check=0)
    again = ChipSet.open(tmp_path / "half")
    assert again.digest() == whole.digest()
    for record in whole.records():
        assert np.array_equal(again.image(record), whole.image(record))
        assert np.array_equal(again.mask(record), whole.mask(record))


@pytest.mark.parametrize("more", [(), ("--overwrite",)])
def test_ctrl_c_says_how_to_go_on(images, tmp_path, monkeypatch, more):
    def interrupted(maker, writer, **_):
        chip = maker.make(0)
        writer.add(chip.record, chip.image, chip.mask)
        raise KeyboardInterrupt

    words = ("synth", "chips", "--source", images / "rgb", "-n", 2, "--size", 64, "--out", tmp_path / "c", *more)
    with monkeypatch.context() as patch:
        patch.setattr("clearscene.cli.synth.make_chips", interrupted)
        stderr = clearscene(*words, check=130).stderr
    how = "the same command without --overwrite goes on" if more else "the same command goes on"
    assert f"interrupted: what is written stays in {tmp_path / 'c'}; {how}" in stderr
    assert "1 chips made" in clearscene(*words[: len(words) - len(more)], check=0).stderr


def test_a_size_that_does_not_fit_is_told_as_the_help_tells_it(images, tmp_path):
    stderr = clearscene(
        "synth", "chips", "--source", images / "rgb", "--size", 65, "-o", tmp_path / "c", check=2
    ).stderr
    assert "size: must be a multiple of 32 (found 65)" in stderr


def test_another_recipe_is_not_mixed_in(dataset, recipe):
    done = clearscene("synth", "chips", "--recipe", recipe, "--seed", 5, "--out", dataset, check=2)
    assert "chips of another recipe" in done.stderr


def test_what_cannot_be_made_anew_stays(dataset, recipe, tmp_path):
    (tmp_path / "typo.toml").write_text(
        f'[generators]\n"cloud.hase" = 0\n[[sources]]\nfolder = "{(recipe.parent / "rgb").as_posix()}"\n',
        encoding="utf-8",
    )
    done = clearscene("synth", "chips", "--recipe", tmp_path / "typo.toml", "--overwrite", "--out", dataset, check=2)
    assert "cloud.hase" in done.stderr
    assert len(ChipSet.open(dataset)) == N


def test_any_single_chip_can_be_made_alone(dataset, recipe):
    chips = ChipSet.open(dataset)
    record = chips.records()[13]
    chip = ChipMaker(load_recipe(recipe)).make(13)
    assert chip.record.labels == record.labels
    assert np.array_equal(chip.image, chips.image(record))


def test_options_alone_are_enough(images, tmp_path):
    clearscene(
        "synth", "chips", "--source", images / "rgb", "-n", 2, "--size", 96, "--out", tmp_path / "c", "-q", check=0
    )
    chips = ChipSet.open(tmp_path / "c")
    assert [chips.image(r).shape for r in chips.records()] == [(3, 96, 96)] * 2


def test_a_split_without_scenes_is_said(images, tmp_path):
    (tmp_path / "one").mkdir()
    shutil.copy(images / "rgb" / "field03.tif", tmp_path / "one")
    words = ("--source", tmp_path / "one", "-n", 1, "--size", 64, "--out", tmp_path / "c", "-q")
    stderr = clearscene("synth", "chips", *words, check=0).stderr
    assert stderr.count("warning: none of the 1 images is of a scene for") == 2
    assert "hint: name more scenes, or a source with split = " in stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "No images are named"),
        (["--source", "none"], "is not a folder"),
        (["--recipe", "none.toml"], "cannot be read"),
    ],
)
def test_what_cannot_be_made_says_why(words, message, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert message in clearscene("synth", "chips", *words, "--out", tmp_path / "c", check=2).stderr


def test_broken_and_foreign_sources_are_named(images, tmp_path):
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.tif").write_bytes(b"no image")
    done = clearscene("synth", "chips", "--source", tmp_path / "bad", "--out", tmp_path / "c", "-n", 3, check=2)
    assert "a.tif cannot be read as ground" in done.stderr
    write_image(tmp_path / "bad" / "a.tif", town(80, 90).astype(np.float32))
    done = clearscene("synth", "chips", "--source", tmp_path / "bad", "--out", tmp_path / "d", "-n", 3, check=2)
    assert "float32 values" in done.stderr


def test_a_set_without_clean_ground(images, tmp_path):
    recipe = ChipsRecipe(sources=(SourceSpec(folder=images / "wide", labels=images / "labels"),))
    with pytest.raises(ValueError, match="No source holds clean ground"):
        ChipMaker(recipe)


def test_sheet_shows_a_row_a_generator(images, tmp_path):
    clearscene(
        "synth",
        "sheet",
        "--source",
        images / "rgb",
        "--types",
        "blur,missing",
        "--size",
        64,
        "--out",
        tmp_path / "s.png",
        check=0,
    )
    sheet = cv2.imread(str(tmp_path / "s.png"))
    assert sheet.shape[1] == 5 * 70 + 6
    above = sheet.shape[0] % (64 + 32)
    assert above == 2 * 26  # the colors of two types, and the severities
    blur, missing = ([int(BY_NAME[name].color[i : i + 2], 16) for i in (5, 3, 1)] for name in ("blur", "missing"))
    for color in (blur, missing):
        assert (sheet[:26] == color).all(axis=2).sum() >= 14 * 14
    for column in range(5):
        assert (sheet[26:52, 6 + 70 * column : 76 + 70 * column] < 128).any()
    assert len(np.unique(sheet)) > 100
    odd = ("--size", 100, "--types", "lookalike", "--out", tmp_path / "odd.png")  # no multiple of 32
    clearscene("synth", "sheet", "--source", images / "rgb", *odd, check=0)
    assert (
        "is no picture" in clearscene("synth", "sheet", "--source", images, "--out", tmp_path / "s.txt", check=2).stderr
    )


def test_degrade_from_the_command_line(images, tmp_path):
    scene = images / "rgb" / "field11.tif"
    out = tmp_path / "bad.tif"
    clearscene("synth", "degrade", scene, "--out", out, "--types", "missing,overflow", "--seed", 3, "--quiet", check=0)
    with (
        rasterio.open(scene) as before,
        rasterio.open(out) as after,
        rasterio.open(tmp_path / "bad_truth.tif") as truth,
    ):
        changed = (before.read() != after.read()).any(axis=0)
        classes = truth.read(1)
        assert (after.transform, after.crs, after.dtypes) == (before.transform, before.crs, before.dtypes)
    assert changed.any()
    assert not (changed & (classes == 0)).any()
    assert set(np.unique(classes)) <= {0, 5, 10}
    assert "error:" in clearscene("synth", "degrade", scene, "--out", scene, "-q", check=2).stderr
