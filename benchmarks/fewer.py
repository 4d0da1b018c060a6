"""The joint model with fewer captures to learn from, and with one light missing at inspection.

    python benchmarks/fewer.py DATA --store FEATURES --out benchmarks/results/fewer.json

FEATURES: where the teacher's features are kept; the `features` folder of a comparison has them already.
"""

from typing import Any

import numpy as np
import torch

import by_class
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


if __name__ == "__main__":
    by_class.main(__doc__, measure)
