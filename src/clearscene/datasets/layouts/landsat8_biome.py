"""Landsat-8 Biome: whole scenes of eight biomes, as USGS gives them or as one stack a scene."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.windows import Window

from clearscene.datasets.landsat_values import NUMBERS, landsat_values
from clearscene.datasets.layout import Layout, Listing, SceneEntry, Values, is_there, need_folder
from clearscene.datasets.layouts.biome_scenes import BIOME_SCENES
from clearscene.datasets.pixels import date_in, landsat_place, read_bands, read_codes, shape_of
from clearscene.datasets.spec import DatasetSpec, Label

__all__ = ["Landsat8Biome"]

BANDS = ("coastal", "blue", "green", "red", "nir", "swir16", "swir22", "cirrus", "lwir11", "lwir12")
MASK = "_fixedmask"
RASTERS = (".img", ".tif")

SPEC = DatasetSpec(
    name="landsat8-biome",
    title="Landsat-8 Biome cloud validation data",
    bands=BANDS,
    usual_bands=("blue", "green", "red", "nir"),
    labels=(
        Label(128, "clear", "clear"),
        Label(255, "cloud", "thick"),
        Label(192, "thin_cloud", "thin"),
        Label(64, "cloud_shadow", "shadow"),
    ),
    ignored=(0,),
    license="US public domain (USGS); cite Foga and others 2017",
    get="USGS, Landsat 8 Cloud Cover Assessment Validation Data, 96 files .tar.gz, about 88 GB; unpack them all. Or"
    " the copy of torchgeo, one archive a biome.",
    layout="""\
FOLDER/
  Barren/BC/LC80420082013220LGN00/      (Forest, GrassCrops, Shrubland, SnowIce, Urban, Water, Wetlands)
    LC80420082013220LGN00_B1.TIF ... _B11.TIF, _MTL.txt, _fixedmask.img, _fixedmask.hdr
or
FOLDER/barren/LC80420082013220LGN00/
    LC80420082013220LGN00.TIF (11 bands), LC80420082013220LGN00_fixedmask.TIF""",
    source="Foga and others, Remote Sensing of Environment 194, 2017; layout: USGS, and torchgeo's l8biome.py",
    expected={"scenes": 96},
    stratify="biome",
    has_published_split=True,
    notes=(
        "Cloud shadow was drawn in some of the scenes only: with 3 or 4 classes shadow in the others counts as clear.",
        "The published split is that of RS-Net: its first fold trains, its second tests.",
        "Stacks without an MTL file: reflectance is not corrected for the height of the sun.",
        "The panchromatic band is not read.",
    ),
)


class Landsat8Biome(Layout):
    """Loader of Landsat-8 Biome."""

    spec = SPEC

    def find(self, folder: Path) -> Listing:
        """See `Layout`. A scene is known by its mask or its MTL file; the 96 ids are known beforehand."""
        masks = {
            path.name.split(MASK)[0]: path for path in _files(folder, f"*{MASK}.*") if path.suffix.lower() in RASTERS
        }
        others = {path.name.removesuffix("_MTL.txt"): path for path in _files(folder, "*_MTL.txt")}
        need_folder(folder, SPEC, [*masks, *others])
        entries, missing = [], []
        for scene in sorted({*masks, *others}):
            if scene not in masks:
                missing.append(f"{scene}: {scene}{MASK}.img")
                continue
            files, lacking = _scene_files(scene, masks[scene])
            missing += [f"{scene}: {name}" for name in lacking]
            if not lacking:
                entries.append(_entry(scene, files))
        missing += [f"{scene} (whole scene)" for scene in BIOME_SCENES if scene not in {*masks, *others}]
        stacks = sum("stack" in entry.files and "MTL" not in entry.files for entry in entries)
        notes = (f"{stacks} scenes have no MTL file: not corrected for the height of the sun.",) if stacks else ()
        return Listing(tuple(entries), tuple(missing), notes)

    def shape(self, entry: SceneEntry) -> tuple[int, int]:
        """See `Layout`."""
        return shape_of(entry.files["mask"])

    def image(self, entry: SceneEntry, bands: Sequence[str], window: Window) -> Values:
        """See `Layout`. A pixel is valid where no band asked for is 0."""
        values = _values(entry.files.get("MTL"))
        data = np.empty((len(bands), round(window.height), round(window.width)), np.float32)
        valid = np.ones(data.shape[1:], np.bool_)
        for i, name in enumerate(bands):
            path, number = _where(entry.files, name)
            stored = read_bands(path, [number], window)[0]
            data[i] = values.convert(name, stored)
            valid &= stored != 0
        data[:, ~valid] = 0
        return Values(data, valid)

    def codes(self, entry: SceneEntry) -> NDArray[np.integer]:
        """See `Layout`: 0 fill, 64 shadow, 128 clear, 192 thin cloud, 255 cloud."""
        return read_codes(entry.files["mask"])


_values = lru_cache(maxsize=4)(landsat_values)


def _files(folder: Path, pattern: str) -> list[Path]:
    return [path for path in sorted(folder.rglob(pattern)) if is_there(path)] if folder.is_dir() else []


def _scene_files(scene: str, mask: Path) -> tuple[dict[str, Path], list[str]]:
    """The files of a scene beside its mask, and names of those that are not there."""
    home = mask.parent
    stack = next((path for end in (".TIF", ".tif") if is_there(path := home / f"{scene}{end}")), None)
    named = {f"B{NUMBERS[band]}": home / f"{scene}_B{NUMBERS[band]}.TIF" for band in BANDS}
    files = {"stack": stack} if stack else named
    lacking = [path.name for path in files.values() if not is_there(path)]
    header = mask.with_suffix(".hdr")
    if mask.suffix == ".img" and not is_there(header):
        lacking.append(header.name)
    mtl = home / f"{scene}_MTL.txt"
    if is_there(mtl):
        files = {**files, "MTL": mtl}
    elif not stack:
        lacking.append(mtl.name)
    return {**files, "mask": mask}, lacking


def _entry(scene: str, files: Mapping[str, Path]) -> SceneEntry:
    known = BIOME_SCENES.get(scene)
    return SceneEntry(
        id=scene,
        group=landsat_place(scene) or scene,
        files=files,
        split=None if known is None else ("train" if known.fold == 1 else "test"),
        biome=known.biome if known else _biome_of(files["mask"]),
        cover=known.cover if known else None,
        date=date_in(scene),
    )


def _biome_of(mask: Path) -> str | None:
    """The biome that a folder above the mask is named after."""
    names = {scene.biome.replace("_", ""): scene.biome for scene in BIOME_SCENES.values()}
    words = [part.lower().replace("_", "") for part in mask.parts]
    return next((names[word] for word in words if word in names), None)


def _where(files: Mapping[str, Path], band: str) -> tuple[Path, int]:
    """File and number of a band; a stack holds the bands 1 to 11 in order."""
    number = NUMBERS[band]
    return (files["stack"], number) if "stack" in files else (files[f"B{number}"], 1)
