"""Noise that can be asked for anywhere: hashed lattices and periodic textures.

Everything here is a pure function of a seed and of global coordinates, so a window of the ground
looks the same whichever other windows are made, in whatever order.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["SENSOR_PERIOD", "hashed", "periodic", "spline_noise", "spline_noise_at", "uniform"]

SENSOR_PERIOD = 512
"""Rows and columns after which the table of sensor noise repeats; blocks shift it at random."""

_SPLINE_SCALE = 3.7
"""Brings cubic B-spline noise over uniform knots in [-1, 1] to a standard deviation of about 1."""


def hashed(seed: int, *indices: ArrayLike) -> NDArray[np.uint64]:
    """Mix a seed and integer indices (broadcast) into 64 well-spread bits.

    The mixer is the finalizer of SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom
    number generators", OOPSLA 2014), applied once an index.
    """
    with np.errstate(over="ignore"):
        state = np.asarray(np.uint64(seed & 0xFFFFFFFFFFFFFFFF) + np.uint64(0x9E3779B97F4A7C15))
        for index in indices:
            state = _mixed(state ^ np.asarray(index, np.int64).astype(np.uint64))
    return state


def _mixed(bits: NDArray[np.uint64]) -> NDArray[np.uint64]:
    bits = bits + np.uint64(0x9E3779B97F4A7C15)
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(bits ^ (bits >> np.uint64(31)))


def uniform(seed: int, *indices: ArrayLike) -> NDArray[np.float64]:
    """Numbers in [0, 1), one for each combination of the integer indices, which are broadcast to one shape."""
    return (hashed(seed, *indices) >> np.uint64(11)).astype(np.float64) * 2.0**-53


def spline_noise(
    seed: int, cell: float, *, rows: NDArray[np.float64], cols: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Smooth noise of about zero mean and unit deviation on a lattice, (len(rows), len(cols)) float32.

    Random knots every `cell` units under a cubic B-spline; two matrix products, hence cheap at
    full resolution. Law: equals `spline_noise_at` at the same places, to float32 rounding.
    """
    row_knots, row_weights = _knots(rows / cell)
    col_knots, col_weights = _knots(cols / cell)
    values = uniform(seed, row_knots[:, None], col_knots[None, :]).astype(np.float32) * 2 - 1
    return np.asarray(row_weights @ (values * np.float32(_SPLINE_SCALE)) @ col_weights.T)


def spline_noise_at(seed: int, cell: float, *, rows: ArrayLike, cols: ArrayLike) -> NDArray[np.float64]:
    """The same noise as `spline_noise` at scattered places (row, col), any shape, float64."""
    rows, cols = np.broadcast_arrays(np.asarray(rows, float) / cell, np.asarray(cols, float) / cell)
    i, u = np.floor(rows).astype(np.int64), rows - np.floor(rows)
    j, v = np.floor(cols).astype(np.int64), cols - np.floor(cols)
    by_row, by_col = _cubic(u), _cubic(v)  # four arrays each
    total = np.zeros(rows.shape)
    for di in range(4):
        for dj in range(4):
            total += by_row[di] * by_col[dj] * (uniform(seed, i + di, j + dj) * 2 - 1)
    return total * _SPLINE_SCALE


def _knots(places: NDArray[np.float64]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Lattice knots that touch `places` (n,), and the weights (n, knots) of each."""
    base = np.floor(places).astype(np.int64)
    first = int(base.min())
    weights = np.zeros((len(places), int(base.max()) - first + 4), np.float32)
    lines = np.arange(len(places))
    for step, weight in enumerate(_cubic(places - base)):
        weights[lines, base - first + step] = weight
    return np.arange(first, first + weights.shape[1]), weights


def _cubic(u: NDArray[np.float64]) -> tuple[NDArray[np.float64], ...]:
    """Weights of the four knots of a uniform cubic B-spline at fraction `u` of a cell."""
    return (
        (1 - u) ** 3 / 6,
        (3 * u**3 - 6 * u**2 + 4) / 6,
        (-3 * u**3 + 3 * u**2 + 3 * u + 1) / 6,
        u**3 / 6,
    )


def periodic(seed: int, size: int, *, shortest: float, longest: float, slope: float) -> NDArray[np.float32]:
    """A texture (size, size) float32 that repeats without a seam; zero mean, unit deviation.

    Its spectrum holds wavelengths from `shortest` to `longest` pixels, with amplitude falling as
    frequency to the power of `-slope`.
    """
    rng = np.random.default_rng(seed)
    frequency = np.hypot(np.fft.fftfreq(size)[:, None], np.fft.rfftfreq(size)[None, :])
    kept = (frequency >= 1 / longest) & (frequency <= 1 / shortest)
    gain = np.where(kept, np.maximum(frequency, 1 / size) ** -slope, 0.0)
    field = np.fft.irfft2(np.fft.rfft2(rng.standard_normal((size, size))) * gain, s=(size, size))
    return np.asarray(field / field.std(), np.float32)
