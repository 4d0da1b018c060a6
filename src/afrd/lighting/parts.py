"""What subsets of lights are judged on: held-out good parts, those with painted defects, and labelled test parts.

All of them as vectors of all lights at all places (`afrd.model.joint`), so that a subset is a choice of rows.
"""

import json
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from afrd.capture import Capture
from afrd.checkpoint import contiguous, load_trained_state, trained_state
from afrd.datasets import CaptureSet, read_ahead
from afrd.families.joint import JointConfig
from afrd.files import atomic_folder
from afrd.imaging.resizing import resize
from afrd.model import JointGaussian
from afrd.progress import Progress
from afrd.training.defect_painter import KINDS, DefectPainter
from afrd.training.defect_pairs import with_defects
from afrd.training.disturbed import blurred, disturbed_copies, with_disturbances
from afrd.training.features import Recompute, cache_features, on_device
from afrd.training.places import Places

PAINTED_INTO, PAINTED = 20, 60  # held-out parts, at most; painted captures of them, at least
LEARNED_PLACES = 16_000  # of good parts, from which a subset learns what is usual
LEVELS_GB = 4.0  # of features of the training captures kept in memory while the model is fitted

HELD_OUT, PAINTED_SET, TEST = "held out", "painted", "test"


@dataclass(frozen=True)
class Part:
    """One capture that is judged. of: one of the sets above; group: captures of one group show one part.

    kinds: of defects, painted or as the data set names them; none for a good part.
    """

    of: str
    id: str
    group: str
    anomalous: bool
    kinds: tuple[str, ...] = ()


@dataclass
class Prepared:
    """model: fitted to all lights. places: of good parts, [M, N · D, s, 1]; vectors: [K, N · D, h, w], of `parts`.

    Both in half precision.
    """

    model: JointGaussian
    places: Tensor
    vectors: Tensor
    parts: list[Part]

    def save(self, folder: Path) -> None:
        """Whole or not at all."""
        with atomic_folder(folder) as temporary:
            tensors = {"places": self.places, "vectors": self.vectors}
            save_file(contiguous(trained_state(self.model)), temporary / "model.safetensors")
            save_file(tensors, temporary / "parts.safetensors")
            (temporary / "parts.json").write_text(json.dumps([asdict(part) for part in self.parts]), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, model: JointGaussian) -> "Prepared":
        """model: of the same configuration, not fitted."""
        path = folder / "model.safetensors"
        load_trained_state(model, load_file(path), path)
        tensors = load_file(folder / "parts.safetensors")
        parts = [
            Part(**{**part, "kinds": tuple(part["kinds"])}) for part in json.loads((folder / "parts.json").read_text())
        ]
        return cls(model, tensors["places"], tensors["vectors"], parts)


@torch.inference_mode()
def prepare(
    model: JointGaussian,
    captures: CaptureSet,
    holdout: CaptureSet,
    test: CaptureSet | None,
    config: JointConfig,
    store: Path,
    digest: str,
    progress: Progress | None = None,
) -> Prepared:
    """Fits the model to good captures, and looks at all parts once. store, digest: as of `cache_features`."""
    device = model.mean.device
    features = cache_features(
        model, captures, where="auto", budget_gb=LEVELS_GB, folder=store, data_digest=digest, device=device
    )
    soft = blurred(captures, config.disturbing.blur)
    model.fit(
        lambda: (on_device(levels, device) for levels in features.each()),
        with_defects(model, captures, device, config.seed, config.painting),
        with_disturbances(model, captures, device, config.seed, config.disturbing.captures),
        blurred=Recompute(model, soft, device).each() if soft else (),
    )
    kept = Places(model, len(features), LEARNED_PLACES)
    for i, levels in enumerate(features.each()):
        kept.keep(model, i, on_device(levels, device))
    fewest = min(each.shape[2] for each in kept.kept(model))
    places = torch.cat([each[:, :, :fewest].half().cpu() for each in kept.kept(model)])
    parts, vectors = [], []
    total = 2 * len(holdout) + _painted_count(len(holdout)) + len(test or ())
    for part, images in _looks(model.image_size, captures, holdout, test, config):
        levels = model.extract(torch.from_numpy(images)[None].to(device))
        parts.append(part)
        vectors.append(model.describe(levels).half().cpu())
        if progress:
            progress(len(parts), total)
    return Prepared(model, places, torch.cat(vectors), parts)


def _looks(
    size: int, captures: CaptureSet, holdout: CaptureSet, test: CaptureSet | None, config: JointConfig
) -> Iterator[tuple[Part, np.ndarray]]:
    """Every part that is judged, and its images at the model's size, [N, C, S, S]."""

    def at_size(capture: Capture) -> np.ndarray:
        return resize(capture.tiles[0], (size, size))  # as it is learned: the rig's gain taken out; there are no tiles

    groups = holdout.groups
    for copies in (holdout, *disturbed_copies(holdout, config.seed, 1)):
        for group, capture in zip(groups, read_ahead(copies), strict=True):
            yield Part(HELD_OUT, capture.id, group, False), at_size(capture)
    chosen, times = _painted(len(holdout))
    learned_from = captures[:: math.ceil(len(captures) / config.painting.captures)]
    painter = DefectPainter.learn(at_size(capture) for capture in read_ahead(learned_from))
    rng = np.random.default_rng((config.seed, 3))
    for i, capture in zip(chosen, read_ahead(holdout.subset(chosen)), strict=True):
        images = at_size(capture)
        for kind in KINDS * times:
            painted, _ = painter.paint(images, rng, 1, (kind,))
            yield Part(PAINTED_SET, capture.id, groups[i], True, (kind,)), painted
    if test:
        for group, capture in zip(test.groups, read_ahead(test), strict=True):
            yield Part(TEST, capture.id, group, bool(capture.anomalous), capture.defects), at_size(capture)


def _painted(count: int) -> tuple[range, int]:
    """Which of so many held-out parts are painted, and how often with each kind of defect."""
    chosen = range(0, count, math.ceil(count / PAINTED_INTO))
    return chosen, math.ceil(PAINTED / (len(KINDS) * len(chosen)))


def _painted_count(count: int) -> int:
    chosen, times = _painted(count)
    return len(chosen) * len(KINDS) * times
