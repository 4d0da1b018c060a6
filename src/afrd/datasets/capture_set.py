"""Captures on disk, decoded when they are asked for.

A `CaptureSet` knows its files, lights and labels, whatever layout they came from; it does not know the layouts.
"""

import hashlib
import os
import warnings
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, overload

import numpy as np
from pydantic import ValidationError

from afrd.capture import Capture, LightRig
from afrd.datasets.images import read_header, read_image, read_mask, together
from afrd.datasets.problems import Problem, ProblemError
from afrd.datasets.record import Record
from afrd.errors import complaint
from afrd.imaging import Imaging, ImagingOptions, Pixels
from afrd.imaging.pixels import likely_bits

if TYPE_CHECKING:
    from afrd.training.squares import Squares

OnImage = Callable[[Path, np.ndarray], None]
LOOKED_AT = 8  # captures whose values tell how many bits the camera gives


class CaptureSet(Sequence[Capture]):
    """The captures of one split, lazily: `captures[i]` decodes its images and masks.

    root: the folder that was opened.
    category, split: names; None for captures without a data set.
    lights: the rig all captures share.
    records: one per capture, sorted by id within each label.
    options: what is known of the camera's pictures; None where captures shall come as the camera gave them.
    squares: where training keeps what a model looks at, for this set and its subsets; None: nowhere.
    """

    squares: "Squares | None" = None
    given = ImagingOptions()  # of the options what came by `with_options`, and not from lights.yaml

    def __init__(
        self,
        root: Path,
        category: str | None,
        split: str | None,
        lights: LightRig,
        records: Iterable[Record],
        options: ImagingOptions | None = None,
    ) -> None:
        self.root, self.category, self.split, self.lights = root, category, split, lights
        self.records, self.options = tuple(records), options

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
        return _load(self.records[index], self.lights, self.imaging)

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

    @property
    def views(self) -> bool:
        """Whether its captures are views of parts, each of which gets one verdict from all of them."""
        return any(record.view is not None for record in self.records)

    @property
    def view_names(self) -> tuple[str, ...] | None:
        """Of all its views, sorted; None where captures are no views."""
        return tuple(sorted({record.view for record in self.records if record.view is not None})) or None

    def missing_views(self, expected: Sequence[str] | None) -> dict[str, tuple[str, ...]]:
        """Part → which of the expected views it does not have; only parts that lack some."""
        there: dict[str, set[str | None]] = {}
        for group, record in zip(self.groups, self.records, strict=True):
            there.setdefault(group, set()).add(record.view)
        lacking = {part: tuple(view for view in expected or () if view not in views) for part, views in there.items()}
        return {part: views for part, views in lacking.items() if views}

    def subset(self, indices: Iterable[int]) -> "CaptureSet":
        """The captures at `indices`, in that order, read as those of the whole set."""
        records = [self.records[i] for i in indices]
        chosen = CaptureSet(self.root, self.category, self.split, self.lights, records, self.options)
        chosen = chosen.read_as(self.imaging)
        chosen.squares = self.squares
        return chosen

    def joined(self, other: "CaptureSet") -> "CaptureSet":
        """These and then the others, read as these. Groups of the two are different parts."""
        records = [
            replace(record, id=f"{captures.split}-{record.id}", group=f"{captures.split}/{group}")
            for captures in (self, other)
            for record, group in zip(captures.records, captures.groups, strict=True)
        ]
        return CaptureSet(self.root, self.category, self.split, self.lights, records, self.options).read_as(
            self.imaging
        )

    @property
    def pixels(self) -> Pixels | None:
        """What values are read as; None: as they are."""
        return self.imaging.pixels if self.imaging else None

    @cached_property
    def imaging(self) -> Imaging | None:
        """As what captures are seen: values by the options; where these do not say how many bits, by some captures.

        Motion is learned at training, and undone in captures that are `read_as` the model's. Warns where the bits are
        not the files' depth. None without options.
        """
        if self.options is None or not self.records:
            return None
        said = self.options.model_dump(include=set(Pixels.model_fields), exclude_none=True)
        bits = said.pop("bits", None) or self._bits()
        try:
            return Imaging(pixels=Pixels(bits=bits, **said), repairs=self.options.repairs_on_reading)
        except ValidationError as error:
            raise ProblemError(self.root, complaint(error), f"correct {self._where_said()}") from error

    def _where_said(self) -> str:
        """Black and bits, which can contradict each other."""
        said = [name for name in ("black", "bits") if getattr(self.options, name) is not None]
        given = [name for name in said if getattr(self.given, name) is not None]
        return " or ".join([f"--{name}" for name in given] + (["imaging in lights.yaml"] if given != said else []))

    def read_as(self, imaging: Imaging | None) -> "CaptureSet":
        """The same captures, seen so."""
        read = CaptureSet(self.root, self.category, self.split, self.lights, self.records, self.options)
        read.__dict__["imaging"] = imaging
        return read

    def of_lights(self, names: Sequence[str]) -> "CaptureSet":
        """The same captures under these lights only, in this order; not yet seen as any model's.

        Raises DatasetError: a light that there is not.
        """
        rig = self.lights.pick(names)
        order = [self.lights.names.index(name) for name in names]
        records = [replace(record, images=tuple(record.images[k] for k in order)) for record in self.records]
        return CaptureSet(self.root, self.category, self.split, rig, records, self.options)

    def picked_for(self, model: LightRig) -> "CaptureSet":
        """Under the model's lights, in its order, where the captures have them all; else as they are."""
        picks = model.names != self.lights.names and set(model.names) <= set(self.lights.names)
        return self.of_lights(model.names) if picks else self

    def with_options(self, options: ImagingOptions) -> "CaptureSet":
        """The same captures, by these options and, where they say nothing, those the set has."""
        over = options.over(self.options or ImagingOptions())
        changed = CaptureSet(self.root, self.category, self.split, self.lights, self.records, over)
        changed.given = options
        return changed

    def _bits(self) -> int:
        if read_header(self.records[0].read[0]).depth == 8:
            return 8
        step = -(-len(self.records) // LOOKED_AT)
        paths = [path for record in self.records[::step] for path in record.read]
        with ThreadPoolExecutor() as pool:
            highest = max(pool.map(lambda path: int(read_image(path).max()), paths))
        bits = likely_bits(highest)
        if bits < 16:
            warnings.warn(
                f"{self.root}: 16-bit files whose largest value is {highest}: read as {bits} bits, of which "
                f"{2**bits - 1} is white; if the camera gives others, say so: bits under imaging in lights.yaml",
                stacklevel=3,
            )
        return bits

    def digest(self) -> str:
        """SHA-256 (hex) over the light names and every capture's id, label, file names below `root` and file contents.

        Changes with any byte of any image or mask, not when the data set is moved, copied or touched. Reads every
        file: about 0.6 s per GB once they are in the page cache, else as fast as the disk.
        """
        with ThreadPoolExecutor() as pool:
            files = [path for record in self.records for path in record.files if path not in record.unread]
            contents = dict(zip(files, pool.map(content_digest, files), strict=True))
        digest = hashlib.sha256(repr(self.lights.names).encode())
        if self.imaging and not (self.imaging.pixels.as_they_are and self.imaging.only_values):
            digest.update(self.imaging.model_dump_json().encode())
        for record in self.records:
            digest.update(repr((record.id, record.anomalous, record.defects)).encode())
            for defect, drawn in record.drawn.items():
                digest.update(repr((defect, drawn.text)).encode())
            for path in (path for path in record.files if path in contents):
                digest.update(repr((Path(os.path.relpath(path, self.root)).as_posix(), contents[path])).encode())
        return digest.hexdigest()


def content_problems(record: Record, imaging: Imaging | None = None, on_image: OnImage | None = None) -> list[Problem]:
    """What decoding all of a capture's files shows: damage, transparency, a mask that contradicts the label.

    imaging: as what the pictures should be seen. on_image(path, [C, H, W]): called with each sound one.
    """
    problems = []
    for path in record.images:
        try:
            image = _read_image(path, imaging)
            if on_image:
                on_image(path, image)
        except ProblemError as error:
            problems.append(error.problem)
    for path in record.files[len(record.images) :]:
        try:
            _read_mask(path, record)
        except ProblemError as error:
            problems.append(error.problem)
    for drawn in record.drawn.values():
        try:
            drawn.draw()
        except ProblemError as error:
            problems.append(error.problem)
    return problems


def _load(record: Record, lights: LightRig, imaging: Imaging | None) -> Capture:
    read = {path: _read_image(path, imaging) for path in record.read}
    first = next(iter(read.values()))
    for path, image in read.items():
        if (image.shape[1:], image.dtype) != (first.shape[1:], first.dtype):
            raise ProblemError(path, "has another size or depth than when it was opened", "open the data set again")
    masks = {path: _read_mask(path, record) for path in record.files[len(record.images) :]}
    drawn = {defect: one.draw() for defect, one in record.drawn.items()}
    mask = masks[record.mask] if record.mask else np.any(list(drawn.values()), axis=0) if drawn else None
    if mask is None and record.anomalous is False:
        mask = np.zeros(first.shape[1:], bool)
    of_types = {defect: masks[path] for defect, path in record.defect_masks.items()} | drawn
    # one that is not read is black in the end, and another's copy until then: black in it would hide dead pixels
    stacked = together([read.get(path, first) for path in record.images])
    black = np.array([path in record.unread for path in record.images])
    capture = Capture(
        record.id, _blackened(stacked, black), lights, record.anomalous, record.defects, mask, of_types, imaging
    )
    if imaging is None:
        return capture
    seen = imaging.see(stacked, np.flatnonzero(black).tolist())
    cells = None if seen.cells is None else _blackened(seen.cells, black)
    told = {name: getattr(seen, name) for name in ("moved", "replaced", "region", "lost")}
    return replace(capture, images=_blackened(seen.images, black), cells=cells, **told)


def _blackened(images: np.ndarray, black: np.ndarray) -> np.ndarray:
    """[N, …], where [N] bool says so as black; the same array where it says so of none."""
    if not black.any():
        return images
    images = images.copy(order="K")
    images[black] = 0
    return images


def _read_image(path: Path, imaging: Imaging | None) -> np.ndarray:
    image = read_image(path)
    if imaging and (problem := imaging.problem(image)):
        raise ProblemError(path, *problem)
    return image


def _read_mask(path: Path, record: Record) -> np.ndarray:
    mask = read_mask(path)
    if record.anomalous is False and mask.any():
        raise ProblemError(path, f"marks {int(mask.sum())} pixels of a good capture", "correct the label or the mask")
    return mask


def content_digest(path: Path) -> str:
    """SHA-256 (hex) of a file. Raises DatasetError: it cannot be read."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        raise ProblemError(path, f"cannot be read ({error.strerror})", "restore the file") from error
