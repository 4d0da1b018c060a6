"""What each disturbance does to pixels.

Every function takes coded values [N, C, H, W] float32 in 0..1 (as they lie in the file: no gamma is undone), C 1 for a
grey capture or 3, its strength and a random generator. It returns new values, which may leave 0..1. Knows no names and
no types of pixels.
"""

import cv2
import numpy as np


def noise(images: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """White Gaussian noise of `sigma` / 255, drawn apart for every pixel, channel and light."""
    return images + rng.standard_normal(images.shape, dtype=np.float32) * np.float32(sigma / 255)


def jpeg(images: np.ndarray, quality: float, rng: np.random.Generator) -> np.ndarray:
    """Each light saved as a JPEG of 8 bits and read again; colour at half the resolution, as Pillow does."""
    settings = [cv2.IMWRITE_JPEG_QUALITY, int(quality)]
    eight_bit = _interleaved(images.clip(0, 1) * 255).round().astype(np.uint8)
    decoded = [
        cv2.imdecode(cv2.imencode(".jpg", np.ascontiguousarray(picture[..., ::-1]), settings)[1], cv2.IMREAD_UNCHANGED)
        for picture in eight_bit
    ]
    return _planar(np.stack(decoded).reshape(eight_bit.shape)[..., ::-1]) / np.float32(255)


def blur(images: np.ndarray, sigma: float, rng: np.random.Generator) -> np.ndarray:
    """Gaussian of `sigma` pixels, all lights alike; the border is mirrored."""
    size = 2 * int(np.ceil(4 * sigma)) + 1
    pictures = [cv2.GaussianBlur(p, (size, size), sigma, borderType=cv2.BORDER_REFLECT_101) for p in _planes(images)]
    return np.stack(pictures).reshape(images.shape)


def gain(images: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """All lights brighter or darker by one factor."""
    return images * np.float32(factor)


def gain_of_one(images: np.ndarray, factor: float, rng: np.random.Generator) -> np.ndarray:
    """One light, drawn at random, brighter or darker."""
    factors = np.ones(len(images), np.float32)
    factors[rng.integers(len(images))] = factor
    return images * factors[:, None, None, None]


def hot_pixels(images: np.ndarray, count: float, rng: np.random.Generator) -> np.ndarray:
    """So many pixels at full scale, at the same places under all lights, as a sensor has them."""
    height, width = images.shape[2:]
    places = rng.choice(height * width, size=min(int(count), height * width), replace=False)
    images = images.copy()
    images[:, :, places // width, places % width] = 1
    return images


def shift(images: np.ndarray, pixels: float, rng: np.random.Generator) -> np.ndarray:
    """Light k of N moved by k / (N - 1) of so many pixels in one random direction, as a part that was in motion.

    The first light stays, and masks with it. Cubic interpolation; the border is mirrored.
    """
    step = _direction(rng) * pixels / max(1, len(images) - 1)
    return np.stack([displaced(light, *(step * k)) for k, light in enumerate(images)])


def moved(images: np.ndarray, pixels: float, rng: np.random.Generator) -> np.ndarray:
    """All lights moved alike in one random direction, by whole pixels of about that distance; border mirrored."""
    offset = _whole_offset(pixels, rng)
    return np.stack([displaced(light, *offset) for light in images])


def moved_mask(mask: np.ndarray, pixels: float, rng: np.random.Generator) -> np.ndarray:
    """A mask [H, W] bool of the capture that `moved` moves, given a generator in the same state."""
    return displaced(mask[None].astype(np.float32), *_whole_offset(pixels, rng))[0] > 0.5


def _whole_offset(pixels: float, rng: np.random.Generator) -> np.ndarray:
    return np.rint(_direction(rng) * pixels)


def _direction(rng: np.random.Generator) -> np.ndarray:
    """A unit vector, right and down."""
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def displaced(planes: np.ndarray, right: float, down: float) -> np.ndarray:
    """[C, H, W] moved by an offset in pixels.

    Not by OpenCV, whose warps know 32nds of a pixel only.
    """
    reach = int(np.ceil(max(abs(right), abs(down)))) + 2
    padded = np.pad(planes, ((0, 0), (reach, reach), (reach, reach)), mode="reflect")
    whole, fraction = np.divmod([down, right], 1)
    top, left = reach - whole.astype(int)
    rows, columns = (_cubic(f) for f in fraction)
    height, width = planes.shape[1:]
    moved = [cv2.sepFilter2D(plane, -1, columns, rows) for plane in padded]
    return np.stack(moved)[:, top : top + height, left : left + width]


def _cubic(fraction: float) -> np.ndarray:
    """Weights of five pixels for one moved by 0 to 1 pixel (Keys 1981, a = -0.5), float32."""
    x = np.abs(np.arange(-2, 3) + fraction)
    near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
    return np.where(x < 1, near, np.where(x < 2, far, 0)).astype(np.float32)


def _planes(images: np.ndarray) -> np.ndarray:
    return images.reshape(-1, *images.shape[2:])


def _interleaved(images: np.ndarray) -> np.ndarray:
    """[N, C, H, W] → [N, H, W, C]."""
    return images.transpose(0, 2, 3, 1)


def _planar(pictures: np.ndarray) -> np.ndarray:
    """[N, H, W, C] → [N, C, H, W]."""
    return pictures.transpose(0, 3, 1, 2)
