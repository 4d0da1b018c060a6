"""Defects painted into captures of good parts: what a stain, a dent or a rough patch does to all lights at once.

Not to look real, but to change every light as a defect would: a stain scales colours alike under all lights, relief
brightens what leans towards a light and darkens what leans away. Where a light comes from is seen from the captures
themselves: parts are brighter on the side that faces it. Shapes are in `afrd.training.defect_shapes`.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from scipy.optimize import nnls

from afrd.training.defect_shapes import Shape, blob, line, rough_slopes
from afrd.views.directions import GAMMA, THUMBNAIL, azimuths_seen, places_of_parts, thumbnails, towards

ANYWHERE = 0.2  # share of the defects that may lie off the part
STRENGTHS = (0.25, 1.6)
KINDS = ("stain", "relief", "rough", "line", "patch")
DARKEST, BRIGHTEST = 0.1, 4.0  # factors of relief; least cosine to a light


class DefectPainter:
    """Paints defects into captures like those it has learned from.

    The kinds are drawn alike: a stain (one colour, grey where captures are grey, more or less covering), relief (a bump
    or a dent, round, with soft edges), a rough patch (random relief of two scales), a line (a scratch, a crack or a
    fibre: stained, in relief, or both), a patch (another place of the same part under all lights, as a missing or a
    foreign piece looks). Radii and strengths are log-uniform.

    places: [T, T], where parts are, as probabilities. directions: [N, 3] unit vectors towards the lights, x right, y
    up, z to the camera; NaN for a light from no side. mixture: [N, N], what of such a light the others make up.
    grey: whether captures have no colour.
    """

    def __init__(self, places: np.ndarray, directions: np.ndarray, mixture: np.ndarray, grey: bool = False) -> None:
        self.places, self.directions, self.mixture, self.grey = places, directions, mixture, grey

    @classmethod
    def learn(cls, captures: Iterable[np.ndarray]) -> "DefectPainter":
        """captures: [N, C, S, S] in [0, 1] each, C 3 or 1, S a multiple of 32."""
        small, grey = [], True
        for images in captures:
            small.append(thumbnails(images**GAMMA))
            grey = grey and bool((images == images[:, :1]).all())
        small = np.stack(small)  # [M, N, T, T]
        places = places_of_parts(small)
        directions = azimuths_seen(small, places)
        return cls(places, directions, _mixture(small, places, directions), grey)

    def paint(
        self, images: np.ndarray, rng: np.random.Generator, number: int = 10, kinds: Sequence[str] = KINDS
    ) -> tuple[np.ndarray, np.ndarray]:
        """images: [N, C, S, S] in [0, 1]. Returns them with `number` defects; how far each pixel is in one, [S, S]."""
        linear, side = images**GAMMA, images.shape[-1]
        cover = np.zeros((side, side), np.float32)
        chance = (1 - ANYWHERE) * self.places + ANYWHERE / self.places.size
        for _ in range(number):
            cell = np.array(divmod(rng.choice(chance.size, p=chance.ravel()), THUMBNAIL))
            centre = (cell + rng.random(2)) / THUMBNAIL * side
            kind = kinds[rng.integers(len(kinds))]
            shape = line(centre, side, rng) if kind == "line" else blob(centre, side, rng)
            strength = np.exp(rng.uniform(*np.log(STRENGTHS)))
            linear[..., *shape.window] = self._changed(linear, shape, kind, strength, rng)
            cover[shape.window] = np.maximum(cover[shape.window], shape.reach)
        return (linear.clip(0, 1) ** (1 / GAMMA)).astype(np.float32), cover

    def _changed(self, linear: np.ndarray, shape: Shape, kind: str, strength: float, rng) -> np.ndarray:
        """What the shape's window looks like with the defect, [N, 3, h, w]."""
        part = linear[..., *shape.window]
        match kind:
            case "stain":
                return self._stained(part, shape.inside, strength, rng)
            case "relief":
                return self._shaded(part, np.gradient(shape.height * rng.choice([-1, 1])), strength, rng)
            case "rough":
                slopes = rough_slopes(shape.inside.shape, linear.shape[-1], rng)
                return self._shaded(part, [slope * shape.inside for slope in slopes], strength, rng)
            case "line":
                look = rng.integers(3)
                if look != 0:
                    part = self._shaded(part, np.gradient(shape.height * rng.choice([-1, 1])), strength, rng)
                return part if look == 1 else self._stained(part, shape.inside, strength, rng)
            case "patch":
                return _pasted(linear, shape, rng)
        raise ValueError(f"no kind {kind!r}; there are {', '.join(KINDS)}")

    def _stained(self, part: np.ndarray, inside: np.ndarray, strength: float, rng: np.random.Generator) -> np.ndarray:
        colour = rng.dirichlet([1, 1, 1]) * rng.uniform(0.1, 1.5)
        if self.grey or part.shape[1] == 1:
            colour = np.full(part.shape[1], colour.mean())
        covering = min(1.0, 0.6 * strength) * inside
        base = (part * inside).sum((0, 2, 3)) / (inside.sum() * len(part) + 1e-6)
        return part * (1 - covering + covering * (2 * base.mean() * colour / (base + 0.02))[:, None, None])

    def _shaded(self, part: np.ndarray, slopes, strength: float, rng: np.random.Generator) -> np.ndarray:
        """part: [N, 3, h, w], linear; slopes: of the relief along rows and columns, [h, w] each."""
        directions = self.directions
        if np.isnan(directions).all():  # nothing is known of them: from anywhere
            directions = towards(rng.uniform(0, 2 * np.pi, len(directions)))
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


def _pasted(linear: np.ndarray, shape: Shape, rng: np.random.Generator) -> np.ndarray:
    """Another place of the same capture, under all lights, laid over the shape's."""
    rows, columns = shape.window
    height, width, side = rows.stop - rows.start, columns.stop - columns.start, linear.shape[-1]
    top, left = rng.integers(side - height + 1), rng.integers(side - width + 1)
    other = linear[..., top : top + height, left : left + width]
    return linear[..., rows, columns] * (1 - shape.inside) + other * shape.inside
