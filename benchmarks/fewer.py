"""The joint model with fewer captures to learn from, and with one light missing at inspection.

    python benchmarks/fewer.py DATA --store FEATURES --out benchmarks/results/fewer.json

FEATURES: where teacher features are kept; the `features` folder of a comparison has them already. A class that is in
the result file is not measured again. Table: `python benchmarks/fewer.py --table benchmarks/results/fewer.json`.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

import per_class
from afrd.comparison.class_data import ClassData
from afrd.evaluation.metrics import image_auroc
from afrd.model import JointGaussian
from afrd.training.defect_pairs import with_defects
from afrd.training.features import FeatureCache

CAPTURES, DRAWS = (5, 10, 20, 40, 60), 2


def fitted(data: ClassData, features: FeatureCache, chosen: np.ndarray, model: JointGaussian) -> JointGaussian:
    """Fitted as `afrd train` does it."""
    painted = with_defects(model, data.train.subset(sorted(chosen)), torch.device("cpu"))
    model.fit(lambda: (features.batch([i]) for i in sorted(chosen)), painted)
    return model


def auroc(
    model: JointGaussian, features: FeatureCache, labels: list[bool], lights: set[int] | None = None
) -> dict[str, Any]:
    scores = [float(model.judge(levels, lights).score) for levels in features.each()]
    estimate = image_auroc(labels, scores)
    return {"image_auroc": estimate.value, "interval": estimate.interval, "scores": np.round(scores, 5).tolist()}


@torch.inference_mode()
def measure(data: ClassData) -> dict[str, Any]:
    train, test = data.features("train"), data.features("test")
    labels = [bool(label) for label in data.test.labels]
    model = JointGaussian(lights=len(data.lights)).eval()
    captures: dict[str, list] = {}
    for n in sorted({min(n, len(train)) for n in CAPTURES}):
        for draw in range(1 if n == len(train) else DRAWS):
            chosen = np.random.default_rng(draw).permutation(len(train))[:n]
            captures.setdefault(str(n), []).append(auroc(fitted(data, train, chosen, model), test, labels))
    if n < len(train):
        fitted(data, train, np.arange(len(train)), model)
    without = {}
    for k, light in enumerate(data.lights):
        without[light] = auroc(model, test, labels, set(range(len(data.lights))) - {k})
    return {"captures": captures, "without": without, "labels": labels}


def rows(measured: dict[str, Any]) -> Iterator[tuple[str, float]]:
    for n, draws in sorted(measured["captures"].items(), key=lambda item: int(item[0])):
        yield f"{n} captures", float(np.mean([draw["image_auroc"] for draw in draws]))
    for light, found in measured["without"].items():
        yield f"without {light}", found["image_auroc"]


if __name__ == "__main__":
    per_class.main(__doc__, measure, rows)
