"""Random planes that clouds are made of: turbulence, billows, warped places and relief light."""

from functools import lru_cache

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "above",
    "billows",
    "enlarged",
    "gentle",
    "lit",
    "perlin",
    "places",
    "smoothstep",
    "soft",
    "turbulence",
    "warped",
]

Plane = NDArray[np.float32]
"""(row, col)."""


def turbulence(
    height: int,
    width: int,
    rng: np.random.Generator,
    *,
    scale_px: float,
    slope: float = 1.6,
    stretch: float = 1.0,
    angle_deg: float = 0.0,
) -> Plane:
    """Noise of all sizes up to `scale_px`, (height, width) float32 of zero mean and unit deviation.

    Its amplitude falls as frequency to the power of `-slope` above 1 / `scale_px`; 4/3 is the law of
    turbulent scalars in two dimensions (Corrsin 1951), steeper is smoother. `stretch` > 1 draws it out
    along `angle_deg`, counted from the row direction toward rows going down. Opposite borders of the
    plane are not alike: a larger periodic plane is cut.
    """
    if min(height, width) >= 1024 and scale_px >= 64:
        # Of so large a plane the finest octave is left out: half the rows and columns will do.
        half = turbulence(
            height // 2 + 1,
            width // 2 + 1,
            rng,
            scale_px=scale_px / 2,
            slope=slope,
            stretch=stretch,
            angle_deg=angle_deg,
        )
        return np.asarray(cv2.resize(half, (width, height), interpolation=cv2.INTER_CUBIC))
    tall, wide = _padded(height), _padded(width)
    if stretch == 1:
        energy = _squares(tall, wide) * np.float32(scale_px**2)
    else:
        by_row, by_col = _frequencies(tall, wide)
        cosine, sine = scale_px * np.cos(np.deg2rad(angle_deg)), scale_px * np.sin(np.deg2rad(angle_deg))
        energy = np.square(by_col * np.float32(cosine * stretch) + by_row * np.float32(sine * stretch))
        energy += np.square(by_row * np.float32(cosine) - by_col * np.float32(sine))
    energy += 1
    spectrum = rng.standard_normal((tall, wide), np.float32)
    spectrum *= cv2.pow(energy, -slope / 2, dst=energy)
    field = cv2.idft(spectrum, flags=cv2.DFT_REAL_OUTPUT)[:height, :width]
    mean, deviation = cv2.meanStdDev(field)
    scale = 1 / max(float(deviation[0, 0]), 1e-12)
    return np.asarray((field - np.float32(mean[0, 0])) * np.float32(scale))


def _padded(n: int) -> int:
    """An even length, quick to transform, about an eighth longer than `n`."""
    return 2 * cv2.getOptimalDFTSize(int(np.ceil(n * 0.5625)))


@lru_cache(maxsize=8)
def _frequencies(height: int, width: int) -> tuple[Plane, Plane]:
    """Cycles per pixel by row and by column of each real number of a packed spectrum (height, width).

    OpenCV packs the spectrum of a real plane into a plane of the same size: re 0, re 1, im 1, re 2, ...
    along each row; the first and last column hold real rows packed the same way downward. Independent
    normal numbers there are white noise.
    """
    by_col = np.broadcast_to(((np.arange(width) + 1) // 2 / width).astype(np.float32), (height, width)).copy()
    by_row = np.broadcast_to(np.fft.fftfreq(height).astype(np.float32)[:, None], (height, width)).copy()
    by_row[:, [0, -1]] = ((np.arange(height) + 1) // 2 / height).astype(np.float32)[:, None]
    return by_row, by_col


@lru_cache(maxsize=16)
def _squares(height: int, width: int) -> Plane:
    """Squared frequency of each number of a packed spectrum."""
    by_row, by_col = _frequencies(height, width)
    return by_row * by_row + by_col * by_col


def gentle(height: int, width: int, rng: np.random.Generator, *, scale_px: float) -> Plane:
    """Noise without fine grain, as `turbulence` of a steep slope; drawn small and enlarged where that is enough."""
    step = int(np.clip(scale_px // 4, 1, 8))
    small = turbulence(height // step + 4, width // step + 4, rng, scale_px=scale_px / step, slope=3.0)
    if step == 1:
        return small[:height, :width]
    # The small plane reaches a cell or more beyond each side, so that mirrored borders stay outside.
    large = enlarged(small, small.shape[0] * step, small.shape[1] * step, step)
    return large[step : step + height, step : step + width]


def enlarged(small: Plane, height: int, width: int, step: int) -> Plane:
    """A plane enlarged about `step` times, rounded so that no lattice shows in its slopes."""
    large = cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR)
    odd = step | 1  # an even box would move the plane
    return np.asarray(cv2.blur(cv2.blur(large, (odd, odd)), (odd, odd)))


def billows(height: int, width: int, rng: np.random.Generator, *, scale_px: float, octaves: int = 3) -> Plane:
    """Rounded bumps with sharp creases between, sized `scale_px` and finer; (height, width) in about [0, 1].

    Each octave is the absolute value of smooth noise, halved in size and amplitude from one to the next.
    """
    total = np.zeros((height, width), np.float32)
    for octave in range(octaves):
        scale = scale_px / 2**octave
        if scale < 4:
            break
        total += np.abs(gentle(height, width, rng, scale_px=scale)) * np.float32(0.5**octave / 2.5)
    return total


def places(height: int, width: int) -> tuple[Plane, Plane]:
    """Row and column of each pixel, two planes (height, width) float32."""
    rows, cols = np.arange(height, dtype=np.float32), np.arange(width, dtype=np.float32)
    return np.repeat(rows[:, None], width, axis=1), np.repeat(cols[None, :], height, axis=0)


def warped(field: Plane, rng: np.random.Generator, *, reach_px: float, scale_px: float) -> Plane:
    """The plane with its places moved by gentle noise of deviation `reach_px`; borders are mirrored."""
    height, width = field.shape
    rows, cols = places(height, width)
    rows += gentle(height, width, rng, scale_px=scale_px) * np.float32(reach_px)
    cols += gentle(height, width, rng, scale_px=scale_px) * np.float32(reach_px)
    return np.asarray(cv2.remap(field, cols, rows, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT))


def soft(plane: Plane, sigma_px: float) -> Plane:
    """The plane under a Gaussian blur; wide ones are made on a reduced plane, where the eye sees no difference."""
    small, step = _soft_small(plane, sigma_px)
    return small if step == 1 else enlarged(small, plane.shape[0], plane.shape[1], step)


def _soft_small(plane: Plane, sigma_px: float) -> tuple[Plane, int]:
    """The plane under a Gaussian blur, reduced as many times as the blur allows; and how many times."""
    height, width = plane.shape
    step = max(1, min(int(sigma_px / 1.5), min(height, width) // 8))
    if step > 1:
        plane = np.asarray(cv2.resize(plane, (width // step, height // step), interpolation=cv2.INTER_AREA))
    rest = sigma_px**2 - (0.42 * step**2 if step > 1 else 0)  # reducing and enlarging blur as well
    return np.asarray(cv2.GaussianBlur(plane, (0, 0), max(np.sqrt(rest) / step, 0.1))), step


def smoothstep(low: float, high: float, values: Plane) -> Plane:
    """0 up to `low`, 1 from `high` on, a smooth S between."""
    t = np.asarray(values * np.float32(1 / (high - low)) - np.float32(low / (high - low)), np.float32)
    np.clip(t, 0, 1, out=t)
    s = t * np.float32(-2)
    s += 3
    s *= t
    s *= t
    return s


def above(field: Plane, share: float) -> float:
    """The value that about `share` of the plane exceeds, from every fourth row and column."""
    return float(np.quantile(field[::4, ::4], min(max(1 - share, 0.0), 1.0)))


def lit(relief: Plane, azimuth_deg: float, *, sizes_px: tuple[float, ...], fine: float = 1.0) -> Plane:
    """How strongly slopes of a relief face the sun, summed over smoothing sizes; about [-1, 1].

    The first size counts `fine` times as much as each other one.

    The azimuth is counted clockwise from the top of the window; the sun stands there.
    """
    toward_col, toward_row = np.sin(np.deg2rad(azimuth_deg)), -np.cos(np.deg2rad(azimuth_deg))
    total = np.zeros_like(relief)
    for place, size in enumerate(sizes_px):
        weight = fine if place == 0 and len(sizes_px) > 1 else 1.0
        small, step = _soft_small(relief, size)
        slope: Plane = np.asarray(cv2.Sobel(small, cv2.CV_32F, 1, 0, scale=-toward_col / 8), np.float32)
        slope += np.asarray(cv2.Sobel(small, cv2.CV_32F, 0, 1, scale=-toward_row / 8), np.float32)
        deviation = float(cv2.meanStdDev(slope)[1][0, 0])
        slope *= np.float32(0.5 * weight / max(deviation, 1e-6) / len(sizes_px))
        total += slope if step == 1 else enlarged(slope, relief.shape[0], relief.shape[1], step)
    return np.tanh(total)


def perlin(height: int, width: int, rng: np.random.Generator, *, periods: int) -> Plane:
    """Gradient noise with `periods` lattice cells along each side, (height, width) in about [-0.7, 0.7].

    K. Perlin, "An image synthesizer", SIGGRAPH 1985, with the smooth fade of 3 t^2 - 2 t^3.
    """
    angle = rng.uniform(0, 2 * np.pi, (periods + 1, periods + 1)).astype(np.float32)
    row = (np.arange(height, dtype=np.float32) + 0.5) * np.float32(periods / height)
    col = (np.arange(width, dtype=np.float32) + 0.5) * np.float32(periods / width)
    i, j = row.astype(np.int64), col.astype(np.int64)
    u, v = (row - i)[:, None], (col - j)[None, :]
    fade_u, fade_v = u * u * (3 - 2 * u), v * v * (3 - 2 * v)
    total = np.zeros((height, width), np.float32)
    for di in (0, 1):
        for dj in (0, 1):
            corner = angle[np.ix_(i + di, j + dj)]
            slope = np.sin(corner) * (u - di) + np.cos(corner) * (v - dj)
            total += slope * (fade_u if di else 1 - fade_u) * (fade_v if dj else 1 - fade_v)
    return total
