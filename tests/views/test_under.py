"""A trained model shows a part under a light that is out of order, and under one that its rig does not have."""

import numpy as np
import pytest

from afrd import Inspector
from afrd.capture import LightRig
from afrd.datasets import open_dataset
from afrd.errors import ModelError
from afrd.imaging.pixels import to_linear, to_srgb
from afrd.training import TrainConfig, train
from afrd.views.under import picture_under
from captures import write_folder
from quick import QUICK

SIZE, LIGHTS = 64, ("both", "left", "right")


@pytest.fixture(scope="module")
def inspector(tmp_path_factory) -> Inspector:
    root = tmp_path_factory.mktemp("under")
    write_folder(root / "data", {"train": {"good": 6}, "val": {"good": 4}}, lights=LIGHTS, size=SIZE, masks=False)
    good, held_out = (open_dataset(root / "data", None, split) for split in ("train", "val"))
    train(good, root / "run", TrainConfig(image_size=SIZE, false_alarm_rate=0.2, **QUICK), holdout=held_out)
    return Inspector.load(root / "run")


def test_what_is_on_the_missing_lights_own_image_does_not_matter(inspector):
    images = np.random.default_rng(0).integers(40, 200, (3, 3, SIZE, SIZE), np.uint8)
    dark = images.copy()
    dark[1] = 0
    shown = inspector.picture_under(images, "left")
    np.testing.assert_array_equal(shown, inspector.picture_under(dark, "left"))
    assert shown.shape == (3, SIZE, SIZE) and shown.dtype == np.uint8


def test_a_run_keeps_what_it_learned_of_every_light(inspector):
    assert [each.light for each in inspector.card.relighting] == [0, 1, 2]


def test_a_matte_ball_under_a_light_that_the_rig_does_not_have():
    y, x = np.mgrid[1:-1:64j, -1:1:64j]
    inside = x**2 + y**2 < 0.6
    normals = np.where(inside, np.stack([x, y, np.sqrt(np.clip(1 - x**2 - y**2, 0, 1))]), [[[0]], [[0]], [[1]]])
    sides = np.array([[0.5, 0, 0.866], [-0.25, 0.433, 0.866], [-0.25, -0.433, 0.866], [0, 0, 1]])
    values = 0.5 * np.einsum("kc,chw->khw", sides, normals).clip(0, 1)
    images = np.rint(255 * to_srgb(values)).astype(np.uint8)[:, None].repeat(3, 1)
    rig = LightRig(tuple("abcd"), tuple(map(tuple, sides / np.linalg.norm(sides, axis=1, keepdims=True))))
    towards = (0.0, 0.6, 0.8)
    made = to_linear(picture_under(images, rig, towards, None) / np.float32(255))[0]
    expected = 0.5 * np.tensordot(towards, normals, 1).clip(0)
    assert np.abs(made - expected)[expected > 0.1].max() < 0.03


def test_what_cannot_be_shown_is_said(inspector):
    images = np.full((3, 3, SIZE, SIZE), 90, np.uint8)
    with pytest.raises(ModelError, match="light top: this model has both, left, right"):
        inspector.picture_under(images, "top")
    with pytest.raises(ModelError, match="3 are needed"):
        inspector.picture_under(images, (0.0, 0.0, 1.0))
    with pytest.raises(ModelError, match="unit vector"):
        inspector.picture_under(images, (0.0, 0.0, 2.0))
    with pytest.raises(ModelError, match="train it again"):
        picture_under(images, inspector.lights, "left", None)
