"""What the camera sees: light adds up, comes from where it is said to, and depth and normals are of one geometry."""

import numpy as np
import pytest

from afrd.render import CLASSES, LIGHT_DIRECTIONS
from afrd.render.sample import render_object
from afrd.render.stage import EXPOSURE, FOCAL, SPOTS

SIZE = 64


@pytest.fixture(scope="module", params=["Confetto", "HazelnutTruffle", "GummyBear"])
def seen(request):
    return render_object(CLASSES[request.param](), "train", 0, bad=False, seed=3, size=SIZE).exposure


def _linear(level):
    """The sRGB standard's decoding, of 8-bit levels."""
    v = np.clip(np.asarray(level, float) / 255, 0, 1)
    return np.where(v <= 0.04045, v / 12.92, ((v + 0.055) / 1.055) ** 2.4)


def _levels(linear):
    v = np.clip(linear, 0, 1)
    return 255 * np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)


@pytest.mark.parametrize("name", ["Confetto", "HazelnutTruffle", "GummyBear"])
def test_all_spots_is_the_sum_of_the_spots_in_linear_light(name):
    seen = render_object(CLASSES[name](), "train", 0, bad=False, seed=3, size=SIZE, camera=False).exposure
    spots = np.stack([seen.images[name] for name in SPOTS]).astype(float)
    share = EXPOSURE["all_spots"] / EXPOSURE["spot"]
    low = _levels(share * _linear(spots - 0.5).sum(axis=0)) - 0.51
    high = _levels(share * _linear(spots + 0.5).sum(axis=0)) + 0.51
    whole = (spots < 255).all(axis=0)
    assert whole.mean() > 0.9
    every = seen.images["all_spots"]
    assert (every[whole] >= low[whole]).all()
    assert (every[whole] <= high[whole]).all()


def test_each_spot_lights_what_faces_it(seen):
    for name in SPOTS:
        facing = seen.normals @ np.array(LIGHT_DIRECTIONS[name])
        light = _linear(seen.images[name]).mean(axis=2)
        toward, away = seen.part & (facing > 0.8), seen.part & (facing < 0.2)
        assert light[toward].mean() > 3 * light[away].mean(), name


def test_image_rows_run_down_and_columns_right():
    seen = render_object(CLASSES["HazelnutTruffle"](), "train", 0, bad=False, seed=3, size=SIZE).exposure
    rows, columns = np.nonzero(seen.part & (seen.normals[..., 2] < 0.5))
    slope = seen.normals[rows, columns]
    assert np.corrcoef(columns, slope[:, 0])[0, 1] > 0.7
    assert np.corrcoef(rows, slope[:, 1])[0, 1] < -0.7


def test_directions_are_unit_vectors_above_the_belt():
    assert list(LIGHT_DIRECTIONS) == ["all_spots", "bottom", "right", "top", "left", "light_box"]
    for name in SPOTS:
        assert np.linalg.norm(LIGHT_DIRECTIONS[name]) == pytest.approx(1)
        assert LIGHT_DIRECTIONS[name][2] > 0.3
    assert LIGHT_DIRECTIONS["all_spots"] is LIGHT_DIRECTIONS["light_box"] is None


def test_normals_are_those_of_the_depth_map():
    seen = render_object(CLASSES["Confetto"](), "train", 1, bad=False, seed=3, size=128).exposure
    centre = (np.arange(128) + 0.5) / 128 - 0.5
    x, y = np.meshgrid(centre / FOCAL, -centre / FOCAL)
    points = np.stack([x * seen.depth, y * seen.depth, -seen.depth], axis=2)  # pinhole camera
    along, down = np.gradient(points, axis=1), np.gradient(points, axis=0)
    normal = np.cross(down, along)
    normal /= np.linalg.norm(normal, axis=2, keepdims=True)
    smooth = seen.part & (seen.normals[..., 2] > 0.6)
    angle = np.degrees(np.arccos(np.clip((normal * seen.normals).sum(axis=2), -1, 1)))[smooth]
    assert np.median(angle) < 3
    belt = ~seen.part
    assert np.allclose(seen.normals[belt], [0, 0, 1], atol=1e-3)
    assert np.ptp(seen.depth[belt]) < 1e-4


def test_little_is_clipped_and_nothing_is_left_in_the_dark():
    for name, candy in CLASSES.items():
        seen = render_object(candy(), "train", 2, bad=False, seed=3, size=SIZE).exposure
        for light, image in seen.images.items():
            assert (image == 255).any(axis=2)[seen.part].mean() < 0.06, (name, light)
            assert image[seen.part].mean() > 25, (name, light)


@pytest.mark.parametrize("name", CLASSES)
def test_parts_lie_whole_in_the_picture_and_differ(name):
    parts = [render_object(CLASSES[name](), "train", i, bad=False, seed=5, size=32).exposure for i in range(6)]
    for seen in parts:
        border = np.concatenate([seen.part[[0, -1]].ravel(), seen.part[:, [0, -1]].ravel()])
        assert not border.any()
        assert 0.06 < seen.part.mean() < 0.75
    images = np.stack([seen.images["light_box"].astype(float) for seen in parts])
    assert (images.std(axis=0).mean(axis=2)[parts[0].part] > 4).mean() > 0.5
