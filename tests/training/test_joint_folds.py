"""What a fold of the good captures takes with it when it is left out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from afrd.capture import LightRig
from afrd.datasets import CaptureSet, Record, open_dataset
from afrd.disturb import apply
from afrd.families.joint import JointConfig
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
        soft = Recompute(model, copies, cpu).each() if copies else ()
        found = model.fit(Recompute(model, captures, cpu).each, blurred=soft, folds=folds.of_all)
        for fold in range(2):
            pictures = [capture.images for capture, its in zip(captures, folds.of, strict=True) if its == fold]
            if sigma:
                pictures += [apply(images, f"blur:{sigma}", np.random.default_rng(1)) for images in pictures]
            unit = [torch.from_numpy(images.astype(np.float32) / 255)[None] for images in pictures]
            vectors = [model.describe(model.see(images))[0].flatten(1) for images in unit]
            by_hand = torch.cat(vectors, 1).double().numpy()
            moments = found[1 + fold]
            assert moments.count == by_hand.shape[1] == len(pictures) * (SIZE // 8) ** 2
            np.testing.assert_allclose(moments.mean(), by_hand.mean(1), rtol=1e-4, atol=2e-5)
            # captures are read by folded batch norms, which round otherwise
            np.testing.assert_allclose(moments.covariance(), np.cov(by_hand), rtol=1e-3, atol=2e-4)


@torch.inference_mode()
def test_every_part_is_scored_without_each_light_that_can_be_left_out(tmp_path):
    write_folder(tmp_path, {"train": {"good": 5}}, lights=("left", "right", "top"), size=SIZE)
    captures = open_dataset(tmp_path, None, "train")
    model, cpu = JointGaussian(lights=3, image_size=SIZE).eval(), torch.device("cpu")
    model.trust((1.0, 0.0, 0.0))
    folds = Folds(captures, (), 2, 0)
    levels = list(Recompute(model, captures, cpu).each())
    for number, each in enumerate(levels):
        folds.keep(model, number, each)
    moments = model.fit(lambda: levels, folds=folds.of_all)
    found = folds.score(model, moments, 0, 0, cpu)
    assert found.without[0] is None  # by the others, of weight 0, nothing can be judged
    assert found.without[1] == found.without[2] == found.scores and len(found.scores) == 5
    model.trust((1.0, 1.0, 0.0))
    found = folds.score(model, moments, 0, 0, cpu)
    assert [len(scores) for scores in found.without] == [5, 5, 5] and found.without[2] == found.scores


@pytest.mark.parametrize(("count", "parts", "kept"), [(121, 120, 120), (7, None, 7), (300, 299, 299)])
def test_as_many_parts_are_in_folds_as_asked_for_each_with_all_its_captures(tmp_path, count, parts, kept):
    """Two captures a part; a part half of which were in the fit would be scored by a model that knows it."""
    record = Record("a", (tmp_path / "a.png",))
    records = [replace(record, id=f"{i}{side}", group=str(i)) for i in range(count) for side in "ab"]
    folds = Folds(CaptureSet(tmp_path, None, None, LightRig(("a",)), records), (), 5, 0, parts)
    assert len(folds.members) == 2 * kept and len(set(folds.scored.groups)) == kept
    assert (folds.of[::2] == folds.of[1::2]).all()
    assert folds.keeps_all == (kept == count)


@pytest.mark.parametrize(
    ("captures", "parts", "rate", "expected"),
    [
        (60, 60, 0.05, 60),
        (121, 121, 0.05, 120),
        (1000, 1000, 0.05, 120),
        (1200, 1100, 0.001, 999),
        (240, 120, 0.05, 60),
    ],
)
def test_the_false_alarm_rate_says_how_many_parts_are_in_folds(captures, parts, rate, expected):
    assert JointConfig(false_alarm_rate=rate).in_folds(captures, parts) == expected
    assert JointConfig(false_alarm_rate=rate).in_folds(captures, parts, tiled=True) == 0
    assert JointConfig(false_alarm_rate=rate, folds=0).in_folds(captures, parts) == 0
