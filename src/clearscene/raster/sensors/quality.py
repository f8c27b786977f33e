"""What the quality bands of Sentinel-2 and Landsat mean, in the codes of a cloud mask.

Sources: Sen2Cor scene classification (ESA, Sentinel-2 Products Specification Document); Landsat
Collection 2 QA_PIXEL (USGS LSDS-1619); Collection 1 BQA (USGS LSDS-1656); pre-collection BQA
(USGS LSDS-809). Precedence: thick cloud, shadow, thin cloud, clear.
"""

import numpy as np
from numpy.typing import NDArray

from clearscene.raster.sensors.product import CLEAR, SHADOW, THICK, THIN, UNKNOWN
from clearscene.raster.sensors.resampling import Taps, weigh

__all__ = ["from_bqa", "from_old_bqa", "from_qa_pixel", "from_scl", "most_common"]

PRECEDENCE = (THICK, SHADOW, THIN, CLEAR, UNKNOWN)

SCL = {
    0: UNKNOWN,  # no data
    1: UNKNOWN,  # saturated or defective
    2: CLEAR,  # dark area
    3: SHADOW,
    4: CLEAR,  # vegetation
    5: CLEAR,  # not vegetated
    6: CLEAR,  # water
    7: UNKNOWN,  # unclassified
    8: THICK,  # cloud, medium probability
    9: THICK,  # cloud, high probability
    10: THIN,  # thin cirrus
    11: CLEAR,  # snow
}

HIGH = 3
"""Two bits of confidence, both set."""


def from_scl(stored: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Codes of Sen2Cor's scene classification, any shape; what it does not know or names twice is unknown."""
    table = np.full(256, UNKNOWN, np.uint8)
    table[list(SCL)] = list(SCL.values())
    return table[np.asarray(stored, np.uint8)]


def from_qa_pixel(stored: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Codes of Landsat Collection 2, any shape; the ring that dilates clouds is unknown, it is neither."""
    bits = np.asarray(stored, np.uint16)
    return _coded(
        unknown=_has(bits, 1),
        thin=_has(bits, 2),
        shadow=_has(bits, 4),
        thick=_has(bits, 3),
        fill=_has(bits, 0),
    )


def from_bqa(stored: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Codes of Landsat Collection 1, any shape; shadow and cirrus count at high confidence."""
    bits = np.asarray(stored, np.uint16)
    return _coded(
        unknown=_has(bits, 1),
        thin=_pair(bits, 11) == HIGH,
        shadow=_pair(bits, 7) == HIGH,
        thick=_has(bits, 4),
        fill=_has(bits, 0),
    )


def from_old_bqa(stored: NDArray[np.generic]) -> NDArray[np.uint8]:
    """Codes of Landsat before the collections, any shape: no shadow was known; cloud and cirrus at high confidence."""
    bits = np.asarray(stored, np.uint16)
    never = np.zeros(bits.shape, np.bool_)
    return _coded(
        unknown=_has(bits, 1) | _has(bits, 2),
        thin=_pair(bits, 12) == HIGH,
        shadow=never,
        thick=_pair(bits, 14) == HIGH,
        fill=_has(bits, 0),
    )


def most_common(codes: NDArray[np.uint8], valid: NDArray[np.bool_], rows: Taps, cols: Taps) -> NDArray[np.uint8]:
    """The code (row, col) with the most area in each footprint; of equals the first of thick, shadow, thin, clear."""
    codes = np.where(valid, codes, np.uint8(UNKNOWN))
    share = np.stack([weigh((codes == code).astype(np.float32), rows, cols) for code in PRECEDENCE])
    most: NDArray[np.uint8] = np.array(PRECEDENCE, np.uint8)[share.argmax(axis=0)]
    return most


def _coded(
    *,
    unknown: NDArray[np.bool_],
    thin: NDArray[np.bool_],
    shadow: NDArray[np.bool_],
    thick: NDArray[np.bool_],
    fill: NDArray[np.bool_],
) -> NDArray[np.uint8]:
    """Put codes over each other, the later ones on top."""
    codes = np.full(unknown.shape, CLEAR, np.uint8)
    for where, code in ((unknown, UNKNOWN), (thin, THIN), (shadow, SHADOW), (thick, THICK), (fill, UNKNOWN)):
        codes[where] = code
    return codes


def _has(bits: NDArray[np.uint16], bit: int) -> NDArray[np.bool_]:
    return (bits >> bit & 1).astype(np.bool_)


def _pair(bits: NDArray[np.uint16], bit: int) -> NDArray[np.uint16]:
    """The two bits from `bit` on."""
    return (bits >> bit & 3).astype(np.uint16)
