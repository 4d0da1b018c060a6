"""The distilled networks' fit: epochs over teacher features, the last whole one kept, on one or several processes.

Everything random follows from the seed and the epoch's number, so a run that was killed and resumed ends with the
weights of the run that was never killed.
"""

import time
import warnings

import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn
from torch.optim import AdamW

from afrd.datasets import CaptureSet
from afrd.errors import RunError
from afrd.families import HeldOutScores, Job
from afrd.families.distillation import DistillationConfig
from afrd.model import AFRD
from afrd.model.compilation import compiled_while_training
from afrd.model.loss import get_loss
from afrd.training.disturbed import COPIES, disturbed_copies, noted
from afrd.training.features import FeatureCache, Recompute, cache_features, on_device, read_features
from afrd.training.holdout import moved_regions, score_held_out
from afrd.training.run_folder import Epoch, last_epoch, load_epoch, log_epoch, save_epoch
from afrd.training.synchronised import SynchronisedBatchNorm, synchronise


def fit(model: AFRD, captures: CaptureSet, holdout: CaptureSet, job: Job) -> HeldOutScores | None:
    """Epochs from the one after the last whole one, then the scores of the held-out captures, by the first process."""
    fabric, config = job.fabric, job.config
    done = fabric.broadcast(last_epoch(job.out) if fabric.is_global_zero else 0)
    optimizer = AdamW([p for p in model.parameters() if p.requires_grad], lr=config.learning_rate, fused=True)
    if done:
        load_epoch(job.out, done, model, optimizer)
    norms = synchronise(model) if fabric.world_size > 1 else []
    if norms and config.compile and fabric.is_global_zero:
        warnings.warn(
            "compile: batch norms are computed with the other processes, so hardly anything between them is compiled; "
            "leave --compile out, or train on one device",
            stacklevel=2,
        )
    wrapped, optimizer = fabric.setup(model, optimizer)
    wrapped.mark_forward_method("distil")
    if done < config.epochs:
        features = _features(model, captures, job)
        with compiled_while_training(model, config.compile):
            for number in range(done + 1, config.epochs + 1):
                _keep(epoch(number, wrapped, features, optimizer, config, fabric), model, optimizer, job)
    for norm in norms:
        norm.__class__ = nn.BatchNorm2d
    if not fabric.is_global_zero:
        return None
    rounded = config.cache != "off"
    held_out = read_features(model, holdout, job.store if rounded else None, job.holdout_digest, fabric.device)
    copies = disturbed_copies(holdout, config.seed, COPIES, job.rig)
    regions = moved_regions(holdout)
    scored = [
        score_held_out(model.eval(), features, fabric.device, holdout.imaging, regions=regions)
        for features in (held_out, *(Recompute(model, copy, fabric.device) for copy in copies))
    ]
    return scored[0].with_copies(scored[1:], noted(copies, job.rig))


def _features(model: AFRD, captures: CaptureSet, job: Job) -> FeatureCache | Recompute:
    if job.config.cache == "off":
        return Recompute(model, captures, job.fabric.device)
    return cache_features(
        model,
        captures,
        where=job.config.cache,
        budget_gb=job.config.cache_gb,
        folder=job.store,
        data_digest=job.data_digest,
        device=job.fabric.device,
        progress=job.on_features,
        on_needed=job.on_needed if job.fabric.is_global_zero else None,
    )


def _keep(epoch: Epoch, model: AFRD, optimizer, job: Job) -> None:
    """The log, the folder of the epoch, progress. Raises RunError: a loss that is no number."""
    if not np.isfinite(epoch.loss):
        raise RunError(
            f"{job.out}: the loss is {epoch.loss} in epoch {epoch.epoch}; lower --learning-rate and train again"
        )
    if job.fabric.is_global_zero:
        log_epoch(job.out, epoch)
        if job.resumable:
            save_epoch(job.out, epoch, model, optimizer)
        if job.on_epoch:
            job.on_epoch(epoch, job.config.epochs)
    job.fabric.barrier()


def epoch(number: int, model, features, optimizer, config: DistillationConfig, fabric: Fabric) -> Epoch:
    """One pass over the captures. model, optimizer: as `fabric.setup` gives them."""
    start, loss_of, world = time.perf_counter(), get_loss(config.loss), fabric.world_size
    order = np.random.default_rng((config.seed, number)).permutation(len(features))
    losses, weights, seen = [], [], 0
    norms = [module for module in model.modules() if isinstance(module, SynchronisedBatchNorm)]
    model.train()
    for batch in np.array_split(order, range(config.batch_size, len(order), config.batch_size)):
        whole = np.resize(batch, max(len(batch), world))  # every process needs a capture
        mine = whole[fabric.global_rank :: world]
        share = 1 / int((whole == mine[0]).sum())  # a capture that several processes were given counts once
        for norm in norms:
            norm.share = share
        levels = on_device(features.batch(mine), fabric.device)
        with fabric.autocast():
            target, student, light_weights = model.distil(levels, fused=features.fused)
        loss = loss_of([t.float() for t in target], [s.float() for s in student])
        fabric.backward(loss * (share * len(mine) * world / len(batch)))  # processes are averaged; captures should be
        optimizer.step()
        optimizer.zero_grad()
        seen += len(batch)
        losses.append(loss.detach() * len(mine) * share)
        if light_weights is not None:
            weights.append(light_weights.detach().float().sum(0) * share)

    def mean(parts: list[torch.Tensor]) -> torch.Tensor:
        return fabric.all_reduce(torch.stack(parts).sum(0), reduce_op="sum") / seen

    return Epoch(number, float(mean(losses)), mean(weights).tolist() if weights else [], time.perf_counter() - start)
