"""Raw pixels of a colour sensor, which look like a grey picture and are none."""

import numpy as np


def is_mosaic(pixels: np.ndarray) -> bool:
    """Whether [H, W] is raw of a colour sensor: of each 2 × 2 pixels the diagonals are alike and differ, all over.

    Told by how the four positions differ relative to their sum, in the brighter half of the middle of the picture. What
    is neutral there, or smaller than 32 pixels, cannot be told from grey and is taken for it.
    """
    height, width = pixels.shape
    if min(height, width) < 32:
        return False
    y, x = max(0, height // 2 - 256) & ~1, max(0, width // 2 - 256) & ~1
    cells = pixels[y : y + min(512, height & ~1), x : x + min(512, width & ~1)].astype(np.int32)
    a, b, c, d = cells[::2, ::2], cells[::2, 1::2], cells[1::2, ::2], cells[1::2, 1::2]
    total = a + b + c + d
    bright = total >= max(np.median(total), 16)
    if bright.sum() < 64:
        return False

    def typical(difference: np.ndarray) -> float:
        """The median, in hundredths of the sum; 0 where it is lost in what differs anyway."""
        relative = 100 * difference[bright] / total[bright]
        middle = float(np.median(relative))
        return middle if abs(middle) > np.median(np.abs(relative - middle)) else 0.0

    green = abs(typical(a + d - b - c))  # two greens lie on one diagonal, red and blue on the other
    first, second = sorted((abs(typical(a - d)), abs(typical(b - c))))
    return green > 3 or (second > 1.5 and first < second / 3)
