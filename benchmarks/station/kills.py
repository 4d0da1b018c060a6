"""Fifty times `kill -9` at random moments under load: `python -m benchmarks.station.kills`."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.station.models import artefact, model, parts, write

from killing import killed_under_load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--artefact", action="store_true", help="serve an ONNX file instead of a run folder")
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        served = (artefact if options.artefact else model)(Path(temporary), 3, 64)
        files = parts(12, 3, 64)[1]
        rounds = killed_under_load(served, files, Path(temporary) / "data", kills=options.kills, seed=options.seed)
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
