"""Seconds and peak memory of `clearscene inspect`, beside the floor of only reading the scene.

    python benchmarks/inspect_scene.py --folder bench                 # 10000 x 10000 RGB COG
    python benchmarks/inspect_scene.py --folder bench --huge          # and 60000 x 60000, 3.6 Gpx
    python benchmarks/inspect_scene.py --folder bench --sparse        # and 60000 x 60000, a tenth of it with data
    python benchmarks/inspect_scene.py --folder bench --device cpu    # ONNX Runtime, also where OpenVINO is installed
    python benchmarks/inspect_scene.py --folder bench --flagged 0.2   # a fifth of the tiles segmented
    python benchmarks/inspect_scene.py --folder bench --scene one.tif # another scene in place of the generated ones

The scene of 10000 x 10000 px holds all ten types; `flagged` is the share of its tiles that the model segmented.
Scenes are made where they are missing (about a minute for the first). Each measurement is a process of
its own, so the peak memory is that of one run. The bars are those of the design: 60 s with a fifth of the
tiles flagged, 120 s with all, 2000 MB. Below each row stand the seconds of the stages, on the clock and of CPU.
`--flagged` sets one threshold for the screen, chosen from the scores of this scene (see `cpu_stages`): it
measures speed, and what is found with it means nothing.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import rasterio
from rasterio.windows import Window

from clearscene.inspection.taxonomy import BY_NAME
from clearscene.raster.scene import open_scene
from clearscene.synth.scene import SceneSpec, make_scene
from clearscene.timing import peak_memory_mb
from cpu_stages import cpu_by_stage
from make_scene import make_mosaic

BLOCK = 512


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--folder", type=Path, required=True, help="where scenes and results go")
    parser.add_argument("--huge", action="store_true", help="also 3.6 Gpx, every pixel with data")
    parser.add_argument("--sparse", action="store_true", help="also 3.6 Gpx, a tenth with data")
    parser.add_argument("--device", default="auto", help="where the networks run, as in `inspect --device`")
    parser.add_argument(
        "--flagged", type=float, help="share of the tiles to segment, 0 to 1; default: as the model says"
    )
    parser.add_argument("--scene", type=Path, help="measure this scene alone")
    parser.add_argument("--read", type=Path, help=argparse.SUPPRESS)  # what child processes do
    parser.add_argument("--inspect", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.read:
        print(json.dumps(read_only(options.read)))
        return
    if options.inspect:
        place = options.folder / options.inspect.stem
        print(json.dumps(cpu_by_stage(options.inspect, place, device=options.device, flagged=options.flagged)))
        return
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {time.strftime('%Y-%m-%d')}"
    )
    heads = ("s/Mpx", 8), ("x read", 8), ("peak MB", 9), ("flagged", 9), ("findings", 10)
    print(f"{'scene':<12}{'Mpx':>7}{'read s':>9}{'inspect s':>11}" + "".join(f"{head:>{n}}" for head, n in heads))
    for scene in scenes(options):
        print_row(scene, options.folder / "results", device=options.device, flagged=options.flagged)


def scenes(options: argparse.Namespace) -> list[Path]:
    """The scenes to measure, made where they are missing."""
    options.folder.mkdir(parents=True, exist_ok=True)
    if options.scene:
        return [options.scene]
    big, huge, sparse = (options.folder / name for name in ("big.tif", "huge.vrt", "sparse.tif"))
    if not big.exists():
        make_scene(SceneSpec(10_000, 10_000, seed=1, defects=frozenset(BY_NAME)), big)
    if options.huge and not huge.exists():
        make_mosaic(huge, width=60_000, height=60_000, seed=1)
    if options.sparse and not sparse.exists():
        make_sparse(sparse, big)
    return [big, *([huge] if options.huge else []), *([sparse] if options.sparse else [])]


def make_sparse(out: Path, source: Path) -> None:
    """60,000 x 60,000 px with the scene `source` in four places, else nodata that takes no space."""
    with rasterio.open(source) as scene:
        profile = {"driver": "GTiff", "count": 3, "dtype": "uint8", "height": 60_000, "width": 60_000, "nodata": 0}
        profile |= {"tiled": True, "blockxsize": BLOCK, "blockysize": BLOCK, "compress": "deflate", "SPARSE_OK": True}
        profile |= {"crs": scene.crs, "transform": scene.transform, "BIGTIFF": "YES"}
        with rasterio.open(out, "w", **profile) as target:
            for row, col in ((0, 0), (10_240, 45_056), (30_720, 20_480), (49_152, 49_152)):
                for top in range(0, scene.height, BLOCK):
                    band = scene.read(window=Window(0, top, scene.width, min(BLOCK, scene.height - top)))
                    target.write(np.maximum(band, 1), window=Window(col, row + top, band.shape[2], band.shape[1]))


def read_only(path: Path) -> dict[str, float | None]:
    """Read every pixel once, by windows, as the inspection does."""
    start = time.perf_counter()
    with open_scene(path) as scene:
        for row in range(0, scene.grid.height, 1024):
            for col in range(0, scene.grid.width, 1024):
                size = min(1024, scene.grid.width - col), min(1024, scene.grid.height - row)
                scene.read(Window(col, row, *size))
    return {
        "seconds": time.perf_counter() - start,
        "peak_mb": peak_memory_mb(),
    }


def print_row(scene: Path, out: Path, *, device: str, flagged: float | None) -> None:
    """Measure one scene in two child processes and print a line."""
    floor = json.loads(child([__file__, "--folder", str(out), "--read", str(scene)]))
    forced = [] if flagged is None else ["--flagged", str(flagged)]
    cpu = json.loads(child([__file__, "--folder", str(out), "--inspect", str(scene), "--device", device, *forced]))
    report = json.loads((out / scene.stem / "report.json").read_text(encoding="utf-8"))
    timing, mpx = report["timing"], report["pixels"]["total"] / 1e6
    findings = sum(t["count"] for t in report["types"])
    models = [d["parameters"] for d in report["detectors"] if d["kind"] == "model"]
    share = f"{models[0]['flagged fraction']:.2f}" if models else "-"
    print(
        f"{scene.stem:<12}{mpx:>7.0f}{floor['seconds']:>9.1f}{timing['seconds']:>11.1f}{timing['seconds'] / mpx:>8.3f}"
        f"{timing['seconds'] / floor['seconds']:>8.1f}{timing['peak_memory_mb']:>9.0f}{share:>9}{findings:>10}",
        flush=True,
    )
    print("  clock: " + ", ".join(f"{name} {value:.1f} s" for name, value in timing["stages"].items()))
    print(f"  CPU: {sum(cpu.values()):.1f} s: " + ", ".join(f"{name} {s:.1f} s" for name, s in cpu.items()), flush=True)


def child(words: list[str]) -> str:
    done = subprocess.run([sys.executable, *words], capture_output=True, text=True)
    if done.returncode:
        raise SystemExit(done.stderr)
    return done.stdout


if __name__ == "__main__":
    main()
