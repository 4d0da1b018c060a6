"""Result files → one series of runs per class, method and light policy, those that are derived from others included.

A *column* is a method under a light policy. Two policies are never run: "mean-score" is the plain mean, over the
lights, of a method's raw scores (its lights share a unit, as they share the method); "oracle-light" takes, class by
class, the light whose I-AUROC on the test labels is best. That one is an ORACLE: nobody has those labels when a light
must be chosen. Knows no tables.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from afrd.comparison.job import ALL_LIGHTS, MEAN_IMAGE, Job
from afrd.comparison.methods import get_method, place
from afrd.comparison.results import read_results
from afrd.comparison.statistics import Runs
from afrd.errors import RunError
from afrd.evaluation.metrics import image_auroc

MEAN_SCORE = "mean-score"
ORACLE_LIGHT = "oracle-light"
AS_IT_IS = ""
PIXEL_METRICS = ("pixel_auroc", "au_pro")

_POLICIES = {
    ALL_LIGHTS: "all lights",
    MEAN_IMAGE: "mean image",
    MEAN_SCORE: "mean score over lights",
    ORACLE_LIGHT: "ORACLE: best light by test label",
}


class Column(NamedTuple):
    """A method under a light policy."""

    method: str
    policy: str

    @property
    def method_title(self) -> str:
        return get_method(self.method).title

    @property
    def policy_title(self) -> str:
        return _POLICIES[self.policy] if self.policy in _POLICIES else f"L{int(self.policy) + 1}"


@dataclass(frozen=True)
class ClassCaptures:
    """The test captures of a class, the same for every method. labels: [K] bool.  defects: types of each."""

    ids: tuple[str, ...]
    labels: np.ndarray
    defects: tuple[tuple[str, ...], ...]

    def with_defect(self, defect: str) -> np.ndarray:
        """[K] bool: the good captures and those with the defect type."""
        return ~self.labels | np.array([defect in types for types in self.defects])


class Disturbed(NamedTuple):
    """The runs of a column on a class that were judged under one disturbance, or as it is.

    runs: their scores.  alarms: their verdicts, 1 for anomalous; None where the policy has no threshold of its own.
    light_faults: share of good captures whose lights the light check reports; None where it was not asked.
    """

    runs: Runs
    alarms: Runs | None = None
    light_faults: float | None = None


@dataclass(frozen=True)
class Series:
    """The finished runs of a column on a class.

    pixel: metric → (value or None, interval or None) of each run.  undefined: metric → why a value is None.
    seconds, memory: mean and largest of the runs; None where the policy has no run of its own.
    light: index of the light that the oracle took.
    disturbed: disturbance → those runs that were judged under it; AS_IT_IS → all.  refused: disturbance → why it could
        not be applied to the class.  stated: mean false-alarm rate that held-out parts promise; None where unknown.
    """

    runs: Runs
    pixel: Mapping[str, list[tuple[float | None, tuple[float, float] | None]]]
    undefined: Mapping[str, str] = field(default_factory=dict)
    seconds: float | None = None
    memory: float | None = None
    light: int | None = None
    disturbed: Mapping[str, Disturbed] = field(default_factory=dict)
    refused: Mapping[str, str] = field(default_factory=dict)
    stated: float | None = None


@dataclass(frozen=True)
class Comparison:
    """What a comparison folder holds.

    kind: of the data set: "rendered", "eyecandies", or another; None where no job is done.
    classes: sorted by name.  series: (class, column) → its finished runs.  failed: the same → (seed, reason) of each.
    lights: names.  settings, versions, commits: of the finished jobs.  jobs: how many are "done" and "failed".
    """

    kind: str | None
    classes: dict[str, ClassCaptures | None]
    series: dict[tuple[str, Column], Series]
    failed: dict[tuple[str, Column], list[tuple[int, str]]]
    lights: tuple[str, ...]
    settings: dict[str, Any]
    versions: dict[str, Any]
    commits: tuple[str, ...]
    jobs: dict[str, int]

    @property
    def columns(self) -> list[Column]:
        """Every column with a run, done or failed, in the order of the methods."""
        policies = list(_POLICIES)
        found = {column for _, column in (*self.series, *self.failed)}
        known = {column: policies.index(column.policy) if column.policy in policies else -1 for column in found}
        return sorted(found, key=lambda c: (place(c.method), known[c], len(c.policy), c.policy))

    def having(self, column: Column) -> list[str]:
        """The classes on which a column has a finished run."""
        return [name for name in self.classes if (name, column) in self.series]


def load_comparison(folder: Path) -> Comparison:
    """Read the result files of a comparison folder.

    Raises RunError: no results, or results that do not belong together; ModelError: of a method that is unknown.
    """
    results = read_results(folder)
    if not results:
        raise RunError(f"{folder}: holds no results; run `afrd benchmark SUITE --data DATA --out {folder}` first")
    for job in results:
        get_method(job.method)
    done = {job: result for job, result in sorted(results.items()) if result["status"] == "done"}
    failed: dict[tuple[str, Column], list[tuple[int, str]]] = defaultdict(list)
    for job, result in sorted(results.items()):
        if result["status"] != "done":
            failed[job.category, Column(job.method, job.light)].append((job.seed, result["error"]))
    kind = _one(folder, "data sets", {result["data"]["kind"] for result in done.values()})
    lights = _one(folder, "lights", {tuple(result["lights"]) for result in done.values()}) or ()
    captures = {name: _captures(folder, name, done) for name in sorted({job.category for job in results})}
    series = _series(done)
    for name in captures:
        for method in {column.method for of, column in series if of == name and column.policy.isdecimal()}:
            series |= _derived(name, method, captures[name], series, len(lights))
    first = next(iter(done.values()), {})
    return Comparison(
        kind=kind,
        classes=captures,
        series=series,
        failed=dict(failed),
        lights=lights,
        settings=first.get("settings", {}),
        versions=_versions(done.values()),
        commits=tuple(sorted({result["commit"] for result in done.values() if result["commit"]})),
        jobs={"done": len(done), "failed": len(results) - len(done)},
    )


def _versions(results: Iterable[dict]) -> dict[str, str]:
    """Of every package, all that were used."""
    found: dict[str, set[str]] = defaultdict(set)
    for result in results:
        for package, version in result.get("versions", {}).items():
            found[package].add(version)
    return {package: " and ".join(sorted(versions)) for package, versions in found.items()}


def _one(folder: Path, what: str, found: set) -> Any:
    if len(found) > 1:
        raise RunError(f"{folder}: results of different {what} ({sorted(found)}); keep one comparison a folder")
    return next(iter(found), None)


def _captures(folder: Path, name: str, done: dict[Job, dict]) -> ClassCaptures | None:
    """Raises RunError where two methods were tested on different captures: nothing could be paired."""
    first: tuple[Job, tuple, dict] | None = None
    for job, result in done.items():
        if job.category != name:
            continue
        rows = tuple((row["id"], row["anomalous"], tuple(row["defects"])) for row in result["captures"])
        digests = result["data"]["digests"]
        first = first or (job, rows, digests)
        if (rows, digests) != first[1:]:
            raise RunError(
                f"{folder}: {first[0].id} and {job.id} were made from different captures; remove the result that is "
                f"out of date and run the comparison again"
            )
    if first is None:
        return None
    ids, labels, defects = zip(*first[1], strict=True)
    return ClassCaptures(ids, np.array(labels, dtype=bool), defects)


def _series(done: dict[Job, dict]) -> dict[tuple[str, Column], Series]:
    grouped: dict[tuple[str, Column], dict[int, dict]] = defaultdict(dict)
    for job, result in done.items():
        grouped[job.category, Column(job.method, job.light)][job.seed] = result
    series = {}
    for key, by_seed in grouped.items():
        rows = list(by_seed.values())
        scores = np.array([[capture["score"] for capture in row["captures"]] for row in rows], dtype=np.float64)
        series[key] = Series(
            Runs(tuple(by_seed), scores),
            {m: [(row[m], tuple(row[f"{m}_ci"]) if row[f"{m}_ci"] else None) for row in rows] for m in PIXEL_METRICS},
            {m: reason for row in rows for m, reason in row["undefined"].items()},
            seconds=float(np.mean([row["seconds_fit"] for row in rows])),
            memory=max((row["peak_memory_mb"] for row in rows if row["peak_memory_mb"]), default=None),
            disturbed=_disturbed(by_seed),
            refused={by: found["refused"] for row in rows for by, found in _of(row).items() if "refused" in found},
            stated=float(np.mean([row["stated_rate"] for row in rows])) if "stated_rate" in rows[0] else None,
        )
    return series


def _of(result: dict) -> dict[str, dict]:
    """What a result says of each disturbance; results of before there were any say nothing."""
    return result.get("disturbed", {})


def _disturbed(by_seed: Mapping[int, dict]) -> dict[str, Disturbed]:
    names = dict.fromkeys(by for result in by_seed.values() for by, found in _of(result).items() if "scores" in found)
    series = {}
    for by in (AS_IT_IS, *names):
        found: dict[int, tuple[np.ndarray, np.ndarray, float | None]] = {}
        for seed, result in by_seed.items():
            one = _of(result).get(by, {})
            if by == AS_IT_IS:
                scores = np.array([capture["score"] for capture in result["captures"]])
                above = np.array([capture["verdict"] == "anomalous" for capture in result["captures"]])
                found[seed] = scores, above, result.get("light_fault_rate")
            elif "scores" in one:
                scores = np.array(one["scores"])
                above = np.array(one.get("above", scores > result["threshold"]))  # older results have one threshold
                found[seed] = scores, above, one["light_fault_rate"]
        scores, above = (np.stack(each) for each in list(zip(*found.values(), strict=True))[:2])
        series[by] = Disturbed(Runs(tuple(found), scores), Runs(tuple(found), above), next(iter(found.values()))[2])
    return series


def _derived(
    name: str,
    method: str,
    captures: ClassCaptures,
    series: dict[tuple[str, Column], Series],
    n_lights: int,
) -> dict[tuple[str, Column], Series]:
    """The policies that need every light of a method; none where a light is missing."""
    lights = [series.get((name, Column(method, str(light)))) for light in range(n_lights)]
    if any(light is None for light in lights):
        return {}
    derived = {}
    if shared := sorted(set.intersection(*(set(light.runs.seeds) for light in lights))):
        rows = [light.runs.scores[[light.runs.seeds.index(seed) for seed in shared]] for light in lights]
        seconds = sum(light.seconds for light in lights)
        memory = max((light.memory for light in lights if light.memory), default=None)
        runs = Runs(tuple(shared), np.mean(rows, axis=0))
        disturbed = _mean_disturbed([light.disturbed for light in lights])
        derived[name, Column(method, MEAN_SCORE)] = Series(
            runs, {}, seconds=seconds, memory=memory, disturbed=disturbed, refused=lights[0].refused
        )
    if 0 < captures.labels.sum() < len(captures.labels):
        values = [
            np.mean([image_auroc(captures.labels, run, resamples=1).value for run in light.runs.scores])
            for light in lights
        ]
        best = int(np.argmax(values))
        chosen = lights[best]
        derived[name, Column(method, ORACLE_LIGHT)] = replace(chosen, seconds=None, memory=None, light=best)
    return derived


def _mean_disturbed(lights: Sequence[Mapping[str, Disturbed]]) -> dict[str, Disturbed]:
    """Mean scores over the lights, under what all of them were judged under with the same seeds."""
    mean = {}
    for by, first in lights[0].items():
        if all(by in light and light[by].runs.seeds == first.runs.seeds for light in lights):
            runs = Runs(first.runs.seeds, np.mean([light[by].runs.scores for light in lights], axis=0))
            mean[by] = Disturbed(runs, None, first.light_faults)
    return mean
