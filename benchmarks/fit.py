"""What learning costs: `afrd train` as a user starts it, in a process of its own, on captures that are there.

    python -m benchmarks.fit DATA --category HazelnutTruffle [--rounds 3] [--out FILE]

Seconds, processor seconds and peak memory of the whole command, start included; in each round all of them in turn. On
a quiet machine, whose rate in a matrix product is measured around each round. Each command learns from the captures of
`train` and `val`.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.speed.measure import matrix_peak

from afrd import open_dataset
from afrd.files import write_text

COMMANDS = {
    "default, every part in folds": [],
    "default that can grow, val held out": ["--growable"],
    "mean of the lights, 40 epochs": ["--fusion", "mean", "--epochs", "40"],
}


def run(arguments: list[str]) -> dict[str, float]:
    """Of one command."""
    start = time.perf_counter()
    process = os.posix_spawn(sys.executable, [sys.executable, "-m", "afrd", "train", *arguments], os.environ)
    _, status, used = os.wait4(process, 0)
    if status:
        raise SystemExit(f"afrd train {' '.join(arguments)}: exit status {os.waitstatus_to_exitcode(status)}")
    return {
        "seconds": time.perf_counter() - start,
        "processor_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--category")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "fit.json")
    given = parser.parse_args()
    sets = {split: open_dataset(given.data, given.category, split) for split in ("train", "val")}
    found: dict[str, list[dict[str, float]]] = {name: [] for name in COMMANDS}
    peaks = [matrix_peak()]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(given.rounds):
            for place, (name, options) in enumerate(COMMANDS.items()):
                where = ["--category", given.category] if given.category else []
                out = str(Path(folder) / f"{number}-{place}")
                found[name].append(run([str(given.data), *where, "--out", out, *options]))
            peaks.append(matrix_peak())
    result = {
        "captures": {split: len(captures) for split, captures in sets.items()},
        "lights": len(sets["train"].lights),
        "pixels": list(sets["train"][0].images.shape[-2:]),
        "processors": len(os.sched_getaffinity(0)),
        "matrix_peak_gflops": peaks,
        "commands": found,
    }
    write_text(given.out, json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
