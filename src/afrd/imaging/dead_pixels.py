"""Single pixels of the sensor that are stuck, hot or dead: found in the capture itself, replaced by their neighbours.

Such a pixel stands out of all eight neighbours under every light alike. Two bad pixels side by side do not, and nothing
that a lens has drawn does: a defect of 2 × 2 pixels stays as it is. A defect of exactly one pixel would look the same,
so by itself only a hot pixel is replaced: one at full scale in every channel under every light, where a speck of the
part would show each light as bright as it is there, which takes several lights to tell. Others are where it is asked
for. What was replaced is said.
"""

from collections.abc import Collection
from functools import reduce

import cv2
import numpy as np

from afrd.imaging.interleaved import interleaved

LEAST = 0.1  # of full scale, by which it stands out under every light
MOST = 20  # in one capture; more are texture or noise, and stay
FULL = 0.99  # of full scale, from which a pixel is at it
SEVERAL = 3  # lights, from which a pixel at full scale in all of them is the sensor's
_NEIGHBOURS = np.uint8([[1, 1, 1], [1, 0, 1], [1, 1, 1]])


def standing_out(images: np.ndarray) -> np.ndarray:
    """[H, W, C] or [H, W], in the type of the images: by how much a pixel is above all its neighbours, or below.

    Compared are the least and the largest values over the lights; below counts if it is less than half. images: [N, C,
    H, W]. What lies at the border of the picture has no eight neighbours.
    """
    pictures = [interleaved(image) for image in images]
    darkest, brightest = reduce(cv2.min, pictures), reduce(cv2.max, pictures)
    hot = cv2.subtract(darkest, cv2.dilate(darkest, _NEIGHBOURS))  # 0 where it would be below
    low = cv2.erode(brightest, _NEIGHBOURS)
    dead = cv2.copyTo(cv2.subtract(low, brightest), cv2.compare(brightest, low >> 1, cv2.CMP_LE))
    return cv2.max(hot, dead)


def replace(
    images: np.ndarray, only_hot: bool = False, absent: Collection[int] = ()
) -> tuple[np.ndarray, tuple[tuple[int, int], ...]]:
    """images: [N, C, H, W], uint8 or uint16. Returns them, or copies in which such pixels are the median of their eight
    neighbours in each channel, and where, x, y. only_hot: those alone that are at full scale everywhere. absent: lights
    that are out of order, whose pictures have no say."""
    lit = [k for k in range(len(images)) if k not in absent]
    if min(images.shape[2:]) < 3 or len(lit) < (SEVERAL if only_hot else 1):
        return images, ()
    full = np.iinfo(images.dtype).max
    least = LEAST * full
    inner = standing_out(images[lit] if absent else images)[1:-1, 1:-1]
    places = np.argwhere(inner > least)[:, :2] + 1
    places = np.unique(places, axis=0)
    if only_hot:
        places = np.array([(y, x) for y, x in places if images[lit, :, y, x].min() >= FULL * full]).reshape(-1, 2)
    if not 0 < len(places) <= MOST:
        return images, ()
    images, found = images.copy(order="K"), []
    for y, x in places:
        around = images[..., y - 1 : y + 2, x - 1 : x + 2].reshape(*images.shape[:2], 9)
        neighbours, own = np.sort(np.delete(around, 4, -1), -1).astype(int), around[..., 4].astype(int)
        above = (own - neighbours[..., -1] > least)[lit].all(0)
        below = (neighbours[..., 0] - own > least)[lit].all(0)
        if (above | below).any():
            images[..., y, x] = neighbours[..., 3]  # a value that is there, whatever the transfer curve
            found.append((int(x), int(y)))
    return images, tuple(found)
