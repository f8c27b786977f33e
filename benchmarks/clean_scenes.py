"""What a model calls a defect on real scenes that have none, by landscape: the alarms an inspector pays for.

    python benchmarks/clean_scenes.py ../shared/data [--model FOLDER] [--split test] [--pictures DIR]

`scenes`: whole scenes that no training has seen. `held out`: images of the sources of the training chips, of the
scenes that the recipe puts into its test split. Prints the share of the valid area by region type, and the tiles
marked for boundary types by 100 Mpx. A landscape without imagery is printed as not measured.
"""

import argparse
import warnings
from collections import defaultdict
from pathlib import Path

import cv2
import numpy as np
from rasterio.errors import NotGeoreferencedWarning
from rasterio.windows import Window

from clearscene.inspection.taxonomy import BY_ID, Group
from clearscene.models.model import Model
from clearscene.models.zoo import available_models
from clearscene.raster.scene import open_scene
from clearscene.synth.recipe import load_recipe
from clearscene.synth.sources import find_sources
from model_on_scenes import found_in

RECIPE = Path(__file__).parents[1] / "recipes" / "inspection-chips.toml"
LANDSCAPES = {
    "forest": ("forest", "chaparral", "HARV", "OSBS", "SJER", "ABBY"),
    "field": ("agricultural", "golfcourse", "baseballdiamond", "meadow"),
    "water": ("river", "harbor", "shore", "coast"),
    "bright ground": ("beach", "runway", "airplane", "parkinglot", "storagetanks"),
    "town": (
        "residential",
        "buildings",
        "mobilehomepark",
        "intersection",
        "freeway",
        "overpass",
        "tennis",
        "OAM",
        "zurich",
    ),
    "satellite": ("ROIs", "_clear", "s2_"),
    "mountain": ("mountain",),
    "snow": ("snow",),
}


def landscape_of(path: Path) -> str:
    """The landscape by the name of the file."""
    return next((name for name, words in LANDSCAPES.items() if any(word in path.name for word in words)), "other")


def images(data: Path, split: str) -> dict[str, list[Path]]:
    """Images by group: whole scenes, and held-out images of the recipe."""
    recipe = load_recipe(RECIPE)
    held_out = [s.path for s in find_sources(recipe) if s.labels is None and s.split == split]
    return {"scenes": sorted((data / "scenes/clean").glob("*.tif")), "held out": held_out}


def main() -> None:
    warnings.simplefilter("ignore", NotGeoreferencedWarning)
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--split", default="test")
    parser.add_argument("--pictures", type=Path)
    args = parser.parse_args()
    folder = args.model or next(m.folder for m in available_models() if m.manifest.task == "inspection")
    model = Model.load(folder, device="cpu", threads=2)
    regions = [t for t in BY_ID.values() if t.group is Group.REGION]
    for group, paths in images(args.data, args.split).items():
        areas: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(regions) + 1))
        pixels, flags = defaultdict(int), defaultdict(lambda: defaultdict(int))
        for path in paths:
            found, valid, statistics = found_in(path, model)
            name = landscape_of(path)
            pixels[name] += int(valid.sum())
            both = np.zeros(valid.shape, np.bool_)
            for i, kind in enumerate(regions):
                mask = found[kind.id] & valid if kind.id in found else np.zeros_like(valid)
                areas[name][i] += mask.sum()
                both |= mask
            areas[name][-1] += both.sum()
            for kind in ("stitching_trace", "misalignment"):
                flags[name][kind] += statistics.flagged.get(kind, 0)
            if args.pictures and both.mean() > 0.005:
                draw(path, found, args.pictures)
        print(f"\n{folder.name}, {group}: {len(paths)} images, % of the valid area; tiles marked by 100 Mpx")
        heads = [*(t.name for t in regions), "any", "trace", "misalign"]
        print(f"{'landscape':15}{'Mpx':>7}" + "".join(f"{h:>11}" for h in heads))
        for name in [*LANDSCAPES, "other", "all"]:
            members = list(pixels) if name == "all" else [name]
            total = sum(pixels[m] for m in members if m in pixels)
            if not total:
                print(f"{name:15}{'not measured':>14}") if name != "other" else None
                continue
            row = 100 * sum(areas[m] for m in members) / total
            marks = [sum(flags[m][k] for m in members) / total * 1e8 for k in ("stitching_trace", "misalignment")]
            print(
                f"{name:15}{total / 1e6:7.1f}"
                + "".join(f"{v:11.3f}" for v in row)
                + "".join(f"{v:11.1f}" for v in marks)
            )


def draw(path: Path, found: dict[int, np.ndarray], folder: Path) -> None:
    """The image beside itself with the alarms in the colors of their types."""
    with open_scene(path) as scene:
        pixels = scene.read(Window(0, 0, scene.grid.width, scene.grid.height))
    rgb = pixels.data if pixels.data.dtype == np.uint8 else np.clip(pixels.data / 3558 * 255, 0, 255).astype(np.uint8)
    rgb = np.ascontiguousarray(rgb.transpose(1, 2, 0)[..., ::-1])
    over = rgb.copy()
    for type_id, mask in found.items():
        if BY_ID[type_id].group is Group.REGION and mask.any():
            color = [int(BY_ID[type_id].color[i : i + 2], 16) for i in (5, 3, 1)]
            over[mask] = over[mask] // 2 + np.array(color, np.uint8) // 2
    folder.mkdir(parents=True, exist_ok=True)
    both = np.hstack([rgb, over])
    scale = min(1.0, 1600 / both.shape[1])
    cv2.imwrite(
        str(folder / f"{path.stem}.jpg"), cv2.resize(both, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    )


if __name__ == "__main__":
    main()
