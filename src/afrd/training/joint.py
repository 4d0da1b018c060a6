"""The joint model's fit: passes over good captures, their blurred copies, and painted ones; no gradients."""

import functools
import itertools
from collections.abc import Iterator

import torch
from torch import Tensor

from afrd.datasets import CaptureSet
from afrd.families import HeldOutScores, Job
from afrd.model import JointGaussian
from afrd.training.defect_pairs import painting_count, with_defects
from afrd.training.disturbed import blurred, disturbed_copies, disturbing_count, noted, with_disturbances
from afrd.training.features import Recompute, on_device, read_features, tiles_in
from afrd.training.holdout import moved_regions, outlier, score_held_out
from afrd.training.joint_folds import Folds
from afrd.training.known_defects import known_offsets
from afrd.training.places import Places

FOUND = 1.25  # times the highest score of a good part: where a defect without a mask is taken to be


@torch.inference_mode()
def fit(model: JointGaussian, captures: CaptureSet, holdout: CaptureSet, job: Job) -> HeldOutScores:
    """Features are read from the store or made anew: the teacher is cheaper than the room they take.

    Tiles of a capture are too many to be kept for cross-fitting: then the threshold is of the held-out captures alone,
    and what is usual at which places is learned from some places of every tile.
    """
    device, painting, disturbing = job.fabric.device, job.config.painting, job.config.disturbing
    model.to(device).eval()
    seed, config = job.config.seed, job.config
    parts, tiled = len(set(captures.groups)) + len(set(holdout.groups)), captures.imaging and captures.imaging.tiling
    in_folds = config.in_folds(len(captures) + len(holdout), parts, bool(tiled))
    own = read_features(model, captures, job.store, job.data_digest, device)
    held_out = Recompute(model, holdout, device)  # whether some are stored depends on what ran before
    if not in_folds:
        held_out = read_features(model, holdout, job.store, job.holdout_digest, device)
    sources = [own, held_out] if in_folds else [own]
    learned = captures.joined(holdout) if in_folds else captures
    soft = blurred(learned, disturbing.blur)
    folds = Folds(learned, soft, config.folds, seed, in_folds) if in_folds else None
    keeper = folds or (Places(model, len(own)) if tiled else None)
    again = keeper.kept if keeper and keeper.keeps_all else None  # else the features are read a second time
    passes = (1 if again else 2) + (1 if job.known else 0)
    total = passes * sum(map(len, sources)) + painting_count(len(captures), painting)
    total += disturbing_count(captures, disturbing.captures)
    total += len(soft) * tiles_in(captures)
    done = itertools.count(1)

    def counted(items):
        for item in items:
            yield item
            if job.on_features:
                job.on_features(next(done), total)

    first = iter([True])

    def read() -> Iterator[list[Tensor]]:
        keeps = keeper and next(first, False)
        each = itertools.chain.from_iterable(source.each() for source in sources)
        for number, levels in enumerate(counted(on_device(levels, device) for levels in each)):
            if keeps:
                keeper.keep(model, number, levels)
            yield levels

    kept = folds.vectors if folds else None
    painted = with_defects(model, captures, device, seed, painting, job.known is not None, kept)
    disturbed = with_disturbances(model, captures, device, seed, disturbing.captures, kept)
    moments = model.fit(
        read,
        counted(painted),
        counted(disturbed),
        again and functools.partial(again, model),
        counted(Recompute(model, soft, device).each() if soft else ()),
        folds.of_all if folds else None,
    )
    if job.known:
        good = score_held_out(model, held_out, device, holdout.imaging).scores
        if offsets := known_offsets(model, job.known, FOUND * max(good), device):
            model.know(offsets, read)
    if folds:
        return folds.score(model, moments, seed, disturbing.copies, device, job.rig)
    where = moved_regions(holdout)
    scored = [score_held_out(model, held_out, device, holdout.imaging, without_each=True, regions=where)]
    copies = disturbed_copies(holdout, seed, disturbing.copies, job.rig)
    for copy in copies:
        features = Recompute(model, copy, device)
        scored.append(score_held_out(model, features, device, holdout.imaging, without_each=True, regions=where))
    if job.config.growable:
        from afrd.training.growth import remember, write_memory  # which loads runs, as this makes them

        odd = outlier(holdout, scored[0].scores)
        doubtful = None if odd is None else holdout.groups[odd]
        unlike = noted(copies, job.rig)
        write_memory(job.out, remember(model, captures, holdout, config, device, doubtful, unlike))
    return scored[0].with_copies(scored[1:], noted(copies, job.rig))
