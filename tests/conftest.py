"""What all tests share: tiny captures on disk in the real layout, and a teacher that is loaded once."""

import os
import sys
from pathlib import Path

import pytest

from afrd.console import keep_memory

sys.path.insert(0, str(Path(__file__).parent))  # tests/captures.py
os.environ.setdefault("HF_HUB_OFFLINE", "1")  # no test may reach for a hub
keep_memory()


@pytest.fixture(scope="session")
def teacher():
    """EfficientNet-Lite0 with its embedded ImageNet weights."""
    from afrd.model.teacher import Teacher

    return Teacher.load("efficientnet_lite0")


@pytest.fixture(scope="session")
def tiny(tmp_path_factory) -> Path:
    """An Eyecandies-layout data set of one class: 12 good to train on, 6 to hold out, 8 + 8 to test, 64²."""
    from captures import write_eyecandies

    root = tmp_path_factory.mktemp("tiny")
    write_eyecandies(root, counts={"train": (12, 0), "val": (6, 0), "test_public": (8, 8)}, size=64)
    return root
