"""What the joint model's features allow: models that have seen the masks of several hundred real defects of the class.

    afrd render DEFECTS --classes A B --train 2 --val 2 --test 400 --seed 1
    python benchmarks/bound.py DATA DEFECTS --classes A B --out benchmarks/results/bound.json

DATA is judged, by captures of `test_public`; the models learn from the good captures of its `train` and from all of
`test_public` of DEFECTS, which is of another seed, so of other objects. Beside the joint model as it is:
    directions   its distance with the covariance of real defects' whitened vectors instead of painted ones' changes
    network      on the whitened vectors, 1 × 1, 3 × 3 and 3 × 3 convolutions, cross entropy of places, three seeds
both with a quarter, a half and all of the defects. Their map is enlarged, smoothed and its maximum the score, as ever.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, binary_cross_entropy_with_logits, interpolate

from afrd.datasets import CaptureSet, open_dataset
from afrd.evaluation.metrics import image_auroc, pixel_metrics
from afrd.model import JointGaussian
from afrd.model.defect_space import COVERED, DefectSpace
from afrd.model.moments import whitening as whitening_of
from afrd.training.defect_pairs import with_defects
from by_class import measure_classes

SHARES, SEEDS = (0.25, 0.5, 1.0), (0, 1, 2)
EPOCHS, BATCH, RATE = 15, 8, 1e-3


class Whitened:
    """The joint model's whitened vectors of captures, [M, D, h, w] in half precision, with labels and masks."""

    def __init__(self, model: JointGaussian, whitening: Tensor, captures: CaptureSet) -> None:
        vectors = []
        for capture in captures:
            described = model.describe(model.extract(torch.from_numpy(capture.images)[None]))
            vectors.append(torch.einsum("dc,bchw->bdhw", whitening, described - model.mean[:, None, None]).half())
        self.vectors = torch.cat(vectors)
        self.labels = np.array([bool(label) for label in captures.labels])
        self.masks = np.stack([c.mask if bool(c.anomalous) else np.zeros(c.images.shape[-2:], bool) for c in captures])
        self.cover = avg_pool2d(torch.from_numpy(self.masks).float()[:, None], model.stride)[:, 0]  # [M, h, w]


def figures(model: JointGaussian, places: Tensor, test: Whitened) -> dict[str, float]:
    """places: [M, h, w], how unusual each is."""
    size = (model.image_size, model.image_size)
    maps = model.anomaly_map.smooth(interpolate(places[:, None], size, mode="bilinear", align_corners=False))[:, 0]
    return judged(maps, test)


def judged(maps: Tensor, test: Whitened) -> dict[str, float]:
    image = image_auroc(test.labels.tolist(), maps.amax((1, 2)).numpy(), resamples=1000)
    pixels, _ = pixel_metrics((maps - maps.min()).numpy(), test.masks, resamples=2)
    return {"image_auroc": image.value, "low": image.low, "high": image.high, "pixel_auroc": pixels.value}


def directions(defects: Whitened, use: np.ndarray, test: Whitened) -> Tensor:
    """[M, h, w], the joint model's surprise with real defects' whitened vectors in place of painted ones' changes."""
    picked = defects.vectors[use].movedim(1, -1)[defects.cover[use] > COVERED].float()
    picked = picked * (1 + picked.square().mean(1, keepdim=True)).rsqrt()  # gross defects do not decide alone
    space = DefectSpace(picked.shape[1])
    space.covariance.copy_(picked.T @ picked / len(picked))
    distance = space.weigh(torch.eye(picked.shape[1], dtype=torch.float64), torch.arange(picked.shape[1])).float()
    return torch.cat([JointGaussian._log_distance(v[None].float(), distance)[0] for v in test.vectors])


def network(good: Whitened, defects: Whitened, use: np.ndarray, test: Whitened, seed: int) -> Tensor:
    torch.manual_seed(seed)
    width = defects.vectors.shape[1]
    net = nn.Sequential(
        nn.Dropout2d(0.1),
        nn.Conv2d(width, 128, 1),
        nn.ReLU(),
        nn.Conv2d(128, 64, 3, padding=1),
        nn.ReLU(),
        nn.Dropout2d(0.1),
        nn.Conv2d(64, 1, 3, padding=1),
    )
    vectors = [*good.vectors, *defects.vectors[use]]
    cover = torch.cat([good.cover, defects.cover[use]])
    optimizer = torch.optim.AdamW(net.parameters(), RATE, weight_decay=1e-2)
    steps = EPOCHS * (len(vectors) // BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=steps)
    positive = (cover > COVERED).float().mean()
    for _ in range(EPOCHS):
        for chosen in torch.randperm(len(vectors)).split(BATCH)[: steps // EPOCHS]:
            logits = net(torch.stack([vectors[i] for i in chosen]).float())[:, 0]
            target = cover[chosen]
            known = (target > COVERED) | (target < 0.05)
            loss = binary_cross_entropy_with_logits(
                logits[known], (target[known] > COVERED).float(), pos_weight=((1 - positive) / positive).sqrt()
            )
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    net.eval()
    with torch.inference_mode():
        return torch.cat([net(batch.float())[:, 0] for batch in test.vectors.split(16)])


def measure(data: Path, defects: Path, name: str) -> dict[str, dict[str, float]]:
    train, judged_captures = open_dataset(data, name, "train"), open_dataset(data, name, "test_public")
    model = JointGaussian(lights=len(train[0].images), image_size=train[0].images.shape[-1]).eval()
    with torch.inference_mode():
        model.fit(
            lambda: (model.extract(torch.from_numpy(c.images)[None]) for c in train),
            with_defects(model, train, torch.device("cpu")),
        )
        whitening = whitening_of(model.covariance.double()).float()
        good, real, test = (
            Whitened(model, whitening, c) for c in (train, open_dataset(defects, name, "test_public"), judged_captures)
        )
        maps = torch.cat([model(torch.from_numpy(c.images)[None]).anomaly_map for c in judged_captures])
        found = {"joint": judged(maps, test)}
    bad = np.flatnonzero(real.labels)
    for share in SHARES:
        few = bad[: int(share * len(bad))]
        found[f"directions, {len(few)} defective"] = figures(model, directions(real, few, test), test)
        use = np.sort(np.concatenate([few, np.flatnonzero(~real.labels)]))
        for seed in SEEDS:
            places = network(good, real, use, test, seed)
            found[f"network, {len(few)} defective, seed {seed}"] = figures(model, places, test)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("defects", type=Path)
    parser.add_argument("--classes", nargs="+", required=True)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    measure_classes(args.out, args.classes, lambda name: measure(args.data, args.defects, name))


if __name__ == "__main__":
    main()
