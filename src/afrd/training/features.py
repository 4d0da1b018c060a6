"""The frozen teacher's features, computed once and read in every epoch.

Half precision, in memory or memory-mapped on disk; both hold the same values. Where the fusion has nothing to train,
the fused levels are kept instead of every light's, which takes an Nth of the room.
"""

import hashlib
import json
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from afrd.capture import Capture
from afrd.errors import RunError
from afrd.files import atomic_folder, write_text
from afrd.model import AFRD
from afrd.model.fusion import Fusion

Progress = Callable[[int, int], None]
READERS = 2
AHEAD = 4  # captures decoded before they are needed


class FeatureCache:
    """levels: one array [M, N', C, h, w] (lights) or [M, C, h, w] (fused) per level, float16, for M captures."""

    def __init__(self, levels: Sequence[np.ndarray], fused: bool) -> None:
        self.levels, self.fused = list(levels), fused

    def __len__(self) -> int:
        return len(self.levels[0])

    def batch(self, indices: Sequence[int]) -> list[Tensor]:
        """The levels of some captures, float32."""
        order = np.asarray(indices)
        return [torch.from_numpy(level[order]).float() for level in self.levels]

    def fuse(self, fusion: Fusion) -> "FeatureCache":
        """All lights' features reduced to what a fixed fusion makes of them: several fusions share one teacher pass."""
        if self.fused or not fusion.is_fixed:
            raise ValueError("only features of all lights can be fused, and only by a fusion without parameters")
        used = list(fusion.lights_used)
        fused = [_empty((len(self), *level.shape[2:])) for level in self.levels]
        for i in range(len(self)):
            lights = [torch.from_numpy(level[i : i + 1, used]).float() for level in self.levels]
            for out, level in zip(fused, fusion(lights)[0], strict=True):
                out[i] = level[0].numpy()
        return FeatureCache(fused, fused=True)


class Recompute:
    """The same interface without a cache: decodes and extracts at every call."""

    def __init__(self, model: AFRD, captures: Sequence[Capture], device: torch.device) -> None:
        self.model, self.captures, self.device = model, captures, device
        self.fused = False

    def __len__(self) -> int:
        return len(self.captures)

    def batch(self, indices: Sequence[int]) -> list[Tensor]:
        images = np.stack([self.captures[int(i)].images for i in indices])
        return self.model.extract(torch.from_numpy(images).to(self.device))


def cache_features(
    model: AFRD,
    captures: Sequence[Capture],
    *,
    where: str,
    budget_gb: float,
    folder: Path,
    data_digest: str,
    device: torch.device | None = None,
    progress: Progress | None = None,
) -> FeatureCache:
    """One teacher pass over all captures.

    where: "memory", "disk", or "auto" (memory while it fits `budget_gb`, 1e9 bytes each).
    folder: features on disk go to a folder of their own in here and are found again by teacher, image size, lights
        and data digest.
    Raises RunError: more than the budget asked for in memory, or more than the disk has free.
    """
    needed = feature_bytes(model, len(captures))
    if where == "memory" and needed > budget_gb * 1e9:
        raise RunError(
            f"features of {len(captures)} captures take {needed / 1e9:.1f} GB, the budget is {budget_gb:g} GB: "
            f"raise --cache-gb, or use --cache disk"
        )
    in_memory = where == "memory" or (where == "auto" and needed <= budget_gb * 1e9)
    device = device or torch.device("cpu")
    if in_memory:
        levels = [_empty((len(captures), *shape)) for shape in _shapes(model)]
        _fill(levels, model, captures, device, progress)
        return FeatureCache(levels, model.fusion.is_fixed)
    target = folder / _key(model, data_digest)
    if not (target / "features.json").is_file():
        _write(target, model, captures, needed, device, progress)
    levels = [np.load(target / f"level{i}.npy", mmap_mode="r") for i in range(len(model.teacher.levels))]
    return FeatureCache(levels, model.fusion.is_fixed)


def feature_bytes(model: AFRD, captures: int) -> int:
    """What the features of so many captures take, bytes."""
    return 2 * captures * sum(int(np.prod(shape)) for shape in _shapes(model))


def _shapes(model: AFRD) -> list[tuple[int, ...]]:
    lights = () if model.fusion.is_fixed else (len(model.fusion.lights_used),)
    return [
        (*lights, level.channels, model.image_size // level.stride, model.image_size // level.stride)
        for level in model.teacher.levels
    ]


def _key(model: AFRD, data_digest: str) -> str:
    fused = type(model.fusion).__name__ if model.fusion.is_fixed else "lights"
    parts = [model.teacher.digest(), model.image_size, fused, model.fusion.lights_used, data_digest]
    return "features-" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _write(target: Path, model: AFRD, captures: Sequence[Capture], needed: int, device: torch.device, progress) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(target.parent).free
    if needed > 0.95 * free:
        raise RunError(
            f"{target.parent}: features take {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free: make room, pass "
            f"--cache-dir on a larger disk, or use --cache off"
        )
    with atomic_folder(target) as temporary:
        levels = [
            np.lib.format.open_memmap(temporary / f"level{i}.npy", "w+", np.float16, (len(captures), *shape))
            for i, shape in enumerate(_shapes(model))
        ]
        _fill(levels, model, captures, device, progress)
        for level in levels:
            level.flush()
        write_text(temporary / "features.json", json.dumps({"captures": len(captures), "bytes": needed}))


@torch.inference_mode()
def _fill(levels: list[np.ndarray], model: AFRD, captures: Sequence[Capture], device: torch.device, progress) -> None:
    model.eval()
    for i, capture in enumerate(read_ahead(captures)):
        features = model.extract(torch.from_numpy(capture.images)[None].to(device))
        if model.fusion.is_fixed:
            features = model.fuse(features)[0]
        for level, feature in zip(levels, features, strict=True):
            level[i] = feature[0].cpu().numpy()
        if progress:
            progress(i + 1, len(captures))


def read_ahead(captures: Sequence[Capture]) -> Iterator[Capture]:
    """Captures in order, decoded in threads a few ahead of their use; memory stays bounded."""
    waiting: deque[Future[Capture]] = deque()
    with ThreadPoolExecutor(READERS) as pool:
        for i in range(len(captures)):
            waiting.append(pool.submit(captures.__getitem__, i))
            if len(waiting) > AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def _empty(shape: tuple[int, ...]) -> np.ndarray:
    return np.empty(shape, np.float16)
