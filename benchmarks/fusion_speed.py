"""Speed and memory of `clearscene fuse` beside numpy's median on the same windows of the same files.

    python benchmarks/fusion_speed.py --folder /tmp/fusion-speed --size 5000 --images 6

Images are generated once into the folder: smooth ground, noise, boxes of nodata, four bands of uint16, tiled and
compressed. Every row of the table runs in a process of its own, so that its peak memory is its own.
"""

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, process_time

import cv2
import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

BANDS = ("red", "green", "blue", "nir")
BLOCK = 512
METHODS = ("mean", "median", "medoid", "geomedian", "first")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--size", type=int, default=5000)
    parser.add_argument("--images", type=int, default=6)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--window", type=int, default=512, help="Of numpy's median.")
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--row", default="", help="Run one row and print it as JSON.")
    options = parser.parse_args()
    paths = images(options.folder / f"{options.images}x{options.size}", options.images, options.size)
    if options.row:
        print(json.dumps(measured(options, paths)))
        return
    mpx = options.images * options.size**2 / 1e6
    print(f"{options.images} images of {options.size} x {options.size}, {len(BANDS)} bands uint16, {mpx:.0f} Mpx\n")
    print("| method | seconds | of CPU | s/Mpx and image | peak MB |\n|---|---|---|---|---|")
    for name in ("numpy median", *options.methods.split(",")):
        done = subprocess.run([sys.executable, *sys.argv, "--row", name], check=True, capture_output=True, text=True)
        row = json.loads(done.stdout.splitlines()[-1])
        seconds = f"{row['seconds']:.1f} | {row['cpu']:.1f} | {row['seconds'] / mpx:.4f}"
        print(f"| {name} | {seconds} | {row['peak']:.0f} |", flush=True)


def images(folder: Path, number: int, size: int) -> list[Path]:
    """The images, made block by block if they are not there."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"2024-{place // 28 + 1:02d}-{place % 28 + 1:02d}.tif" for place in range(number)]
    for place, path in enumerate(paths):
        if not path.exists():
            write_image(path, size, place)
    return paths


def write_image(path: Path, size: int, place: int) -> None:
    rng = np.random.default_rng(place)
    part = path.with_suffix(".part.tif")
    profile = {
        "driver": "GTiff", "height": size, "width": size, "count": len(BANDS), "dtype": "uint16", "nodata": 0,
        "crs": CRS.from_epsg(32633), "transform": Affine(10, 0, 600_000, 0, -10, 5_000_000), "tiled": True,
        "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "zlevel": 1, "predictor": 2,
    }  # fmt: skip
    with rasterio.open(part, "w", **profile) as dataset:
        dataset.descriptions = BANDS
        for window in blocks(size, BLOCK):
            dataset.write(block_of(window, rng), window=window)
    part.rename(path)


def block_of(window: Window, rng: np.random.Generator) -> np.ndarray:
    """Ground that is the same in all images, noise that is not, and a hole in every seventh block."""
    height, width = round(window.height), round(window.width)
    ground = np.random.default_rng(round(window.row_off * 7919 + window.col_off))
    coarse = ground.uniform(400, 3000, (len(BANDS), 9, 9)).astype(np.float32)
    smooth = np.stack([cv2.resize(band, (width, height), interpolation=cv2.INTER_CUBIC) for band in coarse])
    values = np.clip(smooth + rng.normal(0, 30, smooth.shape), 1, 10_000).astype(np.uint16)
    if rng.random() < 1 / 7:
        values[:, : height // 2, : width // 2] = 0
    return values


def blocks(size: int, block: int) -> Iterator[Window]:
    for row in range(0, size, block):
        for col in range(0, size, block):
            yield Window(col, row, min(block, size - col), min(block, size - row))


def measured(options: argparse.Namespace, paths: list[Path]) -> dict[str, float]:
    """Seconds, seconds of CPU and peak memory of one row, in this process."""
    from clearscene.timing import peak_memory_mb

    start, cpu_start = perf_counter(), process_time()
    out = options.folder / "out" / "fused.tif"
    out.parent.mkdir(exist_ok=True)
    if options.row == "numpy median":
        numpy_median(paths, out, options.window, options.size)
    else:
        from clearscene import FuseOptions, fuse

        fuse([*paths], out, options=FuseOptions(method=options.row, workers=options.workers))
    cpu = process_time() - cpu_start
    return {"seconds": perf_counter() - start, "cpu": cpu, "peak": peak_memory_mb() or float("nan")}


def numpy_median(paths: list[Path], out: Path, window_size: int, size: int) -> None:
    """What a script would do: read windows of all files, nanmedian, write a tiled file."""
    datasets = [rasterio.open(path) for path in paths]
    profile = {**datasets[0].profile, "compress": "deflate", "zlevel": 1}
    with rasterio.open(out, "w", **profile) as target:
        for window in blocks(size, window_size):
            stack = np.stack([dataset.read(window=window) for dataset in datasets]).astype(np.float32)
            stack[np.broadcast_to((stack == 0).all(axis=1, keepdims=True), stack.shape)] = np.nan
            empty = np.isnan(stack).all(axis=0)
            stack[:, empty] = 0
            target.write(np.rint(np.nanmedian(stack, axis=0)).astype(np.uint16), window=window)
    for dataset in datasets:
        dataset.close()


if __name__ == "__main__":
    main()
