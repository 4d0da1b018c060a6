"""The whole rig brighter or darker than in training: one gain for all lights of a capture, found in it and taken out.

How bright a capture is, against training, is a median over places and lights, so that no defect and no single light
decides. But a part that is darker all over looks the same as a rig that is: such a difference is taken out with it.
"""

from collections.abc import Collection, Iterable
from typing import Self

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from afrd.imaging.cells import measure, pack, unpack, weighted_median

OFFSET = 0.02  # of full scale, added before the logarithm: noise in a shadow is no gain
LEAST_SPREAD = 0.01  # of a cell, in log brightness
ROUNDS = 3  # in which the gain is found; the offset bends the logarithm
MOST = np.log(2.0)  # a rig that is off by more is not what the model was trained for


class Gain(BaseModel):
    """levels, spreads: one string a light, hundredths of log brightness of 8 × 8 cells over training, row by row."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    levels: tuple[str, ...] = Field(repr=False)
    spreads: tuple[str, ...] = Field(repr=False)

    @classmethod
    def learn(cls, captures: Iterable[np.ndarray]) -> Self:
        """From good captures, [N, C, H, W] each, in the common form."""
        logs = np.stack([_logs(measure(images)[0]) for images in captures])
        spreads = np.maximum(logs.std(0), LEAST_SPREAD)
        return cls(levels=tuple(map(pack, logs.mean(0))), spreads=tuple(map(pack, spreads)))

    def of(self, images: np.ndarray, without: Collection[int] = ()) -> float:
        """By what factor a capture's coded values lie above training's, 0.5 to 2.

        without: lights that are out of order and have no say; where they are all, none is left out.
        """
        lights = [k for k in range(len(images)) if k not in without] or list(range(len(images)))
        cells, log = measure(images)[0][lights], 0.0
        steady = 1 / np.maximum(unpack(self.spreads)[lights], LEAST_SPREAD).reshape(1, -1)
        levels = unpack(self.levels)[lights]
        for _ in range(ROUNDS):
            off = _logs(cells / np.exp(log)) - levels
            log = float(np.clip(log + weighted_median(off.reshape(1, 1, -1), steady)[0, 0], -MOST, MOST))
        return float(np.exp(log))

    def taken_out(self, images: np.ndarray, without: Collection[int] = ()) -> np.ndarray:
        """images: [N, C, H, W], uint8 or uint16. Returns them as bright as in training, in the same type.

        without: as for `of`.
        """
        full = np.iinfo(images.dtype).max
        table = np.rint(np.clip(np.arange(full + 1) / self.of(images, without), 0, full)).astype(images.dtype)
        return table[images]


def _logs(cells: np.ndarray) -> np.ndarray:
    return np.log(cells + OFFSET)
