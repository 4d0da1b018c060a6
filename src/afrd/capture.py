"""One object under N registered lights: the unit that everything else reads, scores and reports.

A capture knows no files and no networks. Readers make it (`afrd.datasets`), the inspector consumes it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from afrd.errors import DatasetError

MIN_LIGHTS, MAX_LIGHTS = 2, 16


@dataclass(frozen=True)
class LightRig:
    """The lights of a station, in the order in which every capture stores them.

    names: one per light, unique.
    directions: unit vectors from the part towards each light, [N, 3], x right, y up, z towards the camera;
        None where unknown, a row of NaN for a light without one direction (a light box).
    """

    names: tuple[str, ...]
    directions: tuple[tuple[float, float, float], ...] | None = None

    def __post_init__(self) -> None:
        n = len(self.names)
        if not MIN_LIGHTS <= n <= MAX_LIGHTS:
            raise DatasetError(
                f"{n} light{'' if n == 1 else 's'} ({', '.join(self.names)}): a capture has {MIN_LIGHTS} to "
                f"{MAX_LIGHTS} lights; photograph each part under at least two"
            )
        if len(set(self.names)) != n:
            twice = sorted({name for name in self.names if self.names.count(name) > 1})
            raise DatasetError(f"light name used twice: {', '.join(twice)}; give every light its own name")
        if self.directions is not None and len(self.directions) != n:
            raise DatasetError(f"{len(self.directions)} light directions for {n} lights; give one per light")

    def __len__(self) -> int:
        return len(self.names)


@dataclass(frozen=True)
class Capture:
    """One object under N registered lights.

    id: unique within its split.
    images: [N, 3, H, W], uint8 or uint16, RGB, lights in the order of `lights`.
    lights: the rig it was taken with.
    anomalous: True, False, or None where unknown.
    defects: defect types present, sorted; empty for good parts and where unknown.
    mask: [H, W] bool, True on the defect; None where unknown. A good part has an all-False mask.
    defect_masks: the same per defect type, where the data set tells them apart.
    """

    id: str
    images: np.ndarray
    lights: LightRig
    anomalous: bool | None = None
    defects: tuple[str, ...] = ()
    mask: np.ndarray | None = None
    defect_masks: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        shape = self.images.shape
        if self.images.ndim != 4 or shape[0] != len(self.lights) or shape[1] != 3:
            raise DatasetError(
                f"capture {self.id}: images have shape {list(shape)}; expected [{len(self.lights)}, 3, H, W]"
            )
        if self.images.dtype not in (np.uint8, np.uint16):
            raise DatasetError(f"capture {self.id}: images are {self.images.dtype}; expected uint8 or uint16")
        if self.mask is not None and self.mask.shape != shape[2:]:
            raise DatasetError(
                f"capture {self.id}: mask has shape {list(self.mask.shape)}, its images {list(shape[2:])}"
            )

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.images.shape[2], self.images.shape[3]
