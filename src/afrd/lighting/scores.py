"""What each subset of lights makes of the parts: a marginal of the joint Gaussian, linear algebra and no training."""

from collections.abc import Callable
from itertools import chain, combinations
from typing import Any

import numpy as np
import torch

from afrd.lighting.parts import Prepared
from afrd.model.marginal import marginal

AT_ONCE = 4  # captures
EVERY = 10  # lights, up to which every subset is looked at

Lights = tuple[int, ...]


class SubsetScores:
    """Scores of all parts, [K], by any subset; each is computed once. on_subset: called after each that is new."""

    def __init__(self, prepared: Prepared, on_subset: Callable[[int], None] | None = None) -> None:
        self.prepared, self.on_subset = prepared, on_subset
        self.known: dict[Lights, np.ndarray] = {}

    def __getitem__(self, lights: Lights) -> np.ndarray:
        if lights not in self.known:
            self.known[lights] = self._compute(lights)
            if self.on_subset:
                self.on_subset(len(self.known))
        return self.known[lights]

    @torch.inference_mode()
    def _compute(self, lights: Lights) -> np.ndarray:
        model, places, vectors = self.prepared.model, self.prepared.places, self.prepared.vectors
        part, columns, device = marginal(model, lights), model.columns_of(lights), model.mean.device
        part.learn_expectation(each[:, columns].float().to(device) for each in places.split(AT_ONCE))
        scores = [part.score_vectors(each[:, columns].float().to(device)) for each in vectors.split(AT_ONCE)]
        return torch.cat(scores).cpu().double().numpy()


def every_subset(lights: int) -> list[Lights]:
    """All but the empty one, smaller ones first."""
    return list(chain.from_iterable(combinations(range(lights), size) for size in range(1, lights + 1)))


def looked_at(lights: int, value: Callable[[Lights], Any]) -> list[Lights]:
    """Every subset, smaller ones first, or above ten lights those that `search` looks at for this value."""
    if lights <= EVERY:
        return every_subset(lights)
    seen: dict[Lights, Any] = {}

    def once(subset: Lights) -> Any:
        if subset not in seen:
            seen[subset] = value(subset)
        return seen[subset]

    search(lights, once)
    return sorted(seen, key=lambda subset: (len(subset), subset))


def search(lights: int, value: Callable[[Lights], Any]) -> None:
    """Looks at the subsets worth it, where there are too many: value(subset) is to be as high as can be.

    From the best single light on, the light that helps most is added (greedy); then, at each size, the light that is
    missed least is exchanged for the other that helps most, while that helps. Every single light and all lights but one
    are looked at besides.
    """
    chosen: Lights = max(((k,) for k in range(lights)), key=value)
    for size in range(2, lights + 1):
        chosen = max((_with(chosen, k) for k in range(lights) if k not in chosen), key=value)
        while size < lights:
            rest = max((_without(chosen, k) for k in chosen), key=value)
            better = max((_with(rest, k) for k in range(lights) if k not in rest), key=value)
            if value(better) <= value(chosen):
                break
            chosen = better
    for k in range(lights):
        value(_without(tuple(range(lights)), k))


def _with(chosen: Lights, light: int) -> Lights:
    return tuple(sorted((*chosen, light)))


def _without(chosen: Lights, light: int) -> Lights:
    return tuple(k for k in chosen if k != light)
