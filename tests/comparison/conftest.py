"""One comparison, written by hand, and its tables."""

import pytest
import torch

from afrd.comparison.job import ALL_LIGHTS, Job
from afrd.comparison.tables import build_tables
from comparison_folder import EVIL, THREE, ComparisonFolder, strength

OURS = ("rd", "mean", "attention", "paper-attention", "late-mean", "late-max")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Three classes: ours with two seeds, PaDiM on two classes, GANomaly, one job failed, one method never run."""
    made = ComparisonFolder(tmp_path_factory.mktemp("comparison"), n_good=12, n_bad=12)
    made.fill(THREE, OURS, strength, seeds=(0, 1))
    made.fill(THREE, ("ganomaly",), strength, seed=1)
    made.fill(THREE[:2], ("padim",), strength, seed=2)
    made.failed(Job("Lollipop", "padim", "5", 0), EVIL)
    made.failed(Job("Lollipop", "attention", ALL_LIGHTS, 2), "RuntimeError: no memory")
    return made


@pytest.fixture(scope="module")
def tables(folder):
    return build_tables(folder.root)


@pytest.fixture
def one_thread():
    """As jobs have by default: sums in another order would be another training."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
