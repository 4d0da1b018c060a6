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

import numpy as np

from afrd import __version__
from afrd.comparison import paper
from afrd.comparison.baselines.shared_features import share
from afrd.comparison.class_data import PARTS, ClassData
from afrd.comparison.job import Job, Scored, Settings
from afrd.comparison.methods import get_method, is_needed, needs
from afrd.comparison.results import Store
from afrd.comparison.scoring import by_copy, disturbed_results, figures_of
from afrd.console import prepare_process
from afrd.datasets import EYECANDIES_LIGHTS, CaptureSet

_PACKAGES = ("torch", "timm", "numpy", "anomalib", "ray")


def run_job(root: Path, job: Job, settings: Settings, folder: Path) -> str:
    """root: the data set; folder: of the comparison. Returns "done" or "failed"; the result file says the rest."""
    import torch

    torch.set_num_threads(settings.threads)
    prepare_process()
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
    data = ClassData(root, job.category, settings, store.features, job.disturb)
    if method.reads == "image":
        images = [data.images(part, job.light) for part in PARTS]
        arguments = (*images, settings, job.seed)
        if method.shares:
            share(settings, data.store, images)  # as below: no method's time counts the teacher's
            arguments = (*arguments, data.store)
    elif method.after:
        each = [store.read_maps(need, data.copies) for need in needs(job, len(data.lights))]
        arguments = tuple(np.stack(maps).astype(np.float32) for maps in zip(*each, strict=True))
    else:
        arguments = (data, job, settings)
        for part in PARTS if method.features else ():
            for by in data.copies if part == "test" else (None,):
                data.features(part, by)  # the first job of a class waits for the teacher; its time does not count it
    function, started = method.load(), time.perf_counter()
    scored: Scored = function(*arguments)
    seconds = time.perf_counter() - started
    copies = by_copy(data, scored)
    if scored.maps is not None and method.reads != "image":
        kept = data.copies[1:] if is_needed(job.method) else []
        store.write_maps(job, scored.holdout_maps, copies[None].maps, {by: copies[by].maps for by in kept})
    return figures_of(data, copies[None], settings) | {
        "status": "done",
        "holdout_scores": scored.holdout_scores.tolist(),
        "disturbed": disturbed_results(data, copies, settings),
        "seconds_fit": seconds,
        "teacher_digest": data.teacher_digest,
        "config": scored.config,
        "n_train": scored.learned or len(data.train),
        "data": {"kind": _kind(root, data.test), "digests": data.digests, "rig": data.rig},
    }


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
