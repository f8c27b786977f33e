"""Generated clouds and their shadows: what is marked is what can be seen, nothing else changes."""

import cv2
import numpy as np
import pytest

from clearscene.errors import GridError
from clearscene.synth.cloud import CLOUDS, paste_cloud
from clearscene.synth.cloud_field import above, billows, gentle, lit, perlin, soft, turbulence, warped
from clearscene.synth.cloud_optics import MARKED, brightness, composite, grain, grained, parted, tint, visible
from clearscene.synth.cloud_paper import paper_alpha
from clearscene.synth.cloud_shadow import cast, cloud_shadow, dimmed

HEIGHT, WIDTH = 96, 113
SCENES = {**CLOUDS, "cloud_shadow": cloud_shadow}


def ground(seed: int = 0, n_bands: int = 3, level: float = 0.3) -> np.ndarray:
    """A slope with waves and noise, (band, row, col) float32; every band and pixel differs."""
    rng = np.random.default_rng(seed)
    row, col = np.mgrid[:HEIGHT, :WIDTH]
    base = level + 0.001 * row + 0.0005 * col + 0.04 * np.sin(row / 5) * np.cos(col / 7)
    bands = [base + 0.03 * band + rng.normal(0, 0.004, base.shape) for band in range(n_bands)]
    return np.stack(bands).astype(np.float32)


def everywhere() -> np.ndarray:
    return np.ones((HEIGHT, WIDTH), bool)


@pytest.mark.parametrize("name", CLOUDS)
def test_a_cloud_brightens_what_it_covers(name):
    data = ground()
    shown = 0
    for seed in range(6):
        result = CLOUDS[name](data, everywhere(), np.random.default_rng(seed), 0.8)
        shown += result.mask.any()
        if result.mask.any():
            assert (result.data - data)[:, result.mask].mean() > 0.05
    assert shown >= 5


@pytest.mark.parametrize("name", CLOUDS)
def test_severity_makes_a_cloud_stronger(name):
    """Mean change over many draws."""
    data = ground()

    def change(severity: float) -> float:
        draws = [CLOUDS[name](data, everywhere(), np.random.default_rng(seed), severity) for seed in range(8)]
        return float(np.mean([np.abs(d.data - data)[:, d.mask].mean() for d in draws if d.mask.any()]))

    assert change(1.0) > 1.3 * change(0.0)


def test_a_cloud_stands_out_from_dark_and_from_bright_ground():
    for level in (0.05, 0.3, 0.7):
        for seed in range(20):
            thick, thin = brightness(ground(level=level), everywhere(), np.random.default_rng(seed), 0.5)
            assert level < thin < thick < 1.6
            assert thick > level + 0.12


def test_a_thick_core_has_grain_like_the_ground():
    rng = np.random.default_rng(3)
    data = (0.3 + 0.01 * rng.standard_normal((3, HEIGHT, WIDTH))).astype(np.float32)
    ratios = []
    for seed in range(5):
        result = CLOUDS["whole_cover"](data, everywhere(), np.random.default_rng(seed), 1.0)
        ratios.append(grain(result.data) / grain(data))
    assert 0.25 < np.median(ratios) < 1.6


def test_a_heap_may_throw_a_shadow_beside_itself():
    data = ground(level=0.5)
    thrown = []
    for seed in range(12):
        result = CLOUDS["cumulus"](data, everywhere(), np.random.default_rng(seed), 0.9)
        if "shadow" in result.also:
            shadow = result.also["shadow"]
            assert not (shadow & result.mask).any()
            assert (result.data - data)[:, shadow].mean() < 0
            thrown.append(result.parameters["shadow_offset_px"])
    assert thrown
    assert min(thrown) > 0


def test_a_shadow_darkens_red_more_than_blue():
    data = ground(level=0.5)
    result = cloud_shadow(data, everywhere(), np.random.default_rng(1), 0.9)
    left = [(result.data[b] / data[b])[result.mask].mean() for b in (0, 2)]
    assert 0.2 < left[0] < left[1] < 1
    assert 0.22 <= result.parameters["light_lost"] <= 0.75


def test_a_shadow_falls_away_from_the_sun():
    opacity = np.zeros((HEIGHT, WIDTH), np.float32)
    opacity[40:50, 50:60] = 1
    for azimuth, down, right in ((0, 20, 0), (90, 0, -20), (180, -20, 0), (225, -14.1, 14.1)):
        shade = cast(opacity, azimuth_deg=azimuth, offset_px=20, softness_px=1)
        row, col = (np.average(places, weights=shade) for places in np.mgrid[:HEIGHT, :WIDTH])
        assert row - 44.5 == pytest.approx(down, abs=0.2)
        assert col - 54.5 == pytest.approx(right, abs=0.2)


def test_dimmed_ground_stays_where_the_sun_shines():
    data, shade = ground(), np.zeros((HEIGHT, WIDTH), np.float32)
    shade[:30] = 1
    noise = grained(data.shape, np.random.default_rng(0), softness_px=0.4)
    result = dimmed(data, shade, noise, strength=0.5)
    assert np.array_equal(result[:, 30:], data[:, 30:])
    assert result[0, :30].mean() == pytest.approx(0.5 * data[0, :30].mean(), rel=0.01)


def test_a_mixture_is_exact_and_keeps_clear_ground():
    data, opacity = ground(), np.zeros((HEIGHT, WIDTH), np.float32)
    opacity[:, 50:] = 0.25
    for scatter in (1, 5):
        mixed = composite(data, opacity, np.float32(0.9), scatter_px=scatter)
        assert np.array_equal(mixed[:, :, :50], data[:, :, :50])
    plain = composite(data, opacity, np.float32(0.9))
    assert np.allclose(plain[:, :, 50:], 0.75 * data[:, :, 50:] + 0.25 * 0.9, atol=1e-6)


def test_a_thin_veil_is_denser_in_blue():
    opacity = np.full((4, 5), 0.4, np.float32)
    red, green, blue, nir = parted(opacity, 4, exponent=1.0)[:, 0, 0]
    assert nir < red < green < blue
    assert green == pytest.approx(0.4)
    assert np.array_equal(parted(opacity, 3, exponent=0.0), np.broadcast_to(opacity, (3, 4, 5)))


def test_rims_fade_to_nothing_and_the_rest_stays():
    opacity = np.linspace(0, 1, 200, dtype=np.float32)[None].repeat(3, axis=0)
    valid = np.ones(opacity.shape, bool)
    valid[2] = False
    kept = visible(opacity, valid)
    assert np.array_equal(kept[:2][opacity[:2] >= 0.05], opacity[:2][opacity[:2] >= 0.05])
    assert not kept[opacity < 0.004].any()
    assert not kept[2].any()
    assert np.all(np.diff(kept[0]) >= 0)


def test_a_pasted_cloud_is_a_mixture_of_texture_and_ground():
    data = ground(n_bands=4)
    texture = 0.8 + 0.1 * ground(seed=1, n_bands=4)
    row, col = np.mgrid[:HEIGHT, :WIDTH]
    opacity = np.clip(1.3 - np.hypot(row - 40, col - 50) / 30, 0, 1).astype(np.float32)
    result = paste_cloud(data, everywhere(), texture=texture, opacity=opacity)
    thick = opacity >= 0.05
    assert np.allclose(result.data[:, thick], (data + opacity * (texture - data))[:, thick], atol=1e-6)
    assert np.array_equal(result.mask, opacity >= MARKED)
    assert result.context is not None
    untouched = ~(result.mask | result.context)
    assert np.array_equal(result.data[:, untouched], data[:, untouched])


@pytest.mark.parametrize(
    ("texture", "opacity"),
    [((3, HEIGHT, WIDTH), (WIDTH, HEIGHT)), ((2, HEIGHT, WIDTH), (HEIGHT, WIDTH)), ((3, 9, 9), (HEIGHT, WIDTH))],
)
def test_a_cloud_of_another_size_is_refused(texture, opacity):
    with pytest.raises(GridError, match="do not fit"):
        paste_cloud(ground(), everywhere(), texture=np.ones(texture, np.float32), opacity=np.ones(opacity, np.float32))


def test_the_disc_of_the_seed_is_opaque_inside_and_ends_at_its_radius():
    row, col = np.mgrid[:300, :300]
    radius = np.hypot(row - 149.5, col - 149.5) / 150
    mean = np.mean([paper_alpha(np.random.default_rng(seed)) for seed in range(12)], axis=0)
    assert mean.shape == (300, 300)
    assert 0.75 < mean[radius < 0.4].mean() <= 1
    assert mean[(radius > 0.55) & (radius < 0.65)].mean() < mean[radius < 0.4].mean()
    assert mean[radius > 1.1].max() < 1e-3


def test_noise_has_zero_mean_unit_deviation_and_any_size():
    for scale in (3, 30, 300):
        field = turbulence(97, 131, np.random.default_rng(0), scale_px=scale)
        assert field.shape == (97, 131)
        assert field.dtype == np.float32
        assert abs(float(field.mean())) < 1e-3
        assert float(field.std()) == pytest.approx(1, abs=1e-3)


def test_noise_of_a_steeper_slope_is_smoother():
    def roughness(slope: float) -> float:
        field = turbulence(128, 140, np.random.default_rng(0), scale_px=40, slope=slope)
        return float(np.abs(np.diff(field, axis=1)).mean())

    assert roughness(1.2) > roughness(1.8) > roughness(2.6)


@pytest.mark.parametrize(("angle", "axis"), [(0.0, 1), (90.0, 0)])
def test_stretched_noise_varies_slowly_along_its_angle(angle, axis):
    field = turbulence(160, 170, np.random.default_rng(0), scale_px=12, slope=2.0, stretch=6, angle_deg=angle)
    along, across = (np.abs(np.diff(field, axis=a)).mean() for a in (axis, 1 - axis))
    assert along < 0.5 * across


def test_opposite_borders_of_noise_are_strangers():
    likeness = []
    for seed in range(40):
        field = turbulence(64, 80, np.random.default_rng(seed), scale_px=8, slope=2.0)
        likeness.append(np.corrcoef(field[:, 0], field[:, -1])[0, 1])
    assert abs(np.mean(likeness)) < 0.15


def test_gentle_noise_shows_no_lattice():
    """Enlarged planes have no more curvature on multiples of their step than between."""
    field = gentle(160, 160, np.random.default_rng(1), scale_px=32)
    curvature = np.abs(np.diff(field, n=2, axis=1)).mean(axis=0)
    by_phase = [curvature[phase::8].mean() for phase in range(8)]
    assert max(by_phase) < 1.6 * min(by_phase)


def test_a_wide_blur_is_close_to_the_true_one():
    field = turbulence(120, 130, np.random.default_rng(0), scale_px=30)
    for sigma in (1.0, 4.0, 9.0):
        true = cv2.GaussianBlur(field, (0, 0), sigma)
        assert np.abs(soft(field, sigma) - true)[24:-24, 24:-24].max() < 0.25 * true.std()


def test_a_hill_is_lit_on_the_side_of_the_sun():
    row, col = np.mgrid[:80, :90]
    hill = np.exp(-((row - 40) ** 2 + (col - 45) ** 2) / 400).astype(np.float32)
    light = lit(hill, 90.0, sizes_px=(1.0, 4.0))  # the sun stands at the right
    assert light[40, 57] > 0.2
    assert light[40, 33] < -0.2
    assert abs(light[40, 45]) < 0.1


def test_fields_are_bounded():
    rng = np.random.default_rng(0)
    assert np.abs(perlin(90, 100, rng, periods=5)).max() <= 1
    bumps = billows(90, 100, rng, scale_px=24)
    assert bumps.min() >= 0
    assert 0.2 < bumps.mean() < 1
    field = turbulence(90, 100, rng, scale_px=20)
    assert np.abs(warped(field, rng, reach_px=2, scale_px=20)).max() <= np.abs(field).max() + 1e-6
    assert (field > above(field, 0.3)).mean() == pytest.approx(0.3, abs=0.05)


def test_grain_is_measured_and_made():
    noise = grained((3, HEIGHT, WIDTH), np.random.default_rng(0), softness_px=0.0)
    assert noise.std() == pytest.approx(1, abs=0.05)
    assert np.corrcoef(noise[0].ravel(), noise[1].ravel())[0, 1] == pytest.approx(0.74, abs=0.06)
    row = np.linspace(0.2, 0.5, HEIGHT, dtype=np.float32)[:, None]
    assert grain((row + 0.008 * noise).astype(np.float32)) == pytest.approx(0.008 * 0.9, rel=0.3)


def test_white_is_nearly_white():
    for seed in range(20):
        color = tint(4, np.random.default_rng(seed), blue=(-0.06, 0.1))
        assert color.shape == (4, 1, 1)
        assert 0.85 < color.min() <= color.max() < 1.15
    assert tint(1, np.random.default_rng(0), blue=(0, 0.1)).ravel().tolist() == [1.0]
