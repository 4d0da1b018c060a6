"""What a fold of the good captures takes with it when it is left out."""

import numpy as np
import pytest
import torch

from afrd.datasets import open_dataset
from afrd.disturb import apply
from afrd.model import JointGaussian
from afrd.training.disturbed import blurred
from afrd.training.features import Recompute
from afrd.training.joint_folds import Folds
from captures import write_folder

SIZE = 64


@pytest.mark.parametrize("sigma", [0.0, 0.7])
def test_a_fold_is_its_captures_and_their_blurred_copies(tmp_path, sigma):
    write_folder(tmp_path, {"train": {"good": 5}}, lights=("left", "right"), size=SIZE)
    captures = open_dataset(tmp_path, None, "train")
    model, cpu = JointGaussian(lights=2, image_size=SIZE).eval(), torch.device("cpu")
    copies = blurred(captures, sigma)
    folds = Folds(captures, copies, 2, 0)
    with torch.inference_mode():
        for number, levels in enumerate(Recompute(model, captures, cpu).each()):
            folds.keep(model, number, levels)
        for number, levels in enumerate(Recompute(model, copies, cpu).each() if copies else ()):
            folds.keep_blurred(model, number, levels)
        for fold in range(2):
            pictures = [capture.images for capture, its in zip(captures, folds.of, strict=True) if its == fold]
            if sigma:
                pictures += [apply(images, f"blur:{sigma}", np.random.default_rng(1)) for images in pictures]
            unit = [torch.from_numpy(images.astype(np.float32) / 255)[None] for images in pictures]
            vectors = [model.describe(model.see(images))[0].flatten(1) for images in unit]
            by_hand = torch.cat(vectors, 1).double().numpy()
            moments = folds._moments[fold]
            assert moments.count == by_hand.shape[1] == len(pictures) * (SIZE // 8) ** 2
            np.testing.assert_allclose(moments.mean(), by_hand.mean(1), rtol=1e-4, atol=1e-6)
            np.testing.assert_allclose(moments.covariance(), np.cov(by_hand), rtol=1e-3, atol=1e-5)
