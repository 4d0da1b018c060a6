"""The joint model's fit: two passes over good captures, and one over captures with painted defects, no gradients."""

import itertools

import torch

from afrd.datasets import CaptureSet
from afrd.families import HeldOutScores, Job
from afrd.model import JointGaussian
from afrd.training.defect_pairs import painting_count, with_defects
from afrd.training.features import read_features
from afrd.training.holdout import score_held_out


@torch.inference_mode()
def fit(model: JointGaussian, captures: CaptureSet, holdout: CaptureSet, job: Job) -> HeldOutScores:
    """Features are read from the store or made anew: the teacher is cheaper than the room they take."""
    device, painting = job.fabric.device, job.config.painting
    model.to(device).eval()
    features = read_features(model, captures, job.store, job.data_digest, device)
    done, total = itertools.count(1), 2 * len(features) + painting_count(len(captures), painting)

    def counted(items):
        for item in items:
            yield item
            if job.on_features:
                job.on_features(next(done), total)

    painted = with_defects(model, captures, device, job.config.seed, painting)
    model.fit(lambda: counted(features.each()), counted(painted))
    held_out = read_features(model, holdout, job.store, job.holdout_digest, device)
    return score_held_out(model, held_out, device, holdout.imaging, without_each=True)
