"""Tables of verdicts on a disturbed station, from results/verdicts/<set>.json (`benchmarks.verdicts`)."""

from collections.abc import Iterator
from functools import partial
from statistics import mean
from typing import Any

from benchmarks.markdown import RESULTS, Blocks, number, raw, rows

from afrd.disturb import Disturbance

_NOT_FIGURES = ("settings", "model", "stated", "at most", "threshold", "threshold_unlike")
_HEAD = (
    "I-AUROC",
    "good called anomalous: one threshold",
    "two",
    "bad found: one threshold",
    "two",
    "by the wider threshold",
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


def unshown() -> Iterator[str]:
    """Kinds of defect that the painter does not have, over all classes that were run."""
    if not (RESULTS / "unshown.json").exists():
        yield "Not measured yet."
        return
    found = raw("unshown.json")["classes"]
    kinds = [kind for kind, one in next(iter(found.values())).items() if isinstance(one, dict)]
    body = []
    for kind in kinds:
        each = [one[kind]["I-AUROC"][0] for one in found.values()]
        some = sum(int(one[kind]["found"].split(" of ")[0]) for one in found.values())
        every = sum(int(one[kind]["found"].split(" of ")[1]) for one in found.values())
        body.append((kind, *map(number, each), number(mean(each)), f"{some} of {every}"))
    yield from rows(("I-AUROC", *found, "average", "found"), body)


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
    "verdicts flats": partial(verdicts, "flats"),
    "unshown": unshown,
}
