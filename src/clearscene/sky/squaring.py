"""Photos of any shape as the square that the network sees, and back: in use and in training alike."""

from typing import TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["resized", "squared"]

Pixel = TypeVar("Pixel", np.uint8, np.float32)


def squared(photo: NDArray[Pixel], size: int) -> NDArray[Pixel]:
    """The whole photo (row, col, band) as `size` x `size`, whatever its proportions."""
    return resized(photo, size, size)


def resized(image: NDArray[Pixel], height: int, width: int) -> NDArray[Pixel]:
    """(row, col) or (row, col, band) at another size: means of what is reduced, straight lines where enlarged.

    Law: an image of one value keeps it.
    """
    if image.shape[:2] == (height, width):
        return image
    is_smaller = height * width < image.shape[0] * image.shape[1]
    method = cv2.INTER_AREA if is_smaller else cv2.INTER_LINEAR
    made = np.asarray(cv2.resize(image, (width, height), interpolation=method), image.dtype)
    return made.reshape(height, width, *image.shape[2:])  # OpenCV drops a single band
