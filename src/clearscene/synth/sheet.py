"""A contact sheet: every generator on real ground, from barely visible to strong, with its mask."""

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from clearscene.atomic import replacing
from clearscene.inspection.taxonomy import BY_NAME
from clearscene.synth.catalog import Generator
from clearscene.synth.sources import Ground, Source, read_ground

__all__ = ["draw_sheet", "write_sheet"]

SEVERITIES = (0.0, 0.25, 0.5, 0.75, 1.0)
GAP, LEGEND = 6, 26
"""Pixels between pictures, and above each row for its name."""
TRIES = 8
"""Grounds that are tried until a defect shows."""
INK, PAPER = (40, 40, 40), 255
FONT, LETTERS = cv2.FONT_HERSHEY_SIMPLEX, 0.55
ROOMY = 128
"""Sides of pictures above which the word severity has room."""


def draw_sheet(
    generators: Sequence[Generator], sources: Sequence[Source], *, size: int = 256, seed: int = 1
) -> NDArray[np.uint8]:
    """A picture (row, col, 3) in RGB: a row a generator, a column a severity, the mask as an outline.

    Above them stand the colors of the outlines by type, and the severities.
    """
    shown = {entry.type for entry in generators} | ({"shadow"} if any(e.type == "cloud" for e in generators) else set())
    width = len(SEVERITIES) * (size + GAP) + GAP
    legend = _legend([name for name in BY_NAME if name in shown], width)
    rows = [_row(entry, sources, size=size, seed=seed) for entry in generators]
    return np.concatenate([*legend, _header(size, width), *rows])


def write_sheet(sheet: NDArray[np.uint8], out: Path) -> None:
    """Write a picture (row, col, 3) in RGB; the suffix of `out` says how.

    Raises:
        OutputError: The file cannot be written.
    """
    encoded = cv2.imencode(out.suffix, np.ascontiguousarray(sheet[..., ::-1]))[1]
    with replacing(out) as part:
        out.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(encoded.tobytes())


def _legend(names: Sequence[str], width: int) -> list[NDArray[np.uint8]]:
    """Lines (row, col, 3) with a square in the color of each type and its name."""
    lines: list[NDArray[np.uint8]] = []
    left = width
    for name in names:
        text = BY_NAME[name].title
        needed = LEGEND + cv2.getTextSize(text, FONT, LETTERS, 1)[0][0] + 2 * GAP
        if left + needed > width:
            lines.append(np.full((LEGEND, width, 3), PAPER, np.uint8))
            left = GAP
        lines[-1][GAP : LEGEND - GAP, left : left + LEGEND - 2 * GAP] = _color(name)
        _write(lines[-1], text, left + LEGEND - GAP)
        left += needed
    return lines


def _header(size: int, width: int) -> NDArray[np.uint8]:
    """A line (row, col, 3) with the severity of each column."""
    line = np.full((LEGEND, width, 3), PAPER, np.uint8)
    for column, severity in enumerate(SEVERITIES):
        word = "severity " if size >= ROOMY else ""
        _write(line, f"{word}{severity:g}", GAP + column * (size + GAP))
    return line


def _write(line: NDArray[np.uint8], text: str, left: int) -> None:
    """Write into a line (row, col, 3) in place."""
    cv2.putText(line, text, (left, LEGEND - 8), FONT, LETTERS, INK, 1, cv2.LINE_AA)


def _color(name: str) -> tuple[int, ...]:
    """Red, green, blue of a type."""
    return tuple(int(BY_NAME[name].color[i : i + 2], 16) for i in (1, 3, 5))


def _row(entry: Generator, sources: Sequence[Source], *, size: int, seed: int) -> NDArray[np.uint8]:
    width = len(SEVERITIES) * (size + GAP) + GAP
    row = np.full((LEGEND + size + GAP, width, 3), PAPER, np.uint8)
    _write(row[:LEGEND], entry.name, GAP)
    for column, severity in enumerate(SEVERITIES):
        rng = np.random.default_rng((seed, column, *entry.name.encode()))
        left = GAP + column * (size + GAP)
        row[LEGEND : LEGEND + size, left : left + size] = _picture(entry, sources, severity, size=size, rng=rng)
    return row


def _picture(
    entry: Generator, sources: Sequence[Source], severity: float, *, size: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """One degraded ground (row, col, 3); a defect that does not show is tried on other grounds."""
    for _ in range(TRIES):
        ground: Ground = read_ground(sources[int(rng.integers(len(sources)))], size=size, rng=rng)
        result = entry.degrade(ground.data, ground.valid, rng, severity)
        if result.mask.any() or entry.type not in BY_NAME:
            break
    picture = np.ascontiguousarray((np.clip(result.data[:3], 0, 1) * 255).round().astype(np.uint8).transpose(1, 2, 0))
    for name, mask in {**result.also, entry.type: result.mask}.items():
        if name in BY_NAME:
            contours = cv2.findContours(mask.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)[0]
            cv2.drawContours(picture, contours, -1, _color(name), 1)
    return picture
