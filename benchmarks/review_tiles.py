"""How long the tiles of a review take: median and 95th percentile by level, on a generated scene.

    python benchmarks/review_tiles.py --size 10000
    python benchmarks/review_tiles.py --size 60000 --folder /data/tmp   # 3.6 Gpx, 10 GB on disk

The scene is an uncompressed tiled RGB GeoTIFF without overviews, as many orthophotos come; they are made
beside it first, which is timed too. Tiles are asked for at random places, over HTTP, one after the other.
"""

import argparse
import shutil
import sys
import tempfile
import time
from pathlib import Path
from statistics import median, quantiles

import numpy as np
import rasterio
from affine import Affine
from rasterio.crs import CRS
from rasterio.windows import Window

sys.path.insert(0, str(Path(__file__).parents[1]))

from clearscene.inspection.run_folder import open_run
from clearscene.review.overviews import build, plan_overviews
from tests.review_client import serving
from tests.review_runs import make_run
from tests.scenes import ground


def write_large(path: Path, size: int) -> None:
    """A scene of `size` x `size` px from a pattern of 2,048 px that is shifted and brightened from block to block."""
    pattern = ground(2048, 2048, seed=1)
    profile = {
        "driver": "GTiff", "width": size, "height": size, "count": 3, "dtype": "uint8", "tiled": True,
        "blockxsize": 512, "blockysize": 512, "crs": CRS.from_epsg(32648), "bigtiff": "YES", "interleave": "pixel",
        "transform": Affine(0.2, 0, 500_000, 0, -0.2, 3_000_000),
    }  # fmt: skip
    with rasterio.open(path, "w", **profile) as dataset:
        for row in range(0, size, 2048):
            for col in range(0, size, 2048):
                height, width = min(2048, size - row), min(2048, size - col)
                block = np.roll(pattern, (row // 7, col // 5), axis=(1, 2))[:, :height, :width]
                dataset.write(block + np.uint8((row + col) // 2048 % 16), window=Window(col, row, width, height))


def run_on(folder: Path, scene: Path, size: int) -> Path:
    """A run whose record names the large scene."""
    run = make_run(folder / "run")
    report = open_run(run).report
    info = report.scene.model_copy(update={"path": str(scene), "height": size, "width": size})
    (run / "report.json").write_text(report.model_copy(update={"scene": info}).model_dump_json(), "utf-8")
    return run


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--size", type=int, default=10_000)
    parser.add_argument("--n", type=int, default=60, help="tiles a level")
    parser.add_argument("--folder", type=Path, default=None)
    asked = parser.parse_args()
    folder = Path(tempfile.mkdtemp(dir=asked.folder))
    try:
        scene = folder / "large.tif"
        write_large(scene, asked.size)
        run = run_on(folder, scene, asked.size)
        plan = plan_overviews(str(scene), run, source=scene)
        start = time.perf_counter()
        if plan is not None:
            build(plan)
        print(f"{asked.size} x {asked.size} px; overviews made in {time.perf_counter() - start:.1f} s")
        measure(run, asked.n)
    finally:
        shutil.rmtree(folder)


def said(times: list[float]) -> str:
    """Count, median and 95th percentile of times in ms."""
    tail = quantiles(times, n=20)[-1] if len(times) > 1 else times[0]
    return f"{len(times):4} tiles  median {median(times):6.1f} ms  95 % {tail:6.1f} ms"


def measure(run: Path, n: int) -> None:
    """Ask for tiles and print how long they took."""
    rng = np.random.default_rng(0)
    every: list[float] = []
    with serving(run) as page:
        assert page.review is not None
        pyramid = page.review.tiles.pyramid
        for level in range(pyramid.n_levels):
            side = 256 * pyramid.resolution(level)
            cols, rows = (max(1, length // side) for length in (pyramid.width, pyramid.height))
            times = []
            for _ in range(min(n, 4 * cols * rows)):
                place = f"{level}/{rng.integers(cols)}/{rng.integers(rows)}"
                start = time.perf_counter()
                assert page.get(f"/tiles/scene/{place}").status == 200
                times.append(1000 * (time.perf_counter() - start))
            every += times
            print(f"  1:{pyramid.resolution(level):<4} {said(times)}")
        print(f"  all    {said(every)}")
        print(f"  inside the server: {page.get('/api/timing').json['tiles']}")


if __name__ == "__main__":
    main()
