"""What is known of a capture's defects, kept without its images: a bit a pixel, and nothing of good parts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from afrd.capture import Capture
from afrd.errors import DatasetError
from afrd.imaging.region import MovedRegion, Region


class Lazy(Sequence):
    """[make(0), …, make(length - 1)], each made when it is asked for, so that one at a time is held."""

    def __init__(self, length: int, make: Callable[[int], np.ndarray | None]) -> None:
        self._length, self._make = length, make

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> np.ndarray | None:
        return self._make(range(self._length)[index])

    def __iter__(self) -> Iterator[np.ndarray | None]:
        return map(self._make, range(self._length))


@dataclass(frozen=True)
class _Packed:
    bits: np.ndarray | None
    shape: tuple[int, int]

    @classmethod
    def of(cls, mask: np.ndarray) -> "_Packed":
        return cls(np.packbits(np.asarray(mask, dtype=bool), axis=1) if mask.any() else None, mask.shape)

    def mask(self) -> np.ndarray:
        if self.bits is None:
            return np.broadcast_to(np.False_, self.shape)
        return np.unpackbits(self.bits, axis=1, count=self.shape[1]).view(bool)


@dataclass(frozen=True)
class Truth:
    """The masks of a capture. region: outside of it nothing is looked at."""

    _mask: _Packed | None
    _defect_masks: Mapping[str, _Packed] = field(default_factory=dict)
    region: Region | MovedRegion | None = None

    @classmethod
    def of(
        cls, mask: np.ndarray | None, defect_masks: Mapping[str, np.ndarray], region: Region | MovedRegion | None = None
    ):
        """[H, W] bool each; None where unknown."""
        packed = {defect: _Packed.of(of_defect) for defect, of_defect in defect_masks.items()}
        return cls(None if mask is None else _Packed.of(mask), packed, region)

    @property
    def known(self) -> bool:
        """Whether there is a mask."""
        return self._mask is not None

    @property
    def mask(self) -> np.ndarray | None:
        """[H, W] bool."""
        return None if self._mask is None else self._mask.mask()

    def counted(self, defect: str | None) -> np.ndarray:
        """[H, W] bool: the mask of a defect type, where it has its own, within the region."""
        own = self._defect_masks.get(defect, self._mask).mask()
        return own if self.region is None else own & self.region.inside

    def ignored(self, defect: str | None) -> np.ndarray | None:
        """[H, W] bool: neither good nor of this type; None: nowhere. Other defects on the part, outside of the region.

        defect: None for all types together.
        """
        outside = None if self.region is None else ~self.region.inside
        if defect is None or self._mask.bits is None:
            return outside
        others = self.mask & ~self._defect_masks.get(defect, self._mask).mask()
        return others if outside is None else others | outside


def truth(capture: Capture) -> Truth:
    """Raises DatasetError: a good capture whose mask marks a defect."""
    mask = capture.mask
    if mask is None and not capture.anomalous:
        mask = np.broadcast_to(np.False_, capture.size)
    if not capture.anomalous and mask.any():
        raise DatasetError(f"capture {capture.id} is labelled good, but its mask marks a defect; fix one of them")
    of_types = {defect: capture.defect_masks[defect] for defect in capture.defects if defect in capture.defect_masks}
    return Truth.of(mask, of_types, capture.region)
