"""One object under N registered lights: the unit that everything else reads, scores and reports.

A capture knows no files and no networks. Readers make it (`afrd.datasets`), the inspector consumes it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from afrd.errors import DatasetError

if TYPE_CHECKING:  # so that captures take numpy alone
    from afrd.imaging import Imaging
    from afrd.imaging.region import MovedRegion, Region

MIN_LIGHTS, MAX_LIGHTS = 1, 16
CHANNELS = (1, 3)


@dataclass(frozen=True)
class LightRig:
    """The lights of a station, in the order in which every capture stores them.

    names: one per light, unique.
    directions: unit vectors from the part towards each light, [N, 3], x right, y up, z towards the camera;
        None where unknown, a row of NaN for a light without one direction (a light box).
    distances: from the part to each light, in widths of the picture, NaN where unknown or far; None: all so.
    weights: how far a model shall go by each light, 0 (not at all) to 1; None: by all alike.
    exposure_ms, switching_ms: what each light takes of a cycle, NaN where not said; None: none is.
    triggers: when each is triggered, in intervals, as of a rig of which they are some; None: one after the other.
    """

    names: tuple[str, ...]
    directions: tuple[tuple[float, float, float], ...] | None = None
    distances: tuple[float, ...] | None = None
    weights: tuple[float, ...] | None = None
    exposure_ms: tuple[float, ...] | None = None
    switching_ms: tuple[float, ...] | None = None
    triggers: tuple[int, ...] | None = None

    def __post_init__(self) -> None:
        n = len(self.names)
        if not MIN_LIGHTS <= n <= MAX_LIGHTS:
            raise DatasetError(
                f"{n} lights ({', '.join(self.names)}): a capture has {MIN_LIGHTS} to {MAX_LIGHTS} lights; photograph "
                f"each part under one at least"
            )
        if len(set(self.names)) != n:
            twice = sorted({name for name in self.names if self.names.count(name) > 1})
            raise DatasetError(f"light name used twice: {', '.join(twice)}; give every light its own name")
        for what in ("directions", "distances", "weights", "exposure_ms", "switching_ms", "triggers"):
            values = getattr(self, what)
            if values is not None and len(values) != n:
                raise DatasetError(f"{len(values)} {what} for {n} lights; give one per light")
        if self.weights is not None and not any(self.weights):
            raise DatasetError("every light has the weight 0: nothing is left to judge by; give one a weight up to 1")

    def __len__(self) -> int:
        return len(self.names)

    def pick(self, names: Sequence[str]) -> "LightRig":
        """These of the lights, in the order given. Raises DatasetError: none given, one twice, or one there is not."""
        if unknown := [name for name in names if name not in self.names]:
            raise DatasetError(f"no light {unknown[0]!r}; the lights are {', '.join(self.names)}")
        order = [self.names.index(name) for name in names]
        kept = {key: tuple(values[k] for k in order) for key, values in vars(self).items() if values is not None}
        times = self.triggers or range(len(self))
        first = min(order, key=times.__getitem__, default=0)
        even = [times[k] - times[first] for k in order] == list(range(len(order)))
        return replace(LightRig(**kept), triggers=None if even else tuple(times[k] for k in order))


@dataclass(frozen=True)
class Capture:
    """One object under N registered lights.

    id: unique within its split.
    images: [N, C, H, W], uint8 or uint16, C 3 (RGB) or 1 (grey), lights in the order of `lights`; [N, H, W] becomes
        [N, 1, H, W].
    lights: the rig it was taken with.
    anomalous: True, False, or None where unknown.
    defects: defect types present, sorted; empty for good parts and where unknown.
    mask: [H, W] bool, True on the defect; None where unknown. A good part has an all-False mask.
    defect_masks: the same per defect type, where the data set tells them apart.
    imaging: as what the camera's pictures were seen; `images` are in the common form then (`afrd.imaging.pixels`) and
        registered. None where they are as the camera gave them.
    moved: lights that do not fit the motion of the others. replaced: x, y of dead pixels that were.
    region: where is looked at; None: everywhere. lost: the part that it follows was not found whole in the picture.
    cells: see `afrd.imaging.motion.Registered`.
    """

    id: str
    images: np.ndarray
    lights: LightRig
    anomalous: bool | None = None
    defects: tuple[str, ...] = ()
    mask: np.ndarray | None = None
    defect_masks: Mapping[str, np.ndarray] = field(default_factory=dict)
    imaging: "Imaging | None" = None
    moved: tuple[int, ...] = ()
    replaced: tuple[tuple[int, int], ...] = ()
    region: "Region | MovedRegion | None" = None
    lost: bool = False
    cells: np.ndarray | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "images", with_channels(self.images))
        shape = self.images.shape
        if self.images.ndim != 4 or shape[0] != len(self.lights) or shape[1] not in CHANNELS:
            n = len(self.lights)
            raise DatasetError(
                f"capture {self.id}: images have shape {list(shape)}; expected [{n}, 3, H, W], or [{n}, H, W] for grey"
            )
        if self.images.dtype not in (np.uint8, np.uint16):
            raise DatasetError(f"capture {self.id}: images are {self.images.dtype}; expected uint8 or uint16")
        if self.mask is not None and self.mask.shape != shape[2:]:
            raise DatasetError(
                f"capture {self.id}: mask has shape {list(self.mask.shape)}, its images {list(shape[2:])}"
            )

    def with_images(self, images: np.ndarray) -> Self:
        """Other images of the same part, as a disturbed station sees it; `cells` change by as much as theirs do."""
        if self.cells is None:
            return replace(self, images=images)
        from afrd.imaging.cells import channel_means

        before = np.maximum(channel_means(self.images), 1e-6)
        return replace(self, images=images, cells=self.cells * channel_means(images) / before)

    @property
    def tiles(self) -> list[np.ndarray]:
        """What a model looks at one after the other, [N, C, h, w] each: all of it, or tiles."""
        return self.imaging.cut(self.images) if self.imaging else [self.images]

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.images.shape[2], self.images.shape[3]


def with_channels(images: np.ndarray) -> np.ndarray:
    """[N, H, W] as [N, 1, H, W]; anything else as it is."""
    return images[:, None] if images.ndim == 3 else images
