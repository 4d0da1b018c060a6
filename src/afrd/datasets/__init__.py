"""Captures from disk: the Eyecandies layout, a user's own folders, and captures without labels.

Knows files and images; knows no networks. Every problem of a data set is found by the same code, whether it is raised
(`open_dataset`, `verify`) or listed (`check_dataset`).
"""

from afrd.datasets.capture_set import CaptureSet
from afrd.datasets.dataset import categories, check_dataset, open_dataset, splits, verify
from afrd.datasets.known_defects import read_known_defects
from afrd.datasets.lights import EYECANDIES_LIGHTS, require_lights
from afrd.datasets.problems import Problem
from afrd.datasets.reading import ahead, read_ahead
from afrd.datasets.record import Record
from afrd.datasets.unlabelled import read_captures

__all__ = [
    "EYECANDIES_LIGHTS",
    "CaptureSet",
    "Problem",
    "Record",
    "ahead",
    "categories",
    "check_dataset",
    "open_dataset",
    "read_ahead",
    "read_captures",
    "read_known_defects",
    "require_lights",
    "splits",
    "verify",
]
