"""Further good parts for a fitted joint model, without fitting it anew: their moments are added to those it came from.

A run that was trained `growable` keeps a memory beside its weights: number, mean and scatter of the vectors of its good
captures (`afrd.model.moments`), the vectors themselves in half precision, and those of the held-out captures. Mean and
covariance of the grown model are exactly those of a fit to all captures. What is usual at which places and the
threshold are learned anew from the vectors, without the teacher. The directions of painted defects and of disturbances
stay those of the first fit.
"""

import json
import os
import shutil
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from afrd.capture import LightRig
from afrd.card import ModelCard
from afrd.checkpoint import load_model, read_tensors, save_model, trained_digest
from afrd.datasets import CaptureSet, Record, read_ahead, require_lights, verify
from afrd.errors import DatasetError, RunError
from afrd.families import HeldOutScores, TrainConfig
from afrd.families.joint import GROWTH_FILE
from afrd.files import atomic_folder, atomic_path
from afrd.model import JointGaussian
from afrd.model.moments import Moments
from afrd.progress import Progress
from afrd.training.disturbed import blurred, disturbed_copies
from afrd.training.features import Recompute
from afrd.training.holdout import of_each, question_outlier
from afrd.training.promises import promises
from afrd.yaml_model import parse


@dataclass(frozen=True)
class Memory:
    """moments: of all vectors that are learned from. disturbed: [T, T], see `JointGaussian.disturbed`.

    vectors: [M, T, h, w] half, of the captures learned from. held_out: [K, T, h, w] half, of those that set the
    threshold, and then of their disturbed copies. scored: the id, group, view and first file of each held-out capture,
    without the copies. doubtful: the group of the one that was not counted, or None. unlike: see
    `afrd.training.disturbed.noted`.
    """

    moments: Moments
    disturbed: Tensor
    vectors: Tensor
    held_out: Tensor
    scored: tuple[tuple[str, str, str | None, str], ...]
    doubtful: str | None
    unlike: list[list[bool]] | None

    def held_out_captures(self, lights: LightRig) -> CaptureSet:
        """For their names alone: the files may be gone."""
        records = [Record(id, (Path(file),), False, group=group, view=view) for id, group, view, file in self.scored]
        return CaptureSet(Path(), None, None, lights, records)


@torch.inference_mode()
def remember(
    model: JointGaussian,
    captures: CaptureSet,
    holdout: CaptureSet,
    config: TrainConfig,
    device: torch.device,
    doubtful: str | None = None,
    unlike: list[list[bool]] | None = None,
) -> Memory:
    """Of a model that was just fitted to `captures`. doubtful: the group of a part of `holdout` that is not counted."""
    copies = disturbed_copies(holdout, config.seed, config.disturbing.copies)
    moments, vectors = _learned(model, captures, config, device)
    return Memory(
        moments,
        model.disturbed,
        vectors,
        torch.cat([each.half().cpu() for part in (holdout, *copies) for each in _each(model, part, device)]),
        tuple(
            (record.id, group, record.view, Path(os.path.relpath(record.images[0], holdout.root)).as_posix())
            for record, group in zip(holdout.records, holdout.groups, strict=True)
        ),
        doubtful,
        unlike,
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
        names = {name: json.dumps(getattr(memory, name)) for name in ("scored", "doubtful", "unlike")}
        save_file(tensors, temporary, metadata=names)


def read_memory(run: Path) -> Memory:
    """Raises RunError: the run keeps none, or it is damaged."""
    path = run / GROWTH_FILE
    if not path.is_file():
        raise RunError(f"{run}: cannot grow, it was trained without --growable; train a new version once")
    tensors = read_tensors(path)
    with safe_open(path, "pt") as file:
        names = file.metadata() or {}
    if "scored" not in names:
        raise RunError(
            f"{run}: cannot grow, an earlier afrd trained it, without the names of held-out captures; train a new "
            f"version once"
        )
    scored, doubtful = tuple(map(tuple, json.loads(names["scored"]))), json.loads(names["doubtful"])
    unlike = json.loads(names.get("unlike", "null"))
    moments = Moments.of_parts(int(tensors["count"]), tensors["mean"], tensors["scatter"])
    return Memory(moments, tensors["disturbed"], tensors["vectors"], tensors["held_out"], scored, doubtful, unlike)


@torch.inference_mode()
def grow(run: Path, captures: CaptureSet, out: Path, progress: Progress | None = None) -> ModelCard:
    """The run's model with further good captures, as a run of its own at `out`.

    progress(done, steps). Raises RunError, DatasetError: it cannot grow, other lights, damaged captures, a dark light.
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
    _require_lit(captures, card)
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


def _require_lit(captures: CaptureSet, card: ModelCard) -> None:
    """Raises DatasetError: a light that is dark in one of them would be learned as good."""
    for capture in read_ahead(captures) if card.light_reference else ():
        for fault in card.light_reference.check(capture.images, (), capture.id):
            if fault.kind == "dark":
                raise DatasetError(
                    f"capture {capture.id}: light {captures.lights.names[fault.light]} is dark, as if it were not lit; "
                    f"take the capture out, or take it again"
                )


def _card(
    model: JointGaussian, card: ModelCard, config: TrainConfig, memory: Memory, more: int, told: Callable
) -> ModelCard:
    """With the threshold of the grown model, by the same rule as at training."""
    each_gone = model.without_each()
    subsets = [None, *filter(None, each_gone)]
    scores: list[list[float]] = [[] for _ in subsets]
    for vectors in told(each[None].float() for each in memory.held_out):
        for lights, mine in zip(subsets, scores, strict=True):
            mine.append(float(model.score_vectors(vectors, lights)))
    captures = memory.held_out_captures(card.lights.rig())
    versions = [
        HeldOutScores(all_lights[i : i + len(captures)], of_each(each_gone, [s[i : i + len(captures)] for s in others]))
        for all_lights, *others in [scores]
        for i in range(0, len(all_lights), len(captures))
    ]
    held_out = versions[0].with_copies(versions[1:], memory.unlike)
    doubtful = memory.doubtful or question_outlier(captures, versions[0].scores)
    chosen = promises(held_out, captures, config, model.highest, doubtful)
    update = {"captures": card.captures + more, "trained_digest": trained_digest(model)}
    return card.model_copy(update=chosen | update)


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
