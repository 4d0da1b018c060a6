"""The API fuzzed from its own schema: `python -m benchmarks.station.fuzz --examples 600`."""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.station.models import model, parts, write

from fuzzing import fuzz
from station_process import StationProcess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=800, help="for each operation, allowed and forbidden")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--model", type=Path, help="run folder or artefact [default: learnt now]")
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        run = options.model or model(Path(temporary), 3, 64)
        station = StationProcess(run, Path(temporary) / "data")
        for k, files in enumerate(parts(3, 3, 64)[1]):
            station.post(files, f"part-{k}")
        before = _outside(station)
        counts, faults = fuzz(station, options.examples, options.seed)
        written = sorted(map(str, _outside(station) - before))
        health = station.health()
        station.kill()
    answers = {str(status): count for status, count in sorted(counts.items())}
    write(
        {"requests": sum(counts.values()), "answers": answers, "faults": faults, "outside": written, "health": health}
    )


def _outside(station: StationProcess) -> set[Path]:
    return {path for path in station.data.parent.rglob("*") if station.data not in path.parents}


if __name__ == "__main__":
    main()
