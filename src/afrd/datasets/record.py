"""Where one capture lies on disk, and what is known of it before any image is opened."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np


@dataclass(frozen=True)
class Drawn:
    """A mask from an annotation file. source: the file. draw: () → [H, W] bool. text: what it is drawn from."""

    source: Path
    text: str
    draw: Callable[[], np.ndarray] = field(compare=False)


@dataclass(frozen=True)
class Record:
    """Where one capture lies.

    id: unique within its split, usable as a file name.
    images: one path per light, in the order of the set's lights.
    anomalous: True, False, or None where unknown.
    defects: defect types present, sorted.
    mask: the mask's path; None where there is none (all-False for a good capture).
    defect_masks: the mask's path per defect type.
    group: the part it shows, where parts were photographed more than once; None where the data set does not say.
    view: from where it was photographed, where the verdict on a part is one from all its views; None elsewhere.
    drawn: the mask per defect type, where it is drawn in an annotation file instead of an image.
    unread: those of the images whose lights are out of order: they need not be there, and black stands for them.
    """

    id: str
    images: tuple[Path, ...]
    anomalous: bool | None = None
    defects: tuple[str, ...] = ()
    mask: Path | None = None
    defect_masks: Mapping[str, Path] = field(default_factory=dict)
    group: str | None = None
    view: str | None = None
    drawn: Mapping[str, Drawn] = field(default_factory=dict)
    unread: frozenset[Path] = frozenset()

    @property
    def read(self) -> tuple[Path, ...]:
        """The images without the unread ones."""
        return tuple(path for path in self.images if path not in self.unread)

    @property
    def files(self) -> tuple[Path, ...]:
        """Images and masks, each once."""
        masks = (() if self.mask is None else (self.mask,)) + tuple(self.defect_masks.values())
        return tuple(dict.fromkeys(self.images + masks))
