"""Run one job in this process and leave its result file. The same for local processes and for a cluster's.

A method that fails leaves a result that says why, so that the others go on.
"""

import os
import platform
import subprocess
import time
import traceback
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from afrd import __version__
from afrd.benchmark import paper
from afrd.benchmark.baselines.shared_features import share
from afrd.benchmark.class_data import PARTS, ClassData
from afrd.benchmark.job import Job, Scored, Settings
from afrd.benchmark.methods import get_method, needs
from afrd.benchmark.results import Store
from afrd.datasets import EYECANDIES_LIGHTS, CaptureSet
from afrd.evaluation.evaluate import compare, truth
from afrd.evaluation.result import CaptureResult, Evaluation
from afrd.training.threshold import threshold

_PACKAGES = ("torch", "timm", "numpy", "anomalib", "ray")


def run_job(root: Path, job: Job, settings: Settings, folder: Path) -> str:
    """root: the data set; folder: of the comparison. Returns "done" or "failed"; the result file says the rest."""
    import torch

    torch.set_num_threads(settings.threads)
    Store(folder).settings()  # raises where the folder is not the one that every machine shares
    store, started = Store(folder), time.perf_counter()
    _reset_peak_memory()
    try:
        result = _result(root, job, settings, store)
    except Exception as error:  # whatever a method does wrong is its row in the table
        result = {"status": "failed", "error": _reason(error), "traceback": traceback.format_exc()}
    store.write(
        job,
        result
        | {
            "seconds_total": time.perf_counter() - started,
            "peak_memory_mb": _peak_memory_mb(),
            "settings": settings.model_dump(mode="json"),
            "versions": versions(),
            "commit": commit(),
        },
    )
    return result["status"]


def _result(root: Path, job: Job, settings: Settings, store: Store) -> dict[str, Any]:
    method = get_method(job.method)
    data = ClassData(root, job.category, settings, store.features)
    if method.reads == "image":
        images = [data.images(part, job.light) for part in PARTS]
        arguments = (*images, settings, job.seed)
        if method.shares:
            share(settings, data.store, images)  # as below: no method's time counts the teacher's
            arguments = (*arguments, data.store)
    elif method.after:
        each = [store.read_maps(need) for need in needs(job, len(data.lights))]
        arguments = tuple(np.stack(maps).astype(np.float32) for maps in zip(*each, strict=True))
    else:
        arguments = (data, job, settings)
        for part in PARTS:
            data.features(part)  # the first job of a class waits for the teacher; its training time does not count it
    function, started = method.load(), time.perf_counter()
    scored: Scored = function(*arguments)
    seconds = time.perf_counter() - started
    if scored.maps is not None and method.reads != "image":
        store.write_maps(job, scored.holdout_maps, scored.maps)
    figures = evaluate_scores(data, scored, settings).to_json()
    del figures["config"], figures["seconds_per_capture"]  # the settings stand once; inspection was not timed
    return figures | {
        "status": "done",
        "holdout_scores": scored.holdout_scores.tolist(),
        "seconds_fit": seconds,
        "teacher_digest": data.teacher_digest,
        "config": scored.config,
        "n_train": len(data.train),
        "data": {"kind": _kind(root, data.test), "digests": data.digests},
    }


def evaluate_scores(data: ClassData, scored: Scored, settings: Settings) -> Evaluation:
    """The metrics of the whole project, from what a method said of the test captures."""
    if not np.isfinite(scored.holdout_scores).all():
        raise ValueError(f"scores of held-out captures are not finite: {scored.holdout_scores}")
    limit = threshold(scored.holdout_scores.tolist(), settings.false_alarm_rate)
    results, truths, maps = [], [], None if scored.maps is None else []
    for i in range(len(data.test)):
        capture, score = data.test[i], float(scored.scores[i])
        if not np.isfinite(score):
            raise ValueError(f"capture {capture.id}: its score is {score}")
        weights = None if scored.light_weights is None else scored.light_weights[i].astype(np.float64).round(4)
        results.append(
            CaptureResult(capture.id, bool(capture.anomalous), tuple(capture.defects), score, score > limit, weights)
        )
        truths.append(truth(capture))
        if maps is not None:
            maps.append(cv2.resize(scored.maps[i].astype(np.float32), capture.size[::-1]))
    return compare(data.test, results, truths, maps, threshold=limit, seconds_per_capture=None, config={})


def _kind(root: Path, captures: CaptureSet) -> str:
    """rendered, eyecandies (its layout, so the paper's figures may stand beside), or folder."""
    if (root / "render.yaml").is_file():
        return "rendered"
    known = captures.lights.names == EYECANDIES_LIGHTS and captures.category in paper.CLASSES
    return "eyecandies" if known else "folder"


def _reason(error: Exception) -> str:
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def versions() -> dict[str, str]:
    """Of what computes, where installed."""
    found = {"afrd": __version__, "python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def commit() -> str | None:
    """Of the source this runs from, "+" where it was changed since; None for an installed package."""
    here = Path(__file__)
    describe = ["describe", "--always", "--abbrev=12", "--dirty=+", "--exclude=*"]
    try:
        for arguments in (["ls-files", "--error-unmatch", here.name], describe):  # not the user's own repository
            git = ["git", "-C", here.parent, *arguments]
            done = subprocess.run(git, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()


def _reset_peak_memory() -> None:
    """Linux counts the peak anew, so that jobs of one process do not hide each other's."""
    path = Path("/proc/self/clear_refs")
    if path.exists() and os.access(path, os.W_OK):
        path.write_text("5")


def _peak_memory_mb() -> float | None:
    """Of this process, mapped files included; None where the system does not tell."""
    status = Path("/proc/self/status")
    lines = status.read_text().splitlines() if status.exists() else []
    peak = [int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM")]
    return peak[0] if peak else None
