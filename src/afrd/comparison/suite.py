"""From the name of a suite, or a YAML file, to the jobs of a comparison.

    classes: [Confetto, CandyCane]                              # default: all of the data set
    runs:
      - {methods: [rd], lights: [0, 5], seeds: [0]}             # lights: numbers, or mean-image; default: all there are
      - {methods: [mean, attention], seeds: [0, 1, 2]}
    disturb: [noise:2, jpeg]                                    # judged under these as well; standard: the usual ones

Knows what can be run, not how. Every mistake is found before the first job starts.
"""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from pydantic import Field

from afrd.card import Strict
from afrd.comparison.job import ALL_LIGHTS, Job
from afrd.comparison.methods import METHODS, get_method, needs
from afrd.disturb import STANDARD, Disturbance
from afrd.errors import ModelError, RunError
from afrd.yaml_model import parse, read_yaml

_PAPER = ("ganomaly", "dfkde", "dfm", "ssim-ae", "stfpm", "padim", "rd", "attention")
_BY_NAME = {
    "auto",  # is one of the others
    "anomalib-rd",  # takes ResNets only
    *("riad", "students", "cdo", "hit-milf", "multi-branch", "supersimplenet", "dinomaly"),  # no figure claimed yet
}
SUITES: dict[str, tuple[str, ...]] = {
    "table1": _PAPER,
    "table2": ("rd", "mean", "attention"),
    "table3": ("rd", "mean", "attention"),
    "all": tuple(name for name in METHODS if name not in _BY_NAME),
}


class Run(Strict):
    """Methods that are run under the same lights and seeds.

    lights: None for every policy a method can take. disturb: None for those of the suite.
    """

    methods: tuple[str, ...] = Field(min_length=1)
    lights: tuple[int | str, ...] | None = None
    seeds: tuple[int, ...] = Field((0,), min_length=1)
    disturb: tuple[str, ...] | None = None


class Suite(Strict):
    """What to compare. classes: empty for all of the data set. disturb: see `afrd.disturb`, or "standard"."""

    classes: tuple[str, ...] = ()
    disturb: tuple[str, ...] = ()
    runs: tuple[Run, ...] = Field(min_length=1)


def load_suite(name: str) -> Suite:
    """One of SUITES, or a YAML file. Raises RunError: neither, or a file that says something else."""
    if name in SUITES:
        return Suite(runs=(Run(methods=SUITES[name]),))
    path = Path(name)
    if path.suffix not in (".yaml", ".yml") or not path.is_file():
        raise RunError(f"suite {name!r}: unknown; choose {', '.join(SUITES)}, or name a YAML file that is there")
    return parse(Suite, read_yaml(path), path)


def narrowed(
    suite: Suite,
    classes: Sequence[str] = (),
    methods: Sequence[str] = (),
    lights: Sequence[str] = (),
    seeds: Sequence[int] = (),
    disturb: Sequence[str] = (),
) -> Suite:
    """The same suite with these classes, methods, lights, seeds and disturbances in every run; empty ones stay."""
    changed = {"methods": tuple(methods), "lights": tuple(lights), "seeds": tuple(seeds), "disturb": tuple(disturb)}
    runs = tuple(run.model_copy(update={k: v for k, v in changed.items() if v}) for run in suite.runs)
    return suite.model_copy(update={"classes": tuple(classes) or suite.classes, "runs": runs})


def jobs_of(suite: Suite, classes: Sequence[str], lights: int) -> list[Job]:
    """Every job, and those whose maps it needs, in the order in which they are run: by seed, then by class.

    classes: of the data set. lights: of its rig.
    Raises RunError, ModelError, DisturbanceError: an unknown class, method, light or disturbance.
    """
    unknown = [name for name in suite.classes if name not in classes]
    if unknown:
        raise RunError(f"class {unknown[0]!r}: not in the data set, which has {', '.join(classes)}")
    wanted = [
        Job(category, method, light, seed, _disturb(suite.disturb if run.disturb is None else run.disturb))
        for run in suite.runs
        for category in suite.classes or classes
        for method in run.methods
        for seed in (run.seeds if get_method(method).seeded else run.seeds[:1])
        for light in _lights(method, run.lights, lights)
    ]
    needed: dict[Job, dict[str, None]] = {}  # job → its disturbances, of all runs that name it
    for each in wanted:
        for job in (*needs(each, lights), each):
            needed.setdefault(job, {}).update(dict.fromkeys(job.disturb))
    jobs = [replace(job, disturb=tuple(disturb)) for job, disturb in needed.items()]
    order = list(suite.classes or classes)
    return sorted(jobs, key=lambda job: (job.seed, order.index(job.category)))


def _disturb(names: Sequence[str]) -> tuple[str, ...]:
    """In full, each once. Raises DisturbanceError."""
    each = [name for given in names for name in (STANDARD if given == "standard" else (given,))]
    return tuple(dict.fromkeys(str(Disturbance.parse(name)) for name in each))


def _lights(method: str, asked: Sequence[int | str] | None, lights: int) -> Sequence[str]:
    policies = get_method(method).policies(lights)
    if asked is None or policies == (ALL_LIGHTS,):
        return policies
    known = {policy for other in METHODS.values() for policy in other.policies(lights)}
    for light in map(str, asked):
        if light not in known:
            raise ModelError(f"light {light!r}: unknown; lights are numbered 0 to {lights - 1}, or mean-image")
    chosen = [str(light) for light in asked if str(light) in policies]
    if not chosen:
        raise ModelError(f"method {method}: cannot read {', '.join(map(str, asked))}; it takes {', '.join(policies)}")
    return chosen
