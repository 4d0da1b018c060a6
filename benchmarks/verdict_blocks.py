"""Tables of the default model as a user has it: verdicts on a disturbed station, kinds nobody painted, its maps.

From results/verdicts/<set>.json (`benchmarks.verdicts`), unshown.json (`benchmarks.unshown`) and map_sigma/<set>.json
(`benchmarks.map_sigma`).
"""

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
_OF_MAPS = ("P-AUROC", "AU-PRO")


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


def map_sigma(*names: str) -> Iterator[str]:
    """By σ, on average over all classes of each set: P-AUROC and AU-PRO."""
    sets = {name: list(raw(f"map_sigma/{name}.json")["classes"].values()) for name in names}
    sigmas = [sigma for sigma in next(iter(sets.values()))[0] if sigma != "model"]
    body = [
        (
            f"σ {sigma} px" if sigma != "0" else "as the model gives them",
            *(number(mean(one[sigma][what][0] for one in each)) for each in sets.values() for what in _OF_MAPS),
        )
        for sigma in sigmas
    ]
    head = [f"{name}, {len(each)} classes: {what}" for name, each in sets.items() for what in _OF_MAPS]
    yield from rows(("", *head), body)


def _over(those: list[dict[str, Any]]) -> list[str]:
    def share(what: str, of: str) -> str:
        every = sum(one[of] for one in those)
        return f"{sum(one[what] for one in those) / every:.0%}".replace("%", " %") if every else "–"

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
    "verdicts tile": partial(verdicts, "tile"),
    "verdicts rendered": partial(verdicts, "rendered"),
    "verdicts region": partial(verdicts, "region"),
    "unshown": unshown,
    "map sigma": partial(map_sigma, "rendered", "flats"),
}
