"""The pair of networks of the seed system (SwinV2-base, SegFormer-b5) beside the shipped model, seconds a megapixel.

    pip install "clearscene[train]"
    python benchmarks/seed_pair.py [--tiles 6] [--threads 2]

Both run in ONNX Runtime on the same tiles of 512 x 512 px, in turn, tile by tile, on the CPU. The pair has random
weights, which cost the same: every tile is reduced to 192 px for the classifier, and segmented at 512 px if flagged.
Prints seconds a megapixel of each step, and of the whole with 20 % and 100 % of the tiles flagged, and the ratio.
"""

import argparse
import tempfile
import time
from pathlib import Path

import numpy as np
import torch

from clearscene.models.model import Model
from clearscene.models.session import load_graph
from clearscene.models.zoo import available_models
from clearscene.training.export.trace import to_onnx
from clearscene.training.networks.build import build_network
from clearscene.training.networks.spec import NetworkSpec

TILE, SMALL = 512, 192
MPX = TILE * TILE / 1e6


class Screen(torch.nn.Module):
    """The tile logits alone."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.network(image).tile


class Pixels(torch.nn.Module):
    """The pixel logits alone."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        return self.network(image).pixels


def graph(module: torch.nn.Module, size: int, folder: Path, threads: int):
    example = torch.zeros(1, 3, size, size)
    path = folder / f"{type(module).__name__}.onnx"
    path.write_bytes(to_onnx(module, (example,), inputs=["image"], outputs=["answer"]).SerializeToString())
    return load_graph(path, device="cpu", threads=threads)


def timed(function, *arguments) -> float:
    start = time.perf_counter()
    function(*arguments)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tiles", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--model", type=Path)
    args = parser.parse_args()
    folder = args.model or next(m.folder for m in available_models() if m.manifest.task == "inspection")
    ours = Model.load(folder, device="cpu", threads=args.threads)
    screen = Screen(build_network(NetworkSpec(kind="screening", name="swinv2-base", weights="none")))
    pixels = Pixels(build_network(NetworkSpec(kind="segmentation", name="segformer-b5", weights="none")))
    with tempfile.TemporaryDirectory() as place:
        theirs_screen = graph(screen, SMALL, Path(place), args.threads)
        theirs_pixels = graph(pixels, TILE, Path(place), args.threads)
    rng = np.random.default_rng(0)
    rows = {"classifier": [], "segmenter": [], "our screen": [], "our decoder": []}
    for turn in range(args.tiles + 1):
        tile = rng.integers(0, 256, (3, TILE, TILE), np.uint8)
        image = ours.prepare(tile, np.ones((TILE, TILE), np.bool_))
        small = np.ascontiguousarray(image[:, :, :SMALL, :SMALL])
        features = ours.screen(image).features
        seconds = {
            "classifier": timed(theirs_screen.run, {"image": small}),
            "segmenter": timed(theirs_pixels.run, {"image": image}),
            "our screen": timed(ours.screen, image),
            "our decoder": timed(ours.segment, image, features),
        }
        for name, value in seconds.items() if turn else ():  # the first turn warms up
            rows[name].append(value / MPX)
    median = {name: float(np.median(values)) for name, values in rows.items()}
    for name, value in median.items():
        print(f"{name:12} {value:8.3f} s/Mpx")
    for share in (0.2, 1.0):
        pair = median["classifier"] + share * median["segmenter"]
        own = median["our screen"] + share * median["our decoder"]
        print(f"{share:.0%} flagged: pair {pair:.2f}, ours {own:.3f} s/Mpx, ratio {pair / own:.0f}")


if __name__ == "__main__":
    main()
