"""Webhook, broker and OPC UA client away, silent and back: `python -m benchmarks.station.away --seconds 60`.

Parts come at half the capacity meanwhile (`tests/being_away.py`).
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.station.models import artefact, parts, write

from being_away import away
from flooding import capacity
from station_process import StationProcess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60, help="of each phase")
    parser.add_argument("--lights", type=int, default=6)
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        root = Path(temporary)
        served, (_, files) = artefact(root, options.lights, options.size), parts(12, options.lights, options.size)
        station = StationProcess(served, root / "capacity")
        rate = capacity(station, files) / 2
        station.kill()
        result = away(served, files, root, options.seconds, rate)
    about = {"lights": options.lights, "size": options.size, "seconds": options.seconds, "per_second": round(rate, 2)}
    write(about | result)


if __name__ == "__main__":
    main()
