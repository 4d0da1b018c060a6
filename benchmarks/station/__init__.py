"""Figures of the station against real processes: `python -m benchmarks.station.NAME`, as results/station/ says."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))  # the same stations, clients and kills as the tests'
