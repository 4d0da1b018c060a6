"""The frozen teacher's features, computed once and read in every epoch.

Half precision, in memory or memory-mapped on disk; both hold the same values. Where the fusion has nothing to train,
the fused levels are kept instead of every light's, which takes an Nth of the room. Features of all lights that lie on
disk already serve every fusion: no second teacher pass.
"""

import hashlib
import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import timm
import torch
from torch import Tensor

from afrd.capture import Capture
from afrd.errors import RunError
from afrd.files import atomic_folder, locked_file, write_text
from afrd.model import MultiLightModel
from afrd.model.folding import reading
from afrd.progress import Progress
from afrd.training.squares import resized, squares_of

RESIZING = "area, linear light"  # features of pictures that were resized otherwise are others


def tiles_in(captures: Sequence[Capture]) -> int:
    """How many squares each of them is to a model; what is called a capture in here is one of them."""
    imaging = getattr(captures, "imaging", None)
    return imaging.tiles if imaging else 1


class FeatureCache:
    """levels: one array [M, N', C, h, w] (lights) or [M, C, h, w] (fused) per level, float16, for M captures.

    lights: which of the N' lights are given out; None for all.
    """

    def __init__(self, levels: Sequence[np.ndarray], fused: bool, lights: Sequence[int] | None = None) -> None:
        self.levels, self.fused, self.lights = list(levels), fused, lights

    def __len__(self) -> int:
        return len(self.levels[0])

    def batch(self, indices: Sequence[int]) -> list[Tensor]:
        """The levels of some captures, float32."""
        order = np.asarray(indices)
        wanted = order if self.lights is None else np.ix_(order, self.lights)
        return [torch.from_numpy(level[wanted]).float() for level in self.levels]

    def each(self) -> Iterator[list[Tensor]]:
        """One capture after the other, in order, as batches of one."""
        return (self.batch([i]) for i in range(len(self)))


def on_device(levels: Sequence[Tensor], device: torch.device) -> list[Tensor]:
    """Moved there; to a CUDA device from pinned memory, so that the copy runs beside what is computed."""
    if device.type == "cuda":
        levels = [level if level.is_cuda else level.pin_memory() for level in levels]
    return [level.to(device, non_blocking=True) for level in levels]


class Recompute:
    """The same interface without a cache: decodes and extracts at every call."""

    def __init__(self, model: MultiLightModel, captures: Sequence[Capture], device: torch.device) -> None:
        self.model, self.captures, self.device = model, captures, device
        self.fused, self.tiles = False, tiles_in(captures)

    def __len__(self) -> int:
        return len(self.captures) * self.tiles

    def batch(self, indices: Sequence[int]) -> list[Tensor]:
        # one by one: captures may differ in size and depth
        chosen = [divmod(int(i), self.tiles) for i in indices]
        parts = [self.extract(self.captures[capture].tiles[tile]) for capture, tile in chosen]
        return [torch.cat(level) for level in zip(*parts, strict=True)]

    def each(self) -> Iterator[list[Tensor]]:
        """One capture after the other, in order, as batches of one; the next ones are decoded meanwhile."""
        squares = squares_of(self.captures, self.model.image_size)
        return (self.extract(square) for of_capture in squares for square in of_capture)

    def extract(self, images: np.ndarray) -> list[Tensor]:
        """images: one square, [N, C, S, S]."""
        images = resized(images, self.model.image_size)
        return reading(self.model).extract(torch.from_numpy(images)[None].to(self.device))


def cache_features(
    model: MultiLightModel,
    captures: Sequence[Capture],
    *,
    where: str,
    budget_gb: float,
    folder: Path,
    data_digest: str,
    device: torch.device | None = None,
    progress: Progress | None = None,
    on_needed: Callable[[int, str], None] | None = None,
) -> FeatureCache:
    """One teacher pass over all captures.

    where: "memory", "disk", or "auto" (memory while it fits `budget_gb`, 1e9 bytes each).
    folder: features on disk go to a folder of their own in here and are found again by teacher, image size, lights
        and data digest; processes that want the same ones wait for the one that writes them. Where those of all
        lights are here already, they are read instead, and nothing is written.
    on_needed(bytes, "memory" or "disk"): what they will take, before the teacher reads; not where they lie on disk.
    Raises RunError: more than the budget asked for in memory, or more than the disk has free.
    """
    count = len(captures) * tiles_in(captures)
    needed = feature_bytes(model, count)
    if where == "memory" and needed > budget_gb * 1e9:
        raise RunError(
            f"features of {len(captures)} captures take {needed / 1e9:.1f} GB, the budget is {budget_gb:g} GB: "
            f"raise --cache-gb, or use --cache disk"
        )
    in_memory = where == "memory" or (where == "auto" and needed <= budget_gb * 1e9)
    device = device or torch.device("cpu")
    stored = stored_features(model, captures, folder, data_digest)
    source = stored or Recompute(model, captures, device)
    if in_memory:
        if on_needed:
            on_needed(needed, "memory")
        levels = [_empty((count, *shape)) for shape in _shapes(model)]
        _fill(levels, model, source, captures, progress)
        return FeatureCache(levels, bool(model.fixed_fusion))
    if stored:
        return stored
    target = folder / _key(model, _as_read(captures, data_digest))
    if not (target / "features.json").is_file():
        _require_room(folder, needed)
        if on_needed:
            on_needed(needed, "disk")
    with locked_file(folder / f".{target.name}.lock"):  # another training may write them now: then they are read
        if not (target / "features.json").is_file():
            _write(target, model, source, captures, needed, progress)
    return FeatureCache(_open_levels(target, model), bool(model.fixed_fusion))


def stored_features(
    model: MultiLightModel, captures: Sequence[Capture], folder: Path, data_digest: str
) -> FeatureCache | None:
    """The lights that the model uses, from features of all lights in `folder`; None if these are not there."""
    target = folder / _key_of_lights(model, range(model.lights), _as_read(captures, data_digest))
    if not (target / "features.json").is_file():
        return None
    return FeatureCache(_open_levels(target, model), False, model.lights_used)


def read_features(
    model: MultiLightModel, captures: Sequence[Capture], store: Path | None, data_digest: str, device: torch.device
) -> FeatureCache | Recompute:
    """Stored features of all lights, where the store has them; else they are made whenever they are read."""
    stored = stored_features(model, captures, store, data_digest) if store else None
    return stored or Recompute(model, captures, device)


def _as_read(captures: Sequence[Capture], data_digest: str) -> str:
    """A digest is of files, and of how they are read but for hot pixels."""
    imaging = getattr(captures, "imaging", None)
    return f"{data_digest} {imaging.repairs}" if imaging and imaging.repairs else data_digest


def _open_levels(folder: Path, model: MultiLightModel) -> list[np.ndarray]:
    return [_open(folder, i) for i in range(len(model.teacher.levels))]


def _open(folder: Path, level: int) -> np.ndarray:
    path = folder / f"level{level}.npy"
    try:
        return np.load(path, mmap_mode="r")
    except (OSError, ValueError) as error:
        raise RunError(f"{path}: damaged ({error}); delete {folder} and run again") from error


def feature_bytes(model: MultiLightModel, captures: int) -> int:
    """What the features of so many captures take, bytes."""
    return 2 * captures * sum(int(np.prod(shape)) for shape in _shapes(model))


def _shapes(model: MultiLightModel) -> list[tuple[int, ...]]:
    lights = () if model.fixed_fusion else (len(model.lights_used),)
    return [
        (*lights, level.channels, model.image_size // level.stride, model.image_size // level.stride)
        for level in model.teacher.levels
    ]


def _key(model: MultiLightModel, data_digest: str) -> str:
    if model.fixed_fusion:
        return _named(model, model.fixed_fusion, model.lights_used, data_digest)
    return _key_of_lights(model, model.lights_used, data_digest)


def _key_of_lights(model: MultiLightModel, lights: Iterable[int], data_digest: str) -> str:
    return _named(model, "lights", tuple(lights), data_digest)


def _named(model: MultiLightModel, what: str, lights: Sequence[int], data_digest: str) -> str:
    teacher = [timm.__version__, model.teacher.name, model.teacher.digest(), RESIZING, model.image_size]
    parts = [*teacher, what, lights, data_digest]
    return "features-" + hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]


def _require_room(folder: Path, needed: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(folder).free
    if needed > 0.95 * free:
        raise RunError(
            f"{folder}: features take {needed / 1e9:.1f} GB, {free / 1e9:.1f} GB are free: make room, pass "
            f"--cache-dir on a larger disk, or use --cache off"
        )


def _write(target: Path, model: MultiLightModel, source, captures: Sequence[Capture], needed: int, progress) -> None:
    with atomic_folder(target) as temporary:
        levels = [
            np.lib.format.open_memmap(
                temporary / f"level{i}.npy", "w+", np.float16, (len(captures) * tiles_in(captures), *shape)
            )
            for i, shape in enumerate(_shapes(model))
        ]
        _fill(levels, model, source, captures, progress)
        for level in levels:
            level.flush()
        write_text(temporary / "features.json", json.dumps({"captures": len(captures), "bytes": needed}))


@torch.inference_mode()
def _fill(levels: list[np.ndarray], model: MultiLightModel, source, captures: Sequence[Capture], progress) -> None:
    model.eval()
    tiles = tiles_in(captures)
    for i, features in enumerate(source.each()):
        if model.fixed_fusion:
            features = model.fuse(features)[0]
        for level, feature in zip(levels, features, strict=True):
            level[i] = feature[0].cpu().numpy()
            if not np.isfinite(level[i]).all():
                raise RunError(
                    f"capture {captures[i // tiles].id}: {model.teacher.name} has features that half precision cannot "
                    f"hold; use --cache off"
                )
        if progress:
            progress(i + 1, len(captures) * tiles)


def _empty(shape: tuple[int, ...]) -> np.ndarray:
    return np.empty(shape, np.float16)
