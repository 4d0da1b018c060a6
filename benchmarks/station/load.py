"""Twice the capacity for a while: `python -m benchmarks.station.load --minutes 60`.

Capacity is measured first, with one client; then `tests/flooding.py` sends at twice that rate.
"""

import argparse
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from benchmarks.station.models import model, parts, write

from afrd.datasets.images import decode
from afrd.inspector import Inspector
from flooding import capacity, flood
from station_process import StationProcess


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--lights", type=int, default=6)
    parser.add_argument("--size", type=int, default=256)
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        run = model(Path(temporary), options.lights, options.size)
        _, files = parts(12, options.lights, options.size)
        inspector = Inspector.load(run)
        expected = [inspector.inspect(np.stack([decode(c, Path(n)) for n, c in each.items()])) for each in files]
        station = StationProcess(run, Path(temporary) / "data")
        can = capacity(station, files)
        result = flood(station, files, expected, 2 * can, options.minutes * 60)
        station.kill()
    write({"lights": options.lights, "size": options.size, "minutes": options.minutes, "capacity": can} | result)


if __name__ == "__main__":
    main()
