"""Good captures as a station sees them on its worse days, for what is fitted and for the threshold.

Milder than what methods are compared under (`afrd.disturb.STANDARD`): what happens from capture to capture.
"""

import copy
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from afrd.capture import Capture
from afrd.datasets import CaptureSet
from afrd.disturb import apply
from afrd.imaging.region import fill
from afrd.model import MultiLightModel
from afrd.model.stacked import Looked
from afrd.rig import RigReference
from afrd.training.features import Recompute, tiles_in
from afrd.training.squares import squares_of

RIG, LIGHT = 0.05, 0.02  # standard deviation of the logarithm of all lights' gain, and of one light's
SHIFT, BLUR, NOISE, JPEG = (0.1, 1.0), (0.2, 0.7), (0.0, 2.0), (85, 96)  # pixels, pixels, 1/255, quality
NOISIEST = 2.5  # 1/255, of the copies that thresholds come from
FAINTEST = 0.25  # 1/255, of the first of several: what else is disturbed, in captures that the rig check may not note
TILES = 8  # of a capture, from which is learned what disturbances change
COPIES = 2  # of each held-out capture, where a model's settings name no number


class DisturbedCaptures(Sequence[Capture]):
    """The same captures, each disturbed; what is drawn goes by the seed and the capture's place.

    rig: by it each is checked when it is read, as at inspection; None: not.
    """

    def __init__(
        self,
        captures: CaptureSet,
        seed: tuple[int, ...],
        noise: tuple[float, float] = NOISE,
        rig: RigReference | None = None,
    ) -> None:
        self.captures, self.seed, self.noise, self.imaging = captures, seed, noise, captures.imaging
        self._chosen: Sequence[int] = range(len(captures))
        self._rig, self._unlike = rig, dict[int, bool]()

    def subset(self, indices: Sequence[int]) -> "DisturbedCaptures":
        """Some of them, disturbed as they are here."""
        other = copy.copy(self)
        other._chosen = [self._chosen[i] for i in indices]
        return other

    def __len__(self) -> int:
        return len(self._chosen)

    def __getitem__(self, place: int) -> Capture:
        index = self._chosen[place]
        capture = self.captures[index]
        rng = np.random.default_rng((*self.seed, index))
        images = disturbed_copy(capture.images, rng, self.noise)
        if capture.region is not None:  # as at inspection, where what lies outside is filled after it was disturbed
            images = fill(images, capture.region.inside)
        capture = capture.with_images(images)
        if self._rig:
            self._unlike[index] = self._rig.notes_capture(capture)
        return capture

    @property
    def unlike(self) -> list[bool]:
        """Of each capture, whether the rig check notes it; all must have been read."""
        return [self._unlike[index] for index in self._chosen]


class BlurredCaptures(Sequence[Capture]):
    """The same captures, each as a camera gives it that is a little out of focus. sigma: pixels of the capture."""

    def __init__(self, captures: CaptureSet, sigma: float) -> None:
        self.captures, self.step, self.imaging = captures, f"blur:{sigma:g}", captures.imaging

    def __len__(self) -> int:
        return len(self.captures)

    def __getitem__(self, index: int) -> Capture:
        capture = self.captures[index]
        return replace(capture, images=apply(capture.images, self.step, np.random.default_rng(0)))


def blurred(captures: CaptureSet, sigma: float) -> Sequence[Capture]:
    """What is learned from beside the captures themselves; nothing where sigma is 0."""
    return BlurredCaptures(captures, sigma) if sigma else ()


def disturbed_copies(
    captures: CaptureSet, seed: int, times: int, rig: RigReference | None = None
) -> list[DisturbedCaptures]:
    """So many disturbed copies of all captures: the first hardly noisy, the last in its worst hour."""
    step = NOISIEST / max(times, 1)
    ranges = [(k * step, (k + 1) * step) for k in range(times)]
    if times > 1:
        ranges[0] = (0.0, FAINTEST)
    return [DisturbedCaptures(captures, (seed, 2, k), each, rig) for k, each in enumerate(ranges)]


def noted(copies: Sequence[DisturbedCaptures], rig: RigReference | None) -> list[list[bool]] | None:
    """For `HeldOutScores.with_copies`, of copies that were made with `rig` and have been read."""
    return [copy.unlike for copy in copies] if rig else None


def disturbed_copy(images: np.ndarray, rng: np.random.Generator, noise: tuple[float, float] = NOISE) -> np.ndarray:
    """images: [N, C, H, W], in the common form. Gain and noise always; shift, blur and JPEG each in half."""
    steps = [f"gain:{np.exp(rng.normal(0, RIG)):.4f}", f"gain-one:{np.exp(rng.normal(0, LIGHT)):.4f}"]
    if rng.random() < 0.5 and len(images) > 1:
        steps.append(f"shift:{rng.uniform(*SHIFT):.3f}")
    if rng.random() < 0.5:
        steps.append(f"blur:{rng.uniform(*BLUR):.3f}")
    steps.append(f"noise:{rng.uniform(*noise):.3f}")
    if rng.random() < 0.5:
        steps.append(f"jpeg:{rng.integers(*JPEG)}")
    for step in steps:
        images = apply(images, step, rng)
    return images


def _chosen(captures: CaptureSet, wanted: int) -> CaptureSet:
    return captures[:: math.ceil(len(captures) / wanted)] if wanted else captures[:0]


def disturbing_count(captures: CaptureSet, wanted: int) -> int:
    """How many pairs `with_disturbances` gives."""
    return sum(len(_some(number, tiles_in(captures))) for number in range(len(_chosen(captures, wanted))))


def _some(number: int, tiles: int) -> range:
    """Which tiles of capture `number`: TILES at most, spread evenly, others than of the capture before."""
    step = math.ceil(tiles / TILES)
    return range(number % step, tiles, step)


def with_disturbances(
    model: MultiLightModel,
    captures: CaptureSet,
    device: torch.device,
    seed: int,
    wanted: int,
    kept: Callable[[int], Tensor | None] | None = None,
) -> Iterator[tuple[Looked, list[Tensor]]]:
    """At most `wanted` captures, spread evenly, and the levels of a disturbed copy of each; of tiles, some of each.

    kept: the vectors of the capture of that number, where they are; other captures are looked at again, as levels.
    """
    chosen = _chosen(captures, wanted)
    copies = Recompute(model, DisturbedCaptures(chosen, (seed, 1)), device)
    plain = Recompute(model, chosen, device)
    if kept is None:  # in order, so that a capture is read once for all of its tiles
        squares = (squares_of(each, model.image_size) for each in (plain.captures, copies.captures))
        for number, (good, bad) in enumerate(zip(*squares, strict=True)):
            for tile in _some(number, len(good)):
                yield plain.extract(good[tile]), copies.extract(bad[tile])
        return
    for i, levels in enumerate(copies.each()):
        vectors = kept(i * math.ceil(len(captures) / wanted))
        yield plain.batch([i]) if vectors is None else vectors.to(device), levels
