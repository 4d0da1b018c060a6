"""Run the jobs of a comparison that have no result yet, in any order that their needs allow, and survive what happens.

A job that failed, or whose worker died twice, leaves a result that says why and is tried again next time. Knows neither
methods nor machines: a `Pool` runs `run_job`.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from afrd.benchmark.class_data import ClassData
from afrd.benchmark.job import Job, Settings
from afrd.benchmark.methods import get_method
from afrd.benchmark.pools import Pool
from afrd.benchmark.results import Store
from afrd.benchmark.worker import commit, run_job, versions
from afrd.files import locked_file

ATTEMPTS = 2


@dataclass(frozen=True)
class Progress:
    """Told after every job. job, status: of the one that ended ("done", "failed", "lost").

    done, failed, running, total: jobs, those that an earlier start did included. seconds_left: None at first.
    """

    job: Job
    status: str
    done: int
    failed: int
    running: int
    total: int
    seconds_left: float | None


def run_comparison(
    root: Path,
    jobs: Sequence[Job],
    settings: Settings,
    folder: Path,
    pool: Callable[[], Pool],
    on_job: Callable[[Progress], None] = lambda progress: None,
) -> list[Job]:
    """root: the data set. folder: of the comparison; one runner at a time. pool: opened once there is work.

    Returns the jobs that failed. Raises RunError: other settings, other captures than those of earlier results, a
    damaged result file, or another runner in the folder; DatasetError: a class that cannot be opened.
    """
    store = Store(folder)
    busy = f"{folder}: another process runs this comparison; wait for it, or choose another --out"
    with locked_file(Path(folder) / ".lock", busy):
        store.open(settings)
        results = store.read()
        _check_data(store, root, jobs, settings, results)
        finished = {job for job, result in results.items() if result["status"] == "done"}
        missing = [job for job in jobs if job not in finished]
        failed = _run(root, missing, finished, settings, store, pool, on_job, len(jobs)) if missing else []
        store.write_table()
    return failed


def _check_data(store: Store, root: Path, jobs: Sequence[Job], settings: Settings, results: dict) -> None:
    """Every class can be opened, and is what earlier results were made from."""
    data = {name: ClassData(root, name, settings, store.features) for name in sorted({job.category for job in jobs})}
    known = {job.category for job in results}
    store.require_same_data({name: d.digests for name, d in data.items() if name in known}, results.values())


def _run(root, missing, finished, settings, store: Store, open_pool, on_job, total: int) -> list[Job]:
    waiting, failed, attempts = list(missing), [], Counter()
    needs = {job: _needs(job, [*finished, *missing]) for job in waiting}
    started, pool = time.monotonic(), open_pool()
    running: dict[object, Job] = {}

    def ended(job: Job, status: str) -> None:
        settled = len(missing) - len(waiting) - len(running)
        left = (time.monotonic() - started) / settled * (len(missing) - settled) if settled else None
        done = total - len(missing) + settled - len(failed)
        on_job(Progress(job, status, done, len(failed), len(running), total, left))

    try:
        while waiting or running:
            for job in [j for j in waiting if any(need in failed for need in needs[j])]:
                waiting.remove(job)
                _fail(store, job, f"needs {next(n for n in needs[job] if n in failed).id}, which failed", settings)
                failed.append(job)
                ended(job, "failed")
            ready = [j for j in waiting if all(need in finished for need in needs[j])]
            for job in ready[: pool.slots - len(running)]:
                waiting.remove(job)
                running[pool.submit(run_job, root, job, settings, store.folder)] = job
            if not running:
                continue
            handle, status = pool.wait(list(running))
            job = running.pop(handle)
            attempts[job] += 1
            if status is None and attempts[job] < ATTEMPTS:
                waiting.insert(0, job)
                ended(job, "lost")
                continue
            if status is None:
                _fail(store, job, f"its process died {ATTEMPTS} times: out of memory? Use fewer --workers", settings)
            if status == "done":
                finished.add(job)
            else:
                failed.append(job)
            ended(job, status or "failed")
    finally:
        pool.close()
    return failed


def _needs(job: Job, jobs: Sequence[Job]) -> list[Job]:
    """The jobs whose maps this one combines."""
    first = get_method(job.method).after
    return [j for j in jobs if (j.method, j.category, j.seed) == (first, job.category, job.seed)]


def _fail(store: Store, job: Job, reason: str, settings: Settings) -> None:
    store.write(
        job,
        {
            "status": "failed",
            "error": reason,
            "settings": settings.model_dump(mode="json"),
            "versions": versions(),
            "commit": commit(),
        },
    )
