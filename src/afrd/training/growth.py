"""Further good parts for a fitted joint model, without fitting it anew: their moments are added to those it came from.

A run that was trained `growable` keeps a memory beside its weights: number, mean and scatter of the vectors of its good
captures (`afrd.model.moments`), the vectors themselves in half precision, and those of the held-out captures. Mean and
covariance of the grown model are exactly those of a fit to all captures. What is usual at which places and the
threshold are learned anew from the vectors, without the teacher. The directions of painted defects and of disturbances
stay those of the first fit.
"""

import json
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from afrd.card import ModelCard
from afrd.checkpoint import load_model, read_tensors, save_model, trained_digest
from afrd.datasets import CaptureSet, require_lights, verify
from afrd.errors import ModelError, RunError
from afrd.families import TrainConfig
from afrd.families.joint import GROWTH_FILE
from afrd.files import atomic_folder, atomic_path
from afrd.model import JointGaussian
from afrd.model.moments import Moments
from afrd.progress import Progress
from afrd.training.disturbed import blurred, disturbed_copies
from afrd.training.false_alarms import choose_threshold
from afrd.training.features import Recompute
from afrd.training.loop import BELOW_HIGHEST
from afrd.yaml_model import parse


@dataclass(frozen=True)
class Memory:
    """moments: of all vectors that are learned from. disturbed: [T, T], see `JointGaussian.disturbed`.

    vectors: [M, T, h, w] half, of the captures learned from. held_out: [K, T, h, w] half, of those that set the
    threshold, and then of their disturbed copies; groups: the part that each held-out capture shows.
    """

    moments: Moments
    disturbed: Tensor
    vectors: Tensor
    held_out: Tensor
    groups: tuple[str, ...]


@torch.inference_mode()
def remember(
    model: JointGaussian, captures: CaptureSet, holdout: CaptureSet, config: TrainConfig, device: torch.device
) -> Memory:
    """Of a model that was just fitted to `captures`. Raises ModelError: captures that are looked at in tiles."""
    if captures.imaging and captures.imaging.tiling:
        raise ModelError("a model that looks at captures in tiles cannot grow; leave out --growable or the tiles")
    copies = disturbed_copies(holdout, config.seed, config.disturbing.copies)
    moments, vectors = _learned(model, captures, config, device)
    return Memory(
        moments,
        model.disturbed,
        vectors,
        torch.cat([each.half().cpu() for part in (holdout, *copies) for each in _each(model, part, device)]),
        tuple(holdout.groups),
    )


def write_memory(run: Path, memory: Memory) -> None:
    """Into the run's folder, whole or not at all."""
    count, mean, scatter = memory.moments.parts()
    tensors = {
        "count": torch.tensor(count),
        "mean": mean,
        "scatter": scatter,
        "disturbed": memory.disturbed,
        "vectors": memory.vectors,
        "held_out": memory.held_out,
    }
    with atomic_path(run / GROWTH_FILE) as temporary:
        save_file(tensors, temporary, metadata={"groups": json.dumps(memory.groups)})


def read_memory(run: Path) -> Memory:
    """Raises RunError: the run keeps none, or it is damaged."""
    path = run / GROWTH_FILE
    if not path.is_file():
        raise RunError(f"{run}: cannot grow, it was trained without --growable; train a new version once")
    tensors = read_tensors(path)
    with safe_open(path, "pt") as file:
        groups = tuple(json.loads(file.metadata()["groups"]))
    moments = Moments.of_parts(int(tensors["count"]), tensors["mean"], tensors["scatter"])
    return Memory(moments, tensors["disturbed"], tensors["vectors"], tensors["held_out"], groups)


@torch.inference_mode()
def grow(run: Path, captures: CaptureSet, out: Path, progress: Progress | None = None) -> ModelCard:
    """The run's model with further good captures, as a run of its own at `out`.

    progress(done, steps). Raises RunError, ModelError, DatasetError: it cannot grow, other lights, damaged captures.
    """
    model, card = load_model(run)
    memory = read_memory(run)
    if "blur" not in card.config.get("disturbing", {}):
        raise RunError(
            f"{run}: cannot grow, an earlier afrd trained it, without blurred copies; train a new version once"
        )
    require_lights(captures.lights, card.lights.rig(), "further captures")
    captures = captures.read_as(card.imaging)
    verify(captures)
    config = parse(TrainConfig, card.config, Path("model.yaml"))
    soft = blurred(captures, config.disturbing.blur)
    steps = len(captures) + len(soft) + len(memory.vectors) + len(captures) + len(memory.held_out)
    done = iter(range(1, steps + 1))

    def told(items: Iterable[Tensor]) -> Iterable[Tensor]:
        for item in items:
            yield item
            if progress:
                progress(next(done), steps)

    moments, more = _learned(model, captures, config, torch.device("cpu"), told)
    vectors = torch.cat([memory.vectors, more])
    memory = replace(memory, moments=memory.moments + moments, vectors=vectors)
    model.grow(memory.moments, memory.disturbed, told(each[None].float() for each in memory.vectors))
    card = _card(model, card, config, memory, len(captures), told)
    with atomic_folder(out) as temporary:
        for name in ("run.yaml", "teacher.safetensors"):
            shutil.copyfile(run / name, temporary / name)
        write_memory(temporary, memory)
        save_model(temporary, model, card)
    return card


def _card(
    model: JointGaussian, card: ModelCard, config: TrainConfig, memory: Memory, more: int, told: Callable
) -> ModelCard:
    """With the threshold of the grown model, by the same rule as at training."""
    every = range(model.lights)
    subsets: list[Sequence[int] | None] = [None]
    if card.thresholds_without is not None:
        subsets += [[k for k in every if k != gone] for gone in every]
    scores: list[list[float]] = [[] for _ in subsets]
    for vectors in told(each[None].float() for each in memory.held_out):
        for lights, mine in zip(subsets, scores, strict=True):
            mine.append(float(model.judge_vectors(vectors, lights).score))
    captures = len(memory.groups)
    chosen, *without = (
        choose_threshold(
            [max(each[i::captures]) for i in range(captures)],  # a capture counts at its worst, copies included
            config.false_alarm_rate,
            memory.groups,
            tail=config.tail,
            highest=BELOW_HIGHEST * model.highest,
        )
        for each in scores
    )
    return card.model_copy(
        update={
            "captures": card.captures + more,
            "trained_digest": trained_digest(model),
            "threshold": chosen.value,
            "false_alarm_rate": chosen.rate,
            "false_alarm_bound": chosen.bound,
            "tail": chosen.tail,
            "threshold_interval": chosen.interval,
            "thresholds_without": tuple(each.value for each in without) if without else None,
        }
    )


def _each(model: JointGaussian, captures: Sequence, device: torch.device) -> Iterable[Tensor]:
    """[1, T, h, w] of each capture."""
    return (model.describe(levels) for levels in Recompute(model, captures, device).each())


def _learned(
    model: JointGaussian, captures: CaptureSet, config: TrainConfig, device: torch.device, told: Callable = iter
) -> tuple[Moments, Tensor]:
    """The moments of all places that are looked at, blurred copies included, and the captures' vectors, as kept."""
    moments, kept = Moments(len(model.mean)), []
    for vectors in told(_each(model, captures, device)):
        model.add_to(moments, vectors)
        kept.append(vectors.half().cpu())
    if soft := blurred(captures, config.disturbing.blur):
        for vectors in told(_each(model, soft, device)):
            model.add_to(moments, vectors)
    return moments, torch.cat(kept)
