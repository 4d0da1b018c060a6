"""Every method of the comparison by name: what it reads, whether it gives a map, what it needs; loaded when run.

Beside those of the table: `anomalib:CLASS`, a class of anomalib on the lights' mean, or `anomalib:CLASS+each` on each
light, scores and maps averaged.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Literal

from afrd.comparison.job import ALL_LIGHTS, MEAN_IMAGE, Job
from afrd.errors import ModelError


@dataclass(frozen=True)
class Method:
    """A method and where its function lies.

    reads: "lights": all lights of a capture together; "light": one of them, through the shared features; "image": one
        image a capture, which may be a light or the mean image.
    function: "module:name" in this package, returning Scored. Arguments, of a method that reads "image":
        (train, holdout, test, settings, seed), images [M, 3, S, S] uint8, and the folder of shared features where it
        shares; of one that comes after others: (holdout, test), their maps [N, V, S, S] and [N, K, S, S]; of the rest:
        (data, job, settings).
    has_map: False where it scores whole images only.
    extra: what must be installed for it.
    after: the method whose maps under each light it combines.
    seeded: False where nothing is random, so that a second seed would say nothing new.
    shares: whether it reads images through the frozen teacher only, so that one pass serves all such methods.
    features: whether it reads all lights through the shared features.
    """

    name: str
    title: str
    reads: Literal["lights", "light", "image"]
    function: str
    has_map: bool = True
    extra: str | None = None
    after: str | None = None
    seeded: bool = True
    shares: bool = False
    features: bool = True

    def policies(self, lights: int) -> tuple[str, ...]:
        """The light policies it can be run under, for a rig of so many lights."""
        if self.reads == "lights":
            return (ALL_LIGHTS,)
        each = tuple(map(str, range(lights)))
        return each if self.reads == "light" else (*each, MEAN_IMAGE)

    def load(self) -> Callable:
        """Its function. Raises ModelError: a class that anomalib does not have; MissingExtraError."""
        module, _, name = self.function.partition(":")
        function = getattr(import_module(f"afrd.comparison.{module}"), name)
        if GUEST.fullmatch(self.name):
            import_module("afrd.comparison.guest").require(self.name)
        return function


GUEST = re.compile(r"anomalib:(?P<kind>\w+)(?P<each>\+each)?")

METHODS: dict[str, Method] = {
    method.name: method
    for method in (
        Method("rd", "RD", "light", "own:trained"),
        Method("mean", "mean", "lights", "own:trained"),
        Method("attention", "attention", "lights", "own:trained"),
        Method("paper-attention", "attention, eq. 6", "lights", "own:trained"),
        Method("joint", "joint Gaussian", "lights", "own:trained"),
        Method("nearest", "nearest patches", "lights", "inspected:inspect", features=False),
        Method("auto", "default", "lights", "inspected:inspect", features=False),
        Method("late-mean", "late fusion, mean", "lights", "late_fusion:mean", after="rd"),
        Method("late-max", "late fusion, normalised maximum", "lights", "late_fusion:normalised_maximum", after="rd"),
        Method("ganomaly", "GANomaly", "image", "baselines.anomalib_trained:ganomaly", False, "baselines"),
        Method(
            "dfkde", "DFKDE", "image", "baselines.anomalib_models:dfkde", False, "baselines", seeded=False, shares=True
        ),
        Method("dfm", "DFM", "image", "baselines.anomalib_models:dfm", extra="baselines", seeded=False, shares=True),
        Method("stfpm", "STFPM", "image", "baselines.anomalib_trained:stfpm", extra="baselines"),
        Method("padim", "PaDiM", "image", "baselines.anomalib_models:padim", extra="baselines", shares=True),
        Method(
            "patchcore", "PatchCore", "image", "baselines.anomalib_models:patchcore", extra="baselines", shares=True
        ),
        Method(
            "anomalib-rd",
            "RD (anomalib)",
            "image",
            "baselines.anomalib_trained:reverse_distillation",
            extra="baselines",
        ),
        Method("ssim-ae", "AE (SSIM)", "image", "baselines.autoencoder:ssim"),
        Method("l2-ae", "AE (L2)", "image", "baselines.autoencoder:l2"),
        Method("spade", "SPADE", "image", "baselines.spade:spade", seeded=False, shares=True),
        Method("riad", "RIAD", "image", "baselines.riad:riad"),
        Method("students", "Uninformed Students", "image", "baselines.students:students"),
        Method("cdo", "CDO", "image", "baselines.cdo:cdo"),
        Method("hit-milf", "HIT-MiLF", "image", "baselines.hit_milf:hit_milf", extra="baselines"),
        Method("multi-branch", "multi-branch AE", "lights", "baselines.multi_branch:multi_branch", features=False),
        Method("supersimplenet", "SuperSimpleNet", "lights", "guest:guest", extra="baselines", features=False),
        Method("dinomaly", "Dinomaly", "lights", "guest:guest", extra="baselines", features=False),
    )
}


def needs(job: Job, lights: int) -> list[Job]:
    """The jobs whose maps a job combines, for a rig of so many lights."""
    first = get_method(job.method).after
    if first is None:
        return []
    return [Job(job.category, first, str(light), job.seed, job.disturb) for light in range(lights)]


def is_needed(method: str) -> bool:
    """Whether others combine the maps of a method."""
    return any(other.after == method for other in METHODS.values())


def get_method(name: str) -> Method:
    """name: of METHODS, or anomalib:CLASS, whose class is looked for when it is loaded. Raises ModelError: neither."""
    if found := GUEST.fullmatch(name):
        title = f"{found['kind']} (anomalib{', each light' if found['each'] else ''})"
        return Method(name, title, "lights", "guest:guest", extra="baselines", features=False)
    if name not in METHODS:
        raise ModelError(f"method {name!r}: unknown; choose from {', '.join(METHODS)}, anomalib:CLASS")
    return METHODS[name]


def place(name: str) -> tuple[int, str]:
    """Sorts methods as the tables show them: those of METHODS in their order, then the others by name."""
    return list(METHODS).index(name) if name in METHODS else len(METHODS), name
