"""The tables that stand in docs/*.md, each from its raw result in results/ and from nothing else. Written by pages.py.

A block is a function without arguments that gives the lines of Markdown.
"""

from collections.abc import Iterator
from functools import partial
from statistics import mean
from typing import Any

from benchmarks.comparison_blocks import COMPARISON_BLOCKS
from benchmarks.gpu_blocks import GPU_BLOCKS
from benchmarks.line_blocks import LINE_BLOCKS
from benchmarks.markdown import METRICS, Blocks, number, raw, rows
from benchmarks.real_blocks import REAL_BLOCKS
from benchmarks.verdict_blocks import VERDICT_BLOCKS


def by_class(measured: dict[str, dict[str, float]]) -> Iterator[str]:
    """measured: class → what → figure. A row a figure, a column a class, and their average."""
    names = list(measured)
    body = []
    for what in measured[names[0]]:
        values = [measured[name][what] for name in names]
        body.append((what, *map(number, values), number(mean(values))))
    yield from rows(("", *names, "average"), body)


def fewer() -> Iterator[str]:
    """Fewer captures to learn from, and one light missing at inspection."""

    def of(found: dict[str, Any]) -> dict[str, float]:
        draws = {
            f"{n} captures": mean(draw["image_auroc"] for draw in of_n)
            for n, of_n in sorted(found["captures"].items(), key=lambda item: int(item[0]))
        }
        return draws | {f"without {light}": one["image_auroc"] for light, one in found["without"].items()}

    yield from by_class({name: of(found) for name, found in raw("fewer.json")["classes"].items()})


def parts() -> Iterator[str]:
    """The joint model without parts of it."""
    found = raw("parts.json")["classes"].values()
    body = [
        (what, *(number(mean(one[what][metric] for one in found)) for metric in METRICS)) for what in next(iter(found))
    ]
    yield from rows(("", *METRICS.values()), body)


def ablation() -> Iterator[str]:
    yield from by_class(raw("ablation.json")["classes"])


def bound() -> Iterator[str]:
    """Models that have seen masks of real defects."""
    (found,) = raw("bound.json")["classes"].values()
    counts = sorted({int(key.split()[1]) for key in found if "defective" in key})
    seeds = {n: [v["image_auroc"] for k, v in found.items() if k.startswith(f"network, {n} ")] for n in counts}
    yield from rows(
        ("I-AUROC", "no real defect", *map(str, counts)),
        [
            ("`joint`", number(found["joint"]["image_auroc"]), *([""] * len(counts))),
            (
                "its distance, directions learned from real defects instead of painted ones",
                "",
                *(number(found[f"directions, {n} defective"]["image_auroc"]) for n in counts),
            ),
            (
                "convolutions on the whitened vectors, cross entropy of places, three seeds",
                "",
                *(number(mean(seeds[n])) for n in counts),
            ),
        ],
    )


def one_light() -> Iterator[str]:
    """Whether the light that alone shows a defect is named."""
    variants = {
        "common unit": "conditional residual in one unit for all lights, as the model has it",
        "common unit, without all spots": "the same, the sum of the spots left out of the lights",
        "own unit": "conditional residual in a unit of each light's own",
        "marginal": "each light's own distance",
        "conditional": "plain conditional Mahalanobis distance",
    }
    found = raw("one_light.json")["named right"]
    groups = ("found", "found, no alarm without the defect", "found, peak at the defect")
    head = ("evidence: share named right", "called anomalous", "and no alarm without defect", "and peak at the defect")
    yield from rows(head, [(title, *(found[of][group] for group in groups)) for of, title in variants.items()])


def light_check() -> Iterator[str]:
    """Faults of the lights: cases, how many were noticed, and how often the right light was named."""
    learned = raw("light_check.json")["counts"]
    body = [
        (fault, *(f"{by['found']:,} of {by['cases']:,}" for by in (learned[n][fault] for n in learned)))
        for fault in next(iter(learned.values()))
    ]
    yield from rows(("reported", *(f"learned from {n} captures" for n in learned)), body)


def int8() -> Iterator[str]:
    found = raw("int8.json")["classes"]
    kinds = ("eager", "openvino fp32", "openvino int8")
    yield from by_class({name: {kind: of[kind] for kind in kinds} for name, of in found.items()})


def registration() -> Iterator[str]:
    """Errors of the shifts that are found."""
    found = raw("registration.json")["rendered"]
    titles = {
        "free": "lights shifted freely by up to 2 px each way",
        "constant": "the same along one velocity of up to 2 px a light",
    }
    body = [
        (title, *(number(found[kind]["all"][column]) for column in ("median", "95 %")))
        for kind, title in titles.items()
    ]
    yield from rows(("error in pixels, ten rendered classes", "median", "95 %"), body)


def false_alarms(experiment: str) -> Iterator[str]:
    """Mean true rate and share of stations within the bound, by number of parts."""
    own = [row for row in raw("false_alarms.json") if row["experiment"] == experiment and "refused" not in row]
    counts = list(dict.fromkeys(row["parts"] for row in own))
    digits = 2 if experiment == "gpd" else 1

    def cell(row: dict[str, Any]) -> str:
        text = f"{row['mean_rate']:.{digits}%}, {row['within_bound']:.0%}"
        if experiment == "gpd":
            text += f"; {row['within_interval']:.0%}, {row['distance']:.2f}"
        return text.replace("%", " %")

    by_scores: dict[str, list[dict[str, Any]]] = {}
    for row in own:
        by_scores.setdefault(row["scores"], []).append(row)
    stated = [f"{row['stated']:.{digits}%}, {row['bound']:.{digits}%}".replace("%", " %") for row in own[: len(counts)]]
    body = [("stated, at most", *stated), *((name, *map(cell, of)) for name, of in by_scores.items())]
    yield from rows((experiment, *(f"n = {n}" for n in counts)), body)


def frontend() -> Iterator[str]:
    """What lies between the camera's files and the model, by megapixels."""
    found = raw("frontend.json")
    sizes = found["rows"]
    wished = {
        "tiles": "",
        "whole over tiles x model": "≤ 1.3",
        "share beside the model": "≤ 0.2",
        "light check and resizing, s": "≤ 0.5",
        "peak memory, GB": "≤ 3",
    }
    for size in sizes:  # of decoding, checks, cutting, joining, scoring
        size["share beside the model"] = 1 - 1 / size["whole over tiles x model"]
    body = [
        (what, wish, *(f"{size[what]:.0f}" if what == "tiles" else f"{size[what]:.2f}" for size in sizes))
        for what, wish in wished.items()
    ]
    head = (f"{found['lights']} lights, one thread", "wished", *(f"{size['megapixels']:.0f} MP" for size in sizes))
    yield from rows(head, body)


def pixels() -> Iterator[str]:
    """Grey captures, 12 bits and a belt, beside the same captures as they are; averages of the classes there are."""
    body = []
    for variant, classes in raw("pixels.json").items():
        found = list(classes.values())
        if not found:
            continue
        metrics = tuple(METRICS.values())
        so = " / ".join(number(mean(each[name][0] for each in found)) for name in metrics)
        before = " / ".join(number(mean(each["as they are"][name] for each in found)) for name in metrics)
        less = [each["I-AUROC less that"][0] for each in found]
        body.append((variant, str(len(found)), so, before, f"{mean(less):+.3f}", f"{min(less):+.3f}, {max(less):+.3f}"))
    head = ("I-AUROC / P-AUROC / AU-PRO", "classes", "so", "as they are", "I-AUROC less that", "least, most of a class")
    yield from rows(head, body)


def held_out() -> Iterator[str]:
    """The default in folds over train and val, and from train alone."""
    body = [
        (name, what, f"{of['learned_from']}", number(of["image_auroc"]), f"{of['false_alarms']} of {of['good']}")
        for name, both in raw("held_out.json")["classes"].items()
        for what, of in both.items()
    ]
    yield from rows(("class", "learned from", "captures", "I-AUROC", "false alarms"), body)


def full_resolution() -> Iterator[str]:
    """Small defects in large pictures: one square, and tiles."""
    body = [
        (
            name,
            what,
            *(f"{number(of[key][0])} [{number(of[key][1])}, {number(of[key][2])}]" for key in METRICS.values()),
            of["good called anomalous"],
            of["bad found"],
        )
        for name, row in raw("full_resolution.json").items()
        for what, of in row.items()
        if isinstance(of, dict) and "I-AUROC" in of
    ]
    yield from rows(("class", "looked at as", *METRICS.values(), "good called anomalous", "bad found"), body)


BLOCKS: Blocks = {
    **COMPARISON_BLOCKS,
    **GPU_BLOCKS,
    **LINE_BLOCKS,
    **REAL_BLOCKS,
    **VERDICT_BLOCKS,
    "fewer": fewer,
    "parts": parts,
    "ablation": ablation,
    "bound": bound,
    "one-light": one_light,
    "light-check": light_check,
    "int8": int8,
    "registration": registration,
    "pixels": pixels,
    "frontend": frontend,
    "held out": held_out,
    "full resolution": full_resolution,
    **{
        f"false alarms, {name}": partial(false_alarms, name)
        for name in dict.fromkeys(row["experiment"] for row in raw("false_alarms.json"))
    },
}
