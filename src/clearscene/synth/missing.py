"""Missing pixels: lost points, pieces of lines, whole lines, blocks and single bands.

A lost pixel is exactly 0 (black) or exactly 1 (white) in all bands; of a lost band, 0 in that band
alone. Each function has the signature of `Degrade`; the mask is exact. Those named `lost`, `block` and
`dead` fill the window they are given, for defects of a known size in a large scene; those named
`chip` find a place of their own inside it.
"""

# ruff: noqa: ARG001 - one signature for all generators: some need no chance, some no severity

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from clearscene.synth.degraded import Data, Degraded, Mask
from clearscene.synth.stripes import Stripe, repeat_stripe, stripe_pixels

__all__ = [
    "black_block",
    "chip_band",
    "chip_block",
    "chip_lines",
    "chip_packets",
    "chip_pieces",
    "dead_band",
    "lost_line",
    "lost_pieces",
    "lost_points",
    "white_block",
]


def lost_points(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Isolated pixels, 1 to 9 by severity, black or white, at least 8 px apart."""
    height, width = valid.shape
    cells = np.stack(np.meshgrid(np.arange(4, height, 12), np.arange(4, width, 12), indexing="ij"), -1).reshape(-1, 2)
    n = min(len(cells), 1 + round(8 * severity))
    if n == 0:
        return _filled(data, valid, np.zeros_like(valid), 0, {})
    places = cells[rng.choice(len(cells), n, replace=False)] + rng.integers(-2, 3, (n, 2))
    rows, cols = np.clip(places, 0, (height - 1, width - 1)).T
    mask = np.zeros_like(valid)
    mask[rows, cols] = True
    return _filled(data, valid, mask, int(rng.choice([0, 0, 1])), {"n_points": n})


def lost_pieces(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """A black piece of a line through the whole window, along its long side, 1 or 2 px wide."""
    height, width = valid.shape
    thick = 1 + int(severity > 0.6)
    mask = np.zeros_like(valid)
    if width >= height:
        row = height // 2
        mask[row : row + thick] = True
    else:
        col = width // 2
        mask[:, col : col + thick] = True
    return _filled(data, valid, mask, 0, {"length_px": max(height, width), "width_px": thick})


def lost_line(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """The whole window is lost: rows of the scene that never arrived."""
    told = {"length_px": int(valid.any(axis=0).sum()), "width_px": valid.shape[0]}
    return _filled(data, valid, np.ones_like(valid), 0, told)


def black_block(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """The whole window is black; from severity 0.5 on with a step in its outline, as of lost packets."""
    mask = np.ones_like(valid)
    if severity >= 0.5 and min(mask.shape) >= 6:
        mask[: mask.shape[0] // 3, : int(mask.shape[1] * rng.uniform(0.2, 0.5))] = False
    return _filled(data, valid, mask, 0, {"height_px": valid.shape[0], "width_px": valid.shape[1]})


def white_block(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """The whole window is white, with a sharp edge."""
    return _filled(data, valid, np.ones_like(valid), 1, {"height_px": valid.shape[0], "width_px": valid.shape[1]})


def dead_band(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """One band is 0 in the whole window and the others live on; of a single band, all there is."""
    band = int(rng.integers(data.shape[0]))
    result = data.copy()
    result[band][valid] = 0
    told = {"band": band + 1, "height_px": valid.shape[0], "width_px": valid.shape[1]}
    return Degraded(result, valid.copy(), told)


def chip_pieces(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """One to five pieces of lines along rows or along columns, black or white, 1 to 3 px wide."""
    is_steep, level = bool(rng.random() < 0.4), int(rng.choice([0, 0, 0, 1]))
    span, across = valid.shape if is_steep else valid.shape[::-1]
    n = 1 + round(4 * severity * rng.random())
    lines = []
    for _ in range(n):
        length = max(8, int(span * rng.uniform(0.1, 0.4 + 0.5 * severity)))
        along, side = rng.uniform(0, span), rng.uniform(0.03, 0.97) * across
        row, col = (along, side) if is_steep else (side, along)
        lines.append(_line(row, col, length, int(rng.integers(1, 4)), 90.0 if is_steep else 0.0))
    return _filled(data, valid, _drawn(lines, valid), level, {"n_pieces": n, "angle_deg": lines[0].angle})


def chip_lines(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Lines that are lost from side to side: one, a few in a group, or many at equal distance.

    One set in five lies at an angle and is wide, as the gaps that a broken scan mirror leaves.
    """
    is_oblique = bool(rng.random() < 0.2)
    angle = float(rng.uniform(-30, 30)) if is_oblique else float(rng.choice([0.0, 0.0, 90.0]))
    thick = (
        int(rng.integers(2, 5 + round(6 * severity))) if is_oblique else int(rng.integers(1, 2 + round(4 * severity)))
    )
    height, width = valid.shape
    reach = height + width
    across = width if abs(angle) > 45 else height
    start = float(rng.uniform(0.1, 0.9) * across)
    kind = str(rng.choice(["one", "group", "periodic"], p=[0.45, 0.25, 0.3]))
    period = thick + 1 + int(rng.integers(1, 8)) if kind == "group" else int(rng.integers(thick + 6, thick + 60))
    count = {"one": 1, "group": int(rng.integers(2, 6)), "periodic": 1 + int(across // period)}[kind]
    start = start % period - across * 0.1 if kind == "periodic" else start
    row, col = (height / 2, start) if abs(angle) > 45 else (start, width / 2)
    lines = repeat_stripe(_line(row, col, reach, thick, angle), period=period, count=count)
    told = {"n_lines": count, "width_px": thick, "angle_deg": round(angle, 1), "period_px": period if count > 1 else 0}
    return _filled(data, valid, _drawn(lines, valid), int(rng.choice([0, 0, 0, 1])), told)


def chip_block(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """A black or white rectangle anywhere in the window, across its border too; often with a step in its outline."""
    rows, cols = _part(valid.shape, rng, severity)
    mask = np.zeros_like(valid)
    mask[rows, cols] = True
    if rng.random() < 0.4:  # a corner that arrived
        tall, wide = rows.stop - rows.start, cols.stop - cols.start
        top = rows.start if rng.random() < 0.5 else rows.stop - max(1, tall // 3)
        mask[top : top + max(1, tall // 3), cols.start : cols.start + int(wide * rng.uniform(0.2, 0.7))] = False
    told = {"height_px": rows.stop - rows.start, "width_px": cols.stop - cols.start}
    return _filled(data, valid, mask, int(rng.choice([0, 0, 1])), told)


def chip_packets(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """Runs of small square blocks on the lattice of a compressed file: packets that were lost on the way."""
    size = int(rng.choice([8, 16, 32]))
    n_rows, n_cols = (-(-length // size) for length in valid.shape)
    lost = np.zeros(n_rows * n_cols, np.bool_)
    n_runs = 1 + round(5 * severity * rng.random())
    for _ in range(n_runs):
        start = int(rng.integers(lost.size))
        lost[start : start + int(rng.integers(1, max(2, n_cols)))] = True  # packets follow the order of the file
    mask = np.kron(lost.reshape(n_rows, n_cols), np.ones((size, size), np.bool_))[: valid.shape[0], : valid.shape[1]]
    return _filled(data, valid, mask, int(rng.choice([0, 0, 0, 1])), {"block_px": size, "n_runs": n_runs})


def chip_band(data: Data, valid: Mask, rng: np.random.Generator, severity: float) -> Degraded:
    """One band is 0 in a rectangle or in whole rows of the window, and the others live on."""
    rows, cols = _part(valid.shape, rng, severity)
    if rng.random() < 0.4:
        cols = slice(0, valid.shape[1])
    mask = np.zeros_like(valid)
    mask[rows, cols] = True
    dead = dead_band(data, mask & valid, rng, severity)
    told = {"height_px": rows.stop - rows.start, "width_px": cols.stop - cols.start}
    return replace(dead, parameters={**dead.parameters, **told})


def _part(shape: tuple[int, int], rng: np.random.Generator, severity: float) -> tuple[slice, slice]:
    """Rows and columns of a rectangle, larger by severity, that may be cut by the border of the window."""
    parts = []
    for length in shape:
        side = min(length, max(6, int(length * rng.uniform(0.03, 0.12 + 0.6 * severity))))
        start = int(rng.integers(-side // 3, length - side + side // 3 + 1))
        parts.append(slice(max(0, start), min(length, start + side)))
    return parts[0], parts[1]


def _line(row: float, col: float, length: int, width: int, angle: float) -> Stripe:
    """A line of lost pixels, which has no offset and no bands of its own."""
    return Stripe(row, col, length, width, 0.0, (), angle)


def _drawn(lines: list[Stripe], valid: Mask) -> Mask:
    """The pixels (row, col) of lines."""
    mask = np.zeros_like(valid)
    for line in lines:
        rows, cols, _ = stripe_pixels(line, height=valid.shape[0], width=valid.shape[1])
        mask[rows, cols] = True
    return mask


def _filled(data: Data, valid: Mask, mask: Mask, level: int, parameters: Mapping[str, float]) -> Degraded:
    """Lose the pixels of a mask (row, col); `level` 0 is black, 1 is white."""
    mask = mask & valid
    result = data.copy()
    result[:, mask] = level
    return Degraded(result, mask, {"level": level, **parameters})
