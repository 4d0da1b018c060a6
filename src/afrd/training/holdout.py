"""Which good captures are learned from, and which set the threshold: never the same ones."""

import warnings
from collections.abc import Iterable, Sequence

import numpy as np
import torch

from afrd.datasets import CaptureSet, read_ahead, require_lights
from afrd.datasets.copies import copies, with_copies_as_one_part
from afrd.datasets.layout import shared_group_problems
from afrd.datasets.problems import raise_first
from afrd.errors import DatasetError
from afrd.families import HeldOutScores, TrainConfig
from afrd.imaging import Imaging
from afrd.imaging.region import MovedRegion, Region
from afrd.imaging.tiles import score
from afrd.model import MultiLightModel
from afrd.training.features import FeatureCache, Recompute, on_device

MIN_CAPTURES = 2
OUTLIER = 1.75  # times the score of all others, from which a held-out capture is questioned


def split_holdout(
    captures: CaptureSet, holdout: CaptureSet | None, config: TrainConfig
) -> tuple[CaptureSet, CaptureSet]:
    """Captures to train on and captures for the threshold; the same seed holds out the same ones.

    A part that was photographed more than once is on one side with all its captures. Where a picture is there twice in
    one set, both are of one part, and a warning says so.
    Raises DatasetError: an anomalous capture, a capture, a picture or a group in both, other lights, too few.
    """
    if holdout is not None:
        require_lights(holdout.lights, captures.lights, "held-out captures")
        raise_first(shared_group_problems([captures.records, holdout.records]))
        kept, held = _copies_as_one_part(captures, holdout)
    else:
        (captures,) = _copies_as_one_part(captures)
        parts = list(dict.fromkeys(captures.groups))
        order = np.random.default_rng(config.seed).permutation(len(parts)).tolist()
        n = max(1, round(config.holdout_share * len(parts)))
        chosen = {parts[i] for i in order[:n]}
        sides = [[i for i, part in enumerate(captures.groups) if (part in chosen) is side] for side in (True, False)]
        held, kept = map(captures.subset, sides)
    for part in (kept, held):
        bad = [record.id for record in part.records if record.anomalous]
        if bad:
            raise DatasetError(f"capture {bad[0]} is anomalous; training and threshold take good captures only")
    if len(kept) < MIN_CAPTURES or not len(held):
        raise DatasetError(
            f"{len(kept)} captures left to train on and {len(held)} for the threshold; expected at least "
            f"{MIN_CAPTURES} and 1, and some 60 and 12 for good results"
        )
    return kept, held


def _copies_as_one_part(*sets: CaptureSet) -> list[CaptureSet]:
    """Raises DatasetError: a picture in two of the sets."""
    records = [(i, record) for i, captures in enumerate(sets) for record in captures.records]
    pairs = copies([record for _, record in records])
    twins = [(records[later], records[first]) for later, first in pairs]
    both = [(one, other) for (i, one), (k, other) in twins if i != k]
    if both:
        one, other = both[0]
        raise DatasetError(
            f"{one.images[0]}: the same picture as {other.images[0]}; {len(both)} captures are both trained on and "
            f"held out, and a threshold from captures that the model knows is too low: hold out others"
        )
    if twins:
        (_, one), (_, other) = twins[0]
        warnings.warn(
            f"{one.images[0]}: the same picture as {other.images[0]}; {len(twins)} such captures count as one part "
            f"with the one they repeat. Take them out: they tell nothing new",
            stacklevel=4,
        )
    found, start = [], 0
    for captures in sets:
        own = [(a - start, b - start) for a, b in pairs if start <= a < start + len(captures)]
        found.append(with_copies_as_one_part(captures, own) if own else captures)
        start += len(captures)
    return found


@torch.inference_mode()
def score_held_out(
    model: MultiLightModel,
    features: FeatureCache | Recompute,
    device: torch.device,
    imaging: Imaging | None = None,
    without_each: bool = False,
    regions: Sequence[Region | MovedRegion | None] | None = None,
) -> HeldOutScores:
    """Of good captures that the model has not seen, by their features. without_each: also without each of several.

    imaging: as what the captures were seen, so that the features of several tiles are those of one capture.
    regions: from `moved_regions`.
    """
    scores: list[float] = []
    subsets = model.without_each() if without_each else []
    kept = [lights for lights in subsets if lights]
    others: list[list[float]] = [[] for _ in kept]
    maps: list[list[np.ndarray]] = [[] for _ in range(1 + len(kept))]
    for number, levels in enumerate(features.each()):
        levels = on_device(levels, device)
        answers = [model.judge(levels)]
        answers += [model.judge(levels, lights) for lights in kept]
        if imaging is None or not (imaging.tiling or regions):
            found = [float(answer.score) for answer in answers]
        else:
            for of_tiles, answer in zip(maps, answers, strict=True):
                of_tiles.append(answer.anomaly_map[0].cpu().numpy())
            if (number + 1) % imaging.tiles:
                continue
            moved = regions[number // imaging.tiles] if regions else None
            found = [score(imaging.join(np.stack(of_tiles), moved), model.top_share) for of_tiles in maps]
            maps = [[] for _ in maps]
        scores.append(found[0])
        for other, value in zip(others, found[1:], strict=True):
            other.append(value)
    return HeldOutScores(scores, of_each(subsets, others))


def of_each(subsets: Sequence[object | None], scores: Iterable[list[float]]) -> list[list[float] | None] | None:
    """subsets: as of `MultiLightModel.without_each`; scores: of those that are there. None: there is none."""
    given = iter(scores)
    return [next(given) if lights else None for lights in subsets] if any(subsets) else None


def moved_regions(captures: CaptureSet) -> list[Region | MovedRegion | None] | None:
    """Of each capture where it is looked at, if the region follows the part; else None."""
    if captures.imaging is None or captures.imaging.alignment is None:
        return None
    return [capture.region for capture in read_ahead(captures)]


def outlier(captures: CaptureSet, scores: Sequence[float]) -> int | None:
    """The capture that scores far above those of all other parts, by models that have not seen it; None: there is none.

    Where a capture stands there several times, as with disturbed copies, its first score counts. How many times a score
    is another says something above zero only: where the others' are below, none is found.
    """
    clean: dict[int, int] = {}
    for i, record in enumerate(captures.records):
        clean.setdefault(id(record), i)
    first = max(clean.values(), key=lambda i: scores[i])
    groups = captures.groups
    others = max((scores[i] for i in clean.values() if groups[i] != groups[first]), default=None)
    return first if others is not None and 0 < OUTLIER * others < scores[first] else None


def question_outlier(captures: CaptureSet, scores: Sequence[float]) -> str | None:
    """The part, by its group, that has an `outlier`: is it good? Warns of it; None: there is no such part.

    If it is not good, a threshold that counts it is too high.
    """
    found = outlier(captures, scores)
    if found is None:
        return None
    record, part = captures.records[found], captures.groups[found]
    others = max(score for score, group in zip(scores, captures.groups, strict=True) if group != part)
    warnings.warn(
        f"good capture {record.id} scores {scores[found]:.3g}, those of other parts at most {others:.3g}: is it good? "
        f"A threshold from a bad part misses bad parts, so this one is not counted. Look at {record.images[0]}: take "
        f"it out if it is bad, add more like it if it is good, and train again.",
        stacklevel=3,
    )
    return part
