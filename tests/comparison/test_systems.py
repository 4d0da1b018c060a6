"""The systems that the paper builds on: shapes, that they learn good images, that they find a planted defect."""

import numpy as np
import pytest
import torch

from afrd.comparison.baselines import cdo, hit_milf, multi_branch, riad, students
from afrd.comparison.class_data import ClassData
from afrd.comparison.job import Job, Settings
from afrd.datasets import open_dataset
from captures import make_capture

SIZE = 64
QUICK = Settings(image_size=SIZE, epochs=1, batch_size=8)


@pytest.fixture(scope="module")
def sets():
    """Images of 12 parts to learn from, 4 held out, 3 good and 3 bad to test, and the masks of the last."""
    rng = np.random.default_rng(0)
    made = [make_capture(rng, 2, SIZE, defect=i >= 19) for i in range(22)]
    images = np.stack([image for image, _ in made])
    return images[:12], images[12:16], images[16:], np.stack([mask for _, mask in made[19:]])


def of_first_light(method, sets, **changes):
    settings = QUICK.model_copy(update=changes)
    return method(*(images[:, 0] for images in sets[:3]), settings, 0)


@pytest.mark.parametrize(
    "method", [riad.riad, students.students, cdo.cdo, hit_milf.hit_milf], ids=lambda method: method.__name__
)
def test_it_scores_and_maps_every_image_and_the_same_again(method, sets):
    found, again = (of_first_light(method, sets) for _ in range(2))
    assert found.holdout_scores.shape == (4,) and found.scores.shape == (6,)
    assert found.maps.shape == (6, SIZE, SIZE) and np.isfinite(found.maps).all()
    np.testing.assert_allclose(found.scores, found.maps.max((1, 2)), rtol=1e-5)
    np.testing.assert_allclose(found.scores, again.scores, rtol=1e-4)


def test_cdo_finds_noise_that_it_has_learned_to_tell(sets, monkeypatch):
    monkeypatch.setattr(cdo, "RATE", 3e-3)  # of few steps
    good, bad = sets[0][:, 0], sets[1][:, 0].copy()
    bad[:, :, 20:36, 20:36] = np.random.default_rng(0).integers(0, 256, (4, 3, 16, 16), np.uint8)
    found = cdo.cdo(good, sets[1][:, 0], bad, QUICK.model_copy(update={"epochs": 14}), 0)
    assert found.scores.min() > found.holdout_scores.max()
    assert found.maps[:, 20:36, 20:36].mean() > 1.5 * found.maps[:, :10].mean()


@pytest.mark.parametrize(("method", "epochs"), [(students.students, 8), (hit_milf.hit_milf, 1)])
def test_a_planted_defect_lights_up_where_it_is(method, epochs, sets):
    found, masks = of_first_light(method, sets, epochs=epochs), sets[3]
    assert found.maps[3:][masks].mean() > found.maps[3:][~masks].mean() + found.holdout_maps.std() / 2


def test_riad_masks_share_out_every_pixel_and_it_reproduces_only_what_fits():
    generator = torch.Generator().manual_seed(0)
    for cell in riad.CELLS:
        hidden = riad.masks(SIZE, cell, generator)
        assert torch.equal(hidden.sum(0), torch.ones(1, SIZE, SIZE))
        assert abs(float(hidden[0].mean()) - 1 / 3) < 0.1
        assert torch.equal(hidden[0, 0, :cell, :cell].unique(), hidden[0, 0, :1, :1].flatten())
    seen = []
    riad.inpaint(lambda x: seen.append(x) or x, torch.ones(1, 3, SIZE, SIZE), 8, generator)
    assert torch.equal(sum(seen), torch.full((1, 3, SIZE, SIZE), 2.0))  # each pixel hidden once in three


def test_riad_gradients_against_numbers_by_hand():
    flat = torch.full((1, 3, SIZE, SIZE), 0.3)
    assert float(riad.gradient_difference(flat, flat + 0.5).max()) < 1e-5  # no gradient in either
    edge = flat.clone()
    edge[..., SIZE // 2 :] = 0.9
    ramp = torch.arange(5.0).view(1, 1, 1, 5).expand(1, 3, 5, 5)
    assert float(riad._magnitude(ramp)[0, 0, 2, 2]) == pytest.approx(2)  # Prewitt over two pixels
    assert float(riad.gradient_difference(flat, edge)[0, 0, 32, 31]) > 0.9


@pytest.mark.slow
def test_riad_learns_good_images(sets):
    short, long = (of_first_light(riad.riad, sets, epochs=epochs) for epochs in (1, 8))
    assert long.holdout_maps.mean() < short.holdout_maps.mean()


def test_cdo_loss_pulls_good_places_together_and_painted_ones_apart():
    discrepancy = torch.tensor([[[[0.1, 0.4], [1.0, 0.5]]]], requires_grad=True)
    masks = torch.tensor([[[[0.0, 0.0], [1.0, 1.0]]]])
    loss = cdo.collaborative_loss(discrepancy, masks)
    good, bad = np.array([0.1, 0.4]), np.array([1.0, 0.5])
    w, v = (good / 0.25) ** 2, (bad / 0.75) ** -2.0
    assert float(loss.detach()) == pytest.approx(((w * good).sum() - (v * bad).sum()) / (w.sum() + v.sum()))
    loss.backward()
    assert (discrepancy.grad[masks < 1] > 0).all() and (discrepancy.grad[masks == 1] < 0).all()
    painted, where = cdo.paint(torch.zeros(4, 3, SIZE, SIZE), torch.Generator().manual_seed(0))
    assert torch.equal((painted != 0).any(1, keepdim=True).float(), where) and not where[1::2].any()


def test_hit_milf_transforms_stand_on_each_other():
    images = np.full((2, 3, SIZE, SIZE), 100, np.uint8)
    images[:, :, 20:40, 20:40] = 200
    every = hit_milf.transformed(images, 0)
    assert every.shape == (8, 3, SIZE, SIZE) and np.array_equal(every[:2], images)
    lit, blurred, noisy = every[2:4].astype(int), every[4:6].astype(int), every[6:].astype(int)
    assert len(np.unique(lit[0])) == 2 < len(np.unique(blurred[0]))
    assert np.abs(noisy - blurred).mean() == pytest.approx(255 * 0.02 * np.sqrt(2 / np.pi), rel=0.2)


def test_every_light_has_its_branch_and_a_pattern_in_one_light_is_found():
    ramp = np.linspace(0, 120, SIZE) + np.arange(16)[:, None, None, None] * 4.0
    one = torch.from_numpy(np.broadcast_to(ramp, (16, 3, SIZE, SIZE)).astype(np.float32)) / 255
    captures = torch.stack([one, 1 - one], 1)  # two lights that show different pictures
    bad = captures[::4].clone()
    bad[:, 1, :, 20:36, 20:36] = torch.from_numpy(np.indices((16, 16)).sum(0) // 2 % 2).float()
    settings = QUICK.model_copy(update={"epochs": 60, "batch_size": 4})
    found = multi_branch.reproduce(captures[1::2], captures[2::4], bad, settings, 0)
    where = np.s_[:, 20:36, 20:36]
    assert found.scores.min() > found.holdout_scores.max()
    assert found.maps[where].mean() > 2 * found.holdout_maps[where].mean()


def test_branches_are_given_every_light_of_every_part_in_order(tiny, tmp_path, one_thread):
    data, job = ClassData(tiny, "Confetto", QUICK, tmp_path), Job("Confetto", "multi-branch", "all", 3)
    found = multi_branch.multi_branch(data, job, QUICK)
    read = [open_dataset(tiny, "Confetto", split) for split in ("train", "val", "test_public")]
    by_hand = [torch.from_numpy(np.stack([c.images for c in captures])).float() / 255 for captures in read]
    assert by_hand[0].shape == (12, 6, 3, SIZE, SIZE)
    expected = multi_branch.reproduce(*by_hand, QUICK, 3)
    assert found.maps.shape == (16, SIZE, SIZE)
    np.testing.assert_allclose(found.scores, expected.scores, rtol=1e-4)
    np.testing.assert_allclose(found.holdout_maps, expected.holdout_maps, rtol=1e-3, atol=1e-6)
