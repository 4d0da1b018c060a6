"""Photometric stereo: surface normals and albedo of a capture as one more, virtual light for the teacher.

Lambert's law, one equation per light: value = albedo · (direction · normal), solved per pixel by least squares
(Woodham, "Photometric method for determining surface orientation from multiple images", Optical Engineering 19(1),
1980), then by a few rounds of reweighted least squares that drop shadows and highlights. Nothing is trained. Plain
tensor operations only. No model reads it: docs/log.md says what it brought.

The law holds in linear light, so sRGB coded values are made linear first. With far lights the coding hides in part
what lights that are near do to the answer; with `distance` given, linear light is clearly better.

Knows no teacher and no files. Does not hold where light goes through the part, nor between steep relief, where more
lights are cut off than can be spared. A light counts as shadowed below a tenth of the pixel's brightness, since a
shadow is never black.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from afrd.errors import ModelError

ROUNDS = 3
_SHADOW = (0.1, 0.2)  # of the pixel's second-brightest light, which a single highlight leaves alone: dropped, kept
_HIGHLIGHT = 0.05  # of the albedo: a value this far above its prediction has half the weight
_FLOOR = 1e-3  # weight of a dropped light: three lights always remain to some degree
_FLATTEST = 0.05  # smallest over largest singular value of the directions

Directions = Sequence[tuple[float, float, float]]


class PhotometricStereo(nn.Module):
    """Normals and albedo from the lights whose direction is known; the others are not read.

    directions: unit vectors from the part towards each light, x right, y up, z to the camera, NaN where unknown, as
        `LightRig.directions`; all lights are taken to be equally strong.
    distance: from the part to the lights, in widths of the picture, where known. They then shine from points: each
        place on the part, taken to be flat, has its own directions and brightness. None: from infinitely far.
    srgb: whether captures are sRGB coded; False for cameras that store linear values.
    rounds: of reweighting; 0 is plain least squares, as is whatever is asked of exactly three lights.
    Raises ModelError: fewer than three known directions, all in one plane, a length other than 1, a bad distance.
    """

    def __init__(
        self,
        directions: Directions | None,
        *,
        distance: float | None = None,
        srgb: bool = True,
        rounds: int = ROUNDS,
    ) -> None:
        super().__init__()
        self.lights = len(directions or ())
        known = _known(directions or ())
        if distance is not None and not 0.5 < distance < math.inf:
            raise ModelError(
                f"photometric stereo: distance {distance} of the lights; give it in widths of the picture, above 0.5, "
                f"or None for far lights"
            )
        self.distance, self.srgb, self.rounds = distance, srgb, rounds
        self.register_buffer("used", torch.tensor(known), persistent=False)
        self.register_buffer("directions", torch.tensor([directions[k] for k in known]), persistent=False)

    @torch.no_grad()
    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """images: [B, N, 3, H, W], RGB in 0..1.

        Returns unit normals [B, 3, H, W] (x right, y up, z to the camera; straight to the camera where all is black)
        and albedo [B, 3, H, W], linear, from 0; 1 is a surface that reaches full scale when it faces a light.
        Raises ModelError: another number of lights.
        """
        if images.shape[1] != self.lights:
            raise ModelError(
                f"photometric stereo: {images.shape[1]} lights in the capture, {self.lights} directions; "
                f"give one direction per light, NaN where unknown"
            )
        values = images.index_select(1, self.used)  # [B, K, 3, H, W]
        values = _linear(values) if self.srgb else values
        grey = values.mean(2)
        lights = self._lights(*images.shape[-2:])
        scaled, weights = _solve(lights, grey, self.rounds)
        up = scaled.new_tensor([0.0, 0.0, 1e-6]).view(3, 1, 1)
        normals = nn.functional.normalize(scaled + up, dim=1, eps=1e-12)
        shading = _facing(lights, normals).clamp_min(0)
        albedo = torch.einsum("bkhw,bkchw->bchw", weights * shading, values)
        return normals, albedo / (weights * shading**2).sum(1, keepdim=True).clamp_min(1e-9)

    def _lights(self, height: int, width: int) -> Tensor:
        """Direction times brightness at each place, [K, 3, H, W], or [K, 3, 1, 1] for far lights."""
        far = self.directions[:, :, None, None]
        if self.distance is None:
            return far
        x = (torch.arange(width, device=far.device) + 0.5) / width - 0.5
        y = ((torch.arange(height, device=far.device) + 0.5) / height - 0.5) * (-height / width)
        place = torch.stack([x.expand(height, width), y[:, None].expand(height, width)])
        towards = self.distance * far - nn.functional.pad(place, (0, 0, 0, 0, 0, 1))
        away = towards.square().sum(1, keepdim=True).sqrt()
        return towards * self.distance**2 / away**3  # unit vector · (1 / distance²)


def virtual_light(normals: Tensor) -> Tensor:
    """Normals [B, 3, H, W] as the teacher reads a picture, [B, 3, H, W] in 0..1: 0.5 + 0.5 n, the usual normal map."""
    return 0.5 + 0.5 * normals


def _known(directions: Directions) -> list[int]:
    known = [k for k, direction in enumerate(directions) if not any(map(math.isnan, direction))]
    for k in known:
        if abs(math.hypot(*directions[k]) - 1) > 1e-3:
            raise ModelError(f"photometric stereo: direction {k} is {directions[k]}; scale it to length 1")
    mend = "give the directions in lights.yaml, or do without normals"
    if len(known) < 3:
        raise ModelError(
            f"photometric stereo: {len(known)} of {len(directions)} lights have a direction; 3 are needed: {mend}"
        )
    spread = torch.linalg.svdvals(torch.tensor([directions[k] for k in known], dtype=torch.float64))
    if spread[2] < _FLATTEST * spread[0]:
        raise ModelError(
            f"photometric stereo: the directions of the {len(known)} lights lie in one plane with the part "
            f"or nearly so; place one light out of it and {mend}"
        )
    return known


def _linear(coded: Tensor) -> Tensor:
    """The inverse of the sRGB transfer curve (IEC 61966-2-1)."""
    return torch.where(coded <= 0.04045, coded / 12.92, ((coded.clamp_min(0) + 0.055) / 1.055) ** 2.4)


def _solve(lights: Tensor, grey: Tensor, rounds: int) -> tuple[Tensor, Tensor]:
    """lights: [K, 3, H or 1, W or 1]; grey: [B, K, H, W]. Returns albedo · normal [B, 3, H, W] and the last weights."""
    weights = torch.ones_like(grey)
    scaled = _least_squares(lights, grey, weights)
    first, second = (x.clamp_min(1e-5) for x in grey.topk(2, dim=1).values.split(1, dim=1))
    lit = ((grey / second - _SHADOW[0]) / (_SHADOW[1] - _SHADOW[0])).clamp(0, 1)
    # With four lights every residual has the same size: only that a highlight is bright tells which light has it.
    bright = (grey / first).square()
    for _ in range(rounds):
        above = (grey - _facing(lights, scaled)).clamp_min(0)
        albedo = scaled.square().sum(1, keepdim=True).sqrt().clamp_min(1e-5)
        weights = (lit / (1 + (above / (_HIGHLIGHT * albedo)).square() * bright)).clamp_min(_FLOOR)
        scaled = _least_squares(lights, grey, weights)
    return scaled, weights


def _facing(lights: Tensor, vectors: Tensor) -> Tensor:
    """Lambert's law: products of lights [K, 3, H or 1, W or 1] and vectors [B, 3, H, W], [B, K, H, W]."""
    return (lights * vectors.unsqueeze(1)).sum(2)


def _least_squares(lights: Tensor, grey: Tensor, weights: Tensor) -> Tensor:
    """The normal equations, three unknowns, by Cramer's rule: [B, 3, H, W]."""
    x, y, z = lights.unbind(1)  # [K, H or 1, W or 1]

    def moment(a: Tensor, b: Tensor) -> Tensor:
        return (weights * (a * b)).sum(1)

    xx, xy, xz, yy, yz, zz = (moment(a, b) for a, b in ((x, x), (x, y), (x, z), (y, y), (y, z), (z, z)))
    right = torch.stack([moment(a, grey) for a in (x, y, z)], 1)
    a, b, c = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    d, e, f = xx * zz - xz * xz, xy * xz - xx * yz, xx * yy - xy * xy
    adjugate = torch.stack([a, b, c, b, d, e, c, e, f], 1).unflatten(1, (3, 3))
    determinant = (xx * a + xy * b + xz * c).unsqueeze(1)
    return torch.einsum("bijhw,bjhw->bihw", adjugate, right) / determinant.clamp_min(1e-9)
