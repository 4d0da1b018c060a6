"""The joint model as it is, and without its painted defects, its expectation, or both.

    python benchmarks/parts.py DATA --store FEATURES --out benchmarks/results/parts.json

FEATURES: where the teacher's features are kept; the `features` folder of a comparison has them already.
"""

import numpy as np
import torch

import by_class
from afrd.comparison.class_data import ClassData
from afrd.evaluation.metrics import image_auroc, pixel_metrics
from afrd.model import JointGaussian
from afrd.model.joint import BASELINE
from afrd.training.defect_pairs import with_defects
from afrd.training.features import FeatureCache


def figures(model: JointGaussian, test: FeatureCache, labels: list[bool], masks: np.ndarray) -> dict[str, float]:
    maps = np.concatenate([model.judge(levels).anomaly_map.numpy() for levels in test.each()])
    pixels, regions = pixel_metrics(maps, masks, resamples=2)
    image = image_auroc(labels, maps.max((1, 2)), resamples=2)
    return {"image_auroc": image.value, "pixel_auroc": pixels.value, "au_pro": regions.value}


@torch.inference_mode()
def measure(data: ClassData) -> dict[str, dict[str, float]]:
    train, test = data.features("train"), data.features("test")
    labels, masks = [bool(label) for label in data.test.labels], np.stack([c.mask for c in data.test])
    model, found = JointGaussian(lights=len(data.lights)).eval(), {}
    for defects in (True, False):
        painted = with_defects(model, data.train, torch.device("cpu")) if defects else ()
        model.fit(train.each, painted)
        name = "as it is" if defects else "without painted defects"
        found[name] = figures(model, test, labels, masks)
        model.expectation.coefficients[:-1] = 0
        model.expectation.coefficients[-1] = BASELINE  # everywhere, so that the map is the log distance itself
        found["without the expectation" if defects else "without both"] = figures(model, test, labels, masks)
    return found


if __name__ == "__main__":
    by_class.main(__doc__, measure)
