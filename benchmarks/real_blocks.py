"""Tables of the documentation from the comparisons on real captures, results/real (benchmarks/real.py)."""

import csv
from collections.abc import Iterator
from statistics import mean

from benchmarks.markdown import RESULTS, Blocks, number, rows

NAMES = {
    "flats": "faint foreign blobs in flat materials, nine flashes",
    "flats-strong": "strong ones",
    "tile": "magnetic tiles, six exposures",
}
Rows = list[dict[str, str]]


def _done(name: str) -> Rows:
    with (RESULTS / "real" / name / "results.csv").open(encoding="utf-8") as file:
        return [row for row in csv.DictReader(file) if row["status"] == "done"]


def _average(found: Rows, what: str) -> str:
    """Over classes and seeds that have the figure."""
    values = [float(row[what]) for row in found if row[what]]
    return number(mean(values) if values else None)


def _sets() -> list[str]:
    return [name for name in NAMES if (RESULTS / "real" / name / "results.csv").exists()]


def _method(row: dict[str, str]) -> str:
    return row["method"] if row["light"] == "all" else f"{row['method']}, {row['light']}"


def disturbed() -> Iterator[str]:
    """I-AUROC of every method, as captures are and under each disturbance; averages over classes and seeds."""
    for name in _sets():
        done = _done(name)
        kinds = list(dict.fromkeys(row["disturbance"] for row in done if row["disturbance"]))
        classes = sorted({row["category"] for row in done})
        title = NAMES[name][0].upper() + NAMES[name][1:]
        yield f"**{title}**, average of {len(classes)}, I-AUROC; then good parts called anomalous where"
        yield f"{_average(done, 'stated_rate')} is stated, as they are, and on average disturbed:"
        yield ""
        body = []
        for method in dict.fromkeys(map(_method, done)):
            own = [row for row in done if _method(row) == method]
            clean = [row for row in own if not row["disturbance"]]
            other = [[row for row in own if row["disturbance"] == kind] for kind in kinds]
            every = [row for one in other for row in one]
            areas = [_average(one, "image_auroc") for one in (clean, *other)]
            alarms = [_average(one, "false_alarm_rate") for one in (clean, every)]
            body.append((method, *areas, *alarms))
        yield from rows(("", "as they are", *kinds, "alarms", "disturbed"), body)
        yield ""


def classes() -> Iterator[str]:
    """I-AUROC of every class as it is, average over seeds."""
    found = {name: [row for row in _done(name) if not row["disturbance"]] for name in _sets()}
    methods = list(dict.fromkeys(_method(row) for done in found.values() for row in done))
    body = []
    for done in found.values():
        for category in sorted({row["category"] for row in done}):
            own = [row for row in done if row["category"] == category]
            values = [_average([row for row in own if _method(row) == method], "image_auroc") for method in methods]
            body.append((category, f"{own[0]['n_good']} + {own[0]['n_bad']}", *values))
    yield from rows(("", "good + bad", *methods), body)


REAL_BLOCKS: Blocks = {"real disturbed": disturbed, "real classes": classes}
