"""The fit of nearest patches: one pass over good captures, one over held-out ones, no gradients."""

import itertools
from collections.abc import Iterable

import numpy as np
import torch
from torch import Tensor

from afrd.datasets import CaptureSet, read_ahead
from afrd.families import HeldOutScores, Job
from afrd.imaging.resizing import resize
from afrd.model.nearest import NearestPatches
from afrd.training.disturbed import COPIES, disturbed_copies, noted
from afrd.training.features import Recompute
from afrd.training.holdout import of_each

RESAMPLES, SURER = 200, 0.02


@torch.inference_mode()
def fit(model: NearestPatches, captures: CaptureSet, holdout: CaptureSet, job: Job) -> HeldOutScores:
    device, seed = job.fabric.device, job.config.seed
    model.to(device).eval()
    model.order(_brightness(captures).to(device))
    done, total = itertools.count(1), len(captures) + (1 + COPIES) * len(holdout)

    def told(items):
        for item in items:
            yield item
            if job.on_features:
                job.on_features(next(done), total)

    model.fit(told(Recompute(model, captures, device).each()), len(captures), seed)
    disturbed = disturbed_copies(holdout, seed, COPIES, job.rig)
    said = [_say(model, (capture.tiles[0] for capture in told(read_ahead(each)))) for each in (holdout, *disturbed)]
    unit = model.standardise(said[0][:, 0], holdout.groups)
    if job.known:
        choose_scores(model, *(_looks(model, part, device) for part in (holdout, job.known)))
    first, *copies = (_scores(model, each, unit) for each in said)
    clean = model.score(said[0][:, 0]).tolist()  # by which a doubtful part is told: there each is in the unit itself
    return first.with_copies(copies, noted(disturbed, job.rig))._replace(clean=clean)


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


def _say(model: NearestPatches, captures: Iterable[np.ndarray]) -> Tensor:
    """[M, 1 + K, 2], what both looks say with all lights, and without each of K that can be left out."""
    subsets = [None, *filter(None, model.without_each())]
    said = []
    for images in captures:
        square = torch.from_numpy(resize(images, (model.image_size,) * 2))[None]
        prepared = model.prepare(square.to(model.middle.device))
        said.append(torch.cat([model.say(model.see(prepared, lights)) for lights in subsets]))
    return torch.stack(said)


def _scores(model: NearestPatches, said: Tensor, unit: Tensor) -> HeldOutScores:
    """Each in the unit of the other parts: in its own it would score lower than a new part does."""
    scores, *without = (model.score(each, unit).tolist() for each in said.unbind(1))
    return HeldOutScores(scores, of_each(model.without_each(), without))


def _brightness(captures: CaptureSet) -> Tensor:
    """[N], of each light over good parts."""
    return torch.tensor(
        np.mean([capture.images.mean((1, 2, 3)) for capture in read_ahead(captures)], axis=0, dtype=np.float32)
    )
