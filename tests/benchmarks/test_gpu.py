"""The script for a GPU, on the processor: it runs there, and its figures are what they say."""

import sys
from argparse import Namespace
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))  # benchmarks are no package that is installed

from benchmarks.gpu import measure, networks
from benchmarks.gpu_blocks import GPU_BLOCKS

OPTIONS = Namespace(device="cpu", quick=True)


def test_an_inspection_and_a_step_are_counted_and_timed():
    found = networks.inspections(networks.LITE0, "joint", OPTIONS, 64)
    one, two = found["eager, batch 1"], found["eager, batch 2"]
    assert one["tflops"] == pytest.approx(found["gflop"] / 1e3 / one["p50"])
    assert two["tflops"] == pytest.approx(2 * found["gflop"] / 1e3 / two["p50"])
    step = networks.steps(networks.LITE0, "32-true", False, OPTIONS, 64, 2)
    assert step["student"]["tflop"] > 0 and step["with teacher and preparation"]["p50"] > step["student"]["p50"] / 2


def test_apart_is_the_largest_difference_over_the_largest_value():
    assert measure.apart(np.array([1.0, -3.0]), np.array([1.0, -4.0])) == 0.25


def test_every_table_has_the_rows_of_its_result():
    assert {name: sum(line.startswith("|") for line in block()) - 2 for name, block in GPU_BLOCKS.items()} == {
        "gpu, inspection": 10,
        "gpu, training step": 6,
        "gpu, answers": 5,
        "gpu, artefacts": 3,
    }
