"""A checkpoint to go on training from, out of a model folder, whose own checkpoint is not kept.

    python scripts/model_checkpoint.py src/clearscene/weights/cloud-rgbn recipes/cloud-rgbn.toml CHIPS OUT.pt
    python scripts/model_checkpoint.py src/clearscene/weights/defects recipes/inspection.toml CHIPS OUT.pt

An export folds each batch normalization into its convolution. Here they are taken apart again: the statistics are
those of some training chips of CHIPS, and scale and shift are what makes the network answer as the folder does, which
is checked. Weights of the folder are float16, so that the checkpoint is theirs and not quite that of the training.
"""

import argparse
import itertools
import json
from pathlib import Path

import numpy as np
import onnx
import torch
from torch import Tensor, nn

from clearscene.models.session import load_graph
from clearscene.training.checkpoint import write_checkpoint
from clearscene.training.config import TrainConfig, load_config
from clearscene.training.course import batches_of, open_sets, train_loader
from clearscene.training.device import Team
from clearscene.training.learner import Learner
from clearscene.training.networks.contract import Answers

N_BATCHES = 6
MOST_DIFFERENT = 1e-2
"""Logits."""
GRAPHS = ("screen.onnx", "model.onnx")
"""In the order in which they run; a model that does not screen lacks the first."""
TILE = 512

Pairs = list[tuple[nn.Conv2d, nn.BatchNorm2d | None]]


def values_of(path: Path) -> dict[str, np.ndarray]:
    """The numbers of a graph by name, as float32; also by the name that a cast gives them."""
    graph = onnx.load(path).graph
    values = {one.name: onnx.numpy_helper.to_array(one).astype(np.float32) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Cast" and node.input[0] in values:
            values[node.output[0]] = values[node.input[0]]
    return values


def folded(path: Path) -> list[tuple[np.ndarray, np.ndarray]]:
    """Weights and biases of the convolutions of a graph, in the order in which they run."""
    values = values_of(path)
    return [(values[n.input[1]], values[n.input[2]]) for n in onnx.load(path).graph.node if n.op_type == "Conv"]


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
        place = next((i for i, (weight, _) in enumerate(left) if weight.shape == tuple(conv.weight.shape)), None)
        if place is None:
            raise SystemExit(f"The folder has no convolution of {tuple(conv.weight.shape)} left.")
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
    if left:
        raise SystemExit(f"{len(left)} convolutions of the folder are not in the network of the config.")


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


@torch.no_grad()
def take_others(network: nn.Module, values: dict[str, np.ndarray]) -> None:
    """Put in what belongs to no convolution and kept its name, such as scale and shift of the screen."""
    for name, parameter in network.named_parameters():
        if parameter.ndim == 1 and f"network.{name}" in values and not name.endswith(".bias"):
            parameter.copy_(torch.from_numpy(values[f"network.{name}"].copy()))


def chip_images(config: TrainConfig, learner: Learner) -> list[Tensor]:
    """Batches of training chips as the network sees them."""
    sets = open_sets(config.data, config.network)
    loader, _ = train_loader(sets, config, start=0, rank=0, world=1)
    return [learner.prepare(batch)[0] for batch in itertools.islice(batches_of(loader), N_BATCHES)]


def answers_of(folder: Path, image: np.ndarray) -> dict[str, np.ndarray]:
    """What the graphs of a folder say of images of a tile's size, by the name of the answer."""
    given: dict[str, np.ndarray] = {"image": image}
    for name in GRAPHS:
        if (folder / name).is_file():
            graph = load_graph(folder / name, device="cpu")
            given |= dict(graph.run({port.name: given[port.name] for port in graph.inputs}))
    return given


def difference(answers: Answers, found: dict[str, np.ndarray]) -> float:
    """The largest between a network's answers and those of the graphs, in logits."""
    pairs = [(answers.pixels, next(v for v in reversed(found.values()) if v.ndim == 4))]
    pairs += [(answers.tile, found["logits"])] if answers.tile is not None else []
    pairs += [(answers.cells, found["cells"])] if answers.cells is not None else []
    return max(float(np.abs(own.numpy() - other).max()) for own, other in pairs if own is not None)


def main() -> None:
    """Write the checkpoint."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("config", type=Path)
    parser.add_argument("chips", type=Path)
    parser.add_argument("out", type=Path)
    args = parser.parse_args()
    place = json.dumps(str(args.chips.resolve()))
    config = load_config(args.config, [f"data.chips=[{{folder={place}}}]", "run.workers=0"])
    plain = config.network.model_copy(update={"weights": "none"})
    config = config.model_copy(
        update={"network": plain, "run": config.run.model_copy(update={"start_from": (), "start_share": 0.0})}
    )
    learner = Learner(config, device=torch.device("cpu"), team=Team.of_environment(), last=args.out)
    network, images = learner.network.eval(), chip_images(config, learner)
    pairs = in_order(network, images[0][:1])
    there = [args.model / name for name in GRAPHS if (args.model / name).is_file()]
    take(pairs, [entry for path in there for entry in folded(path)])
    for path in there:
        take_others(network, values_of(path))
    unfold(network, pairs, images)
    image = nn.functional.pad(images[0][:1], (0, TILE - images[0].shape[-1]) * 2)
    with torch.no_grad():
        different = difference(network(image), answers_of(args.model, image.numpy()))
    if not different < MOST_DIFFERENT:
        raise SystemExit(f"The network answers otherwise than the folder, by up to {different:.3g} in logits.")
    write_checkpoint(args.out, {"config": config.model_dump(mode="json"), "weights": network.state_dict()})
    print(f"{args.out}: logits differ by {different:.2g} at most")


if __name__ == "__main__":
    main()
