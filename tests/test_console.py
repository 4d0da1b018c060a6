"""What every process of a command does."""

import os
import re
import subprocess
import sys

import pytest

FAULTS = """
import resource, sys
import numpy as np
from afrd.console import keep_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(20):
        np.ones(1 << 20, np.uint8)  # 256 pages; too few for one huge page
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

if "keep" in sys.argv:
    keep_memory()
faults()
print(faults())
"""


def page_faults(*arguments: str, **environment: str) -> int:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MALLOC_")}
    command = [sys.executable, "-c", FAULTS, *arguments]
    return int(subprocess.run(command, env=kept | environment, capture_output=True, check=True, text=True).stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's malloc")
def test_memory_that_is_freed_is_not_cleared_again_by_the_kernel():
    assert page_faults("keep") < 500


def test_what_the_environment_says_of_memory_stands():
    given = {"MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
    assert page_faults("keep", **given) > 4000


def spin_count(**environment: str) -> str:
    """As libgomp says it understood it, in a process that loads torch after it was prepared as commands are."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    command = [sys.executable, "-c", "from afrd.console import prepare_process; prepare_process(); import torch"]
    environment = kept | {"OMP_DISPLAY_ENV": "verbose"} | environment
    said = subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stderr
    return re.search("GOMP_SPINCOUNT = '(.*)'", said)[1]


@pytest.mark.skipif(sys.platform != "linux", reason="GNU's OpenMP")
def test_threads_sleep_soon_unless_the_environment_says_otherwise():
    """Or two programs on two processors wait for each other most of the time."""
    assert spin_count() == "10000"
    assert spin_count(GOMP_SPINCOUNT="7") == "7"
    assert spin_count(OMP_WAIT_POLICY="passive") == "0"


@pytest.mark.parametrize("module", ["afrd.cli", "afrd.station.demo", "afrd.station.work"])
def test_no_entry_point_loads_torch_before_the_process_is_prepared(module):
    """It would not listen any more."""
    command = [sys.executable, "-c", f"import {module}, sys; print('torch' in sys.modules, 'scipy' in sys.modules)"]
    assert subprocess.run(command, capture_output=True, check=True, text=True).stdout.split() == ["False", "False"]
