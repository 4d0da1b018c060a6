"""Fifty times `kill -9` at random moments under load: `python -m benchmarks.station.kills`."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.station.models import model, parts, write

from killing import killed_under_load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--model", type=Path, help="run folder or artefact of three lights at 64² [default: learnt now]"
    )
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        run = options.model or model(Path(temporary), 3, 64)
        lights = None if options.model is None else ("left", "right", "top")
        files = parts(12, 3, 64)[1]
        if lights:
            files = [dict(zip(lights, each.values(), strict=True)) for each in files]
        rounds = killed_under_load(run, files, Path(temporary) / "data", kills=options.kills, seed=options.seed)
    starts = sorted(each.start_seconds for each in rounds)
    write(
        {
            "kills": len(rounds),
            "answered": sum(each.answered for each in rounds),
            "sent_and_not_answered": sum(each.in_work for each in rounds),
            "judged_after_a_restart": rounds[-1].recovered,
            "problems": [problem for each in rounds for problem in each.problems],
            "start_seconds": {"median": round(starts[len(starts) // 2], 2), "longest": round(starts[-1], 2)},
        }
    )


if __name__ == "__main__":
    main()
