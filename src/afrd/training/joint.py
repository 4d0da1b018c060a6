"""The joint model's fit: two passes over good captures, and one over captures with painted defects, no gradients."""

import itertools

import torch

from afrd.datasets import CaptureSet
from afrd.families import HeldOutScores, Job
from afrd.model import JointGaussian
from afrd.training.defect_pairs import painting_count, with_defects
from afrd.training.disturbed import disturbed_copies, disturbing_count, with_disturbances
from afrd.training.features import Recompute, on_device, read_features
from afrd.training.holdout import score_held_out


@torch.inference_mode()
def fit(model: JointGaussian, captures: CaptureSet, holdout: CaptureSet, job: Job) -> HeldOutScores:
    """Features are read from the store or made anew: the teacher is cheaper than the room they take."""
    device, painting = job.fabric.device, job.config.painting
    model.to(device).eval()
    features = read_features(model, captures, job.store, job.data_digest, device)
    disturbing, seed = job.config.disturbing, job.config.seed
    total = 2 * len(features) + painting_count(len(captures), painting)
    total += disturbing_count(captures, disturbing.captures)
    done = itertools.count(1)

    def counted(items):
        for item in items:
            yield item
            if job.on_features:
                job.on_features(next(done), total)

    def read():
        return counted(on_device(levels, device) for levels in features.each())

    painted = with_defects(model, captures, device, seed, painting)
    disturbed = with_disturbances(model, captures, device, seed, disturbing.captures)
    model.fit(read, counted(painted), counted(disturbed))
    held_out = read_features(model, holdout, job.store, job.holdout_digest, device)
    scored = [score_held_out(model, held_out, device, holdout.imaging, without_each=True)]
    for copy in disturbed_copies(holdout, seed, disturbing.copies):
        features = Recompute(model, copy, device)
        scored.append(score_held_out(model, features, device, holdout.imaging, without_each=True))
    return scored[0].with_copies(holdout, scored[1:])
