"""From good captures to a run folder: features, epochs, threshold, model.

A run can be killed at any moment. Everything random follows from the seed and the epoch's number, so `resume` goes on
from the last whole epoch and ends with the weights of the run that was never killed.
"""

import json
import shutil
import time
import warnings
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
from lightning_fabric import Fabric
from lightning_fabric.utilities.seed import seed_everything
from torch.optim import AdamW

from afrd import __version__
from afrd.capture import Capture
from afrd.checkpoint import Lights, ModelCard, load_card, parse, read_yaml, save_model, save_teacher, to_yaml
from afrd.datasets import CaptureSet, require_lights
from afrd.errors import DatasetError, RunError
from afrd.files import write_text
from afrd.model import AFRD
from afrd.model.loss import get_loss
from afrd.training.config import RunRecord, TrainConfig
from afrd.training.features import FeatureCache, Progress, Recompute, cache_features, read_ahead
from afrd.training.state import last_epoch, load_epoch, remove_epochs, save_epoch
from afrd.training.threshold import reachable_rate, threshold

MIN_CAPTURES = 2


@dataclass(frozen=True)
class Epoch:
    """A line of log.jsonl. loss: mean over captures; light_weights: [L][N], likewise; seconds: wall time."""

    epoch: int
    loss: float
    light_weights: list[list[float]]
    seconds: float


def train(
    captures: CaptureSet,
    out: Path,
    config: TrainConfig | None = None,
    *,
    holdout: CaptureSet | None = None,
    resume: bool = False,
    cache_dir: Path | None = None,
    on_features: Progress | None = None,
    on_epoch: Callable[[Epoch, int], None] | None = None,
) -> ModelCard:
    """Train on good captures and leave a run folder that `Inspector.load` takes.

    holdout: good captures for the threshold; None holds out `config.holdout_share` of `captures`.
    resume: go on with the run in `out`; without it `out` must not hold a run.
    cache_dir: where features on disk go and stay for other runs; None puts them into `out` until the run is finished.
    on_features(done, captures), on_epoch(epoch, epochs): progress.
    Raises DatasetError (captures that are not good, too few), RunError (a run in the way, another configuration).
    """
    config, out = config or TrainConfig(), Path(out)
    captures, holdout = split_holdout(captures, holdout, config)
    fabric = _fabric(config)
    seed_everything(config.seed, verbose=False)
    model = AFRD(
        config.teacher, config.teacher_weights, len(captures.lights), config.image_size, config.fusion, config.top_share
    )
    record = RunRecord(
        afrd_version=__version__,
        category=captures.category,
        captures=len(captures),
        holdout=len(holdout),
        data_digest=captures.digest(),
        lights=Lights.of(captures.lights),
        teacher_digest=model.teacher.digest(),
        config=config,
    )
    done = fabric.broadcast(_prepare(out, record, resume) if fabric.is_global_zero else 0)
    if (out / "model.yaml").is_file():  # killed after the last epoch, or resumed once too often: nothing is left to do
        _tidy(out)
        return load_card(out)
    if fabric.is_global_zero:
        save_teacher(out, model.teacher)

    trained = [p for p in model.parameters() if p.requires_grad]
    optimizer = AdamW(trained, lr=config.learning_rate, fused=True)
    if done:
        load_epoch(out, done, model, optimizer)
    model_, optimizer = fabric.setup(model, optimizer)
    model_.mark_forward_method("distil")
    if done < config.epochs:
        features = _features(model, captures, config, cache_dir or out / "features", record, fabric, on_features)
        for epoch in range(done + 1, config.epochs + 1):
            result = _epoch(epoch, model_, features, optimizer, config, fabric)
            if fabric.is_global_zero:
                _log(out, result)
                save_epoch(out, epoch, model, optimizer)
                if on_epoch:
                    on_epoch(result, config.epochs)
            fabric.barrier()

    model.eval()
    scores = hold_out_scores(model, holdout, fabric.device)
    card = ModelCard(
        afrd_version=__version__,
        teacher=config.teacher,
        teacher_digest=record.teacher_digest,
        fusion=config.fusion,
        lights=record.lights,
        image_size=config.image_size,
        top_share=config.top_share,
        threshold=threshold(scores, config.false_alarm_rate),
        false_alarm_rate=reachable_rate(len(scores), config.false_alarm_rate),
        holdout=len(scores),
        config=config.model_dump(mode="json"),
    )
    if card.false_alarm_rate > config.false_alarm_rate:
        warnings.warn(
            f"{len(scores)} held-out good captures can promise a false-alarm rate of {card.false_alarm_rate:.3f}, not "
            f"{config.false_alarm_rate:g}: the threshold is their largest score. Hold out more good parts.",
            stacklevel=2,
        )
    if fabric.is_global_zero:
        save_model(out, model, card)
        _tidy(out)
    return card


def split_holdout(
    captures: CaptureSet, holdout: CaptureSet | None, config: TrainConfig
) -> tuple[CaptureSet, CaptureSet]:
    """Captures to train on and captures for the threshold; the same seed holds out the same ones."""
    if holdout is not None:
        require_lights(holdout.lights, captures.lights, "held-out captures")
        held, kept = holdout, captures
    else:
        order = np.random.default_rng(config.seed).permutation(len(captures)).tolist()
        n = max(1, round(config.holdout_share * len(captures)))
        held, kept = captures.subset(sorted(order[:n])), captures.subset(sorted(order[n:]))
    for part in (kept, held):
        bad = [record.id for record in part.records if record.anomalous]
        if bad:
            raise DatasetError(f"capture {bad[0]} is anomalous; training and threshold take good captures only")
    if len(kept) < MIN_CAPTURES:
        raise DatasetError(
            f"{len(kept)} captures left to train on; expected at least {MIN_CAPTURES}, and some 60 for good results"
        )
    return kept, held


def _fabric(config: TrainConfig) -> Fabric:
    try:
        fabric = Fabric(accelerator=config.accelerator, devices=config.devices, precision=config.precision)
        fabric.launch()
    except (ValueError, RuntimeError) as error:  # Fabric's own checks of names and of what the machine has
        raise RunError(
            f"--accelerator {config.accelerator} --devices {config.devices} --precision {config.precision}: {error}"
        ) from error
    return fabric


def _prepare(out: Path, record: RunRecord, resume: bool) -> int:
    """Checks or starts the run folder. Returns the number of epochs done."""
    path = out / "run.yaml"
    if not path.is_file():
        if resume:
            raise RunError(f"{out}: no run to resume (run.yaml not found); leave out --resume to start one")
        if out.exists() and any(out.iterdir()):
            raise RunError(f"{out}: not empty and no run; choose another --out")
        write_text(path, to_yaml(record))
        return 0
    if not resume:
        raise RunError(f"{out}: holds a run already; pass --resume to go on with it, or another --out")
    changed = parse(RunRecord, read_yaml(path), path).differences(record)
    if changed:
        raise RunError(
            f"{out}: was started with another configuration ({'; '.join(changed)}); start a new --out instead"
        )
    if (out / "model.yaml").is_file():
        return record.config.epochs
    done = last_epoch(out)
    remove_epochs(out, keep=done)
    _cut_log(out, done)
    return done


def _tidy(out: Path) -> None:
    """What a finished run no longer needs."""
    remove_epochs(out)
    shutil.rmtree(out / "features", ignore_errors=True)


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
    start, loss_of = time.perf_counter(), get_loss(config.loss)
    order = np.random.default_rng((config.seed, number)).permutation(len(features))
    losses, weights = [], []
    model.train()
    for batch in np.array_split(order, range(config.batch_size, len(order), config.batch_size)):
        mine = np.resize(batch, max(len(batch), fabric.world_size))[fabric.global_rank :: fabric.world_size]
        levels = [fabric.to_device(level) for level in features.batch(mine)]
        target, student, light_weights = model.distil(levels, fused=features.fused)
        loss = loss_of(target, student)
        fabric.backward(loss)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.detach() * len(mine))
        if light_weights is not None:
            weights.append(light_weights.detach().sum(0))
    mean_loss = float(fabric.all_reduce(torch.stack(losses).sum(), reduce_op="sum")) / len(order)
    mean_weights = (torch.stack(weights).sum(0) / len(order)).tolist() if weights else []
    return Epoch(number, mean_loss, mean_weights, time.perf_counter() - start)


@torch.inference_mode()
def hold_out_scores(model: AFRD, captures: Sequence[Capture], device: torch.device) -> list[float]:
    """Scores of good captures the model has not seen, by the same forward pass that inspects."""
    return [float(model(torch.from_numpy(c.images)[None].to(device)).score) for c in read_ahead(captures)]


def _log(out: Path, epoch: Epoch) -> None:
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(epoch)) + "\n")


def _cut_log(out: Path, done: int) -> None:
    """Lines of epochs that were logged but not saved, or half-written, go."""
    path = out / "log.jsonl"
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    write_text(path, "".join(f"{line}\n" for line in lines[:done]))
