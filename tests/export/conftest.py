"""Runs trained for one epoch and their artefacts, made when a test asks for them; captures that are not on disk."""

from pathlib import Path

import numpy as np
import pytest

from afrd.capture import Capture
from afrd.checkpoint import load_card
from afrd.datasets import open_dataset
from afrd.export import ExportReport, export_run
from afrd.runtimes import SUFFIXES
from afrd.training import TrainConfig, train
from captures import make_capture
from quick import QUICK


@pytest.fixture(scope="session")
def good(tiny):
    return open_dataset(tiny, "Confetto", "train")


@pytest.fixture(scope="session")
def labelled(tiny):
    return open_dataset(tiny, "Confetto", "test_public")


@pytest.fixture(scope="session")
def trained(tiny, good, tmp_path_factory):
    """fusion → run folder."""
    runs: dict[str, Path] = {}

    def run(fusion: str = "attention") -> Path:
        if fusion not in runs:
            out = tmp_path_factory.mktemp("runs") / fusion.replace(":", "-")
            config = TrainConfig.acting(fusion, epochs=1, image_size=64, false_alarm_rate=0.2, **QUICK)
            train(good, out, config, holdout=open_dataset(tiny, "Confetto", "val"))
            runs[fusion] = out
        return runs[fusion]

    return run


@pytest.fixture(scope="session")
def exported(trained, good, labelled, tmp_path_factory):
    """(fusion, target, precision) → the report of an export into a folder of its own; fp32 is compared on labels."""
    reports: dict[tuple[str, ...], ExportReport] = {}

    def export(fusion: str, to: str, precision: str = "fp32") -> ExportReport:
        key = (fusion, to, precision)
        if key not in reports:
            out = tmp_path_factory.mktemp("artefacts") / f"a{SUFFIXES[to]}"
            compare_on = labelled if precision == "fp32" else None
            reports[key] = export_run(trained(fusion), good, out, to=to, precision=precision, compare_on=compare_on)
        return reports[key]

    return export


@pytest.fixture(scope="session")
def other_captures(trained):
    """Twelve good captures as another camera takes them: 16 bit, 100 × 80 pixels; read already."""
    card, rng = load_card(trained()), np.random.default_rng(7)
    images = [make_capture(rng, 6, 100)[0][..., :80].astype(np.uint16) * 257 for _ in range(12)]
    return [Capture(f"c{i}", pixels, card.lights.rig(), False, imaging=card.imaging) for i, pixels in enumerate(images)]
