"""One tester runs every semantic network: sizes, bands, gradients, saving, ONNX; and the published counts."""

import io

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")

import onnxruntime  # noqa: E402  # after the check for torch

from clearscene.errors import MissingExtraError, TrainingError  # noqa: E402
from clearscene.training.export.trace import to_onnx  # noqa: E402
from clearscene.training.networks.catalog import CATALOG, build_semantic, card  # noqa: E402
from clearscene.training.networks.conv_blocks import PooledNorm, SlowNorm, SlowPooledNorm, grown_conv  # noqa: E402
from clearscene.training.networks.measure import gflop_per_mpx, measured, n_parameters  # noqa: E402
from clearscene.training.networks.sizes import AnySize, mirrored  # noqa: E402
from clearscene.training.networks.unet_plusplus import mean_answer  # noqa: E402
from clearscene.training.networks.yolo import joined_logits  # noqa: E402
from clearscene.training.networks.yolo_instances import InstanceNet  # noqa: E402
from clearscene.training.torch_ready import mend_torchvision  # noqa: E402

mend_torchvision()
LIBRARIES = {"segformer": "transformers", "unet-resnet50": "segmentation_models_pytorch", "two-head": "timm"}
LIBRARIES |= {"yolov8-seg": "ultralytics", "deeplabv3": "torchvision"}
ALIKE = {("cloud-net", "benchmark"), ("cloudx-net", "benchmark"), ("yolov8-seg", "benchmark")}
"""The networks of the form `paper`, trained otherwise."""
ALIKE |= {(f"segformer-b{n}", "paper") for n in range(1, 6)}
"""They differ from segformer-b0 in numbers only."""
ZOO = [(c.name, c.form) for c in CATALOG if (c.name, c.form) not in ALIKE]
PLAIN = [(name, form) for name, form in ZOO if name not in (*LIBRARIES, "segformer-b0")]
N_BANDS = 2
HEAVY = {("unet", "paper"), ("deeplabv3plus", "paper"), ("deeplabv3", "paper")}
RUN = [pytest.param(pair, id="-".join(pair), marks=[pytest.mark.slow] if pair in HEAVY else []) for pair in ZOO]


def needs(name: str) -> None:
    for prefix, package in LIBRARIES.items():
        if name == prefix or (prefix == "segformer" and name.startswith(prefix)):
            pytest.importorskip(package, reason=f"{package} is not installed")


def image(height: int, width: int, *, n: int = 1):
    """Values 0 to 1, every pixel and band other."""
    return torch.rand(n, N_BANDS, height, width, generator=torch.Generator().manual_seed(height))


def light(name: str, form: str, *, n_bands: int, n_classes: int = 1):
    """A network without memory, for shapes; that of YOLOv8 computes while it is built."""
    needs(name)
    with torch.device("cpu" if name == "yolov8-seg" else "meta"):
        return build_semantic(name, form=form, n_bands=n_bands, n_classes=n_classes)


@pytest.fixture(scope="module", params=RUN)
def zoo(request):
    """Name, form and network, as if it had learned a little."""
    name, form = request.param
    needs(name)
    torch.manual_seed(0)
    network = build_semantic(name, form=form, n_bands=N_BANDS)
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # what starts as 0 stops gradients
        for parameter in network.parameters():
            if parameter.ndim == 1:
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return name, form, network


def answer(network, given):
    with torch.no_grad():
        return network.eval()(given)


# Counts


PRINTED = [
    ("unet", "benchmark", 3, 1_941_105),
    ("unet-plusplus", "benchmark", 3, 9_042_177),
    ("rs-net", "paper", 1, 7_854_017),
    ("rs-net", "paper", 3, 7_854_593),
    ("rs-net", "paper", 4, 7_854_881),
    ("rs-net", "benchmark", 8, 7_856_033),
    ("rs-net", "paper", 10, 7_856_609),
    ("cloud-net", "paper", 4, 36_465_793),
    ("cloud-net", "benchmark", 3, 36_465_649),
    ("cloudx-net", "paper", 3, 19_513_905),
    ("cloudx-net", "benchmark", 4, 19_514_049),
]
"""Numbers of the sources, running statistics counted: no result of ours."""


@pytest.mark.parametrize(("name", "form", "n_bands", "count"), PRINTED)
def test_the_count_is_the_published_one(name, form, n_bands, count):
    with torch.device("meta"):
        network = build_semantic(name, form=form, n_bands=n_bands)
    assert n_parameters(network) == count


def test_learned_parameters_of_the_cloud_networks():
    with torch.device("meta"):
        known = [("rs-net", 4, 7_850_913), ("cloud-net", 4, 36_448_673), ("cloudx-net", 3, 19_488_081)]
        for name, n_bands, learned in known:
            network = build_semantic(name, form="paper", n_bands=n_bands)
            assert sum(p.numel() for p in network.parameters()) == learned


def test_deeplabv3plus_has_as_many_as_the_example_of_keras_prints():
    """https://keras.io/examples/vision/deeplabv3_plus prints 11,857,236 for 20 classes, 32,736 of them not learned."""
    with torch.device("meta"):
        network = build_semantic("deeplabv3plus", form="benchmark", n_bands=3, n_classes=20)
    assert n_parameters(network) == 11_857_236
    assert sum(p.numel() for p in network.parameters()) == 11_857_236 - 32_736


def test_u_net_has_as_many_as_the_figure_of_the_paper():
    """One band, two classes: the sum over the convolutions of figure 1, by hand."""
    down = [(1, 64), (64, 128), (128, 256), (256, 512), (512, 1024)]
    pairs = [(a, b) for n_in, n_out in down for a, b in ((n_in, n_out), (n_out, n_out))]
    pairs += [(a, b) for _, n in down[:0:-1] for a, b in ((n, n // 2), (n // 2, n // 2))]
    by_hand = sum(9 * a * b + b for a, b in pairs) + sum(4 * n * n // 2 + n // 2 for _, n in down[:0:-1]) + 64 * 2 + 2
    with torch.device("meta"):
        network = build_semantic("unet", form="paper", n_bands=1, n_classes=2)
    assert n_parameters(network) == by_hand == 31_030_658


def test_the_library_of_the_sky_u_net_counts_32_521_105():
    needs("unet-resnet50")
    with torch.device("meta"):
        network = build_semantic("unet-resnet50", form="paper", n_bands=3)
    assert sum(p.numel() for p in network.parameters()) == 32_521_105


@pytest.mark.parametrize(("name", "form"), ZOO, ids=map("-".join, ZOO))
def test_a_card_counts_what_is_built(name, form):
    needs(name)
    known = card(name, form)
    assert measured(name, form=form, n_bands=known.bands) == (
        known.n_parameters,
        pytest.approx(known.gflop_per_mpx, abs=0.06),
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", range(1, 6))
def test_large_segformers_count_what_their_cards_say(number):
    needs("segformer-b0")
    known = card(f"segformer-b{number}", "paper")
    assert n_parameters(light(known.name, "paper", n_bands=4)) == known.parameters["paper", 4]


def test_operations_are_counted_twice_for_each_multiplication():
    network = AnySize(torch.nn.Conv2d(3, 5, 3, padding=1), divisor=32)
    assert gflop_per_mpx(network, 3, side=64) == pytest.approx(2 * 3 * 5 * 9 / 1e3)


# Every network


def test_any_size(zoo):
    _, _, network = zoo
    logits = answer(network, image(33, 36, n=2))
    assert logits.shape == (2, 1, 33, 36)
    assert logits.isfinite().all()
    assert (logits[0] != logits[1]).any()


@pytest.mark.parametrize(("name", "form"), ZOO, ids=map("-".join, ZOO))
def test_thirteen_bands_and_three_classes(name, form):
    network = light(name, form, n_bands=13, n_classes=3)
    given = torch.zeros(1, 13, 63, 40, device=next(network.parameters()).device)
    assert answer(network, given).shape == (1, 3, 63, 40)


@pytest.mark.parametrize(("name", "form"), PLAIN, ids=map("-".join, PLAIN))
def test_one_band(name, form):
    given = torch.zeros(3, 1, 32, 47, device="meta")
    assert answer(light(name, form, n_bands=1), given).shape == (3, 1, 32, 47)


def test_a_gradient_reaches_every_parameter_from_one_image_alone(zoo):
    _, _, network = zoo
    given = image(33, 36)
    network.train().zero_grad()
    before = {key: value.clone() for key, value in network.named_buffers()}
    target = (given[:, :1] > 0.5).float()
    torch.nn.functional.binary_cross_entropy_with_logits(network(given), target).backward()
    silent = [
        key
        for key, parameter in network.named_parameters()
        if parameter.requires_grad and (parameter.grad is None or not parameter.grad.abs().sum() > 0)
    ]
    network.zero_grad()
    with torch.no_grad():
        for key, value in network.named_buffers():
            value.copy_(before[key])
    assert silent == []


def test_saved_and_loaded_it_answers_the_same(zoo):
    name, form, network = zoo
    file = io.BytesIO()
    torch.save(network.state_dict(), file)
    file.seek(0)
    other, given = light(name, form, n_bands=N_BANDS), image(33, 40)
    other.load_state_dict(torch.load(file, weights_only=True), assign=True)
    assert torch.equal(answer(other, given), answer(network, given))


def test_exported_to_onnx_it_answers_the_same(zoo):
    _, _, network = zoo
    given = image(33, 36)
    graph = to_onnx(network, (given,), inputs=["image"], outputs=["segmentation"])
    assert {node.domain for node in graph.graph.node} <= {""}
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(graph.SerializeToString(), options, providers=["CPUExecutionProvider"])
    found = session.run(None, {"image": given.numpy()})[0]
    expected = answer(network, given).numpy()
    assert found.shape == expected.shape == (1, 1, 33, 36)
    assert expected.std() > 0
    assert np.abs(found - expected).max() <= 1e-3 * max(1.0, np.abs(expected).max())


# Parts


def test_a_missing_library_is_named_with_its_extra(monkeypatch):
    import clearscene.training.networks.yolo as yolo

    def absent(name):
        raise ModuleNotFoundError(f"No module named {name!r}", name="ultralytics")

    monkeypatch.setattr(yolo.importlib, "import_module", absent)
    with pytest.raises(MissingExtraError, match=r"ultralytics.*clearscene\[yolo\]"):
        yolo.ultralytics("nn.tasks")


def test_an_image_that_is_too_small_is_an_error():
    with pytest.raises(TrainingError, match="31 x 40 pixels is too small"):
        AnySize(torch.nn.Identity(), divisor=8)(torch.zeros(1, 3, 31, 40))


@pytest.mark.parametrize(("divisor", "remainder", "border"), [(1, 0, 0), (32, 0, 0), (16, 12, 92), (16, 0, 20)])
def test_a_pixel_comes_back_to_its_place(divisor, remainder, border):
    class Cropped(torch.nn.Module):
        def forward(self, x):
            assert all((side - remainder) % divisor == 0 for side in x.shape[-2:])
            return x[..., border : x.shape[-2] - border, border : x.shape[-1] - border]

    given = image(33, 36)
    network = AnySize(Cropped(), divisor=divisor, remainder=remainder, border=border)
    assert torch.equal(network(given), given)


@pytest.mark.parametrize(("before", "after"), [(0, 0), (3, 5), (40, 0), (11, 97)])
def test_an_image_is_continued_as_in_a_mirror(before, after):
    given = torch.rand(1, 2, 7, 5)
    expected = np.pad(given.numpy(), ((0, 0), (0, 0), (before, after), (after, before)), mode="reflect")
    assert np.array_equal(mirrored(given, (before, after), (after, before)).numpy(), expected)


@pytest.mark.parametrize("n_bands", [1, 2, 4, 13])
def test_a_grown_convolution_answers_equal_bands_as_before(n_bands):
    conv = torch.nn.Conv2d(3, 4, 3)
    gray = torch.rand(1, 1, 8, 9)
    expected = conv(gray.expand(-1, 3, -1, -1))
    grown_conv(conv, n_bands)
    assert conv.in_channels == n_bands
    assert torch.allclose(conv(gray.expand(-1, n_bands, -1, -1)), expected, atol=1e-5)


def test_normalization_behind_a_global_pooling():
    norm, other = PooledNorm(3), torch.nn.BatchNorm2d(3)
    alone, many = torch.rand(1, 3, 1, 1), torch.rand(4, 3, 1, 1)
    assert torch.allclose(norm.train()(alone), other.eval()(alone))
    assert torch.equal(norm.train()(many), other.train()(many))


@pytest.mark.parametrize("kind", [SlowNorm, SlowPooledNorm])
def test_the_slow_moving_mean_does_not_wait_for_the_first_batches(kind):
    norm = kind(2).train()
    batches = [torch.rand(3, 2, 4, 5) + i % 7 for i in range(103)]
    means = [batch.mean(dim=(0, 2, 3)) for batch in batches]
    for n, batch in enumerate(batches[:100], start=1):
        norm(batch)
        if n in (1, 5, 100):
            assert torch.allclose(norm.running_mean, torch.stack(means[:n]).mean(dim=0), atol=1e-5)
    expected = norm.running_mean.clone()
    for batch, mean in zip(batches[100:], means[100:], strict=True):
        norm(batch)
        expected = 0.99 * expected + 0.01 * mean
    assert torch.allclose(norm.running_mean, expected, atol=1e-5)
    before = norm.running_mean.clone()
    norm.eval()(batches[0])
    assert torch.equal(norm.running_mean, before)


@pytest.mark.parametrize("n_classes", [1, 3])
def test_the_mean_answer_is_that_of_the_probabilities(n_classes):
    branches = [3 * torch.randn(2, n_classes, 4, 5) for _ in range(4)]

    def chances(logits):
        return logits.sigmoid() if n_classes == 1 else logits.softmax(1)

    expected = torch.stack([chances(branch) for branch in branches]).mean(0)
    assert torch.allclose(chances(mean_answer(branches)), expected, atol=1e-6)
    assert mean_answer(branches[:1]) is branches[0]


def test_joined_instances_are_a_union():
    chances, masks = torch.rand(2, 3, 5), torch.rand(2, 5, 4, 6)
    logits = joined_logits(chances, masks)
    expected = 1 - (1 - chances[:, :, :, None, None] * masks[:, None]).prod(2)
    assert torch.allclose(logits.sigmoid(), expected, atol=1e-5)
    assert (joined_logits(chances[..., :3], masks[:, :3]) <= logits + 1e-5).all()
    order = torch.tensor([4, 2, 0, 1, 3])
    assert torch.allclose(joined_logits(chances[..., order], masks[:, order]), logits, atol=1e-4)


def test_joined_instances_stay_finite_at_the_ends():
    for value in (0.0, 1.0):
        chances = torch.full((1, 1, 9), value, requires_grad=True)
        logits = joined_logits(chances, torch.ones(1, 9, 4, 4))
        logits.sum().backward()
        assert logits.isfinite().all()
        assert chances.grad.isfinite().all()


def test_half_covered_by_one_instance():
    mask = torch.zeros(1, 1, 2, 4)
    mask[..., :2] = 1
    chance = joined_logits(torch.tensor([[[0.9]]]), mask).sigmoid()[0, 0]
    assert chance[:, :2] == pytest.approx(0.9, abs=1e-4)
    assert chance[:, 2:] == pytest.approx(0.0, abs=1e-4)


def test_a_trained_file_of_instances_answers_in_the_size_of_the_image(tmp_path):
    ultralytics = pytest.importorskip("ultralytics", reason="ultralytics comes with the extra `yolo`")
    torch.manual_seed(0)
    ultralytics.YOLO("yolov8n-seg.yaml").save(tmp_path / "best.pt")
    given = np.random.default_rng(0).random((3, 50, 75), np.float32)
    found = InstanceNet(tmp_path / "best.pt", least=1e-6).predict(given)
    assert found.shape == (1, 50, 75)
    assert found.dtype == np.float32
    assert 0 < found.max() <= 1
    assert not InstanceNet(tmp_path / "best.pt", least=0.99).predict(given).any()
    with pytest.raises(TrainingError, match=r"best\.pt of a training"):
        InstanceNet(tmp_path / "other.pt")
