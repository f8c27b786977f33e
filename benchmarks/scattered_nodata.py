"""Memory of `clearscene inspect` where nodata is scattered over a scene, beside the same scene without it.

    python benchmarks/scattered_nodata.py --folder bench [--size 8192x4096] [--share 0.05]

Masks are kept as runs, so memory follows the outline of what is nodata: the worst case is single pixels.
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from clearscene.cli.synth import parse_size
from clearscene.synth.ground import Ground

ROWS = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--size", default="8192x4096", help="width x height")
    parser.add_argument("--share", type=float, default=0.05, help="of the pixels that become nodata")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    width, height = parse_size(options.size)
    for name, share in (("whole", 0.0), ("scattered", options.share)):
        scene = options.folder / f"{name}.tif"
        draw(scene, width=width, height=height, share=share)
        words = ["-m", "clearscene", "inspect", str(scene), "--out", str(options.folder / "results")]
        words += ["--types", "missing", "--workers", "2", "--overwrite", "--quiet"]
        subprocess.run([sys.executable, *words], check=True, capture_output=True)
        report = json.loads((options.folder / "results" / name / "report.json").read_text(encoding="utf-8"))
        peak = report["timing"]["peak_memory_mb"]
        print(f"{name:<10} {width * height / 1e6:.1f} Mpx, {share:.0%} nodata: peak {peak:.0f} MB", flush=True)


def draw(path: Path, *, width: int, height: int, share: float) -> None:
    """Generated ground with a share of single nodata pixels."""
    ground, rng = Ground(1), np.random.default_rng(1)
    profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "height": height, "width": width, "nodata": 0}
    with rasterio.open(path, "w", tiled=True, compress="deflate", **profile) as dataset:
        for row in range(0, height, ROWS):
            window = Window(0, row, width, min(ROWS, height - row))
            data = ground.window(window)
            data[:, rng.random(data.shape[1:]) < share] = 0
            dataset.write(data, window=window)


if __name__ == "__main__":
    main()
