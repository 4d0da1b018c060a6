"""From which side each light comes, seen from captures: parts are brighter on the side that faces it."""

from collections.abc import Iterable

import numpy as np
from scipy.ndimage import gaussian_filter

from afrd.capture import LightRig
from afrd.imaging.resizing import resize

GAMMA = 2.2  # pixels are taken for light to the power of 1 / 2.2; sRGB's own curve moves scores, by 9 % on average
THUMBNAIL = 32
ELEVATION = np.radians(40)  # of every light that has a direction; only its azimuth is estimated
SIDE_LIGHT = 0.3  # share of the most sideways light's slope from which a light counts as coming from a side
FAINT_SLOPE = 0.02  # logarithm of brightness over half a picture; below, no light comes from a side
SIDE = 256  # to which captures are resized first


def estimated_directions(captures: Iterable[np.ndarray]) -> tuple[tuple[float, float, float], ...]:
    """captures: [N, C, H, W] each, uint8 or uint16 in the common form, of good parts; one suffices, ten are better.

    Returns unit vectors from the part towards each light, x right, y up, z to the camera; NaN for a light from no side.
    Only the azimuth is seen: every one of them stands 40 degrees above the part's plane.
    """
    small = np.stack([thumbnails(resize(images, (SIDE, SIDE)) ** GAMMA) for images in captures])
    return tuple((x, y, z) for x, y, z in azimuths_seen(small, places_of_parts(small)).tolist())


def azimuths_in_words(lights: LightRig) -> str:
    """As "left 180°, box from no side"; of a rig with directions."""
    return ", ".join(
        f"{name} from no side" if np.isnan(x) else f"{name} {np.degrees(np.arctan2(y, x)) % 360:.0f}°"
        for name, (x, y, _) in zip(lights.names, lights.directions or (), strict=True)
    )


def thumbnails(linear: np.ndarray) -> np.ndarray:
    """[N, C, S, S], linear, S a multiple of 32, to [N, T, T]."""
    n, channels, side, _ = linear.shape
    step = side // THUMBNAIL
    return linear.reshape(n, channels, THUMBNAIL, step, THUMBNAIL, step).mean((1, 3, 5), dtype=np.float32)


def places_of_parts(small: np.ndarray) -> np.ndarray:
    """[M, N, T, T] to [T, T]: where captures differ from one another, as parts do and what they lie on does not."""
    differing = gaussian_filter((small.mean(1) ** (1 / GAMMA)).std(0), 1.5)
    differing = differing * (differing > 0.35 * np.percentile(differing, 98)) + 1e-12
    return differing / differing.sum()


def towards(azimuths: np.ndarray) -> np.ndarray:
    """[N] radians, 0 right, to unit vectors [N, 3] at the elevation that is taken."""
    flat, up = np.cos(ELEVATION), np.sin(ELEVATION)
    return np.stack([flat * np.cos(azimuths), flat * np.sin(azimuths), np.full_like(azimuths, up)], 1)


def azimuths_seen(small: np.ndarray, places: np.ndarray) -> np.ndarray:
    """[M, N, T, T] and [T, T] to [N, 3]: a light is brighter than the others on the side that it comes from."""
    logs = np.log(small + 0.01)
    relative = (logs - logs.mean(1, keepdims=True)).mean(0)  # [N, T, T]
    rows, columns = np.mgrid[:THUMBNAIL, :THUMBNAIL] / (THUMBNAIL / 2)
    plane = np.stack([columns, -rows, np.ones_like(rows)], -1).reshape(-1, 3)
    weights = np.sqrt(places.ravel())[:, None]
    slopes = np.linalg.lstsq(plane * weights, weights * relative.reshape(len(relative), -1).T, rcond=None)[0]
    strength = np.linalg.norm(slopes[:2], axis=0)
    directions = towards(np.arctan2(slopes[1], slopes[0]))
    directions[strength < max(FAINT_SLOPE, SIDE_LIGHT * strength.max())] = np.nan
    return directions
