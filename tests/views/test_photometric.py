"""Against a sphere and a plane rendered here by Lambert's law, in numpy and in linear light."""

import math
from itertools import combinations

import numpy as np
import pytest

from afrd.errors import ModelError
from afrd.imaging.pixels import to_srgb
from afrd.views.photometric import PhotometricStereo

SIZE = 48
NAN = (math.nan, math.nan, math.nan)
COLOUR = np.array([0.8, 0.5, 0.3])


def ring(lights: int, polar: float) -> list[tuple[float, float, float]]:
    side, up = math.sin(math.radians(polar)), math.cos(math.radians(polar))
    turns = [2 * math.pi * k / lights for k in range(lights)]
    return [(side * math.cos(t), side * math.sin(t), up) for t in turns]


FOUR = ring(4, 52)


def sphere() -> tuple[np.ndarray, np.ndarray]:
    """Unit normals [3, H, W] of a sphere seen from above, rows running down, and where it is."""
    g = (np.arange(SIZE) + 0.5) / SIZE * 2.1 - 1.05
    x, y = np.meshgrid(g, -g)
    inside = x**2 + y**2 < 0.97
    z = np.sqrt(np.where(inside, 1 - x**2 - y**2, 1))
    return np.stack([np.where(inside, x, 0), np.where(inside, y, 0), z]), inside


def lambert(normals: np.ndarray, directions) -> np.ndarray:
    """Linear values [N, 3, H, W]; what faces away from a light is black."""
    shading = np.maximum(np.einsum("nc,chw->nhw", np.array(directions), normals), 0)
    return shading[:, None] * COLOUR[None, :, None, None]


def photograph(linear: np.ndarray) -> np.ndarray:
    return to_srgb(linear).astype(np.float32)


def degrees(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    """Angles [H, W]; from the cross product, as an arc cosine cannot tell small ones."""
    found = found.astype(float)
    return np.degrees(np.arctan2(np.linalg.norm(np.cross(found, true, axis=0), axis=0), (found * true).sum(0)))


@pytest.mark.parametrize("directions", [FOUR, ring(6, 40)], ids=["four", "six"])
def test_a_sphere_with_shadows(directions):
    """Exact where all lights reach; elsewhere the dropped ones still pull with weight 0.001.

    K dark lights move the answer by at most K · 0.001 / σ² radians, σ² the least eigenvalue of LᵀL of any three lights.
    """
    normals, inside = sphere()
    linear = lambert(normals, directions)
    found, albedo, *_ = PhotometricStereo(directions)(photograph(linear))
    error = degrees(found, normals)
    grey = linear.mean(1)
    second = np.sort(grey, 0)[-2]
    reached = inside & (grey > 0.25 * second).all(0)
    assert error[reached].max() < 0.05
    clear = ((grey > 0.25 * second) | (grey == 0)).all(0)  # neither half dropped
    enough = inside & clear & ((grey > 0).sum(0) >= 3)
    shaded = enough & (grey == 0).any(0)
    assert shaded.sum() > 50
    least = min(np.linalg.svd(np.array(three))[1][-1] ** 2 for three in combinations(directions, 3))
    bound = math.degrees((len(directions) - 3) * 1e-3 / least)
    assert error[shaded].max() < bound < 4
    plain, _, *_ = PhotometricStereo(directions, rounds=0)(photograph(linear))
    assert degrees(plain, normals)[shaded].max() > 5
    off = np.abs(albedo - COLOUR[:, None, None])
    assert off[:, reached].max() < 1e-3
    assert off[:, shaded].max() < 0.02


def test_a_highlight_moves_plain_least_squares_and_hardly_the_robust_answer():
    """Albedo 0.5, facing the camera, 0.4 more under the light above.

    Plain: the pseudo-inverse's column (0, 1 / 2s, 1 / 4c), s = sin 52°, c = cos 52°, times 0.4: 20.98°.
    """
    values = np.full((4, 3, 2, 2), 0.5 * math.cos(math.radians(52)))
    values[1] += 0.4
    up = np.array([0.0, 0, 1]).reshape(3, 1, 1) * np.ones((1, 2, 2))
    plain, _, *_ = PhotometricStereo(FOUR, rounds=0)(photograph(values))
    robust, albedo, *_ = PhotometricStereo(FOUR)(photograph(values))
    np.testing.assert_allclose(degrees(plain, up), 20.98, atol=0.05)
    assert degrees(robust, up).max() < 2
    np.testing.assert_allclose(albedo, 0.5, atol=0.03)


def test_near_lights_are_known_to_shine_from_points():
    """A flat part under four point lights at 2 widths' distance: far lights see a bowl, the distance makes it flat."""
    g = (np.arange(SIZE) + 0.5) / SIZE - 0.5
    x, y = np.meshgrid(g, -g)
    towards = 2 * np.array(FOUR)[:, :, None, None] - np.stack([x, y, 0 * x])
    away = np.linalg.norm(towards, axis=1)
    linear = (towards[:, 2] / away * (2 / away) ** 2)[:, None] * COLOUR[None, :, None, None] * 0.5
    up = np.stack([0 * x, 0 * x, 1 + 0 * x])
    far, _, *_ = PhotometricStereo(FOUR)(photograph(linear))
    near, albedo, *_ = PhotometricStereo(FOUR, distance=2)(photograph(linear))
    assert degrees(far, up)[0, 0] > 10
    assert degrees(near, up).max() < 0.05
    np.testing.assert_allclose(albedo.mean((1, 2)), COLOUR * 0.5, atol=1e-4)


@pytest.mark.parametrize("brightness", [1, 0.01])
def test_linear_cameras_and_coded_ones_give_the_same(brightness):
    """In both branches of the curve: 0.01 lies for the most part in the straight one."""
    linear = brightness * lambert(sphere()[0], FOUR)
    normals, albedo, *_ = PhotometricStereo(FOUR)(photograph(linear))
    same_normals, same_albedo, *_ = PhotometricStereo(FOUR, srgb=False)(linear.astype(np.float32))
    np.testing.assert_allclose(normals, same_normals, atol=2e-3)
    np.testing.assert_allclose(albedo / brightness, same_albedo / brightness, atol=2e-3)


def test_lights_without_a_direction_are_not_read():
    images = photograph(lambert(sphere()[0], FOUR))
    stereo = PhotometricStereo([NAN, *FOUR[:2], NAN, *FOUR[2:]])
    other = np.random.default_rng(0).random((2, 3, SIZE, SIZE))
    mixed = np.concatenate([other[:1], images[:2], other[1:], images[2:]])
    np.testing.assert_array_equal(stereo(mixed)[0], PhotometricStereo(FOUR)(images)[0])


def test_black_faces_the_camera():
    normals, albedo, *_ = PhotometricStereo(FOUR)(np.zeros((4, 3, 2, 2)))
    assert normals[:, 0, 0].tolist() == [0, 0, 1]
    assert not albedo.any()


@pytest.mark.parametrize(
    ("directions", "message"),
    [
        (None, "0 of 0 lights"),
        ([*FOUR[:2], NAN, NAN], "2 of 4 lights have a direction; 3 are needed: give it in lights.yaml"),
        ([FOUR[0], FOUR[2], (0.0, 0.0, 1.0)], "lie in one plane"),
        (ring(4, 1), "or nearly so"),
        ([*FOUR[:3], (0.0, 1.0, 1.0)], "direction 3 .* length 1"),
    ],
)
def test_directions_that_determine_no_normal(directions, message):
    with pytest.raises(ModelError, match=message):
        PhotometricStereo(directions)


def test_other_wrong_input():
    with pytest.raises(ModelError, match=r"distance 0\.1"):
        PhotometricStereo(FOUR, distance=0.1)
    with pytest.raises(ModelError, match="3 lights in the capture, 4 directions"):
        PhotometricStereo(FOUR)(np.zeros((3, 3, 2, 2)))
