"""Run the jobs of a comparison that have no result yet, in any order that their needs allow, and survive what happens.

A job that failed, or whose worker died twice, leaves a result that says why and is tried again next time; a finished
result that was to be extended stays, with the reason beside. Knows neither methods nor machines: a `Pool` runs
`run_job`.
"""

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from afrd.comparison.class_data import ClassData
from afrd.comparison.job import Job, Settings
from afrd.comparison.methods import get_method, needs
from afrd.comparison.pools import Pool
from afrd.comparison.results import Store, read_result
from afrd.comparison.worker import commit, run_job, versions
from afrd.errors import RunError
from afrd.files import locked_file

ATTEMPTS = 2


@dataclass(frozen=True)
class Progress:
    """How far a comparison is. job, status: of the one that ended ("done", "failed", "lost"); None at the start.

    done, failed, running, total: jobs, those that an earlier start did included. seconds_left: None at first.
    """

    job: Job | None
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
    on_progress: Callable[[Progress], None] = lambda progress: None,
) -> list[Job]:
    """root: the data set. folder: of the comparison; one runner at a time. pool: opened once there is work.

    Returns the jobs that failed. Raises RunError: other settings, other captures or teacher weights than those of
    earlier results, a damaged result file, or another runner in the folder; DatasetError, ModelError, WeightsError,
    MissingExtraError: what no job could be run with.
    """
    store = Store(folder)
    busy = f"{folder}: another process runs this comparison; wait for it, or choose another --out"
    with locked_file(Path(folder) / ".lock", busy):
        store.require_fitting(settings)
        results = store.read() if (store.folder / "suite.yaml").is_file() else {}
        lights = _check(store, root, jobs, settings, results)
        store.open(settings)
        store.gather()
        missing = [with_all(job, results.get(job)) for job in jobs if not is_finished(job, results.get(job))]
        finished = {job for job, result in results.items() if result["status"] == "done"}.difference(missing)
        try:
            comparison = _Comparison(root, missing, finished, settings, store, lights, on_progress)
            return comparison.run(pool) if missing else []
        finally:
            store.gather()
            store.write_csv()


def is_finished(job: Job, result: dict | None) -> bool:
    """Whether a result, if there is one, says all that is asked of the job."""
    return result is not None and result["status"] == "done" and set(job.disturb) <= set(result.get("disturbed", ()))


def with_all(job: Job, result: dict | None) -> Job:
    """The job, also under the disturbances of an earlier result, which it replaces."""
    before = (result or {}).get("disturbed", ())
    return replace(job, disturb=tuple(dict.fromkeys((*before, *job.disturb))))


def _check(store: Store, root: Path, jobs: Sequence[Job], settings: Settings, results: dict) -> int:
    """Everything that would make every job fail, before the first one starts. Returns the number of lights."""
    data = {name: ClassData(root, name, settings, store.features) for name in sorted({job.category for job in jobs})}
    if not data:
        raise RunError("no jobs: the suite names no classes or methods")
    first = next(iter(data.values()))
    for name, each in data.items():
        if each.lights != first.lights:
            raise RunError(f"{root}: {name} has other lights than {first.train.category}; compare them apart")
    for method in {job.method for job in jobs}:
        get_method(method).load()
    known = {job.category for job in results}
    digests = {name: each.digests for name, each in data.items() if name in known}
    rigs = {name: data[name].rig for name in digests}
    store.require_same_origin(digests, rigs, first.teacher_digest, results.values())
    return len(first.lights)


class _Comparison:
    """The jobs without a result, and where each stands."""

    def __init__(self, root, missing, finished, settings: Settings, store: Store, lights: int, on_progress) -> None:
        self.root, self.settings, self.store, self.on_progress = root, settings, store, on_progress
        self.waiting, self.finished, self.failed = list(missing), set(finished), []
        self.running: dict[object, Job] = {}
        self.attempts: Counter[Job] = Counter()
        self.needs = {job: needs(job, lights) for job in missing}
        self.n_missing, self.n_before, self.started = len(missing), len(finished), time.monotonic()

    def run(self, open_pool: Callable[[], Pool]) -> list[Job]:
        """Until every job is done or failed; returns those that failed."""
        pool = open_pool()
        ended: list[tuple[Job | None, str]] = [(None, "start")]
        try:
            while self.waiting or self.running:
                ended += self._give_up()
                self._submit(pool)
                for job, status in ended:
                    self._tell(job, status)
                ended = [self._wait(pool)] if self.running else []
            for job, status in ended:
                self._tell(job, status)
        finally:
            pool.close()
        return self.failed

    def _give_up(self) -> list[tuple[Job, str]]:
        """Jobs that need one that failed."""
        hopeless = [job for job in self.waiting if any(need in self.failed for need in self.needs[job])]
        for job in hopeless:
            self.waiting.remove(job)
            self._fail(job, f"needs {next(n for n in self.needs[job] if n in self.failed).id}, which failed")
        return [(job, "failed") for job in hopeless]

    def _submit(self, pool: Pool) -> None:
        ready = [job for job in self.waiting if all(need in self.finished for need in self.needs[job])]
        for job in ready[: pool.slots - len(self.running)]:
            self.waiting.remove(job)
            self.running[pool.submit(run_job, self.root, job, self.settings, self.store.folder)] = job

    def _wait(self, pool: Pool) -> tuple[Job, str]:
        handle, status, reason = pool.wait(list(self.running))
        job = self.running.pop(handle)
        self.attempts[job] += 1
        path = self.store.result_path(job)
        if status != "done" and path.is_file() and read_result(path)["status"] == "done":
            status = "done"  # it, or its machine, died after its work
        if status is None and self.attempts[job] < ATTEMPTS:
            self.waiting.insert(0, job)
            return job, "lost"
        if status == "done" and not path.is_file():
            status, reason = "failed", f"left no {path}: --out must be the same folder on every machine"
        if status == "done":
            self.finished.add(job)
            return job, "done"
        if status is None:
            reason = f"its process died {ATTEMPTS} times: out of memory? Use fewer --workers"
        self._fail(job, reason)
        return job, "failed"

    def _fail(self, job: Job, reason: str | None) -> None:
        """reason: None where the job left a result that says why."""
        self.failed.append(job)
        if reason:
            settings = self.settings.model_dump(mode="json")
            failure = {"status": "failed", "error": reason, "settings": settings}
            self.store.write(job, failure | {"versions": versions(), "commit": commit()})

    def _tell(self, job: Job | None, status: str) -> None:
        settled = self.n_missing - len(self.waiting) - len(self.running)
        rate = (time.monotonic() - self.started) / settled if settled else None
        self.on_progress(
            Progress(
                job,
                status,
                done=self.n_before + settled - len(self.failed),
                failed=len(self.failed),
                running=len(self.running),
                total=self.n_before + self.n_missing,
                seconds_left=None if rate is None else rate * (self.n_missing - settled),
            )
        )
