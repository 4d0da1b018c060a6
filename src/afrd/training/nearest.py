"""The fit of nearest patches: one pass over good captures, one over held-out ones, no gradients."""

import itertools
from collections.abc import Iterable, Iterator

import numpy as np
import torch
from torch import Tensor

from afrd.datasets import CaptureSet, read_ahead
from afrd.errors import ModelError
from afrd.families import HeldOutScores, Job
from afrd.imaging.resizing import resize
from afrd.model.nearest import NearestPatches
from afrd.training.disturbed import disturbed_copies
from afrd.training.features import Recompute

RESAMPLES, SURER = 200, 0.02
COPIES = 2  # disturbed ones of each held-out capture, for the threshold


@torch.inference_mode()
def fit(model: NearestPatches, captures: CaptureSet, holdout: CaptureSet, job: Job) -> HeldOutScores:
    device, seed = job.fabric.device, job.config.seed
    model.to(device).eval()
    model.order(_brightness(captures).to(device))
    done, total = itertools.count(1), len(captures) + len(holdout)

    def read(some: CaptureSet) -> Iterator[list[Tensor]]:
        for levels in Recompute(model, some, device).each():
            yield levels
            if job.on_features:
                job.on_features(next(done), total)

    if holdout.imaging and holdout.imaging.tiling:
        raise ModelError("fusion nearest looks at the whole part at once: leave out --tile, or take --fusion joint")
    model.fit(read(captures), len(captures), seed)
    model.standardise(read(holdout))
    if job.known:
        choose_scores(model, *(_looks(model, part, device) for part in (holdout, job.known)))
    scores = [_scores(model, (capture.tiles[0] for capture in read_ahead(holdout)), device)]
    for copy in disturbed_copies(holdout, seed, COPIES):
        scores.append(_scores(model, (capture.tiles[0] for capture in read_ahead(copy)), device))
    first, *copies = (HeldOutScores(*each) for each in scores)
    return first.with_copies(copies)


def choose_scores(model: NearestPatches, good: np.ndarray, bad: np.ndarray) -> None:
    """One look alone makes the score where it tells known defects from held-out parts better, and not by chance.

    good: [M, 2], bad: [K, 2], what each look says of them. By chance: in 95 % of RESAMPLES draws of the parts the area
    under the ROC curve is larger than that of both looks together, and larger by SURER on average.
    """
    rng = np.random.default_rng(0)
    gains = []
    for _ in range(RESAMPLES):
        drawn = [part[rng.integers(len(part), size=len(part))] for part in (good, bad)]
        both = _auroc(*(part.max(1) for part in drawn))
        gains.append([_auroc(*(part[:, look] for part in drawn)) - both for look in (0, 1)])
    gains = np.array(gains)
    sure = (gains > 0).mean(0) >= 0.95
    best = int(gains.mean(0).argmax())
    if sure[best] and gains[:, best].mean() > SURER:
        model.heard.copy_(torch.arange(2) == best)


def _auroc(good: np.ndarray, bad: np.ndarray) -> float:
    above = bad[:, None] - good
    return float(((above > 0) + 0.5 * (above == 0)).mean())


def _looks(model: NearestPatches, captures: CaptureSet, device: torch.device) -> np.ndarray:
    return torch.cat([model.both_say(levels) for levels in Recompute(model, captures, device).each()]).cpu().numpy()


def _scores(model: NearestPatches, captures: Iterable[np.ndarray], device) -> tuple[list[float], list[list[float]]]:
    """With all lights, and without each."""
    scores: list[float] = []
    without: list[list[float]] = [[] for _ in range(model.lights)]
    for images in captures:
        prepared = model.prepare(torch.from_numpy(resize(images, (model.image_size,) * 2))[None].to(device))
        scores.append(float(model.judge(model.see(prepared)).score))
        for k, other in enumerate(without):
            other.append(float(model.judge(model.see(prepared, set(range(model.lights)) - {k})).score))
    return scores, without


def _brightness(captures: CaptureSet) -> Tensor:
    """[N], of each light over good parts."""
    return torch.tensor(
        np.mean([capture.images.mean((1, 2, 3)) for capture in read_ahead(captures)], axis=0, dtype=np.float32)
    )
