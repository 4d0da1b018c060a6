"""Tables of the real bench, from results/real/<set>, and of rendered classes with a camera, from results/camera."""

import csv
import json
from collections import defaultdict
from collections.abc import Iterator
from statistics import mean

from benchmarks.markdown import METRICS, RESULTS, Blocks, number, raw, rows

METHODS = {"auto": "default", "attention": "attention", "mean": "mean of the lights"}
DISTURBED = {
    "": "as it is",
    "noise:2": "noise σ 2/255",
    "jpeg:90": "JPEG 90",
    "blur:0.7": "blur 0.7 px",
    "gain:0.8": "all lights −20 %",
    "shift:2": "shift 2 px",
}
LOOKED_AT = ("giftbag1", "leather-brown", "wood-alder")
Found = dict[tuple[str, str], dict[str, list[tuple[float, float]]]]


def _found(name: str) -> Found:
    """(category, method) → disturbance → a seed each: I-AUROC and share of good parts called anomalous."""
    found: Found = defaultdict(lambda: defaultdict(list))
    with (RESULTS / "real" / name / "results.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["status"] == "done" and row["method"] in METHODS:
                values = float(row["image_auroc"]), float(row["false_alarm_rate"])
                found[row["category"], row["method"]][row["disturbance"]].append(values)
    return found


def of_set(name: str) -> Iterator[str]:
    """Each class and method, and the averages over the classes that all methods were run on."""
    found = _found(name)
    categories = sorted({category for category, _ in found})
    methods = {name: title for name, title in METHODS.items() if any(method == name for _, method in found)}
    whole = [category for category in categories if all((category, method) in found for method in methods)]
    body = []
    for category in categories:
        for method, title in methods.items():
            if (category, method) in found:
                body.append((category, title, *_cells([found[category, method]])))
    if len(whole) > 1:
        for method, title in methods.items():
            cells = _cells([found[category, method] for category in whole])
            body.append((f"**average of {len(whole)}**", title, *cells))
    yield from rows(("I-AUROC, good parts called anomalous", "method", *DISTURBED.values()), body)


def errors(name: str) -> Iterator[str]:
    """What the default misses of each material as it is, beside the mean of the lights; then the materials that were
    looked at while it was made, and the others."""
    found: dict[str, dict[str, dict[str, str]]] = defaultdict(dict)
    with (RESULTS / "real" / name / "results.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["status"] == "done" and not row["disturbance"]:
                found[row["category"]][row["method"]] = row

    def line(title: str, of: list[str]) -> tuple[str, ...]:
        auto, others = ([found[each].get(method) for each in of] for method in ("auto", "mean"))
        error, of_mean = (
            None if None in those else mean(1 - float(one["image_auroc"]) for one in those) for those in (auto, others)
        )
        rates = (mean(float(one[what]) for one in auto) for what in ("miss_rate", "light_fault_rate"))
        ratio = "–" if of_mean is None else f"{error / of_mean:.2f}"
        return title, number(error), number(of_mean), ratio, *(f"{100 * rate:.0f} %" for rate in rates)

    groups = {
        "looked at while it was made": [each for each in found if each in LOOKED_AT],
        "not looked at": [each for each in found if each not in LOOKED_AT],
        f"all {len(found)}": list(found),
    }
    body = [line(each, [each]) for each in found] + [line(f"**{title}**", of) for title, of in groups.items()]
    head = ("1 − I-AUROC", "default", "mean of the lights", "ratio", "bad called good", "good stopped for their lights")
    yield from rows(head, body)


def _cells(results: list[dict[str, list[tuple[float, float]]]]) -> Iterator[str]:
    for disturbance in DISTURBED:
        if not all(result[disturbance] for result in results):
            yield "–"
            continue
        values = [pair for result in results for pair in result[disturbance]]
        auroc, alarms = (mean(column) for column in zip(*values, strict=True))
        yield f"{auroc:.3f}, {100 * alarms:.0f} %"


def mean_image() -> Iterator[str]:
    """What reads one image, on the mean of the six exposures, beside the default; one seed."""
    body = []
    for name, methods in (("tile", ("auto",)), ("tile-mean-image", ("patchcore", "padim", "hit-milf"))):
        with (RESULTS / "real" / name / "results.csv").open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["method"] in methods and row["category"] in ("tile", "tile-draw0") and not row["disturbance"]:
                    figures = (f"{float(row[name]):.3f}" for name in ("image_auroc", "pixel_auroc", "au_pro"))
                    rates = (f"{100 * float(row[name]):.0f} %" for name in ("false_alarm_rate", "miss_rate"))
                    body.append((row["method"].replace("auto", "default, six exposures"), *figures, *rates))
    yield from rows(("", "I-AUROC", "P-AUROC", "AU-PRO", "good called anomalous", "bad called good"), body)


def camera() -> Iterator[str]:
    """The default on rendered classes with a camera, as they are and disturbed; one seed."""
    lines = (RESULTS / "camera" / "results.jsonl").read_text(encoding="utf-8").splitlines()
    found = [json.loads(line) for line in lines]
    names = [name for name in DISTURBED if name and name in found[0]["disturbed"]]

    def row(title: str, of: list[dict]) -> tuple[str, ...]:
        own = " / ".join(f"{mean(one[metric] for one in of):.3f}" for metric in METRICS)
        cells = []
        for each in (of, *([one["disturbed"][name] for one in of] for name in names)):
            auroc, alarms = (mean(one[what] for one in each) for what in ("image_auroc", "false_alarm_rate"))
            cells.append(f"{auroc:.3f}, {100 * alarms:.0f} %")
        return title, own, *cells

    body = [row(one["category"], [one]) for one in found]
    titles = [DISTURBED[name] for name in ("", *names)]
    yield from rows(("", "I-AUROC / P-AUROC / AU-PRO", *titles), [*body, row(f"average of {len(found)}", found)])


def teachers() -> Iterator[str]:
    """`nearest` on the tiles with each teacher, and two teachers' scores added."""
    names = {"efficientnet_lite0": "EfficientNet-Lite0", "dinov2_vits14": "DINOv2 ViT-S/14"}
    draws = raw("real/teachers.json")["draws"]
    body = []
    for looks in draws["0"]:
        each = (look.partition(":") for look in looks.split(" + "))
        title = " + ".join(f"{names[name]} at {size}²" for name, _, size in each)
        values = [found[looks]["both"] for found in draws.values()]
        body.append((title, *map(number, values), number(mean(values))))
    yield from rows(("I-AUROC", *(f"draw {seed}" for seed in draws), "mean"), body)


REAL_BLOCKS: Blocks = {
    "real flats": lambda: of_set("flats"),
    "real flats errors": lambda: errors("flats"),
    "real flats strong": lambda: of_set("flats-strong"),
    "real flats strong errors": lambda: errors("flats-strong"),
    "real tile": lambda: of_set("tile"),
    "real tile mean": mean_image,
    "real teachers": teachers,
    "camera": camera,
}
