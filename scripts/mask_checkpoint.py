"""A checkpoint to go on training from, out of a model folder for cloud masks, whose own checkpoint is not kept.

    python scripts/mask_checkpoint.py src/clearscene/weights/cloud-rgbn recipes/cloud-rgbn.toml CHIPS OUT.pt

An export folds each batch normalization into its convolution. Here they are taken apart again: the statistics are
those of some training chips of CHIPS, and scale and shift are what makes the network answer as the folder does, which
is checked. Weights of the folder are float16, so that the checkpoint is theirs and not quite that of the training.
"""

import argparse
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from clearscene.models.session import load_graph
from clearscene.synth.chip_set import ChipSet
from clearscene.training.checkpoint import write_checkpoint
from clearscene.training.chips import Chip
from clearscene.training.config import load_config
from clearscene.training.mask_chips import read_mask_chip
from clearscene.training.networks.build import build_network

N_CHIPS = 96
MOST_DIFFERENT = 1e-2
"""Logits."""

Pairs = list[tuple[nn.Conv2d, nn.BatchNorm2d | None]]


def folded(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and biases of the convolutions of a graph, in the order in which they run."""
    graph = onnx.load(path).graph
    values = {one.name: onnx.numpy_helper.to_array(one).astype(np.float32) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
    return [(values[n.input[1]], values[n.input[2]]) for n in graph.node if n.op_type == "Conv"]


def in_order(network: nn.Module, image: Tensor) -> Pairs:
    """The convolutions of a network, in the order in which they run, each with the normalization behind it."""
    pairs: Pairs = []

    def note(module: nn.Module, _inputs: object, _output: object) -> None:
        if isinstance(module, nn.Conv2d):
            pairs.append((module, None))
        elif isinstance(module, nn.BatchNorm2d):
            pairs[-1] = (pairs[-1][0], module)

    hooks = [m.register_forward_hook(note) for m in network.modules() if isinstance(m, nn.Conv2d | nn.BatchNorm2d)]
    with torch.no_grad():
        network(image)
    for hook in hooks:
        hook.remove()
    return pairs


@torch.no_grad()
def take(pairs: Pairs, weights: list[tuple[np.ndarray, np.ndarray]]) -> None:
    """Put folded weights into the network; normalizations only add the bias."""
    left = list(weights)
    for conv, norm in pairs:  # a graph may run its branches in another order than the network
        place = next(i for i, (weight, _) in enumerate(left) if weight.shape == tuple(conv.weight.shape))
        weight, bias = left.pop(place)
        conv.weight.copy_(torch.from_numpy(weight.copy()))
        if norm is None:
            assert conv.bias is not None
            conv.bias.copy_(torch.from_numpy(bias.copy()))
            continue
        norm.running_mean.zero_()  # type: ignore[union-attr]
        norm.running_var.fill_(1 - norm.eps)  # type: ignore[union-attr]
        norm.weight.fill_(1)
        norm.bias.copy_(torch.from_numpy(bias.copy()))


@torch.no_grad()
def unfold(network: nn.Module, pairs: Pairs, images: list[Tensor]) -> None:
    """Give the normalizations the statistics of `images`; what the network answers stays as it is."""
    sums: dict[int, list[Tensor]] = {}

    def note(module: nn.Module, inputs: tuple[Tensor, ...], _output: object) -> None:
        x = inputs[0]
        found = torch.stack([x.mean((0, 2, 3)), x.square().mean((0, 2, 3))])
        sums.setdefault(id(module), []).append(found)

    hooks = [norm.register_forward_hook(note) for _, norm in pairs if norm is not None]
    for image in images:
        network(image)
    for hook in hooks:
        hook.remove()
    for _, norm in pairs:
        if norm is not None:
            mean, square = torch.stack(sums[id(norm)]).mean(0)
            variance = (square - mean.square()).clamp(min=1e-6)
            norm.running_mean.copy_(mean)  # type: ignore[union-attr]
            norm.running_var.copy_(variance)  # type: ignore[union-attr]
            norm.weight.copy_((variance + norm.eps).sqrt())
            norm.bias.add_(mean)


def chip_images(folder: Path) -> list[Tensor]:
    """Batches of training chips as the network sees them, every second one without near infrared."""
    chips = ChipSet.open(folder)
    records = chips.records("train")
    drawn = records[:: max(1, len(records) // N_CHIPS)][:N_CHIPS]
    images = [read_mask_chip(Chip(chips, record)).image() for record in drawn]
    for image in images[1::2]:
        image[3] = 0
    return [torch.from_numpy(np.stack(images[i : i + 8])) for i in range(0, len(images), 8)]


def main() -> None:
    """Write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("config", type=Path)
    parser.add_argument("chips", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    config = load_config(args.config)
    network = build_network(config.network.model_copy(update={"weights": "none"})).eval()
    images = chip_images(args.chips)
    pairs = in_order(network, images[0][:1])
    take(pairs, folded(args.model / "model.onnx"))
    unfold(network, pairs, images)
    graph = load_graph(args.model / "model.onnx", device="cpu")
    size = 512
    image = nn.functional.pad(images[0][:1], (0, size - images[0].shape[-1]) * 2)
    wanted = next(iter(graph.run({graph.inputs[0].name: image.numpy()}).values()))
    with torch.no_grad():
        answers = network(image)
    different = float(np.abs(answers.pixels.numpy() - wanted).max())
    if not different < MOST_DIFFERENT:
        raise SystemExit(f"The network answers otherwise than the folder, by up to {different:.3g} in logits.")
    write_checkpoint(args.out, {"config": config.model_dump(mode="json"), "weights": network.state_dict()})
    print(f"{args.out}: logits differ by {different:.2g} at most")


if __name__ == "__main__":
    main()
