"""Tables of the documentation from the comparisons in results/rendered and results/rendered-200."""

import csv
import json
from collections.abc import Iterator, Sequence
from functools import cache
from statistics import mean

from benchmarks.markdown import METRICS, RESULTS, Blocks, number, rows

from afrd.comparison import paper

REPORTED = paper.CLASSES[:5]
"""The five classes that the joint model was not chosen on; single-image methods were run on these alone."""


class Comparison:
    """results.csv of a comparison; the jobs that are done, on captures as they are."""

    def __init__(self, name: str) -> None:
        with (RESULTS / name / "results.csv").open(encoding="utf-8") as file:
            done = [row for row in csv.DictReader(file) if row["status"] == "done" and not row.get("disturbance")]
        self.jobs: dict[tuple[str, str], dict[str, list[dict[str, str]]]] = {}
        for row in done:
            self.jobs.setdefault((row["method"], row["light"]), {}).setdefault(row["category"], []).append(row)

    def of(self, name: str, method: str, light: str = "all", metric: str = "image_auroc") -> float | None:
        """Mean over the seeds of a class."""
        runs = self.jobs.get((method, light), {}).get(name)
        return mean(float(run[metric]) for run in runs) if runs else None

    def average(self, names: Sequence[str], method: str, light: str = "all", metric: str = "image_auroc") -> str:
        """Over classes; – where one of them was not run."""
        values = [self.of(name, method, light, metric) for name in names]
        return number(None if None in values else mean(v for v in values if v is not None))

    def oracle(self, names: Sequence[str], method: str = "rd") -> str:
        """The best fixed light of each class, by its test labels."""
        best = [max(self.of(name, method, str(k)) or 0 for k in range(paper.LIGHTS)) for name in names]
        return number(mean(best))


@cache
def rendered() -> Comparison:
    return Comparison("rendered")


def fusions() -> Iterator[str]:
    """The paper's averages beside ours."""
    ours, names, printed = rendered(), paper.CLASSES, paper.average
    lights = [
        (
            f"Reverse Distillation on one light, L{k + 1}",
            number(printed("II", names, "rd", f"L{k + 1}")),
            ours.average(names, "rd", str(k)),
        )
        for k in range(paper.LIGHTS)
    ]
    best = [max(printed_of(name, f"L{k + 1}") for k in range(paper.LIGHTS)) for name in names]
    yield from rows(
        ("average I-AUROC, ten classes", "paper: Eyecandies, WRN50-2", "here: rendered, EfficientNet-Lite0"),
        [
            *lights,
            ("the best light of each class by test label, an oracle", number(mean(best)), ours.oracle(names)),
            ("mean of six lights", number(printed("III", names, "mean")), ours.average(names, "mean")),
            ("attention", number(printed("III", names, "afrd")), ours.average(names, "attention")),
            ("attention, eq. 6 as printed", "the same", ours.average(names, "paper-attention")),
            ("late fusion of six RD models: mean of maps", "–", ours.average(names, "late-mean")),
            ("late fusion: normalised maximum of maps", "–", ours.average(names, "late-max")),
            ("joint Gaussian of all lights", "–", f"**{ours.average(names, 'joint')}**"),
            *(
                (
                    f"{METRICS[metric]}: mean; attention; joint",
                    "; ".join(number(printed("III", names, m, metric=metric)) for m in ("mean", "afrd", "joint")),
                    "; ".join(ours.average(names, m, metric=metric) for m in ("mean", "attention", "joint")),
                )
                for metric in ("pixel_auroc", "au_pro")
            ),
        ],
    )


def printed_of(name: str, light: str) -> float:
    return paper.value("II", name, "rd", light) or 0.0


def single_image() -> Iterator[str]:
    """Methods that read one image, on the five classes they were run on."""
    titles = {
        "patchcore": "PatchCore",
        "padim": "PaDiM",
        "dfm": "DFM",
        "stfpm": "STFPM",
        "spade": "SPADE",
        "ssim-ae": "AE (SSIM)",
        "l2-ae": "AE (L2)",
        "dfkde": "DFKDE",
        "ganomaly": "GANomaly",
    }
    ours = rendered()
    names = {ours_name: theirs for theirs, ours_name in paper.TABLE_1.items()}
    lights = [str(k) for k in range(paper.LIGHTS)]

    def best(method: str) -> str:
        return ours.oracle(REPORTED, method) if all((method, light) in ours.jobs for light in lights) else "–"

    body = [
        (
            title,
            number(paper.average("I", paper.CLASSES, names[method]) if method in names else None),
            ours.average(REPORTED, method, str(paper.FIXED_LIGHT)),
            ours.average(REPORTED, method, "mean-image"),
            best(method),
        )
        for method, title in titles.items()
    ]
    yield from rows(("", "paper, L6, ten classes", "L6", "mean image", "best light by test label, an oracle"), body)
    yield ""
    each = ", ".join(f"{m} {ours.average(REPORTED, m)}" for m in ("mean", "attention", "joint"))
    yield f"On the same five classes, all lights read: {each}."


def tests(title: str, name: str) -> list[str]:
    """The table of paired tests of this heading in a comparison's tables.md."""
    text = (RESULTS / name / "tables.md").read_text(encoding="utf-8")
    section = text.split(f"## {title} against the others", 1)[1].split("\n## ", 1)[0]
    table = [line for line in section.splitlines() if line.startswith("|")]
    return [line.replace("\\<", "<").replace("---:", "---").replace("| --- ", "|---") for line in table]


def classes() -> Iterator[str]:
    """Class by class, those that were reported on first."""
    ours = rendered()
    columns = [("mean", "image_auroc"), ("attention", "image_auroc"), ("joint", "image_auroc")]
    columns += [(m, metric) for metric in ("pixel_auroc", "au_pro") for m in ("mean", "joint")]
    head = ("class", "I-AUROC: mean", "attention", "joint", "oracle light")
    head += ("P-AUROC: mean", "joint", "AU-PRO: mean", "joint")
    body = []
    for some, title in (
        (REPORTED, "average of these five"),
        (paper.CLASSES[5:], "average of the five it was chosen on"),
    ):
        for names, row_title in [*(((name,), name) for name in some), (some, title)]:
            values = [ours.average(names, m, metric=metric) for m, metric in columns]
            body.append((row_title, *values[:3], ours.oracle(names), *values[3:]))
    yield from rows(head, body)


def more_captures() -> Iterator[str]:
    """100 good and 100 bad test captures of the five reported classes."""
    ours = Comparison("rendered-200")
    columns = [(m, metric) for metric in METRICS for m in ("mean", "joint")]
    head = ("class", *(f"{METRICS[metric]}: {m}" for m, metric in columns))
    groups = [*(((name,), name) for name in REPORTED), (REPORTED, "average")]
    yield from rows(
        head, [(title, *(ours.average(n, m, metric=metric) for m, metric in columns)) for n, title in groups]
    )


def weights() -> Iterator[str]:
    """Mean weight of the lights on each level, seed 0."""
    found: dict[str, dict[str, str]] = {}
    for line in (RESULTS / "rendered" / "results.jsonl").read_text(encoding="utf-8").splitlines():
        job = (row := json.loads(line))["job"]
        if job["method"] in ("paper-attention", "attention") and job["seed"] == 0:
            levels = zip(*(capture["light_weights"] for capture in row["captures"]), strict=True)
            of_lights = [[mean(values) for values in zip(*level, strict=True)] for level in levels]
            text = "; ".join(" ".join(f"{value:.2f}" for value in level) for level in of_lights)
            found.setdefault(job["category"], {})[job["method"]] = text
    body = [(name, of["paper-attention"], of["attention"]) for name, of in sorted(found.items())]
    yield from rows(("class", "eq. 6 as printed", "`attention`"), body)


COMPARISON_BLOCKS: Blocks = {
    "fusions": fusions,
    "single-image": single_image,
    "attention-tests": lambda: tests("Attention", "rendered"),
    "joint-tests": lambda: tests("Joint Gaussian", "rendered"),
    "joint-tests-200": lambda: tests("Joint Gaussian", "rendered-200"),
    "classes": classes,
    "more-captures": more_captures,
    "weights": weights,
}
