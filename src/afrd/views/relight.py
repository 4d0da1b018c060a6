"""What a part would look like under a light that is missing, from its other lights: linear at each place.

Light adds up, so in linear light a picture under one light is near to a weighted sum of those under the others, with
weights that depend on how the place is turned and what it is made of. They are learned from good captures, one set for
places of each look: how the lights stand to one another there says how it is turned. Ridge regression, nothing more.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict

from afrd.imaging.pixels import to_linear, to_srgb

SIGNATURES = 8  # of places
PLACES = 4_000  # a capture, from which is learned
RIDGE = 1e-3  # share of the mean square of the other lights
SEED = 0
ROUNDS = 8  # of k-means
DIGITS = 6


class Relighting(BaseModel):
    """One light from the others; plain values for a card.

    light: the one that is missing. centres: [L, N - 1] looks; weights: [L, N - 1 + 1], the last of a constant.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    light: int
    centres: tuple[tuple[float, ...], ...]
    weights: tuple[tuple[float, ...], ...]

    @classmethod
    def learn(cls, captures: Iterable[np.ndarray], light: int) -> Self:
        """captures: images of all lights, [N, C, H, W] in 0..1, sRGB coded."""
        rng = np.random.default_rng(SEED)
        return cls.from_places(np.concatenate([places_of(images, rng) for images in captures], -1), light)

    @classmethod
    def from_places(cls, places: np.ndarray, light: int) -> Self:
        """places: [N, C, P] of all captures, as `places_of` draws them."""
        rng = np.random.default_rng(SEED)
        others, true = np.delete(places, light, 0), places[light]
        signatures = _signatures(others)
        centres = _means(signatures, rng)
        nearest = _nearest(signatures, centres)
        every = others.reshape(len(others), -1)
        ridge = RIDGE * float((every**2).mean()) + 1e-9
        whole = _solved(every, true.ravel(), ridge, None)
        weights = [
            _solved(others[..., nearest == i].reshape(len(others), -1), true[:, nearest == i].ravel(), ridge, whole)
            for i in range(len(centres))
        ]
        return cls(light=light, centres=_rows(centres), weights=_rows(weights))

    def __call__(self, others: np.ndarray) -> np.ndarray:
        """others: the other lights' images, in their order, [N - 1, C, H, W] in 0..1. Returns [C, H, W], coded."""
        linear = to_linear(others).reshape(*others.shape[:2], -1)
        weights = np.array(self.weights)[_nearest(_signatures(linear), np.array(self.centres))]  # [P, N]
        made = np.einsum("pn,ncp->cp", weights[:, :-1], linear) + weights[:, -1]
        return to_srgb(made).reshape(others.shape[1:])


def places_of(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """images: [N, C, H, W] in 0..1, or uint8 or uint16, sRGB coded. Returns [N, C, P], linear: `PLACES`, or all."""
    rows, columns = np.divmod(rng.permutation(math.prod(images.shape[2:]))[:PLACES], images.shape[3])
    chosen = images[..., rows, columns]
    if chosen.dtype.kind == "u":
        chosen = chosen / np.float32(np.iinfo(chosen.dtype).max)
    return to_linear(chosen).astype(np.float32)


def _rows(values: Sequence[np.ndarray] | np.ndarray) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(round(float(value), DIGITS) for value in row) for row in values)


def _signatures(linear: np.ndarray) -> np.ndarray:
    """[N - 1, C, P] to [P, N - 1]: each light's share of the brightness of a place."""
    grey = linear.mean(1) + 1e-3
    return (grey / grey.sum(0)).T


def _nearest(signatures: np.ndarray, centres: np.ndarray) -> np.ndarray:
    return ((centres**2).sum(1) - 2 * signatures @ centres.T).argmin(1)


def _means(signatures: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """k-means; a look that no place has any more goes."""
    centres = signatures[rng.permutation(len(signatures))[:SIGNATURES]]
    for _ in range(ROUNDS):
        nearest = _nearest(signatures, centres)
        centres = np.stack([signatures[nearest == i].mean(0) for i in np.unique(nearest)])
    return centres


def _solved(others: np.ndarray, true: np.ndarray, ridge: float, towards: np.ndarray | None) -> np.ndarray:
    """others: [N - 1, P], true: [P]. Weights and a constant, drawn to `towards`, that of all places, or to zero."""
    rows = np.concatenate([others, np.ones((1, others.shape[1]))])
    prior = np.zeros(len(rows)) if towards is None else towards
    moment = rows @ rows.T + ridge * max(others.shape[1], 1) * np.eye(len(rows))
    return prior + np.linalg.solve(moment, rows @ (true - prior @ rows))
