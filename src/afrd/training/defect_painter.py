"""Defects painted into captures of good parts: what a stain, a dent or a rough patch does to all lights at once.

Not to look real, but to change every light as a defect would: a stain scales colours alike under all lights, relief
brightens what leans towards a light and darkens what leans away. Where a light comes from is seen from the captures
themselves: parts are brighter on the side that faces it.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.ndimage import gaussian_filter
from scipy.optimize import nnls

GAMMA = 2.2  # pixels are taken for their linear light to the power of 1 / 2.2
THUMBNAIL = 32
ELEVATION = np.radians(40)  # of every light that has a direction; only its azimuth is estimated
SIDE_LIGHT = 0.3  # share of the most sideways light's slope from which a light counts as coming from a side
FAINT_SLOPE = 0.02  # logarithm of brightness over half a picture; below, no light comes from a side
ANYWHERE = 0.2  # share of the defects that may lie off the part
RADII = (6 / 256, 30 / 256)  # of the image's side
STRENGTHS = (0.25, 1.6)
KINDS = ("stain", "relief", "rough")
DARKEST, BRIGHTEST = 0.1, 4.0  # factors of relief; least cosine to a light


class DefectPainter:
    """Paints defects into captures like those it has learned from.

    The kinds are drawn alike: a stain (one colour, more or less covering), relief (a bump or a dent, round, with soft
    edges), a rough patch (random relief of two scales). Radii and strengths are log-uniform.

    places: [T, T], where parts are, as probabilities. directions: [N, 3] unit vectors towards the lights, x right, y
    up, z to the camera; NaN for a light from no side. mixture: [N, N], what of such a light the others make up.
    """

    def __init__(self, places: np.ndarray, directions: np.ndarray, mixture: np.ndarray) -> None:
        self.places, self.directions, self.mixture = places, directions, mixture

    @classmethod
    def learn(cls, captures: Iterable[np.ndarray]) -> "DefectPainter":
        """captures: [N, C, S, S] in [0, 1] each, C 3 or 1, S a multiple of 32."""
        small = np.stack([_thumbnails(images**GAMMA) for images in captures])  # [M, N, T, T]
        places = _places(small)
        directions = _directions(small, places)
        return cls(places, directions, _mixture(small, places, directions))

    def paint(
        self, images: np.ndarray, rng: np.random.Generator, number: int = 10, kinds: Sequence[str] = KINDS
    ) -> tuple[np.ndarray, np.ndarray]:
        """images: [N, C, S, S] in [0, 1]. Returns them with `number` defects; how far each pixel is in one, [S, S]."""
        linear, side = images**GAMMA, images.shape[-1]
        cover = np.zeros((side, side), np.float32)
        chance = (1 - ANYWHERE) * self.places + ANYWHERE / self.places.size
        for _ in range(number):
            cell = np.array(divmod(rng.choice(chance.size, p=chance.ravel()), THUMBNAIL))
            window, inside, distance, radius = _shape((cell + rng.random(2)) / THUMBNAIL * side, side, rng)
            strength = np.exp(rng.uniform(*np.log(STRENGTHS)))
            part = linear[..., *window]
            match kinds[rng.integers(len(kinds))]:
                case "stain":
                    linear[..., *window] = _stained(part, inside, strength, rng)
                case "relief":
                    height = np.exp(-2.5 * distance**2) * radius * 0.5 * rng.choice([-1, 1])
                    linear[..., *window] = self._shaded(part, np.gradient(height), strength, rng)
                case "rough":
                    slopes = [slope * inside for slope in _rough(inside.shape, side, rng)]
                    linear[..., *window] = self._shaded(part, slopes, strength, rng)
            cover[window] = np.maximum(cover[window], inside)
        return (linear.clip(0, 1) ** (1 / GAMMA)).astype(np.float32), cover

    def _shaded(self, part: np.ndarray, slopes, strength: float, rng: np.random.Generator) -> np.ndarray:
        """part: [N, 3, h, w], linear; slopes: of the relief along rows and columns, [h, w] each."""
        directions = self.directions
        if np.isnan(directions).all():  # nothing is known of them: from anywhere
            directions = _towards(rng.uniform(0, 2 * np.pi, len(directions)))
        leaning = rng.normal(0, 0.35, 2)  # of the surface before; only its brightness is known
        normals = np.stack(
            [leaning[0] - strength * slopes[1], leaning[1] + strength * slopes[0], np.ones_like(slopes[0])]
        )
        normals /= np.linalg.norm(normals, axis=0)
        before = np.append(leaning, 1) / np.sqrt((leaning**2).sum() + 1)
        factors = normals[2] / before[2] * np.ones((len(part), 1, 1, 1))  # of light from all around
        known = np.flatnonzero(~np.isnan(directions[:, 0]))
        for k in known:
            cosine = np.tensordot(directions[k], normals, 1).clip(DARKEST)
            factors[k, 0] = (cosine / max(directions[k] @ before, DARKEST)).clip(DARKEST, BRIGHTEST)
        shaded = part * factors
        for k in np.flatnonzero(self.mixture.any(1)):
            of_others = np.tensordot(self.mixture[k], part, 1)
            rest = (part[k] - of_others).clip(0) * factors[k]
            share = part[k] / np.maximum(of_others, part[k]).clip(1e-6)  # the sum may be too bright from the start
            shaded[k] = np.tensordot(self.mixture[k], shaded, 1) * share + rest
        return shaded


def _thumbnails(linear: np.ndarray) -> np.ndarray:
    n, channels, side, _ = linear.shape
    step = side // THUMBNAIL
    return linear.reshape(n, channels, THUMBNAIL, step, THUMBNAIL, step).mean((1, 3, 5), dtype=np.float32)


def _places(small: np.ndarray) -> np.ndarray:
    """Where captures differ from one another, in which parts differ and what they lie on does not."""
    differing = gaussian_filter((small.mean(1) ** (1 / GAMMA)).std(0), 1.5)
    differing = differing * (differing > 0.35 * np.percentile(differing, 98)) + 1e-12
    return differing / differing.sum()


def _towards(azimuths: np.ndarray) -> np.ndarray:
    flat, up = np.cos(ELEVATION), np.sin(ELEVATION)
    return np.stack([flat * np.cos(azimuths), flat * np.sin(azimuths), np.full_like(azimuths, up)], 1)


def _directions(small: np.ndarray, places: np.ndarray) -> np.ndarray:
    """[N, 3]: a light's brightness, against that of the others, rises over the part towards where it comes from."""
    logs = np.log(small + 0.01)
    relative = (logs - logs.mean(1, keepdims=True)).mean(0)  # [N, T, T]
    rows, columns = np.mgrid[:THUMBNAIL, :THUMBNAIL] / (THUMBNAIL / 2)
    plane = np.stack([columns, -rows, np.ones_like(rows)], -1).reshape(-1, 3)
    weights = np.sqrt(places.ravel())[:, None]
    slopes = np.linalg.lstsq(plane * weights, weights * relative.reshape(len(relative), -1).T, rcond=None)[0]
    strength = np.linalg.norm(slopes[:2], axis=0)
    directions = _towards(np.arctan2(slopes[1], slopes[0]))
    directions[strength < max(FAINT_SLOPE, SIDE_LIGHT * strength.max())] = np.nan
    return directions


def _mixture(small: np.ndarray, places: np.ndarray, directions: np.ndarray) -> np.ndarray:
    """[N, N]: of each light from no side, the sum of the others that is nearest to it."""
    mixture = np.zeros((len(directions),) * 2, np.float32)
    sided = ~np.isnan(directions[:, 0])
    if sided.any():
        weights = np.sqrt(places.ravel())
        rows = (small.mean(0).reshape(len(sided), -1) * weights).T.astype(np.float64)
        for k in np.flatnonzero(~sided):
            mixture[k, sided] = nnls(rows[:, sided], rows[:, k])[0]
    return mixture


def _shape(centre: np.ndarray, side: int, rng: np.random.Generator):
    """A blob: its window, how far pixels are inside [h, w], their distance in radii, and its radius in pixels."""
    radius = side * np.exp(rng.uniform(*np.log(RADII)))
    stretch, angle, lobes, phase = (
        np.exp(rng.normal(0, 0.3)),
        rng.uniform(0, np.pi),
        rng.integers(2, 5),
        rng.uniform(0, 6.3),
    )
    reach = int(2.2 * radius * max(stretch, 1 / stretch)) + 2
    low = np.clip(centre.astype(int) - reach, 0, side - 1)
    high = np.clip(centre.astype(int) + reach, low + 2, side)
    low = np.minimum(low, high - 2)
    y, x = np.mgrid[low[0] : high[0], low[1] : high[1]] - centre[:, None, None]
    along, across = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    distance = np.hypot(along / stretch, across * stretch) / radius
    distance *= 1 + 0.2 * np.sin(lobes * np.arctan2(across, along) + phase)
    inside = ((1 - distance) * radius / 3 + 0.5).clip(0, 1)
    return (slice(low[0], high[0]), slice(low[1], high[1])), inside, distance, radius


def _stained(part: np.ndarray, inside: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
    colour = rng.dirichlet([1, 1, 1]) * rng.uniform(0.1, 1.5)
    if part.shape[1] == 1:  # of a grey camera, which sees them all as one
        colour = colour.mean(keepdims=True)
    covering = min(1.0, 0.6 * strength) * inside
    base = (part * inside).sum((0, 2, 3)) / (inside.sum() * len(part) + 1e-6)
    return part * (1 - covering + covering * (2 * base.mean() * colour / (base + 0.02))[:, None, None])


def _rough(shape: tuple[int, int], side: int, rng: np.random.Generator) -> list[np.ndarray]:
    """Slopes of a random relief of two scales, 0.5 on average."""
    height = np.zeros(shape)
    for scale in rng.choice([0.6, 1.0, 1.6, 2.5, 4.0], 2, replace=False) * side / 256:
        height += gaussian_filter(rng.standard_normal(shape), scale) * scale**1.2
    slopes = np.gradient(height)
    return [0.5 * slope / np.sqrt(np.square(slopes).sum(0).mean() + 1e-12) for slope in slopes]
