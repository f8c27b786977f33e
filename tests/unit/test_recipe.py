"""Recipes for chips: what is checked, and how scenes are kept apart."""

from pathlib import Path

import pytest

from clearscene.errors import DatasetError, OptionError
from clearscene.synth.recipe import ChipsRecipe, SourceSpec, checked_recipe, load_recipe
from clearscene.synth.sources import find_sources, split_of

ROOT = Path(__file__).parents[2]


def recipe_of(folder: Path, **source: object) -> ChipsRecipe:
    return ChipsRecipe(sources=(SourceSpec(folder=folder, **source),))


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).write_bytes(b"")
    return folder


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"colour": 1}, "colour"),
        ({"types": {"fog": 1.0}}, "types names fog"),
        ({"test": 0.6, "val": 0.5}, "leave nothing to train on"),
        ({"size": 100}, "size"),
        ({"types": {"cloud": -1.0}}, "types.cloud"),
        ({"generators": {"cloud.haze": float("nan")}}, "generators.cloud.haze"),
        ({"several": (0.8, 0.4)}, "adds up to more than 1"),
        ({"sources": [{"folder": ".", "group": "("}]}, "no regular expression"),
        ({"sources": []}, "sources"),
    ],
)
def test_wrong_keys_are_named(change, message):
    with pytest.raises(OptionError, match=message):
        checked_recipe({"sources": [{"folder": "."}], **change}, "here")


def test_a_recipe_that_is_not_there(tmp_path):
    with pytest.raises(OptionError, match="cannot be read"):
        load_recipe(tmp_path / "none.toml")
    (tmp_path / "bad.toml").write_text("n = = 3")
    with pytest.raises(OptionError, match="not a TOML file"):
        load_recipe(tmp_path / "bad.toml")


def test_folders_are_relative_to_the_recipe(tmp_path):
    (tmp_path / "r.toml").write_text('[[sources]]\nfolder = "images"\nlabels = "masks"\n')
    (source,) = load_recipe(tmp_path / "r.toml").sources
    assert (source.folder, source.labels) == (tmp_path / "images", tmp_path / "masks")


@pytest.mark.parametrize("name", ["inspection-chips.toml", "inspection-chips-2.toml"])
def test_the_recipes_of_the_project_are_accepted(name):
    assert load_recipe(ROOT / "recipes" / name).split_seed is not None


def test_scenes_by_group_and_by_block(tmp_path):
    touch(tmp_path, "plot_01_a.tif", "plot_01_b.tif", "plot_02_a.tif")
    grouped = find_sources(recipe_of(tmp_path, group=r"plot_(\d+)"))
    assert [s.scene.split("/")[1] for s in grouped] == ["01", "01", "02"]
    blocks = find_sources(
        recipe_of(touch(tmp_path, "farm09.jpg", "farm10.jpg", "farm11.jpg"), include="farm*", block=10)
    )
    assert [s.scene.split("/")[1] for s in blocks] == ["farm0", "farm1", "farm1"]


def test_exclude_and_what_is_no_image(tmp_path):
    touch(tmp_path, "a.tif", "a_mask.tif", "notes.txt")
    assert [s.path.name for s in find_sources(recipe_of(tmp_path, exclude="mask"))] == ["a.tif"]
    with pytest.raises(DatasetError, match="holds no image"):
        find_sources(recipe_of(tmp_path, include="*.txt"))
    with pytest.raises(DatasetError, match="is not a folder"):
        find_sources(recipe_of(tmp_path / "none"))
    with pytest.raises(DatasetError, match="does not fit group"):
        find_sources(recipe_of(tmp_path, group="plot"))


def test_splits_follow_the_seed_and_no_scene_is_in_two(tmp_path):
    recipe = recipe_of(tmp_path)
    splits = [split_of(f"folder/{i}", recipe) for i in range(2000)]
    shares = [splits.count(name) / 2000 for name in ("test", "val", "train")]
    assert shares == pytest.approx([0.1, 0.1, 0.8], abs=0.02)
    assert splits == [
        split_of(f"folder/{i}", recipe.model_copy(update={"seed": 9, "split_seed": 1})) for i in range(2000)
    ]
    touch(tmp_path, "a.tif", "b.tif")
    twice = ChipsRecipe(
        sources=(
            SourceSpec(folder=tmp_path, group="(tif|a|b)", include="a*", split="train"),
            SourceSpec(folder=tmp_path, include="a*", split="test"),
        )
    )
    with pytest.raises(DatasetError, match="in two splits"):
        find_sources(twice)
