"""What each part of the joint model's Gaussian is good for: one part changed at a time, without the expectation.

    python benchmarks/ablation.py DATA --store FEATURES --out benchmarks/results/ablation.json

FEATURES: where teacher features are kept; the `features` folder of a comparison has them already. A class that is in
the result file is not measured again. Table: `python benchmarks/ablation.py --table benchmarks/results/ablation.json`.
The Gaussian is written out here once more, in plain products; what good parts surprise with is not taken off here.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

import per_class
from afrd.comparison.class_data import ClassData
from afrd.evaluation.metrics import image_auroc
from afrd.model.anomaly_map import AnomalyMap
from afrd.training.features import FeatureCache

GRID, SIZE, SHRINKAGE = 32, 256, 0.01
VARIANTS = {
    "the Gaussian alone": {},
    "features of the lights averaged": {"lights": "mean"},
    "mean and standard deviation over the lights": {"lights": "mean and spread"},
    "no covariance between lights": {"blocks": "lights"},
    "no covariance between levels": {"blocks": "levels"},
    "no covariance at all": {"blocks": "channels"},
    "without the level at stride 4": {"levels": (1, 2)},
    "without the level at stride 8": {"levels": (0, 2)},
    "without the level at stride 16": {"levels": (0, 1)},
    "no 3 × 3 mean": {"smooth": False},
    "shrinkage 0.1": {"shrinkage": 0.1},
    "shrinkage 0.001": {"shrinkage": 0.001},
}


def describe(features: FeatureCache, lights: str, levels: tuple[int, ...], smooth: bool) -> tuple[Tensor, Tensor]:
    """[M · places, lights · channels] and, for each of these columns, its light, level."""
    parts, columns = [], []
    for k in levels:
        x = torch.from_numpy(np.asarray(features.levels[k])).float()
        m, n, c = x.shape[:3]
        x = x.flatten(0, 1)
        if smooth:
            x = avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        if x.shape[-1] > GRID:
            x = avg_pool2d(x, x.shape[-1] // GRID)
        elif x.shape[-1] < GRID:
            x = interpolate(x, (GRID, GRID), mode="bilinear", align_corners=False)
        x = x.view(m, n, c, GRID, GRID)
        if lights == "mean":
            x = x.mean(1, keepdim=True)
        elif lights == "mean and spread":
            x = torch.stack([x.mean(1), x.std(1)], 1)
        columns.append(
            torch.stack(torch.meshgrid(torch.arange(x.shape[1]), torch.tensor([k]).expand(c), indexing="ij"))
        )
        parts.append(x)
    return torch.cat(parts, 2).flatten(1, 2).movedim(1, -1).flatten(0, -2), torch.cat(columns, 2).flatten(1)


def scores(
    train: FeatureCache,
    test: FeatureCache,
    smoothing: AnomalyMap,
    *,
    lights="all",
    levels=(0, 1, 2),
    smooth=True,
    blocks="none",
    shrinkage=SHRINKAGE,
) -> np.ndarray:
    x, (light, level) = describe(train, lights, levels, smooth)
    mean = x.mean(0)
    energy = x.square().mean(0)
    x -= mean
    covariance = x.T @ x / (len(x) - 1)
    del x
    unit = torch.stack([energy[level == k].mean() * (level == k).sum() / (light.max() + 1) for k in level]).sqrt()
    covariance = covariance / unit / unit[:, None]
    keep = {
        "none": torch.ones_like(covariance, dtype=torch.bool),
        "lights": light == light[:, None],
        "levels": level == level[:, None],
        "channels": torch.eye(len(light), dtype=torch.bool),
    }[blocks]
    covariance = covariance * keep + shrinkage * covariance.diagonal().mean() * torch.eye(len(light))
    whitening = torch.linalg.inv(torch.linalg.cholesky(covariance.double())).float()
    y, _ = describe(test, lights, levels, smooth)
    y = ((y - mean) / unit) @ whitening.T
    surprise = 0.5 * torch.log1p(y.square().mean(1).square()).view(-1, 1, GRID, GRID)
    enlarged = interpolate(surprise, (SIZE, SIZE), mode="bilinear", align_corners=False)
    return smoothing.smooth(enlarged).flatten(1).amax(1).double().numpy()


@torch.inference_mode()
def measure(data: ClassData) -> dict[str, float]:
    train, test = data.features("train"), data.features("test")
    labels, smoothing = [bool(label) for label in data.test.labels], AnomalyMap(SIZE)
    return {
        name: image_auroc(labels, scores(train, test, smoothing, **change), resamples=2).value
        for name, change in VARIANTS.items()
    }


if __name__ == "__main__":
    per_class.main(__doc__, measure, lambda measured: measured.items())
