"""Images as ground: the range of their values, their collars, their names, and their digests."""

import json
import os

import numpy as np
import pytest
import rasterio
from affine import Affine

from clearscene.errors import DatasetError
from clearscene.synth import source_digests
from clearscene.synth.chip_making import _is_same, empty_splits, make_chips, open_set
from clearscene.synth.chips import ChipMaker
from clearscene.synth.looks import draw_look
from clearscene.synth.recipe import ChipsRecipe, SourceSpec, checked_recipe
from clearscene.synth.source_digests import digest_of
from clearscene.synth.sources import find_sources, read_ground

WHITE = 0.3558


def write(path, data, *, tags=None, scale=None, nbits=None):
    path.parent.mkdir(exist_ok=True, parents=True)
    kind = {"photometric": "RGB"} if len(data) == 3 else {}
    if nbits:
        kind["nbits"] = nbits
    meta = {"height": data.shape[1], "width": data.shape[2], "count": len(data), "dtype": data.dtype, **kind}
    transform = Affine(0.5, 0, 500_000, 0, -0.5, 3_400_000)
    with rasterio.open(path, "w", "GTiff", transform=transform, crs="EPSG:4547", **meta) as raster:
        raster.write(data)
        if scale:
            raster.scales, raster.offsets = (scale[0],) * len(data), (scale[1],) * len(data)
        raster.update_tags(**(tags or {}))
    return path


def noise(low, high, *, bands=3, height=80, width=96, dtype=np.uint16, seed=1):
    return np.random.default_rng(seed).integers(low, high, (bands, height, width)).astype(dtype)


def ground(folder, size=64, **source):
    recipe = ChipsRecipe(sources=(SourceSpec(folder=folder, **source),), size=64)
    (found,) = find_sources(recipe)
    return read_ground(found, size=size, rng=np.random.default_rng(3))


@pytest.mark.parametrize(
    ("options", "source", "expected", "is_reflectance"),
    [
        ({}, {}, 3000 / 3558, True),  # nothing is said: reflectance x 10,000
        ({"scale": (2e-5, -0.1)}, {}, (3000 * 2e-5 - 0.1) / WHITE, True),  # the metadata say it
        ({"scale": (2e-5, -0.1)}, {"scale": 5e-5, "offset": 0.01}, (3000 * 5e-5 + 0.01) / WHITE, True),
        ({"nbits": 12}, {}, 3000 / 4095, False),  # the file counts 12 bits
        ({"nbits": 12}, {"scale": 1e-4}, 3000 / 3558, True),
        ({}, {"white": 6000.0}, 0.5, False),
    ],
)
def test_sixteen_bits_are_read_as_the_recipe_or_the_file_says(tmp_path, options, source, expected, is_reflectance):
    write(tmp_path / "a" / "x.tif", np.full((3, 80, 96), 3000, np.uint16), **options)
    read = ground(tmp_path / "a", **source)
    assert read.data.mean() == pytest.approx(expected, rel=1e-5)
    assert read.is_reflectance is is_reflectance


def test_what_cannot_be_reflectance_is_refused_until_something_is_said(tmp_path):
    data = noise(9_000, 52_000)
    write(tmp_path / "a" / "ortho.tif", data)
    with pytest.raises(DatasetError, match=r"half of the values are above 30\d\d\d"):
        ground(tmp_path / "a")
    read = ground(tmp_path / "a", white=65_535.0)
    assert read.data.mean() == pytest.approx(data.mean() / 65_535, rel=0.02)
    write(tmp_path / "b" / "snow.tif", noise(7_000, 15_000))  # bright, and possible
    assert ground(tmp_path / "b").is_reflectance


def test_white_and_scale_exclude_each_other(tmp_path):
    with pytest.raises(ValueError, match="cannot both hold"):
        checked_recipe({"sources": [{"folder": "a", "white": 1000, "scale": 1e-4}]}, "here")


@pytest.mark.parametrize(("level", "kept"), [(0, 1 << 30), (255, 1 << 30), (0, 0)])
def test_a_collar_that_nobody_declared_is_not_valid(tmp_path, monkeypatch, level, kept):
    monkeypatch.setattr("clearscene.synth.sources.KEPT", kept)
    data = noise(60, 200, height=256, width=320, dtype=np.uint8)
    data[:, :, :90] = level
    write(tmp_path / "a" / "x.tif", data)
    read = ground(tmp_path / "a", size=320)
    assert not read.valid[:256, :90].any()
    assert read.valid[:256, 90:].all()


def test_gray_ground_stays_gray(tmp_path):
    write(tmp_path / "a" / "x.tif", noise(0, 255, bands=1, dtype=np.uint8))
    write(tmp_path / "b" / "x.tif", noise(0, 255, dtype=np.uint8))
    gray, color = ground(tmp_path / "a"), ground(tmp_path / "b")
    assert gray.is_gray
    assert not color.is_gray
    for k in range(5):
        shown = draw_look(gray, np.random.default_rng(k), jpeg=0.0).apply(gray.data)
        assert np.array_equal(shown[0], shown[2])
        assert len(set(draw_look(color, np.random.default_rng(k), jpeg=0.0).balance)) == 3


def test_folders_of_one_name_are_told_apart(tmp_path):
    for place in ("east", "west"):
        write(tmp_path / place / "rgb" / "x.tif", noise(0, 255, dtype=np.uint8))
    east, west = tmp_path / "east" / "rgb", tmp_path / "west" / "rgb"
    with pytest.raises(DatasetError, match="have one name"):
        find_sources(ChipsRecipe(sources=(SourceSpec(folder=east), SourceSpec(folder=west))))
    twice = ChipsRecipe(sources=(SourceSpec(folder=east), SourceSpec(folder=east)))
    assert {source.scene for source in find_sources(twice)} == {"rgb/x"}
    named = ChipsRecipe(sources=(SourceSpec(folder=east), SourceSpec(folder=west, name="west")))
    assert {source.scene for source in find_sources(named)} == {"rgb/x", "west/x"}


@pytest.fixture
def recipe(tmp_path):
    for k in range(6):
        write(tmp_path / "rgb" / f"x{k}.tif", noise(0, 255, dtype=np.uint8, seed=k))
    return ChipsRecipe(sources=(SourceSpec(folder=tmp_path / "rgb", split="train"),), size=64, n=2)


def begin(recipe, out):
    maker = ChipMaker(recipe)
    return maker, open_set(out, recipe, sources=maker.sources)


def test_a_set_does_not_go_on_over_other_images(recipe, tmp_path):
    make_chips(*begin(recipe, tmp_path / "set"))
    about = json.loads((tmp_path / "set" / "dataset.json").read_text())
    assert about["sources"]["rgb/x3: x3.tif"] == digest_of(tmp_path / "rgb" / "x3.tif")
    begin(recipe, tmp_path / "set")  # nothing has changed
    os.utime(tmp_path / "rgb" / "x3.tif", (1, 1))
    begin(recipe, tmp_path / "set")  # nor by a new date
    before = (tmp_path / "rgb" / "x3.tif").read_bytes()
    write(tmp_path / "rgb" / "x3.tif", noise(0, 255, dtype=np.uint8, seed=99))
    with pytest.raises(DatasetError, match=r"rgb/x3: x3\.tif was changed\."):
        begin(recipe, tmp_path / "set")
    (tmp_path / "rgb" / "x3.tif").write_bytes(before)
    write(tmp_path / "rgb" / "y.tif", noise(0, 255, dtype=np.uint8, seed=98))
    with pytest.raises(DatasetError, match=r"rgb/y: y\.tif is new"):
        begin(recipe, tmp_path / "set")
    (tmp_path / "rgb" / "y.tif").unlink()
    (tmp_path / "rgb" / "x5.tif").unlink()
    with pytest.raises(DatasetError, match=r"rgb/x5: x5\.tif is gone"):
        begin(recipe, tmp_path / "set")


def test_a_set_of_an_older_version_goes_on(recipe, tmp_path):
    begin(recipe, tmp_path / "set")
    path = tmp_path / "set" / "dataset.json"
    about = json.loads(path.read_text())
    del about["sources"]
    for key in ("name", "white", "scale", "offset"):
        del about["recipe"]["sources"][0][key]
    path.write_text(json.dumps(about))
    begin(recipe, tmp_path / "set")


def test_large_files_are_told_apart_by_parts(tmp_path, monkeypatch):
    monkeypatch.setattr(source_digests, "WHOLE", 1 << 20)
    data = np.random.default_rng(1).bytes((1 << 20) + 12345)
    found = set()
    for k, name in enumerate(("a", "first", "last", "longer")):
        changed = bytearray(data + b"x" * (name == "longer"))
        changed[{"first": 0, "last": -1}.get(name, 0)] ^= k
        (tmp_path / name).write_bytes(changed)
        found.add(digest_of(tmp_path / name))
    assert len(found) == 4
    with pytest.raises(DatasetError, match="none cannot be read"):
        digest_of(tmp_path / "none")


def test_paths_mean_the_same_from_any_folder(recipe, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    spec = recipe.sources[0].model_copy(update={"folder": (tmp_path / "rgb").relative_to(tmp_path)})
    relative = recipe.model_copy(update={"sources": (spec,)})
    begin(relative, tmp_path / "set")
    made = json.loads((tmp_path / "set" / "dataset.json").read_text())["recipe"]
    assert made["sources"][0]["folder"] == str(tmp_path / "rgb")
    monkeypatch.chdir("/")
    assert _is_same(made, recipe)
    assert not _is_same(made, relative)


def test_empty_splits_are_named(recipe):
    maker = ChipMaker(recipe)
    assert empty_splits(maker) == ["val", "test"]
    maker.recipe = recipe.model_copy(update={"test": 0.0})
    assert empty_splits(maker) == ["val"]
