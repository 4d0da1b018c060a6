"""What each part of the joint model is good for: one part changed at a time.

    python benchmarks/ablation.py DATA --store FEATURES --out benchmarks/results/ablation.json

FEATURES: where teacher features are kept; the `features` folder of a comparison has them already. A class that is in
the result file is not measured again. Table: `python benchmarks/ablation.py --table benchmarks/results/ablation.json`.
The model is written out here once more, in plain products, so it checks the package's too; half of the places are
enough for the expectation.
"""

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

import per_class
from afrd.benchmark.class_data import ClassData
from afrd.evaluation.metrics import image_auroc
from afrd.model.anomaly_map import AnomalyMap
from afrd.training.features import FeatureCache

GRID, SIZE, SHRINKAGE, COMPONENTS = 32, 256, 0.01, 128
VARIANTS = {
    "as built": {},
    "no expectation of the surprise": {"components": 0},
    "expectation from 16 components": {"components": 16},
    "expectation from 512 components": {"components": 512},
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


class Usual:
    """Surprise of good parts, regressed on random features of the principal components."""

    def __init__(self, whitened: Tensor, surprise: Tensor) -> None:
        q, generator = whitened.shape[1], torch.Generator().manual_seed(0)
        self.hidden = torch.randn(512, q, generator=generator) / q**0.5
        self.bias = 2 * torch.rand(512, generator=generator) - 1
        features = self.features(whitened).double()
        moment = features.T @ features
        ridge = (1e-3 + 50 / len(features)) * moment.diagonal().mean() * torch.ones(len(moment))
        ridge[-1] = 0
        self.weights = torch.linalg.solve(moment + ridge.diag(), features.T @ surprise.double()).float()

    def features(self, whitened: Tensor) -> Tensor:
        known = whitened.clamp(-3, 3)
        return torch.cat([(known @ self.hidden.T + self.bias).relu(), known, torch.ones(len(known), 1)], 1)

    def __call__(self, whitened: Tensor) -> Tensor:
        return self.features(whitened) @ self.weights


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
    components=COMPONENTS,
) -> np.ndarray:
    x, (light, level) = describe(train, lights, levels, smooth)
    mean = x.mean(0)
    energy = x.square().mean(0)
    x -= mean
    covariance = x.T @ x / (len(x) - 1)
    unit = torch.stack([energy[level == k].mean() * (level == k).sum() / (light.max() + 1) for k in level]).sqrt()
    covariance = covariance / unit / unit[:, None]
    keep = {
        "none": torch.ones_like(covariance, dtype=torch.bool),
        "lights": light == light[:, None],
        "levels": level == level[:, None],
        "channels": torch.eye(len(light), dtype=torch.bool),
    }[blocks]
    covariance = covariance * keep + shrinkage * covariance.diagonal().mean() * torch.eye(len(light))
    values, axes = torch.linalg.eigh(covariance.double())
    whitening = (axes / values.sqrt()).flip(1).float() / unit[:, None]  # leading components first

    def surprise(whitened: Tensor) -> Tensor:
        return 0.5 * torch.log1p(whitened.square().mean(1).square())

    y = (describe(test, lights, levels, smooth)[0] - mean) @ whitening
    unusual = surprise(y)
    if components:
        x = x[::2] @ whitening
        unusual -= Usual(x[:, :components], surprise(x))(y[:, :components])
    enlarged = interpolate(unusual.view(-1, 1, GRID, GRID), (SIZE, SIZE), mode="bilinear", align_corners=False)
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
