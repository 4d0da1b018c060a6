"""From good captures to a run folder: features, epochs, threshold, model.

Everything random follows from the seed and the epoch's number, so a run that was killed and resumed ends with the
weights of the run that was never killed.
"""

import itertools
import math
import time
import warnings
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.seed import seed_everything
from torch.optim import AdamW

from afrd import __version__
from afrd.card import JOINT, Lights, ModelCard, resolve_fusion
from afrd.checkpoint import load_card, save_model, save_teacher, trained_digest
from afrd.datasets import CaptureSet, read_ahead, verify
from afrd.errors import RunError
from afrd.light_check import MIN_CAPTURES, LightReference
from afrd.model import JointGaussian, MultiLightModel, build_model
from afrd.model.compilation import compiled_while_training, require_compiler
from afrd.model.loss import get_loss
from afrd.training.config import RunRecord, TrainConfig
from afrd.training.defect_pairs import painting_count, with_defects
from afrd.training.features import FeatureCache, Progress, Recompute, cache_features, on_device, stored_features
from afrd.training.holdout import question_outlier, split_holdout
from afrd.training.run_folder import Epoch, load_epoch, locked, log_epoch, prepare, save_epoch, tidy
from afrd.training.threshold import reachable_rate, threshold

BELOW_HIGHEST = 0.99  # of the highest score there is: a part that reaches it is anomalous, whatever was held out
LOOKS = 200  # captures that the looks of the lights are learned from, at most


def train(
    captures: CaptureSet,
    out: str | Path,
    config: TrainConfig | None = None,
    *,
    holdout: CaptureSet | None = None,
    resume: bool = False,
    resumable: bool = True,
    cache_dir: str | Path | None = None,
    on_features: Progress | None = None,
    on_epoch: Callable[[Epoch, int], None] | None = None,
) -> ModelCard:
    """Train on good captures and leave a run folder that `Inspector.load` takes.

    holdout: good captures for the threshold; None holds out `config.holdout_share` of `captures`.
    resume: go on with the run in `out`, if there is one; without it `out` must not hold a run.
    resumable: keep the last whole epoch; it is three times the trained weights, written after every epoch.
    cache_dir: where features on disk go and stay for other runs; None puts them into `out` until the run is finished.
        Features of all lights that lie there serve every fusion, for the threshold too.
    on_features(done, captures to read; the joint model reads each twice, and some with painted defects);
    on_epoch(epoch, epochs): progress.
    Raises DatasetError (damaged captures, captures that are not good, too few) before anything is written; RunError (a
    run in the way, another configuration, training that diverged).
    """
    config, out = config or TrainConfig(), Path(out)
    captures, holdout = split_holdout(captures, holdout, config)
    config = config.resolved(len(captures)).model_copy(update={"fusion": resolve_fusion(config.fusion)})
    if config.compile and config.fusion != JOINT:
        require_compiler()  # before the teacher's pass, which takes minutes
    fabric = _fabric(config)
    seed_everything(config.seed, verbose=False)
    model = build_model(
        config.teacher, config.teacher_weights, len(captures.lights), config.image_size, config.fusion, config.top_share
    )
    if fabric.is_global_zero:
        verify(captures)
        verify(holdout)
    record = RunRecord(
        afrd_version=__version__,
        category=captures.category,
        captures=len(captures),
        holdout=len(holdout),
        data_digest=captures.digest(),
        holdout_digest=holdout.digest(),
        lights=Lights.of(captures.lights),
        teacher_digest=model.teacher.digest(),
        config=config,
    )
    with locked(out) if fabric.is_global_zero else nullcontext():
        done = fabric.broadcast(prepare(out, record, resume) if fabric.is_global_zero else 0)
        if not fabric.broadcast((out / "model.yaml").is_file()):
            folder = Path(cache_dir) if cache_dir else out / "features"
            if isinstance(model, JointGaussian):
                _fit_joint(fabric, model, captures, out, record, folder, on_features)
            else:
                _fit(fabric, model, captures, out, record, done, resumable, folder, on_features, on_epoch)
            if fabric.is_global_zero:
                stored = stored_features(model, folder, record.holdout_digest) if config.cache != "off" else None
                held_out = stored or Recompute(model, holdout, fabric.device)
                scores, without = hold_out_scores(model.eval(), held_out, fabric.device)
                question_outlier(holdout, scores)
                save_model(out, model, _card(model, record, scores, without, _look_of_lights(captures)))
            fabric.barrier()
        if fabric.is_global_zero:
            tidy(out)
    return load_card(out)


def _fabric(config: TrainConfig) -> Fabric:
    try:
        fabric = Fabric(accelerator=config.accelerator, devices=config.devices, precision=config.precision)
        fabric.launch()
    except (ValueError, RuntimeError) as error:  # Fabric's own checks of names and of what the machine has
        raise RunError(
            f"--accelerator {config.accelerator} --devices {config.devices} --precision {config.precision}: {error}"
        ) from error
    return fabric


def _fit(fabric, model, captures, out, record: RunRecord, done, resumable, folder, on_features, on_epoch) -> None:
    """Epochs done + 1 to the last."""
    config = record.config
    if fabric.is_global_zero:
        save_teacher(out, model.teacher)
    optimizer = AdamW([p for p in model.parameters() if p.requires_grad], lr=config.learning_rate, fused=True)
    if done:
        load_epoch(out, done, model, optimizer)
    wrapped, optimizer = fabric.setup(model, optimizer)
    wrapped.mark_forward_method("distil")
    if done == config.epochs:
        return
    features = _features(model, captures, config, folder, record, fabric, on_features)
    with compiled_while_training(model, config.compile):
        for number in range(done + 1, config.epochs + 1):
            epoch = _epoch(number, wrapped, features, optimizer, config, fabric)
            if not np.isfinite(epoch.loss):
                raise RunError(
                    f"{out}: the loss is {epoch.loss} in epoch {number}; lower --learning-rate and train again"
                )
            if fabric.is_global_zero:
                log_epoch(out, epoch)
                if resumable:
                    save_epoch(out, epoch, model, optimizer)
                if on_epoch:
                    on_epoch(epoch, config.epochs)
            fabric.barrier()


@torch.inference_mode()
def _fit_joint(fabric, model: JointGaussian, captures, out, record: RunRecord, folder, progress) -> None:
    """Two passes over features, stored ones or made anew: the teacher is cheaper than the room they take."""
    if not fabric.is_global_zero:
        return
    save_teacher(out, model.teacher)
    model.to(fabric.device)
    config = record.config
    stored = stored_features(model, folder, record.data_digest) if config.cache != "off" else None
    features = stored or Recompute(model, captures, fabric.device)
    done, total = itertools.count(1), 2 * len(captures) + painting_count(len(captures))

    def counted(items):
        for item in items:
            yield item
            if progress:
                progress(next(done), total)

    model.fit(lambda: counted(features.each()), counted(with_defects(model, captures, fabric.device, config.seed)))


def _features(model, captures, config, folder, record, fabric, progress) -> FeatureCache | Recompute:
    if config.cache == "off":
        return Recompute(model, captures, fabric.device)
    return cache_features(
        model,
        captures,
        where=config.cache,
        budget_gb=config.cache_gb,
        folder=folder,
        data_digest=record.data_digest,
        device=fabric.device,
        progress=progress,
    )


def _epoch(number: int, model, features, optimizer, config: TrainConfig, fabric: Fabric) -> Epoch:
    start, loss_of, world = time.perf_counter(), get_loss(config.loss), fabric.world_size
    order = np.random.default_rng((config.seed, number)).permutation(len(features))
    losses, weights, seen = [], [], 0
    model.train()
    for batch in np.array_split(order, range(config.batch_size, len(order), config.batch_size)):
        whole = np.resize(batch, max(len(batch), world))  # every process needs a capture
        mine = whole[fabric.global_rank :: world]
        levels = on_device(features.batch(mine), fabric.device)
        with fabric.autocast():
            target, student, light_weights = model.distil(levels, fused=features.fused)
        loss = loss_of([t.float() for t in target], [s.float() for s in student])
        fabric.backward(loss * (len(mine) * world / len(whole)))  # processes are averaged; captures should be
        optimizer.step()
        optimizer.zero_grad()
        seen += len(whole)
        losses.append(loss.detach() * len(mine))
        if light_weights is not None:
            weights.append(light_weights.detach().float().sum(0))

    def mean(parts: list[torch.Tensor]) -> torch.Tensor:
        return fabric.all_reduce(torch.stack(parts).sum(0), reduce_op="sum") / seen

    return Epoch(number, float(mean(losses)), mean(weights).tolist() if weights else [], time.perf_counter() - start)


@torch.inference_mode()
def hold_out_scores(
    model: MultiLightModel, features: FeatureCache | Recompute, device: torch.device
) -> tuple[list[float], list[list[float]] | None]:
    """Scores of good captures the model has not seen, and those without light k, for each k, if it can do without."""
    scores: list[float] = []
    without: list[list[float]] | None = [[] for _ in range(model.lights)] if isinstance(model, JointGaussian) else None
    for levels in features.each():
        levels = on_device(levels, device)
        scores.append(float(model.judge(levels).score))
        for k, other in enumerate(without or ()):
            other.append(float(model.judge(levels, set(range(model.lights)) - {k}).score))
    return scores, without


def _look_of_lights(captures: CaptureSet) -> LightReference | None:
    """From captures spread evenly over the set; None where they are too few."""
    if len(captures) < MIN_CAPTURES:
        warnings.warn(
            f"{len(captures)} training captures; the lights are not checked at inspection, which takes {MIN_CAPTURES}",
            stacklevel=2,
        )
        return None
    step = math.ceil(len(captures) / LOOKS)
    return LightReference.learn(capture.images for capture in read_ahead(captures[::step]))


def _card(
    model: MultiLightModel,
    record: RunRecord,
    scores: list[float],
    without: list[list[float]] | None,
    light_reference: LightReference | None,
) -> ModelCard:
    config = record.config
    rate = reachable_rate(len(scores), config.false_alarm_rate)
    if rate > config.false_alarm_rate:
        warnings.warn(
            f"{len(scores)} held-out good captures can promise a false-alarm rate of {rate:.3f}, not "
            f"{config.false_alarm_rate:g}: the threshold is their largest score. Hold out more good parts.",
            stacklevel=2,
        )

    def limit(scores: list[float]) -> float:
        return min(threshold(scores, config.false_alarm_rate), BELOW_HIGHEST * model.highest)

    return ModelCard(
        afrd_version=__version__,
        category=record.category,
        captures=record.captures,
        teacher=config.teacher,
        teacher_digest=record.teacher_digest,
        trained_digest=trained_digest(model),
        fusion=config.fusion,
        lights=record.lights,
        image_size=config.image_size,
        top_share=config.top_share,
        threshold=limit(scores),
        false_alarm_rate=rate,
        holdout=len(scores),
        thresholds_without=tuple(limit(s) for s in without) if without else None,
        light_reference=light_reference,
        on_light_fault=config.on_light_fault,
        config=config.model_dump(mode="json"),
    )
