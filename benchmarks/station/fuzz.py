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
        data = Path(temporary).joinpath(*"abcdef", "data")  # however many folders up, what is written is seen
        data.parent.mkdir(parents=True)
        station = StationProcess(run, data)
        known = {f"part-{k}": files for k, files in enumerate(parts(3, 3, 64)[1])}
        for id, files in known.items():
            station.post(files, id).raise_for_status()
        before = _strange(Path(temporary), data)
        counts, faults = fuzz(station, options.examples, options.seed, known)
        written = sorted(map(str, _strange(Path(temporary), data) - before))
        health = station.health()
        station.kill()
    answers = {str(status): count for status, count in sorted(counts.items())}
    write(
        {"requests": sum(counts.values()), "answers": answers, "faults": faults, "outside": written, "health": health}
    )


def _strange(root: Path, data: Path) -> set[Path]:
    """What lies beside the data folder, or in it where the station puts no captures."""
    captures = {data / "captures", data / "incoming"}
    return {path for path in root.rglob("*") if not captures & {path, *path.parents}}


if __name__ == "__main__":
    main()
