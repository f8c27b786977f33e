"""From places with labels to a quality model that fuses: the typed commands, one after the other."""

import json

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")

from clearscene.datasets.prepared_record import PreparedRecord  # noqa: E402  # after the check for torch
from clearscene.datasets.prepared_writer import PreparedAbout, PreparedWriter  # noqa: E402
from clearscene.models.model import Model  # noqa: E402
from tests.command import clearscene  # noqa: E402
from tests.fuse_scenes import TRANSFORM, UTM  # noqa: E402
from tests.reflectance_images import make_mask_chips  # noqa: E402
from tests.scenes import write_scene  # noqa: E402

CLASSES = ("building", "background")
CONFIG = """
[data]
size = 32

[[data.chips]]
folder = "{chips}"

[network]
{network}

{more}

[run]
epochs = 1
batch_size = 3
workers = 0
threads = 1
tensorboard = false
"""
CARD = '[model]\nname = "{name}"\n[tiles]\ntile_size = 64\nreductions = [1]\n[scales]\n'


def places(folder):
    """Bright buildings on dark ground."""
    about = PreparedAbout("drawn", ("red", "green", "blue"), CLASSES, "display", "CC0-1.0", size=32, overlap=0)
    with PreparedWriter(folder, about) as writer:
        for number in range(8):
            rng = np.random.default_rng(number)
            image, mask = rng.uniform(0.1, 0.3, (3, 32, 32)).astype(np.float32), np.ones((32, 32), np.uint8)
            part = np.s_[4 + number : 14 + number, 8:24]
            image[:, *part] += 0.5
            mask[part] = 0
            split = "val" if number % 4 == 0 else "train"
            writer.add(PreparedRecord(f"p{number}", split, f"s{number}", "", "", 0, 0, (32, 32)), image, mask)
    return folder


def trained(place, network, chips, more="", *, start_from=None, name="run"):
    (place / "config.toml").write_text(CONFIG.format(chips=chips, network=network, more=more))
    start = ("--set", f"run.start_from={start_from}") if start_from else ()
    clearscene("train", place / "config.toml", "--out", place / name, *start, "--quiet", check=0)
    return place / name


def exported(run, place, name):
    (place / "card.toml").write_text(CARD.format(name=name))
    words = ("--card", place / "card.toml", "--no-speed", "--quiet")
    clearscene("export", run, "--out", place / name, *words, check=0)
    return place / name


def two_images(place):
    rng = np.random.default_rng(5)
    stack = rng.integers(20, 90, (2, 3, 50, 60), np.uint8)
    names = [f"2024-05-0{i + 1}.tif" for i in range(2)]
    return [
        write_scene(place / name, image, crs=UTM, transform=TRANSFORM) for name, image in zip(names, stack, strict=True)
    ], stack


def fuses(model, place):
    paths, stack = two_images(place)
    clearscene("fuse", *paths, "--out", place / "f.tif", "--model", model, "--device", "cpu", "--quiet", check=0)
    report = json.loads((place / "f.json").read_text())
    assert report["method"] == "learned"
    import rasterio

    with rasterio.open(place / "f.tif") as dataset:
        result = dataset.read()
    assert (result >= stack.min(axis=0)).all()
    assert (result <= stack.max(axis=0)).all()


def test_a_pair_learns_from_labels_and_its_quality_fuses(tmp_path):
    network = 'kind = "fusion"\nclasses = ["building", "background"]'
    fusion = '[fusion]\nimages = [2, 3]\n[optimizer]\nname = "adam"\nlr = 1e-3\n[schedule]\nparts = 4'
    run = trained(tmp_path, network, places(tmp_path / "places"), fusion)
    heads = (run / "val.csv").read_text().splitlines()[0].split(",")
    assert {"miou", "fwiou", "pixel_accuracy", "l1", "iou_building"} <= set(heads)
    model = exported(run, tmp_path, "pair")
    manifest = Model.load(model, device="cpu").manifest
    assert (manifest.task, manifest.classes) == ("quality", ())
    assert manifest.input.bands == ("red", "green", "blue")
    fuses(model, tmp_path)


def test_quality_learns_from_generated_defects_and_fuses(tmp_path):
    run = trained(tmp_path, 'kind = "quality"', make_mask_chips(tmp_path / "chips"))
    model = exported(run, tmp_path, "half")
    manifest = Model.load(model, device="cpu").manifest
    assert manifest.task == "quality"
    assert manifest.input.normalization == "bright_level"
    assert {"val.iou.good", "val.iou.bad"} <= set(manifest.accuracy)
    assert "quality" in (model / "card.md").read_text()
    item = json.loads((model / "mlm.json").read_text())
    assert item["properties"]["mlm:output"][0]["tasks"] == ["regression"]
    fuses(model, tmp_path)


def test_quality_starts_from_a_network_for_cloud_masks(tmp_path, caplog):
    chips = make_mask_chips(tmp_path / "chips")
    mask = trained(tmp_path, 'kind = "mask"\nweights = "none"', chips, name="mask")
    slim = 'kind = "quality"\nname = "slim"\nweights = "none"'
    assert "random numbers" not in caplog.text
    run = trained(tmp_path, slim, chips, start_from=mask / "best.pt")
    assert "so these start from random numbers: refine.pixels.weight, refine.pixels.bias" in caplog.text
    fuses(exported(run, tmp_path, "slim"), tmp_path)


def test_other_classes_and_other_chips_are_refused(tmp_path):
    (tmp_path / "config.toml").write_text(
        CONFIG.format(chips=places(tmp_path / "places"), network='kind = "fusion"', more="")
    )
    done = clearscene("train", tmp_path / "config.toml", "--out", tmp_path / "run", "--quiet")
    assert done.returncode == 2
    assert "building" in done.stderr
