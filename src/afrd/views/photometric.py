"""Photometric stereo: surface normals and albedo of a capture from lights whose directions are known.

Lambert's law, one equation per light: value = albedo · (direction · normal), solved per pixel by least squares
(Woodham, "Photometric method for determining surface orientation from multiple images", Optical Engineering 19(1),
1980), then by a few rounds of reweighted least squares that drop shadows and highlights. Nothing is trained.

The law holds in linear light, so sRGB coded values are made linear first. With far lights the coding hides in part
what lights that are near do to the answer; with distances given, linear light is clearly better.

Does not hold where light goes through the part, nor between steep relief, where more lights are cut off than can be
spared. A light counts as shadowed below a tenth of the pixel's brightness, since a shadow is never black.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from afrd.errors import ModelError
from afrd.imaging.pixels import to_linear

ROUNDS = 3
_SHADOW = (0.1, 0.2)  # of the pixel's second-brightest light, which a single highlight leaves alone: dropped, kept
_HIGHLIGHT = 0.05  # of the albedo: a value this far above its prediction has half the weight
_FLOOR = 1e-3  # weight of a dropped light: three lights always remain to some degree
_FLATTEST = 0.05  # smallest over largest singular value of the directions
_NEAREST = 0.5  # widths of the picture

Directions = Sequence[tuple[float, float, float]]

HOW_TO_GET = (
    "give it in lights.yaml, as {name: left, direction: [-1, 0, 0.8]}: from the part towards the light, x right, y up, "
    "z to the camera; measured with a ruler, or from where a shiny ball shows the light"
)


class Shape(NamedTuple):
    """normals: [3, H, W], unit; albedo: [C, H, W], linear, 1 reaches full scale facing a light.

    values: [K, C, H, W], linear, of the K lights that were used; shading: [K, H, W], what each does to a white matte
    surface, below 0 where it faces away.
    """

    normals: np.ndarray
    albedo: np.ndarray
    values: np.ndarray
    shading: np.ndarray


class PhotometricStereo:
    """Normals and albedo from the lights whose direction is known; the others are not read.

    directions: unit vectors from the part towards each light, x right, y up, z to the camera, NaN where unknown, as
        `LightRig.directions`; all lights are taken to be equally strong.
    distance: from the part to the lights, one for all or one a light, in widths of the picture, where known. They then
        shine from points: each place on the part, taken to be flat, has its own directions and brightness. None, or
        NaN: from infinitely far.
    srgb: whether captures are sRGB coded; False for cameras that store linear values.
    rounds: of reweighting; 0 is plain least squares, as is whatever is asked of exactly three lights.
    Raises ModelError: fewer than three known directions, all in one plane, a length other than 1, a bad distance.
    """

    def __init__(
        self,
        directions: Directions | None,
        *,
        distance: float | Sequence[float] | None = None,
        srgb: bool = True,
        rounds: int = ROUNDS,
    ) -> None:
        self.lights = len(directions or ())
        self.used = _known(directions or ())
        each = np.full(self.lights, math.nan if distance is None else distance, float)
        for value in each:
            if not math.isnan(value) and not _NEAREST < value < math.inf:
                raise ModelError(
                    f"photometric stereo: distance {value:g} of the lights; give it in widths of the picture, above "
                    f"{_NEAREST}, or None for far lights"
                )
        self.srgb, self.rounds = srgb, rounds
        self.directions = np.array([directions[k] for k in self.used], np.float32)
        self.distances = each[self.used].astype(np.float32)

    def __call__(self, images: np.ndarray) -> Shape:
        """images: [N, C, H, W] in 0..1. Where all is black the normal points to the camera.

        Raises ModelError: another number of lights.
        """
        if len(images) != self.lights:
            raise ModelError(
                f"photometric stereo: {len(images)} lights in the capture, {self.lights} directions; "
                f"give one direction per light, NaN where unknown"
            )
        values = np.asarray(images[self.used], np.float32)  # [K, C, H, W]
        values = to_linear(values).astype(np.float32) if self.srgb else values
        lights = self._lights(*images.shape[-2:])
        scaled, weights = _solve(lights, values.mean(1), self.rounds)
        scaled[2] += 1e-6
        normals = scaled / np.maximum(np.linalg.norm(scaled, axis=0), 1e-12)
        shading = facing(lights, normals)
        lit = shading.clip(min=0)
        albedo = np.einsum("khw,kchw->chw", weights * lit, values)
        return Shape(normals, albedo / (weights * lit**2).sum(0).clip(min=1e-9), values, shading)

    def _lights(self, height: int, width: int) -> np.ndarray:
        """Direction times brightness at each place, [K, 3, H, W], or [K, 3, 1, 1] where all lights are far."""
        far = self.directions[:, :, None, None]
        if np.isnan(self.distances).all():
            return far
        x = (np.arange(width, dtype=np.float32) + 0.5) / width - 0.5
        y = ((np.arange(height, dtype=np.float32) + 0.5) / height - 0.5) * (-height / width)
        place = np.stack([*np.meshgrid(x, y), np.zeros((height, width), np.float32)])
        distance = self.distances[:, None, None, None]
        towards = distance * far - place
        away = np.linalg.norm(towards, axis=1, keepdims=True)
        near = towards * distance**2 / away**3  # unit vector · (1 / distance²)
        return np.where(np.isnan(distance), far, near)


def _known(directions: Directions) -> list[int]:
    known = [k for k, direction in enumerate(directions) if not any(map(math.isnan, direction))]
    for k in known:
        if abs(math.hypot(*directions[k]) - 1) > 1e-3:
            raise ModelError(f"photometric stereo: direction {k} is {directions[k]}; scale it to length 1")
    if len(known) < 3:
        raise ModelError(
            f"photometric stereo: {len(known)} of {len(directions)} lights have a direction; 3 are needed: {HOW_TO_GET}"
        )
    spread = np.linalg.svd(np.array([directions[k] for k in known]), compute_uv=False)
    if spread[2] < _FLATTEST * spread[0]:
        raise ModelError(
            f"photometric stereo: the directions of the {len(known)} lights lie in one plane with the part "
            f"or nearly so; place one light out of it"
        )
    return known


def _solve(lights: np.ndarray, grey: np.ndarray, rounds: int) -> tuple[np.ndarray, np.ndarray]:
    """lights: [K, 3, H or 1, W or 1]; grey: [K, H, W]. Returns albedo · normal [3, H, W] and the last weights."""
    weights = np.ones_like(grey)
    scaled = _least_squares(lights, grey, weights)
    second, first = np.partition(grey, (-2, -1), axis=0)[-2:].clip(min=1e-5)
    lit = ((grey / second - _SHADOW[0]) / (_SHADOW[1] - _SHADOW[0])).clip(0, 1)
    # With four lights every residual has the same size: only that a highlight is bright tells which light has it.
    bright = (grey / first) ** 2
    for _ in range(rounds):
        above = (grey - facing(lights, scaled)).clip(min=0)
        albedo = np.linalg.norm(scaled, axis=0).clip(min=1e-5)
        weights = (lit / (1 + (above / (_HIGHLIGHT * albedo)) ** 2 * bright)).clip(min=_FLOOR)
        scaled = _least_squares(lights, grey, weights)
    return scaled, weights


def facing(lights: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Lambert's law: products of lights [K, 3, H or 1, W or 1] and vectors [3, H, W], [K, H, W]."""
    return (lights * vectors[None]).sum(1)


def _least_squares(lights: np.ndarray, grey: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The normal equations, three unknowns, by Cramer's rule: [3, H, W]."""
    x, y, z = lights.transpose(1, 0, 2, 3)  # [K, H or 1, W or 1]

    def moment(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return (weights * (a * b)).sum(0)

    xx, xy, xz, yy, yz, zz = (moment(a, b) for a, b in ((x, x), (x, y), (x, z), (y, y), (y, z), (z, z)))
    right = np.stack([moment(a, grey) for a in (x, y, z)])
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    adjugate = np.stack([np.stack([a, b, c]), np.stack([b, d, e]), np.stack([c, e, f])])
    determinant = xx * a + xy * b + xz * c
    return np.einsum("ijhw,jhw->ihw", adjugate, right) / determinant.clip(min=1e-9)
