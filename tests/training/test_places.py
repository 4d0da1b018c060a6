"""What is kept of each tile says as much of what is usual as reading all tiles a second time."""

import numpy as np
import pytest
import torch

from afrd.datasets import open_dataset
from afrd.imaging import ImagingOptions
from afrd.model import JointGaussian
from afrd.training import TrainConfig, train
from afrd.training.features import Recompute
from afrd.training.places import Places
from captures import write_folder

SIZE = 64  # of the model: 8 × 8 places


@pytest.fixture
def model():
    return JointGaussian(lights=2, image_size=SIZE).eval()


@torch.inference_mode()
def test_where_all_places_are_kept_the_expectation_is_that_of_a_second_reading(tmp_path, model):
    write_folder(tmp_path, {"train": {"good": 6}}, lights=("left", "right"), size=SIZE)
    levels = list(Recompute(model, open_dataset(tmp_path, None, "train"), torch.device("cpu")).each())
    model.fit(lambda: levels)
    expected = model.expectation.coefficients.clone()
    kept = Places(model, len(levels))
    for number, each in enumerate(levels):
        kept.keep(model, number, each)
    model.fit(lambda: levels, again=lambda: kept.kept(model))
    vectors = torch.cat([model.describe(each) for each in levels])
    found = model.score_vectors(vectors)
    assert not torch.equal(model.expectation.coefficients, expected)  # they were kept in half precision
    model.expectation.coefficients.copy_(expected)
    np.testing.assert_allclose(found, model.score_vectors(vectors), rtol=2e-3)


@torch.inference_mode()
def test_of_many_tiles_each_gives_a_share_and_together_all_places(model):
    kept = Places(model, 9, most=64 * 3)  # of 9 tiles a third of the places
    shapes = [(level.channels, SIZE // level.stride, SIZE // level.stride) for level in model.teacher.levels]
    levels = [torch.randn(1, 2, *shape, generator=torch.Generator().manual_seed(1)) for shape in shapes]
    for number in range(9):
        kept.keep(model, number, levels)
    every = model.describe(levels).flatten(2)
    found = list(kept.kept(model))
    assert [each.shape[2] for each in found] == [22, 21, 21] * 3
    together = torch.cat([each.flatten(2) for each in found[:3]], 2)
    order = [place for start in range(3) for place in range(start, 64, 3)]
    torch.testing.assert_close(together, every[..., order], rtol=1e-3, atol=1e-3)


def test_tiles_of_good_captures_go_through_the_teacher_once(tmp_path):
    write_folder(tmp_path / "data", {"train": {"good": 6}, "val": {"good": 3}}, size=128)
    train_set, held_out = (open_dataset(tmp_path / "data", split=split) for split in ("train", "val"))
    told = []
    settings = {"painting": {"pairs": 6}, "disturbing": {"copies": 1, "captures": 2, "blur": 0.7}}
    config = TrainConfig(image_size=SIZE, imaging=ImagingOptions(tile=64, overlap=0), **settings)
    train(train_set, tmp_path / "run", config, holdout=held_out, on_features=lambda *both: told.append(both))
    count = 6 * 4 + 6 * 4 + 6 + 2 * 4  # as they are, blurred, painted, disturbed
    assert told == [(done, count) for done in range(1, count + 1)]
