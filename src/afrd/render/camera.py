"""A camera as stations have them, between the light that falls on its sensor and the file that it writes.

Knows no scenes and no files. Fixed for a station: vignetting, focus, noise, exposure to 8 bits, JPEG. From capture to
capture: a little drift of all lights, of each light and of the focus.
"""

import cv2
import numpy as np

from afrd.imaging.pixels import to_srgb

VIGNETTING = 0.12  # of the light, lost in the corners; grows with the square of the distance from the centre
FOCUS, FOCUS_DRIFT = 0.35, 0.08  # standard deviation of the blur in pixels, and its own from capture to capture
RIG_DRIFT, LIGHT_DRIFT = 0.02, 0.008  # standard deviation of the logarithm of all lights' power, and of each light's
FULL_WELL, READ_NOISE = 10_000, 10  # electrons; white is the full well
JPEG_QUALITY = 92


def photograph(linear: dict[str, np.ndarray], rng: np.random.Generator) -> dict[str, np.ndarray]:
    """linear: light name → [H, W, 3], linear light, 1 is white. Returns [H, W, 3] uint8, sRGB, RGB, for each light.

    The same rng state gives the same pictures. Each light is a photograph of its own: nothing is shared but the drift.
    """
    rig = np.exp(rng.normal(0, RIG_DRIFT))
    blur = max(FOCUS + rng.normal(0, FOCUS_DRIFT), 0.05)
    return {
        name: _expose(image * rig * np.exp(rng.normal(0, LIGHT_DRIFT)), blur, rng) for name, image in linear.items()
    }


def _expose(image: np.ndarray, blur: float, rng: np.random.Generator) -> np.ndarray:
    image = cv2.GaussianBlur(image * _vignette(*image.shape[:2])[..., None], (0, 0), blur)
    electrons = np.maximum(image, 0) * FULL_WELL
    electrons = electrons + rng.normal(size=image.shape) * np.sqrt(electrons + READ_NOISE**2)
    coded = np.round(to_srgb(electrons / FULL_WELL) * 255).astype(np.uint8)
    _, file = cv2.imencode(".jpg", coded[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    return cv2.imdecode(file, cv2.IMREAD_COLOR)[..., ::-1]


def _vignette(height: int, width: int) -> np.ndarray:
    """[H, W], 1 in the centre, 1 - VIGNETTING in the corners."""
    y, x = np.mgrid[0:height, 0:width]
    square = ((x + 0.5) / width - 0.5) ** 2 + ((y + 0.5) / height - 0.5) ** 2
    return 1 - VIGNETTING * 2 * square
