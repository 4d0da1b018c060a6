"""Which captures are painted, and what the model gets of them."""

import numpy as np
import pytest
import torch

from afrd.capture import Capture, LightRig
from afrd.families.joint import Painting
from afrd.imaging.resizing import resize
from afrd.model import JointGaussian
from afrd.model.folding import reading
from afrd.training.defect_pairs import painting_count, with_defects


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
