"""Is the rig as it was in training: in one capture, and over many. Knows no network and no verdict."""

from afrd.rig.drift import RigReference
from afrd.rig.measure import RigMeasurement, measurable, measure_rig
from afrd.rig.monitor import RUN_LENGTH, WEIGHT, Drift, RigMonitor
from afrd.rig.words import QUANTITIES

__all__ = [
    "QUANTITIES",
    "RUN_LENGTH",
    "WEIGHT",
    "Drift",
    "RigMeasurement",
    "RigMonitor",
    "RigReference",
    "measurable",
    "measure_rig",
]
