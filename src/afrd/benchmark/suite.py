"""From the name of a suite, or a YAML file, to the jobs of a comparison.

    classes: [Confetto, CandyCane]                              # default: all of the data set
    runs:
      - {methods: [rd], lights: [0, 5], seeds: [0]}             # lights: numbers, or mean-image; default: all there are
      - {methods: [mean, attention], seeds: [0, 1, 2]}

Knows what can be run, not how. Every mistake is found before the first job starts.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import Field

from afrd.benchmark.job import ALL_LIGHTS, Job
from afrd.benchmark.methods import METHODS, get_method, needs
from afrd.card import Strict
from afrd.errors import ModelError, RunError
from afrd.yaml_model import parse, read_yaml

_PAPER = ("ganomaly", "dfkde", "dfm", "ssim-ae", "stfpm", "padim", "rd", "attention")
SUITES: dict[str, tuple[str, ...]] = {
    "table1": _PAPER,
    "table2": ("rd", "mean", "attention"),
    "table3": ("rd", "mean", "attention"),
    "all": tuple(name for name in METHODS if name != "anomalib-rd"),  # that one takes ResNets only: ask for it by name
}


class Run(Strict):
    """Methods that are run under the same lights and seeds. lights: None for every policy a method can take."""

    methods: tuple[str, ...] = Field(min_length=1)
    lights: tuple[int | str, ...] | None = None
    seeds: tuple[int, ...] = Field((0,), min_length=1)


class Suite(Strict):
    """What to compare. classes: empty for all of the data set."""

    classes: tuple[str, ...] = ()
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
    suite: Suite, classes: Sequence[str], methods: Sequence[str], lights: Sequence[str], seeds: Sequence[int]
) -> Suite:
    """The same suite with these classes, methods, lights and seeds in every run; empty ones stay as they are."""
    changed = {"methods": tuple(methods), "lights": tuple(lights), "seeds": tuple(seeds)}
    runs = tuple(run.model_copy(update={k: v for k, v in changed.items() if v}) for run in suite.runs)
    return Suite(classes=tuple(classes) or suite.classes, runs=runs)


def jobs_of(suite: Suite, classes: Sequence[str], lights: int) -> list[Job]:
    """Every job, and those whose maps it needs, in the order in which they are run: by seed, then by class.

    classes: of the data set. lights: of its rig.
    Raises RunError, ModelError: an unknown class, method or light.
    """
    unknown = [name for name in suite.classes if name not in classes]
    if unknown:
        raise RunError(f"class {unknown[0]!r}: not in the data set, which has {', '.join(classes)}")
    wanted = [
        Job(category, method, light, seed)
        for run in suite.runs
        for category in suite.classes or classes
        for method in run.methods
        for seed in (run.seeds if get_method(method).seeded else run.seeds[:1])
        for light in _lights(method, run.lights, lights)
    ]
    needed = [job for each in wanted for job in (*needs(each, lights), each)]
    order = list(suite.classes or classes)
    return sorted(dict.fromkeys(needed), key=lambda job: (job.seed, order.index(job.category)))


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
