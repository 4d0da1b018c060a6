"""Tables of verdicts on a disturbed station, from results/verdicts/<set>.json (`benchmarks.verdicts`)."""

from collections.abc import Iterator
from functools import partial
from statistics import mean
from typing import Any

from benchmarks.markdown import Blocks, number, raw, rows

from afrd.disturb import Disturbance

_NOT_FIGURES = ("model", "stated", "at most", "threshold", "threshold_unlike")
_HEAD = (
    "I-AUROC",
    "good called anomalous: one threshold",
    "two",
    "bad found: one threshold",
    "two",
    "noted by the rig check",
    "stopped by the light check",
)


def verdicts(name: str) -> Iterator[str]:
    """Every disturbance, over all classes that were run."""
    found = raw(f"verdicts/{name}.json").values()
    steps = [step for step in next(iter(found)) if step not in _NOT_FIGURES]
    body = []
    for step in steps:
        those = [one[step] for one in found if "refused" not in one[step]]
        title = step if ":" not in step else Disturbance.parse(step).title
        few = f" ({len(those)} of {len(found)})" if len(those) < len(found) else ""
        body.append((title + few, *(_over(those) if those else ["–"] * len(_HEAD))))
    yield from rows(("", *_HEAD), body)


def classes(name: str) -> Iterator[str]:
    """Every class, as it is and the mean of its disturbances."""
    found = raw(f"verdicts/{name}.json")
    body = []
    for category, one in found.items():
        steps = {k: v for k, v in one.items() if k not in _NOT_FIGURES and "refused" not in v}
        plain, disturbed = _over([steps["as it is"]]), _over([v for k, v in steps.items() if k != "as it is"])
        body.append((category, f"{one['stated']:.0%}".replace("%", " %"), *plain[:5], *disturbed[:5]))
    head = ("class", "stated", *(f"{what}: {each}" for what in ("as it is", "disturbed") for each in _HEAD[:5]))
    yield from rows(head, body)


def _over(those: list[dict[str, Any]]) -> list[str]:
    def share(what: str, of: str) -> str:
        return f"{sum(one[what] for one in those) / sum(one[of] for one in those):.0%}".replace("%", " %")

    stopped = sum(sum(one["stopped, good and bad"]) for one in those)
    every = stopped + sum(one["good"] + one["bad"] for one in those)
    return [
        number(mean(one["I-AUROC"][0] for one in those)),
        share("alarms, one threshold", "good"),
        share("alarms", "good"),
        share("found, one threshold", "bad"),
        share("found", "bad"),
        f"{mean(one['noted'] for one in those):.0%}".replace("%", " %"),
        f"{stopped / every:.0%}".replace("%", " %"),
    ]


VERDICT_BLOCKS: Blocks = {
    f"{what} {name}": partial(table, name)
    for what, table in (("verdicts", verdicts), ("verdicts by class", classes))
    for name in ("flats", "tile", "rendered")
}
