"""Tables of the station, of which lights a part needs, and of views: results/station/, lights_study.json and others."""

import textwrap
from collections.abc import Iterator
from statistics import mean, median
from typing import Any

from benchmarks.markdown import RESULTS, Blocks, number, raw, rows

REFERENCE = 190  # GFLOP/s of the machine on which most of speed.md was measured


def station() -> Iterator[str]:
    """The station against real processes."""
    body: list[tuple[str, str, str]] = []
    for name, what in (("latency-256", "6 × 256²"), ("latency-1414", "6 × 2 MP")):
        found = raw(f"station/{name}.json")
        for q, wished in (("p50", "1.15"), ("p99", "1.5")):
            within = found["post_ms"][q] / found["inspection_within_post_ms"][q]
            body.append(
                (
                    f"`POST` to verdict, {what}, {q}, over: `Inspector.inspect` of arrays; decoding and inspecting the "
                    f"files; the inspection within the station",
                    f"≤ {wished}",
                    f"{found[f'{q}_ratio']:.2f}; {found[f'{q}_ratio_to_decode_and_inspect']:.2f}; {within:.2f}",
                )
            )
    load = raw("station/load.json")
    answers = ", ".join(f"{status}: {count:,}" for status, count in load["answers"].items())
    memory = load["memory_mb"]
    body.append(
        (
            f"{load['minutes']:g} minutes at twice the capacity: answers; wrong; records lost; memory",
            "none wrong, none lost, ≤ 5 %",
            f"{answers}; {len(load['wrong_answers'])}; {len(load['lost_records'])}; {memory['early']} to "
            f"{memory['late']} MB, {load['memory_growth']:+.1%}".replace("%", " %"),
        )
    )
    kills = raw("station/kills.json")
    start = kills["start_seconds"]
    body.append(
        (
            f"{kills['kills']} × `kill -9` under load, {kills['answered']:,} answered before: lost or half-written",
            "none",
            str(len(kills["problems"])),
        )
    )
    with_torch = raw("station/kills-run.json")["start_seconds"]
    body.append(
        (
            "start after each, median, longest: of an ONNX artefact; of a run folder, which takes torch",
            "< 3 s",
            "; ".join(f"{spent['median']}, {spent['longest']} s" for spent in (start, with_torch)),
        )
    )
    away = raw("station/away.json")
    missing = sum(len(peer["missing"]) for peer in away["peers"].values())
    unordered = sum(not peer["in_order"] for peer in away["peers"].values())
    body.append(
        (
            f"webhook, broker and OPC UA client away for {away['seconds']:g} s, then silent as long, {away['parts']:,} "
            f"parts: missing; peers out of order",
            "none",
            f"{missing}; {unordered}",
        )
    )
    for q in ("p50", "p99"):
        body.append(
            (
                f"`POST` to verdict meanwhile, 6 × 256², {q}, ms: {'; '.join(away['post_ms'])}",
                "no verdict delayed",
                "; ".join(f"{spent[q]:.0f}" for spent in away["post_ms"].values()),
            )
        )
    fuzz = raw("station/fuzz.json")
    body.append(
        (
            f"{sum(fuzz['answers'].values()):,} requests drawn from the schema: 5xx; files outside the data folder",
            "none",
            f"{len(fuzz['faults'])}; {len(fuzz['outside'])}",
        )
    )
    growth = raw("station/growth.json")
    body.append(
        (
            f"{growth['more']} further parts of 6 × 256² into a model of {growth['parts']} "
            f"({growth['threads']} threads): {'; '.join(growth['of_which'])}; together; from scratch",
            "< 5 s",
            "; ".join(f"{seconds:.0f} s" for seconds in (*growth["of_which"].values(), growth["grow_seconds"]))
            + f"; {growth['training_from_scratch_seconds']:.0f} s",
        )
    )
    body.append(
        (
            "largest difference to the fit from scratch, in standard deviations: mean; covariance",
            "rounding",
            f"{growth['mean_apart']:.4f}; {growth['covariance_apart']:.4f}",
        )
    )
    history = raw("station/history.json")
    slowest = max(history["milliseconds"].items(), key=lambda item: item[1]["p50"])
    body.append(
        (
            f"slowest page over {history['parts']:,} parts ({slowest[0]}): median, longest",
            "< 300 ms",
            f"{slowest[1]['p50']:.0f}, {slowest[1]['longest']:.0f} ms",
        )
    )
    yield from rows(("", "wished", "measured"), body)


def lights_chosen() -> Iterator[str]:
    """Lights chosen by painted defects, by test labels and by chance."""
    found = raw("lights_study.json")
    rendered = [one for name, one in found.items() if name != "tile"]
    body = []
    for title, group in ((f"{len(rendered)} rendered classes, mean", rendered), ("tiles, real", [found["tile"]])):
        for how in ("by labels", "by painted defects", "chance"):
            sizes = [[_auroc(one["by number of lights"][size][how]) for one in group] for size in map(str, range(1, 7))]
            body.append((title if how == "by labels" else "", how, *(number(mean(values)) for values in sizes)))
    yield from rows(("I-AUROC", "chosen", *(f"{n} of 6" for n in range(1, 7))), body)


def _auroc(value: Any) -> float:
    return value["image_auroc"] if isinstance(value, dict) else value


def lights_recommended() -> Iterator[str]:
    """What is recommended, and in what time."""
    yield from _recommended(raw("lights_study.json"))


def _recommended(found: dict[str, Any]) -> Iterator[str]:
    body = []
    for name, one in found.items():
        painted, labels = one["recommended by painted defects"], one["recommended by labels"]
        body.append(
            (
                name,
                f"{', '.join(painted['lights'])}: {number(painted['image_auroc'])}",
                f"{', '.join(labels['lights'])}: {number(labels['image_auroc'])}",
                number(one["all lights"]),
                "–" if (ranks := one["rank correlation of the two over subsets"]) is None else f"{ranks:.2f}",
                f"{one['processor_seconds']:.0f}",
            )
        )
    head = ("", "recommended by painted defects", "by labels", "all lights", "rank correlation", "processor, s")
    yield from rows(head, body)


def lights_of_twelve() -> Iterator[str]:
    """The same of a rig of twelve lights, where it was measured."""
    if not (RESULTS / "lights_study_twelve.json").exists():
        yield "A rig of twelve lights can be studied so; for the record none was yet."
        return
    found = raw("lights_study_twelve.json")
    one = next(iter(found.values()))
    n, looked_at = len(one["by number of lights"]), [len(each["subsets"]) for each in found.values()]
    judged = f", judged by {one['bad']} defective and {one['good']} good captures" if "bad" in one else ""
    some, most = min(looked_at), max(looked_at)
    many = f"{some:,}" if some == most else f"{some:,} to {most:,}"
    yield from textwrap.wrap(
        f"{n} lights, of which the search looked at {many} of {2**n - 1:,} subsets{judged} "
        f"([lights_study_twelve.json](../benchmarks/results/lights_study_twelve.json)):",
        120,
        break_on_hyphens=False,
    )
    yield ""
    body = [
        (name if how == "by labels" else "", how, *(number(_auroc(size[how])) for size in by_number.values()))
        for name, by_number in ((name, each["by number of lights"]) for name, each in found.items())
        for how in ("by labels", "by painted defects")
    ]
    yield from rows(("I-AUROC", "chosen", *(f"{size} of {n}" for size in range(1, n + 1))), body)
    yield ""
    yield from _recommended(found)


def views() -> Iterator[str]:
    """How far normals by photometric stereo are from the true ones."""
    found = dict(raw("normals.json"))
    found.pop("distance_in_widths")
    over = found.pop("mean_over_classes")
    ways = {
        "the distance of lights.yaml": "near lights, linear, 3 rounds",
        "far lights": "far lights, linear, 3 rounds",
        "estimated directions": "estimated directions, linear, 3 rounds",
    }
    known = {title: way for title, way in ways.items() if way in over}
    classes = sorted(found, key=lambda name: -found[name][ways["the distance of lights.yaml"]]["mean"])

    def degrees(of: dict[str, Any]) -> list[str]:
        return [f"{of[way]['mean']:.1f}° / {of[way]['median']:.1f}°" for way in known.values()]

    body = [(f"average of {len(found)} classes, wished: ≤ 6°", *degrees(over))]
    body += [(name, *degrees(found[name])) for name in classes]
    yield from rows(("angle to the true normals, mean / median", *known), body)


def stand_in() -> Iterator[str]:
    """A dead light left out, and made from the others."""
    found = raw("stand_in.json")
    body = []
    for name, one in found.items():
        cases = [one["all lights"], *one["mean over lights"].values()]
        body.append((name, *(f"{number(case['I-AUROC'])} / {case['false alarms']:.0%}" for case in cases)))
    means = [
        tuple(mean(of[key] for of in column) for key in ("I-AUROC", "false alarms"))
        for column in zip(
            *([one["all lights"], *one["mean over lights"].values()] for one in found.values()), strict=True
        )
    ]
    body.append(("average", *(f"{number(auroc)} / {alarms:.0%}" for auroc, alarms in means)))
    body = [tuple(cell.replace("%", " %") for cell in row) for row in body]
    yield from rows(("I-AUROC / good called anomalous", "all lights", "light left out", "made from the others"), body)


def crowded() -> Iterator[str]:
    """Two threads, one of two processors taken by another program."""
    what = {
        "torch": "teacher on six lights of 256², torch",
        "ONNX Runtime": "the same, ONNX Runtime",
        "SciPy": "256 leading eigenvectors of 1,056, SciPy",
    }
    body = [
        (what[name], beside, *(f"{1000 * times[how]:,.0f} ms" for how in ("as it comes", "rests")))
        for name, by in raw("crowded.json")["medians"].items()
        for beside, times in by.items()
    ]
    yield from rows(("two threads", "", "as it comes", "threads sleep soon"), body)


def fit() -> Iterator[str]:
    """What `afrd train` takes, beside the rate of the machine that it was measured on."""
    found = raw("fit.json")
    captures, peak = found["captures"], median(found["matrix_peak_gflops"])
    body = [
        (
            name,
            *(f"{median(run[figure] for run in runs):,.0f}" for figure in ("seconds", "processor_seconds", "peak_mb")),
            f"{median(run['seconds'] for run in runs) * peak / REFERENCE:,.0f}",
        )
        for name, runs in found["commands"].items()
    ]
    yield (
        f"{captures['train']} and {captures['val']} captures of {found['lights']} × {found['pixels'][0]}², "
        f"{found['processors']} processors that reach {peak:.0f} GFLOP/s in a matrix product:"
    )
    yield ""
    yield from rows(("`afrd train`", "s", "processor, s", "peak, MB", f"s × rate ÷ {REFERENCE} GFLOP/s"), body)


LINE_BLOCKS: Blocks = {
    "fit": fit,
    "crowded": crowded,
    "station": station,
    "lights chosen": lights_chosen,
    "lights recommended": lights_recommended,
    "lights of twelve": lights_of_twelve,
    "views": views,
    "stand-in": stand_in,
}
