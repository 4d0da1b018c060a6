"""What the default finds in fixed captures, as a figure that may not move unseen.

Their colours are patches of a photograph (scikit-learn carries it), their relief is drawn, four lights show both
through a camera's noise. Dents and stains are faint enough that not all are found: a change for the better shows too.
"""

import cv2
import numpy as np
import pytest
from sklearn.datasets import load_sample_image
from sklearn.metrics import roc_auc_score

from afrd import Inspector, open_dataset
from afrd.training import TrainConfig, train
from captures import write_image

SIZE, LIGHTS = 96, ("bottom", "left", "right", "top")
SIDES = np.array([[0, -0.7, 0.7], [-0.7, 0, 0.7], [0.7, 0, 0.7], [0, 0.7, 0.7]])
LEARNED, HELD_OUT, GOOD, BAD = 24, 8, 24, 24
GOLDEN = 0.889


def part(rng: np.random.Generator, photograph: np.ndarray, bad: bool) -> np.ndarray:
    """[4, 3, S, S] uint8."""
    top, left = (int(rng.integers(0, n - SIZE)) for n in photograph.shape[:2])
    colour = photograph[top : top + SIZE, left : left + SIZE].astype(np.float32) / 255 * 0.6 + 0.2
    height = cv2.GaussianBlur(rng.normal(size=(SIZE, SIZE)), (0, 0), 2) * 2
    if bad:
        y, x = np.mgrid[:SIZE, :SIZE] - rng.integers(16, SIZE - 16, (2, 1, 1))
        blob = np.exp(-(x**2 + y**2) / (2 * rng.uniform(2, 5) ** 2))
        if rng.random() < 0.5:
            height = height - 6 * blob
        else:
            colour = colour * (1 - 0.4 * blob[..., None])
    slope = np.gradient(height)
    normals = np.stack([-slope[1], slope[0], np.ones_like(height)])
    normals /= np.linalg.norm(normals, axis=0)
    lit = np.einsum("kc,chw->khw", SIDES, normals).clip(0)[:, None] * colour.transpose(2, 0, 1)
    return np.rint(255 * lit + rng.normal(0, 1.5, lit.shape)).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root, rng = tmp_path_factory.mktemp("golden"), np.random.default_rng(0)
    photograph = load_sample_image("flower.jpg")
    for split, label, count in (
        ("train", "good", LEARNED), ("val", "good", HELD_OUT), ("test", "good", GOOD), ("test", "bad", BAD)
    ):  # fmt: skip
        for k in range(count):
            for light, image in zip(LIGHTS, part(rng, photograph, label == "bad"), strict=True):
                write_image(root / split / label / f"{k:02d}" / f"{light}.png", image)
    return root


def test_the_default_finds_as_much_as_when_this_was_written(data, tmp_path):
    good, held_out, test = (open_dataset(data, None, split) for split in ("train", "val", "test"))
    train(good, tmp_path / "run", TrainConfig(image_size=SIZE), holdout=held_out)
    inspector = Inspector.load(tmp_path / "run")
    captures = list(test.read_as(inspector.imaging))
    scores = [inspector.inspect_capture(capture).score for capture in captures]
    found = roc_auc_score([capture.anomalous for capture in captures], scores)
    assert found == pytest.approx(GOLDEN, abs=0.02)
