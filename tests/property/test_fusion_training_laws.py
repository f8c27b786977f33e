"""Laws of learning to fuse: exact areas, and permutations of the images that change nothing."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clearscene.synth.cloud_bank import CloudBank
from clearscene.synth.occlusion import occlusion
from clearscene.synth.spoiling import paper_cloud_over

BANK = CloudBank("train", size=32)
sizes = st.integers(8, 48)
seeds = st.integers(0, 2**32 - 1)


@given(sizes, sizes, st.floats(0, 1), seeds)
def test_a_lost_part_has_exactly_the_area(height, width, area, seed):
    lost = occlusion(height, width, area, np.random.default_rng(seed))
    assert lost.shape == (height, width)
    assert lost.sum() == round(area * height * width)


@settings(max_examples=25)
@given(sizes, sizes, st.floats(0, 0.9), seeds)
def test_a_cloud_touches_exactly_the_area(height, width, area, seed):
    clean = np.random.default_rng(seed).uniform(0.2, 0.4, (3, height, width)).astype(np.float32)
    made = paper_cloud_over(clean, area, np.random.default_rng(seed), bank=BANK)
    assert (made.lost > 0).sum() == round(area * height * width)
    np.testing.assert_array_equal(made.data[:, made.lost == 0], clean[:, made.lost == 0])


@pytest.fixture(scope="module")
def pair():
    torch = pytest.importorskip("torch", reason="torch comes with the extra `train`")
    from clearscene.training.networks.build import build_network
    from clearscene.training.networks.spec import NetworkSpec

    torch.manual_seed(4)
    return build_network(NetworkSpec(kind="fusion")).eval()


@settings(max_examples=15)
@given(st.integers(1, 7).flatmap(lambda n: st.permutations(range(n))), seeds)
def test_the_order_of_any_number_of_images_changes_nothing(pair, order, seed):
    import torch

    images = torch.rand((1, len(order), 3, 18, 21), generator=torch.Generator().manual_seed(seed))
    with torch.no_grad():
        one, other = pair(images.flatten(1, 2)), pair(images[:, list(order)].flatten(1, 2))
        torch.testing.assert_close(one.fused, other.fused, atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(one.pixels, other.pixels, atol=1e-4, rtol=1e-3)
        _, share = pair.fuse(images.flatten(1, 2))
        _, moved = pair.fuse(images[:, list(order)].flatten(1, 2))
    torch.testing.assert_close(share[:, list(order)], moved, atol=1e-5, rtol=1e-4)
    torch.testing.assert_close(share.sum(dim=1), torch.ones(1, 18, 21))
    assert (one.fused >= images.amin(1) - 1e-5).all()
    assert (one.fused <= images.amax(1) + 1e-5).all()
