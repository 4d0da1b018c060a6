"""How far maps should be smoothed below the threshold: P-AUROC and AU-PRO of the default model by σ.

    python -m benchmarks.map_sigma DATA [--categories C …] [--test-split test] [--sigma 0 2 3 4 6 8] [--seed 0]
        [--runs FOLDER] [--out benchmarks/results/map_sigma.json]

The default model learns from train and val (0.1 false alarms stated); the maps of the test captures are
smoothed by each σ, pixels at the model's size (`afrd.imaging.smoothing`); 0: as the model gives them. Scores and
verdicts do not change. --runs keeps the run folders; one that is there is not learned again. What the result holds of
a category is not run again.
"""

import argparse
import tempfile
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.by_class import measure_classes
from benchmarks.learned import run_of, splits_of

from afrd import TrainConfig
from afrd.datasets import categories
from afrd.evaluation.metrics import pixel_metrics


def measured(data: Path, category: str, split: str, sigmas: list[float], seed: int, run: Path) -> dict[str, Any]:
    """By σ: P-AUROC and AU-PRO, each with its 95 % interval."""
    splits = splits_of(data, category, split)
    inspector = run_of(splits, run, TrainConfig(fusion="auto", false_alarm_rate=0.1, seed=seed))
    said, masks = [], []
    for capture in splits["test"]:
        said.append(one := inspector.inspect_capture(capture))
        masks.append(np.zeros(one.map.size, bool) if capture.mask is None else capture.mask > 0)
    found: dict[str, Any] = {"model": inspector.card.fusion}
    for sigma in sigmas:
        full = [replace(one.map, sigma=sigma).calm(one.threshold).at_full_size() for one in said]
        found[f"{sigma:g}"] = {
            what: [round(value, 4) for value in (area.value, area.low, area.high)]
            for what, area in zip(("P-AUROC", "AU-PRO"), pixel_metrics(full, masks), strict=True)
        }
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--categories", nargs="*")
    parser.add_argument("--test-split", default="test")
    parser.add_argument("--sigma", type=float, nargs="+", default=[0, 2, 3, 4, 6, 8])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--runs", type=Path)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "map_sigma.json")
    arguments = parser.parse_args()
    kept = nullcontext(arguments.runs) if arguments.runs else tempfile.TemporaryDirectory()
    with kept as folder:
        measure_classes(
            arguments.out,
            arguments.categories or categories(arguments.data),
            lambda name: measured(
                arguments.data, name, arguments.test_split, arguments.sigma, arguments.seed, Path(folder) / name
            ),
            split=arguments.test_split,
            seed=arguments.seed,
        )


if __name__ == "__main__":
    main()
