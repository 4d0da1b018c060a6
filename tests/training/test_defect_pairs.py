"""Which captures are painted, and what the model gets of them."""

import numpy as np
import pytest
import torch

from afrd.capture import Capture, LightRig
from afrd.datasets import open_dataset
from afrd.families.joint import Painting
from afrd.imaging.resizing import resize
from afrd.model import JointGaussian
from afrd.model.folding import reading
from afrd.model.stacked import vectors_of
from afrd.training.defect_pairs import painting_count, with_defects
from afrd.training.disturbed import with_disturbances
from afrd.training.features import Recompute
from captures import write_folder


@pytest.mark.parametrize(("captures", "count"), [(2, 120), (7, 126), (60, 120), (61, 124), (1000, 177)])
def test_there_are_enough_paintings_whatever_the_number_of_captures(captures, count):
    assert Painting().captures == 60 and Painting().pairs == 120
    assert painting_count(captures) == count


def test_a_pair_is_a_capture_and_the_same_where_it_is_not_covered(teacher):
    model = JointGaussian(teacher, lights=2, image_size=64).eval()
    rng, rig = np.random.default_rng(0), LightRig(("a", "b"))
    captures = [Capture(str(i), rng.integers(0, 256, (2, 3, 80, 96), dtype=np.uint8), rig, False) for i in range(3)]
    pairs = list(with_defects(model, captures, torch.device("cpu")))
    assert len(pairs) == painting_count(3)
    with torch.inference_mode():
        first = reading(model).extract(torch.from_numpy(resize(captures[0].images, (64, 64)))[None])
    for good, bad, cover, _ in pairs[:40]:
        assert all(torch.allclose(a, b, atol=1e-5) for a, b in zip(good, first, strict=True))
        assert cover.shape == (1, 64, 64) and cover.max() > 0.5
        assert all(a.shape == b.shape and not torch.equal(a, b) for a, b in zip(good, bad, strict=True))
    other = list(with_defects(model, captures, torch.device("cpu"), seed=1))
    assert not torch.equal(pairs[0][2], other[0][2])


@torch.inference_mode()
def test_captures_whose_vectors_are_kept_are_not_looked_at_again(teacher):
    """A capture taken for another, or a copy taken for the capture, changes what defects and disturbances are."""
    model, cpu = JointGaussian(teacher, lights=2, image_size=64).eval(), torch.device("cpu")
    rng, rig = np.random.default_rng(0), LightRig(("a", "b"))
    captures = [Capture(str(i), rng.integers(0, 256, (2, 3, 64, 64), dtype=np.uint8), rig, False) for i in range(5)]
    kept = {i: model.describe(levels) for i, levels in enumerate(Recompute(model, captures, cpu).each()) if i != 2}
    painting = Painting(captures=3, pairs=6)
    seen = with_defects(model, captures, cpu, painting=painting)
    told = list(with_defects(model, captures, cpu, painting=painting, kept=kept.get))
    assert [isinstance(good, torch.Tensor) for good, *_ in told] == [True, True, False, False, True, True]
    for (good, bad, *_), (levels, others, *_) in zip(told, seen, strict=True):
        torch.testing.assert_close(vectors_of(good, model.describe), model.describe(levels), atol=1e-5, rtol=1e-5)
        assert all(torch.equal(a, b) for a, b in zip(bad, others, strict=True))


@torch.inference_mode()
def test_disturbed_copies_stand_beside_the_captures_that_they_are_copies_of(teacher, tmp_path):
    write_folder(tmp_path, {"train": {"good": 5}}, lights=("left", "right"), size=64)
    captures, cpu = open_dataset(tmp_path, None, "train"), torch.device("cpu")
    model = JointGaussian(teacher, lights=2, image_size=64).eval()
    kept = {i: model.describe(levels) for i, levels in enumerate(Recompute(model, captures, cpu).each())}
    assert not torch.allclose(kept[0], kept[2], atol=0.1)
    for told in (kept, {2: kept[2]}, {}):
        pairs = list(with_disturbances(model, captures, cpu, 0, 3, told.get))
        for number, (before, after) in zip((0, 2, 4), pairs, strict=True):
            torch.testing.assert_close(vectors_of(before, model.describe), kept[number], atol=1e-5, rtol=1e-5)
            assert isinstance(before, torch.Tensor) == (number in told) and after[0].shape[0] == 1
