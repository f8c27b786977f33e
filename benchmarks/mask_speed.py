"""Speed and memory of `clearscene mask` beside ukis-csmask and s2cloudless on one generated Sentinel-2 scene.

    python benchmarks/mask_speed.py --folder bench [--size 2048] [--memory 1000,5000,20000] [--peers ENVIRONMENT]

Every row runs in a process of its own, so that its peak memory is its own; the peers run by their own code, with the
scene in memory as they want it, on the same pixels, threads as they choose; what is not installed is said to be
missing. `--peers` names the site-packages of another environment that has them. `--memory` adds scenes of our own
masker only, of so many rows and columns: memory must be flat. CPU seconds (user and system, all threads) compare
maskers also where other work shares the cores; seconds on the clock do not. With a GPU that onnxruntime can use, a
scene of 10980 x 10980 is masked at 10 and 20 m too.
"""

import argparse
import json
import os
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

BANDS = ("coastal", "blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "nir08", "nir09")
BANDS += ("cirrus", "swir16", "swir22")
OURS = ("red", "green", "blue", "nir")
S2CLOUDLESS = ("coastal", "blue", "red", "rededge071", "nir", "nir08", "nir09", "cirrus", "swir16", "swir22")
UKIS = {"ukis-4b": ("blue", "green", "red", "nir"), "ukis-6b": ("blue", "green", "red", "nir", "swir16", "swir22")}
BLOCK = 512
S2_SIDE = 10_980
"""Rows and columns of a whole Sentinel-2 scene at 10 m."""
CLOUDY = 0.35
"""Share of blocks with a cloud."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--size", type=int, default=2048)
    parser.add_argument("--memory", default="1000,5000,20000", help="Rows and columns of scenes for memory alone.")
    parser.add_argument("--peers", default="", help="site-packages that holds ukis_csmask and s2cloudless.")
    parser.add_argument("--row", default="", help="Run one row and print it as JSON.")
    options = parser.parse_args()
    if options.row:
        print(json.dumps(measured(options.row, options.folder, options.size)))
        return
    scene(options.folder, options.size, BANDS)
    print(f"{options.size} x {options.size}, {options.size**2 / 1e6:.1f} Mpx, {os.cpu_count()} cores\n")
    print("| masker | seconds | s/Mpx | CPU s/Mpx | peak MB | times our CPU seconds |\n|---|---|---|---|---|---|")
    ours = None
    for name in ("clearscene", "clearscene --fast", "clearscene --fine", "ukis-4b", "ukis-6b", "s2cloudless"):
        row = run_row(name, options, options.size)
        ours = row.get("cpu") if name == "clearscene" else ours
        print(masker_line(name, row, options.size, ours), flush=True)
    print("\n| scene, 4 bands | seconds | s/Mpx | CPU s/Mpx | peak MB |\n|---|---|---|---|---|")
    for size in (int(text) for text in options.memory.split(",") if text):
        scene(options.folder, size, OURS)
        print(scene_line(f"{size} x {size}", run_row("memory", options, size), size), flush=True)
    if has_gpu():
        scene(options.folder, S2_SIDE, OURS)
        for name in ("gpu 10 m", "gpu 20 m"):
            row = run_row(name, options, S2_SIDE)
            print(scene_line(f"{name}, {S2_SIDE} x {S2_SIDE}", row, S2_SIDE), flush=True)
    else:
        print("\nNo GPU that onnxruntime can use was found: not measured.")


def run_row(name: str, options: argparse.Namespace, size: int) -> dict[str, float | str]:
    """One row in a process of its own; the peers see the other environment."""
    environment = dict(os.environ)
    if options.peers and not name.startswith(("clearscene", "memory", "gpu")):
        environment["PYTHONPATH"] = options.peers
    command = [sys.executable, __file__, "--folder", str(options.folder), "--size", str(size), "--row", name]
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    if done.returncode:
        return {"missing": done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "ended"}
    result: dict[str, float | str] = json.loads(done.stdout.splitlines()[-1])
    return result


def masker_line(name: str, row: dict[str, float | str], size: int, ours: float | str | None) -> str:
    """A line of the table of maskers; `ours` are our CPU seconds, if we ran."""
    if "missing" in row:
        return f"| {name} | not run: {row['missing']} | | | | |"
    ratio = f"{float(row['cpu']) / float(ours):.1f}" if ours else ""
    seconds = f"{row['seconds']:.1f} | {per_mpx(row, size):.2f} | {per_mpx(row, size, 'cpu'):.2f}"
    return f"| {name} | {seconds} | {row['peak']:.0f} | {ratio} |"


def scene_line(title: str, row: dict[str, float | str], size: int) -> str:
    """A line of the table of scenes that only we masked."""
    if "missing" in row:
        return f"| {title} | not run: {row['missing']} | | | |"
    cpu = f"{per_mpx(row, size, 'cpu'):.3f} | {row['peak']:.0f}"
    return f"| {title} | {row['seconds']:.1f} | {per_mpx(row, size):.3f} | {cpu} |"


def per_mpx(row: dict[str, float | str], size: int, key: str = "seconds") -> float:
    return float(row[key]) / (size**2 / 1e6)


def measured(name: str, folder: Path, size: int) -> dict[str, float]:
    """Seconds from file to file, without imports, on the clock and of the CPU, and peak memory of this process."""
    from clearscene.timing import peak_memory_mb

    bands = OURS if name == "memory" or name.startswith("gpu") else BANDS
    path = scene(folder, size, bands)
    if name == "s2cloudless":
        seconds, cpu = by_s2cloudless(path)
    else:
        seconds, cpu = by_ukis(UKIS[name], path) if name in UKIS else by_us(name, path)
    return {"seconds": seconds, "cpu": cpu, "peak": peak_memory_mb() or float("nan")}


class Clock:
    """Seconds since it was made."""

    def __init__(self) -> None:
        self.start = perf_counter(), process_time()

    def read(self) -> tuple[float, float]:
        """On the clock, and of the CPU."""
        return perf_counter() - self.start[0], process_time() - self.start[1]


def by_us(name: str, path: Path) -> tuple[float, float]:
    from clearscene.batch import Failure
    from clearscene.masking.options import MaskOptions
    from clearscene.masking.run import mask_batch
    from clearscene.masking.scene import prepare_mask

    options = MaskOptions(
        fast=name.endswith("--fast"),
        fine=name.endswith("--fine"),
        resolution=20 if name == "gpu 20 m" else None,
        device="cuda" if name.startswith("gpu") else "auto",
        scale=1e-4,
    )
    clock = Clock()
    prepared = prepare_mask(options)
    (done,) = mask_batch([str(path)], path.parent / "masks", prepared, overwrite=True, progress=lambda *_: None)
    if isinstance(done.outcome, Failure):
        raise SystemExit(done.outcome.error)
    return clock.read()


def by_ukis(bands: tuple[str, ...], path: Path) -> tuple[float, float]:
    from ukis_csmask.mask import CSmask

    clock = Clock()
    image = read(path, bands).transpose(1, 2, 0)
    mask = CSmask(np.ascontiguousarray(image), list(bands), product_level="l1c").csm
    write(path, mask[..., 0])
    return clock.read()


def by_s2cloudless(path: Path) -> tuple[float, float]:
    from s2cloudless import S2PixelCloudDetector

    detector = S2PixelCloudDetector(threshold=0.4, average_over=4, dilation_size=2, all_bands=False)
    clock = Clock()
    image = read(path, S2CLOUDLESS).transpose(1, 2, 0)[np.newaxis]
    write(path, detector.get_cloud_masks(image)[0].astype(np.uint8))
    return clock.read()


def read(path: Path, bands: tuple[str, ...]) -> np.ndarray:
    """Reflectance (band, row, col)."""
    with rasterio.open(path) as source:
        places = [source.descriptions.index(band) + 1 for band in bands]
        return source.read(places).astype(np.float32) * np.float32(1e-4)


def write(path: Path, mask: np.ndarray) -> None:
    with rasterio.open(path) as source:
        profile = {**source.profile, "count": 1, "dtype": "uint8", "nodata": None}
    with rasterio.open(path.with_name("peer_mask.tif"), "w", **profile) as target:
        target.write(mask.astype(np.uint8), 1)


def has_gpu() -> bool:
    import onnxruntime

    return "CUDAExecutionProvider" in onnxruntime.get_available_providers()


def scene(folder: Path, size: int, bands: tuple[str, ...]) -> Path:
    """A generated scene: smooth ground, grain, clouds in a third of the blocks; made once, block by block."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"mask-speed-{size}-{len(bands)}.tif"
    if path.exists():
        return path
    part = path.with_suffix(".part.tif")
    profile = {
        "driver": "GTiff", "height": size, "width": size, "count": len(bands), "dtype": "uint16", "nodata": 0,
        "crs": CRS.from_epsg(32633), "transform": Affine(10, 0, 600_000, 0, -10, 5_000_000), "tiled": True,
        "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "zlevel": 1, "predictor": 2,
        "bigtiff": "if_safer", "interleave": "band",  # products keep their bands apart
    }  # fmt: skip
    rng = np.random.default_rng(7)
    with rasterio.open(part, "w", **profile) as target:
        target.descriptions = bands
        for window in blocks(size):
            target.write(block(round(window.height), round(window.width), len(bands), rng=rng), window=window)
    part.rename(path)
    return path


def block(height: int, width: int, n_bands: int, *, rng: np.random.Generator) -> np.ndarray:
    def smooth(cells: int, low: float, high: float, n: int) -> np.ndarray:
        coarse = rng.uniform(low, high, (n, cells, cells)).astype(np.float32)
        return np.stack([cv2.resize(plane, (width, height), interpolation=cv2.INTER_CUBIC) for plane in coarse])

    ground = smooth(17, 300, 2600, n_bands) + rng.normal(0, 60, (n_bands, height, width))
    if rng.random() < CLOUDY:
        opacity = np.clip(smooth(9, -1.5, 2, 1), 0, 1)
        ground = ground * (1 - opacity) + 6500 * opacity
    return np.clip(ground, 1, 12_000).astype(np.uint16)


def blocks(size: int) -> Iterator[Window]:
    for row in range(0, size, BLOCK):
        for col in range(0, size, BLOCK):
            yield Window(col, row, min(BLOCK, size - col), min(BLOCK, size - row))


if __name__ == "__main__":
    main()
