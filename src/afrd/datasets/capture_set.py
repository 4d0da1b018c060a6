"""Captures on disk, decoded when they are asked for.

A `CaptureSet` knows its files, lights and labels, whatever layout they came from; it does not know the layouts.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import overload

import numpy as np

from afrd.capture import Capture, LightRig
from afrd.datasets.images import Header, read_header, read_image, read_mask
from afrd.datasets.problems import Problem, ProblemError


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
    """

    id: str
    images: tuple[Path, ...]
    anomalous: bool | None = None
    defects: tuple[str, ...] = ()
    mask: Path | None = None
    defect_masks: Mapping[str, Path] = field(default_factory=dict)
    group: str | None = None

    @property
    def files(self) -> tuple[Path, ...]:
        """Images and masks, each once."""
        masks = (() if self.mask is None else (self.mask,)) + tuple(self.defect_masks.values())
        return tuple(dict.fromkeys(self.images + masks))


class CaptureSet(Sequence[Capture]):
    """The captures of one split, lazily: `captures[i]` decodes its images and masks.

    root: the folder that was opened.
    category, split: names; None for captures without a data set.
    lights: the rig all captures share.
    records: one per capture, sorted by id within each label.
    """

    def __init__(
        self,
        root: Path,
        category: str | None,
        split: str | None,
        lights: LightRig,
        records: Iterable[Record],
    ) -> None:
        self.root, self.category, self.split, self.lights = root, category, split, lights
        self.records = tuple(records)

    def __len__(self) -> int:
        return len(self.records)

    @overload
    def __getitem__(self, index: int) -> Capture: ...
    @overload
    def __getitem__(self, index: slice) -> "CaptureSet": ...
    def __getitem__(self, index: int | slice) -> "Capture | CaptureSet":
        """Decode one capture; a slice is a subset. Raises DatasetError for a damaged file."""
        if isinstance(index, slice):
            return self.subset(range(len(self))[index])
        return _load(self.records[index], self.lights)

    def __repr__(self) -> str:
        return f"CaptureSet({str(self.root)!r}, {self.category!r}, {self.split!r}, {len(self)} captures)"

    @property
    def labels(self) -> list[bool | None]:
        """Per capture: anomalous, good (False) or unknown (None)."""
        return [record.anomalous for record in self.records]

    @property
    def groups(self) -> list[str]:
        """Per capture: the part it shows. Without groups every capture is of a part of its own, named after it."""
        return [record.id if record.group is None else record.group for record in self.records]

    def subset(self, indices: Iterable[int]) -> "CaptureSet":
        """The captures at `indices`, in that order."""
        return CaptureSet(self.root, self.category, self.split, self.lights, (self.records[i] for i in indices))

    def digest(self) -> str:
        """SHA-256 (hex) over the light names and every capture's id, label, file names below `root` and file contents.

        Changes with any byte of any image or mask, not when the data set is moved, copied or touched. Reads every
        file: about 0.6 s per GB once they are in the page cache, else as fast as the disk.
        """
        with ThreadPoolExecutor() as pool:
            files = [path for record in self.records for path in record.files]
            contents = dict(zip(files, pool.map(_sha256, files), strict=True))
        digest = hashlib.sha256(repr(self.lights.names).encode())
        for record in self.records:
            digest.update(repr((record.id, record.anomalous, record.defects)).encode())
            for path in record.files:
                digest.update(repr((Path(os.path.relpath(path, self.root)).as_posix(), contents[path])).encode())
        return digest.hexdigest()


def header_problems(record: Record) -> list[Problem]:
    """What the headers of a capture's files show: no image, another size or depth than the capture's other lights."""
    problems: list[Problem] = []

    def header(path: Path) -> Header | None:
        try:
            return read_header(path)
        except ProblemError as error:
            problems.append(error.problem)
            return None

    images = {path: found for path in record.images if (found := header(path))}
    if not images:
        return problems
    first, expected = next(iter(images.items()))
    for path, found in images.items():
        if (found.height, found.width) != (expected.height, expected.width):
            what = f"{_size(found)}, but {first.name} of the same capture is {_size(expected)}"
            mend = "all lights of a capture have one size: take it again or crop them alike"
            problems.append(Problem(path, what, mend))
        if found.depth != expected.depth:
            what = f"{found.depth}-bit, but {first.name} of the same capture is {expected.depth}-bit"
            problems.append(Problem(path, what, "save all lights of a capture with one depth"))
    for path in record.files[len(record.images) :]:
        found = header(path)
        if found and (found.height, found.width) != (expected.height, expected.width):
            what = f"mask of {_size(found)}, but its images are {_size(expected)}"
            problems.append(Problem(path, what, "draw it on the image at its own size"))
        if found and found.format == "JPEG":
            problems.append(Problem(path, "a JPEG mask, whose edges are blurred", "draw it again and save it as PNG"))
    return problems


def content_problems(record: Record) -> list[Problem]:
    """What decoding all of a capture's files shows: damage, transparency, a mask that contradicts the label."""
    problems = []
    for path in record.images:
        try:
            read_image(path)
        except ProblemError as error:
            problems.append(error.problem)
    for path in record.files[len(record.images) :]:
        try:
            _read_mask(path, record)
        except ProblemError as error:
            problems.append(error.problem)
    return problems


def _load(record: Record, lights: LightRig) -> Capture:
    images = [read_image(path) for path in record.images]
    for path, image in zip(record.images, images, strict=True):
        if (image.shape, image.dtype) != (images[0].shape, images[0].dtype):
            raise ProblemError(path, "has another size or depth than when it was opened", "open the data set again")
    masks = {path: _read_mask(path, record) for path in record.files[len(record.images) :]}
    mask = masks[record.mask] if record.mask else None
    if mask is None and record.anomalous is False:
        mask = np.zeros(images[0].shape[1:], bool)
    return Capture(
        record.id,
        np.stack(images),
        lights,
        record.anomalous,
        record.defects,
        mask,
        {defect: masks[path] for defect, path in record.defect_masks.items()},
    )


def _read_mask(path: Path, record: Record) -> np.ndarray:
    mask = read_mask(path)
    if record.anomalous is False and mask.any():
        raise ProblemError(path, f"marks {int(mask.sum())} pixels of a good capture", "correct the label or the mask")
    return mask


def _size(header: Header) -> str:
    return f"{header.width}×{header.height}"


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ProblemError(path, f"cannot be read ({error.strerror})", "restore the file") from error
