"""Ours: Reverse Distillation on one light, the fusions of lights and the joint Gaussian, from shared features."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import torch

from afrd.checkpoint import load_model
from afrd.comparison.class_data import ClassData
from afrd.comparison.inspected import judge_as_inspected, noted
from afrd.comparison.job import ALL_LIGHTS, Job, Limit, Scored, Settings
from afrd.imaging.smoothing import smoothed
from afrd.model import MultiLightModel
from afrd.training import TrainConfig, train
from afrd.training.features import FeatureCache


def trained(data: ClassData, job: Job, settings: Settings) -> Scored:
    """Train as `afrd train` does, last epoch, and score held-out and test captures."""
    config = TrainConfig.acting(
        fusion=job.method if job.light == ALL_LIGHTS else f"single:{job.light}",
        teacher=settings.teacher,
        teacher_weights=settings.teacher_weights,
        image_size=settings.image_size,
        epochs=settings.epochs,
        batch_size=settings.batch_size,
        precision=settings.precision,
        accelerator=settings.accelerator,
        cache="disk",
        loss=settings.loss,
        false_alarm_rate=settings.false_alarm_rate,
        seed=job.seed,
    )
    with TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        card = train(data.train, run, config, holdout=data.holdout, resumable=False, cache_dir=data.store)
        if card.imaging and not card.imaging.only_values:  # tiles, a region or motion: shared features have none of it
            return judge_as_inspected(run, card, data)
        model, _ = load_model(run)
    holdout_maps, holdout_scores, _ = judge(model, data.features("holdout"))
    each = [judge(model, data.features("test", by)) for by in data.copies]
    maps, scores, weights = (np.concatenate(parts) for parts in zip(*each, strict=True))
    if card.map_sigma:  # as at inspection
        maps = np.stack([smoothed(one, card.map_sigma, card.threshold) for one in maps])
    weights = None if model.fixed_fusion or card.capabilities.evidence else weights
    return Scored(
        holdout_scores,
        scores,
        holdout_maps,
        maps,
        weights,
        card.config,
        Limit.of(card),
        card.captures,
        noted(card, data),
    )


@torch.inference_mode()
def judge(model: MultiLightModel, features: FeatureCache) -> Sequence[np.ndarray]:
    """Maps [K, S, S], scores [K] and light weights [K, L, N] of every capture from features of all lights."""
    chosen = FeatureCache(features.levels, False, model.lights_used)
    answers = [model.judge(levels) for levels in chosen.each()]
    return [torch.cat(parts).float().numpy() for parts in zip(*answers, strict=True)]
