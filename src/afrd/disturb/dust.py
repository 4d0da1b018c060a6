"""Specks of dust on what a part lies on; the part itself stays clean."""

import cv2
import numpy as np

from afrd.errors import DisturbanceError

FRAME = 0.03  # of the shorter side: the border from which the belt is known
SPREADS = 5.0  # robust standard deviations from the border's colour up to which a pixel may be belt
LEAST, MOST = 0.05, 0.95  # shares of a picture that its belt may take
AROUND = 0.85  # share of the border that must look like belt
MARGIN = 3  # pixels around the part that stay clean
RADII = (0.7, 2.0)  # pixels
REFLECTANCES = (0.3, 0.9)  # of a speck, relative to what shines brightest under a light


def dust(images: np.ndarray, specks: float, rng: np.random.Generator) -> np.ndarray:
    """So many grey specks on the belt, lit as everything else is, at the same places under all lights.

    images: [N, C, H, W] in 0..1. Raises DisturbanceError: no belt is to be seen, as where a material fills the picture.
    """
    rows, columns = np.nonzero(belt(images))
    if not len(rows):
        raise DisturbanceError("no belt to be seen around a part, so no dust can lie on it; leave dust out")
    white = np.quantile(images, 0.99, axis=(1, 2, 3), keepdims=True).astype(np.float32)  # [N, 1, 1, 1]
    images, (height, width) = images.copy(), images.shape[2:]
    for place in rng.choice(len(rows), size=int(specks)):
        centre = np.array([rows[place], columns[place]]) + rng.uniform(-0.5, 0.5, 2)
        radius, reflectance = np.exp(rng.uniform(*np.log(RADII))), rng.uniform(*REFLECTANCES)
        reach = int(np.ceil(radius)) + 1
        top, left = np.maximum(np.rint(centre).astype(int) - reach, 0)
        window = np.s_[top : min(top + 2 * reach + 1, height), left : min(left + 2 * reach + 1, width)]
        away = np.hypot(*(np.mgrid[window] - centre[:, None, None]))
        cover = np.clip(radius + 0.5 - away, 0, 1).astype(np.float32)
        part = images[:, :, *window]
        images[:, :, *window] = part + cover * (np.float32(reflectance) * white - part)
    return images


def belt(images: np.ndarray) -> np.ndarray:
    """What surrounds the part, [H, W] bool, from images [N, C, H, W]; all False where no part stands out.

    Shadows fall elsewhere under every light, so the brightest of all lights shows the belt without them. What looks
    like the picture's border and is joined to it is belt.
    """
    seen = cv2.GaussianBlur(np.ascontiguousarray(images.max(axis=0).transpose(1, 2, 0)), (0, 0), 1.0)
    seen = seen.reshape(*images.shape[2:], -1)  # [H, W, C]
    frame = np.ones(seen.shape[:2], bool)
    width = max(2, round(FRAME * min(frame.shape)))
    frame[width:-width, width:-width] = False
    middle = np.median(seen[frame], axis=0)
    spread = 1.4826 * np.median(np.abs(seen[frame] - middle), axis=0) + 1 / 255
    like = (np.abs(seen - middle) < SPREADS * spread).all(axis=-1).astype(np.uint8)
    like = cv2.morphologyEx(like, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    _, labels = cv2.connectedComponents(like)
    joined = np.setdiff1d(labels[frame & (like > 0)], [0])
    found = np.isin(labels, joined)
    if not LEAST <= found.mean() <= MOST or found[frame].mean() < AROUND:
        return np.zeros_like(found)
    return cv2.erode(found.astype(np.uint8), np.ones((2 * MARGIN + 1,) * 2, np.uint8), borderValue=1) > 0
