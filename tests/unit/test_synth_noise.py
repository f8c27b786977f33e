import numpy as np

from clearscene.synth.noise import periodic, spline_noise, spline_noise_at, uniform


def test_uniform_numbers_are_spread_and_repeatable():
    values = uniform(5, np.arange(-300, 300)[:, None], np.arange(40)[None, :])
    assert values.shape == (600, 40)
    assert np.array_equal(values, uniform(5, np.arange(-300, 300)[:, None], np.arange(40)[None, :]))
    assert abs(values.mean() - 0.5) < 0.01
    assert abs(values.var() - 1 / 12) < 0.003
    counts = np.histogram(values, 16, (0, 1))[0]
    assert counts.min() > 0.85 * values.size / 16
    assert len(np.unique(values)) == values.size
    assert abs(np.corrcoef(values[:, :-1].ravel(), values[:, 1:].ravel())[0, 1]) < 0.02


def test_seeds_give_other_numbers():
    assert not np.any(uniform(1, np.arange(100)) == uniform(2, np.arange(100)))


def test_lattice_noise_is_the_scattered_noise_at_the_same_places():
    rows, cols = np.arange(-40.0, 60.0, 1.7), np.arange(10.0, 90.0, 2.3)
    lattice = spline_noise(3, 17.0, rows=rows, cols=cols)
    scattered = spline_noise_at(3, 17.0, rows=rows[:, None], cols=cols[None, :])
    assert np.abs(lattice - scattered).max() < 1e-5


def test_lattice_noise_does_not_depend_on_where_it_starts():
    whole = spline_noise(3, 17.0, rows=np.arange(0.0, 80.0), cols=np.arange(0.0, 60.0))
    part = spline_noise(3, 17.0, rows=np.arange(33.0, 70.0), cols=np.arange(21.0, 60.0))
    assert np.abs(whole[33:70, 21:] - part).max() < 1e-5


def test_spline_noise_has_about_unit_deviation():
    places = np.arange(0.0, 2000.0, 7.0)
    noise = spline_noise(9, 20.0, rows=places, cols=places)
    assert abs(noise.mean()) < 0.1
    assert 0.85 < noise.std() < 1.15


def test_periodic_texture_has_no_seam():
    texture = periodic(4, 96, shortest=8, longest=48, slope=1.0)
    steps = np.abs(np.diff(texture, axis=1)).max()
    assert np.abs(texture[:, 0] - texture[:, -1]).max() <= steps * 1.2
    assert abs(texture.mean()) < 1e-4
    assert abs(texture.std() - 1) < 1e-4
