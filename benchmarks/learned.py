"""What several measurements do: learn a category with some settings, judge its test captures, give the figures."""

import shutil
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from afrd.comparison.statistics import Runs, areas, difference
from afrd.datasets import CaptureSet, open_dataset
from afrd.evaluation import Evaluation, evaluate
from afrd.families import TrainConfig
from afrd.inspector import Inspector
from afrd.training import train


def splits_of(data: Path, category: str, test: str) -> dict[str, CaptureSet]:
    """train, val, and as "test" the split of that name."""
    names = {"train": "train", "val": "val", "test": test}
    return {name: open_dataset(data, category, split) for name, split in names.items()}


def run_of(splits: dict[str, CaptureSet], run: Path, config: TrainConfig) -> Inspector:
    """Learned into this folder; a whole run that is there already is taken as it is."""
    if not (run / "model.yaml").is_file():
        shutil.rmtree(run, ignore_errors=True)  # of a process that was killed
        train(splits["train"], run, config, holdout=splits["val"])
    return Inspector.load(run)


def learned(splits: dict[str, CaptureSet], config: TrainConfig) -> tuple[Evaluation, dict[str, Any]]:
    """The evaluation, and its figures: areas with their 95 % intervals, verdicts, seconds of the processor."""
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        train(splits["train"], Path(folder) / "run", config, holdout=splits["val"])
        done = time.process_time()
        found = evaluate(Inspector.load(Path(folder) / "run"), splits["test"])
        judged = time.process_time()
    each = {
        "I-AUROC": found.metrics.image_auroc,
        "P-AUROC": found.metrics.pixel_auroc,
        "AU-PRO": found.metrics.au_pro,
    }
    return found, {what: [round(v, 4) for v in (area.value, area.low, area.high)] for what, area in each.items()} | {
        "good called anomalous": f"{sum(one.outcome == 'false alarm' for one in found.captures)} of {found.n_good}",
        "bad found": f"{sum(one.outcome == 'found' for one in found.captures)} of {found.n_bad}",
        "light faults": sum(not one.judged for one in found.captures),
        "seconds of learning": round(done - start, 1),
        "seconds of a capture, read and judged": round((judged - done) / len(found.captures), 3),
    }


def compared(found: Evaluation, others: dict[str, float]) -> list[float | None]:
    """I-AUROC less that of other scores of the same captures, by id, and its 95 % interval, paired over captures."""
    both = [one for one in found.captures if one.judged and one.id in others]
    labels, scores = [one.anomalous for one in both], [one.score for one in both]
    return less(found.category, labels, scores, [others[one.id] for one in both])


def less(name: str, labels: Sequence[bool], scores: Sequence[float], others: Sequence[float]) -> list[float | None]:
    """I-AUROC of scores less that of others, and the ends of its 95 % interval, paired over captures."""
    runs = {which: Runs((0,), np.array([each])) for which, each in (("these", scores), ("others", others))}
    drawn = areas(name, np.array(labels), runs)
    found = difference(drawn["these"], drawn["others"])
    return [None if value is None else round(value, 4) for value in (found.value, *(found.interval or (None, None)))]
