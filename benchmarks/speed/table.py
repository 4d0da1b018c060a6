"""docs/speed.md from results/speed/*.json: what stands between its markers is written anew, the rest stays.

    python -m benchmarks.speed.table

A block is `<!-- speed: NAME -->` to `<!-- /speed -->`; NAME is a function here. Without its file it says so.
"""

import argparse
import json
import re
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from benchmarks.speed.targets import LITE0, TARGETS, WRN50

from afrd.files import write_text

RESULTS, DOCUMENT = Path("benchmarks/results/speed"), Path("docs/speed.md")
_BLOCK = re.compile(r"(<!-- speed: (\w+) -->\n).*?(<!-- /speed -->)", re.DOTALL)
NAMES = {LITE0: "EfficientNet-Lite0", WRN50: "WRN50-2"}

Result = dict[str, Any]


def rows(head: Sequence[str], body: Sequence[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(head)} |"
    yield "|---" * len(head) + "|"
    for row in body:
        yield f"| {' | '.join(row)} |"


def time(seconds: float) -> str:
    return f"{seconds:.2f} s" if seconds >= 1 else f"{1000 * seconds:.0f} ms"


def both(spread: Result) -> str:
    """p50 and p95."""
    return f"{time(spread['p50'])} / {time(spread['p95'])}"


def memory(mb: float | None) -> str:
    return "" if mb is None else f"{mb:,.0f} MB"


def times(value: float | None) -> str:
    return "" if value is None else f"{value:.2f}"


def conditions(result: Result) -> str:
    peak = result["matrix_peak_gflops"]
    versions = ", ".join(f"{name} {version}" for name, version in result["versions"].items())
    return (
        f"{result['threads']} threads, {result['processor']}, matrix peak {peak['before']:.0f} GFLOP/s before and "
        f"{peak['after']:.0f} after; {versions}."
    )


def inference(result: Result) -> Iterator[str]:
    yield conditions(result)
    for teacher, batches in result["inference"].items():
        flop = ", ".join(f"{name} {value / 1e9:.1f}" for name, value in result["flop"][teacher].items())
        for batch, found in batches.items():
            repeats = next(iter(found.values()))["seconds"]["repeats"]
            yield ""
            yield f"**{NAMES[teacher]}, batch {batch}** ({repeats} rounds; GFLOP a capture: {flop})"
            yield ""
            head = ("", "p50 / p95", "÷ floor", "÷ bare convolutions", "÷ teacher", "eager ÷ it", "peak memory")
            yield from rows(
                head,
                [
                    (
                        name,
                        both(row["seconds"]),
                        times(row["times_floor"]),
                        times(row.get("times_bare")),
                        times(row["times_teacher"]),
                        times(row.get("faster_than_eager")),
                        memory(row["peak_memory_mb"]),
                    )
                    for name, row in found.items()
                ],
            )
    yield ""
    yield f"Memory without any model, torch imported: {memory(result['libraries_memory_mb'])}."


def shares(result: Result) -> Iterator[str]:
    where = {f"{NAMES[t]}, {f}": s for t, fusions in result["shares_of_eager"].items() for f, s in fusions.items()}
    kinds = dict.fromkeys(kind for found in where.values() for kind in found)
    body = [(kind, *(f"{100 * found.get(kind, 0):.1f} %" for found in where.values())) for kind in kinds]
    yield from rows(("own time of", *where), body)


def peers(result: Result) -> Iterator[str]:
    yield conditions(result)
    yield ""
    head = ("one capture", "p50 / p95", "faster than anomalib, one by one", "as a batch", "OpenVINO", "peak memory")
    kinds = ("one_by_one", "batch", "openvino")
    yield from rows(
        head,
        [
            (
                name,
                both(row["seconds"]),
                *(f"{row[f'faster_than_anomalib_{kind}']:.2f} ×" for kind in kinds),
                memory(row["peak_memory_mb"]),
            )
            for name, row in result["inspection"].items()
        ],
    )
    yield ""
    yield from rows(
        ("training step", "p50 / p95", "share of anomalib's", "peak memory"),
        [
            (name, both(row["seconds"]), times(row["share_of_anomalib"]), memory(row["peak_memory_mb"]))
            for name, row in result["training_step"].items()
        ],
    )


def training(result: Result) -> Iterator[str]:
    yield conditions(result)
    yield ""
    whole = "40_epochs_seconds"
    body = [
        (
            name,
            time(row["filling_the_cache_seconds"]),
            both(row["epoch_seconds"]),
            time(row[whole]),
            time(row[f"{whole}_at_320_gflops_if_all_were_arithmetic"]),
            memory(row["peak_memory_mb"]),
        )
        for name, row in result["training"].items()
    ]
    head = ("", "filling the cache", "an epoch", "40 epochs", "40 epochs × peak ÷ 320 GFLOP/s", "peak memory")
    yield from rows(head, body)
    joint, load = result["joint"], result["loading"]
    yield ""
    yield (
        f"`joint` is fitted in {both(joint['seconds'])}, {joint['times_teacher']:.2f} times the teacher's pass "
        f"({both(joint['teacher_seconds'])}), with {memory(joint['peak_memory_mb'])}."
    )
    yield ""
    each = load["captures"]
    yield from rows(
        (f"{each} captures of 6 PNGs, {load['bytes_of_an_image'] / 1000:.0f} kB each", "p50 / p95", "a capture"),
        [(name, both(s), time(s["p50"] / each)) for name, s in load["seconds"].items()],
    )
    yield ""
    yield (
        f"Decoding in one thread takes {100 * load['one_thread_as_share_of_teacher']:.1f} % of the teacher's pass, "
        f"read ahead {100 * load['read_ahead_as_share_of_teacher']:.1f} %; a pass from files takes "
        f"{load['from_files_times_in_memory']:.2f} times the pass from memory."
    )


def growth(result: Result) -> Iterator[str]:
    yield conditions(result)
    for over in ("lights", "sizes"):
        values = list(dict.fromkeys(v for found in result[over].values() for v in found))
        yield ""
        yield from rows(
            (over, *values),
            [(what, *(_cell(found[v]) if v in found else "" for v in values)) for what, found in result[over].items()],
        )
    yield ""
    numbers = list(next(iter(result["captures"].values())))
    body = []
    for what, found in result["captures"].items():
        body.append((what, *(time(found[n]["seconds"]) for n in numbers)))
        body.append((f"{what}, a capture", *(f"{1000 * found[n]['seconds'] / int(n):.2f} ms" for n in numbers)))
        body.append((f"{what}, allocated", *(memory(found[n]["allocated_mb"]) for n in numbers)))
        body.append((f"{what}, peak with mapped files", *(memory(found[n]["peak_memory_mb"]) for n in numbers)))
    yield from rows(("captures", *numbers), body)


def _cell(row: Result) -> str:
    return ", ".join(filter(None, (time(row["seconds"]["p50"]), memory(row["peak_memory_mb"]))))


def start(result: Result) -> Iterator[str]:
    yield conditions(result)
    yield ""
    yield from rows(
        ("", "p50 / p95", "peak memory"),
        [(name, both(row["seconds"]), memory(row["peak_memory_mb"])) for name, row in result["start"].items()],
    )


def targets(found: dict[str, Result]) -> Iterator[str]:
    """What was hoped for beside what was reached. found: by file name; what is not there yet stays open."""
    body = []
    for target in TARGETS:
        limit = f"{'≥' if target.least else '≤'} {target.limit:g}"
        value = target.value(found)
        reached = "" if value is None else "yes" if target.reached(value) else "**no**"
        body.append((target.what, limit, "not measured yet" if value is None else f"{value:.2f}", reached))
    yield from rows(("", "hoped for", "measured", "reached"), body)


BLOCKS: dict[str, tuple[str, Callable[[Result], Iterator[str]]]] = {
    "inference": ("inference", inference),
    "shares": ("inference", shares),
    "peers": ("peers", peers),
    "training": ("training", training),
    "growth": ("growth", growth),
    "start": ("start", start),
}


def written(document: str, found: dict[str, Result]) -> str:
    """The document with its blocks filled."""

    def fill(match: re.Match) -> str:
        name = match[2]
        if name == "targets":
            lines = targets(found)
        else:
            file, block = BLOCKS[name]
            lines = block(found[file]) if file in found else [f"Not measured yet: `python -m benchmarks.speed {file}`."]
        wrapped = (part for line in lines for part in ([line] if line.startswith("|") else wrap(line, 120) or [""]))
        return "\n".join((match[1].rstrip("\n"), *wrapped, match[3]))

    return _BLOCK.sub(fill, document)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=RESULTS)
    parser.add_argument("--document", type=Path, default=DOCUMENT)
    options = parser.parse_args()
    found = {path.stem: json.loads(path.read_text()) for path in sorted(options.results.glob("*.json"))}
    write_text(options.document, written(options.document.read_text(encoding="utf-8"), found))


if __name__ == "__main__":
    main()
