"""Which single pixels are taken for the sensor's, and what never is."""

import numpy as np
import pytest

from afrd.imaging import Imaging, Pixels
from afrd.imaging.dead_pixels import MOST, replace
from afrd.imaging.pixels import to_linear

LIGHTS, SIDE = 4, 64


@pytest.fixture
def images() -> np.ndarray:
    """[4, 3, 64, 64] uint8: a texture under lights of different brightness, with noise."""
    rng = np.random.default_rng(0)
    texture = 80 + 20 * np.sin(np.arange(SIDE) / 3)[:, None] * np.cos(np.arange(SIDE) / 5)
    lights = np.linspace(0.6, 1.4, LIGHTS)[:, None, None, None] * texture
    return (lights + rng.normal(0, 2, (LIGHTS, 3, SIDE, SIDE))).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("value", "kind"), [(255, "hot"), (0, "dead")])
def test_one_stuck_pixel_becomes_what_lies_around_it(images, value, kind) -> None:
    stuck = images.copy()
    stuck[..., 20, 31] = value
    found, places = replace(stuck)
    assert places == ((31, 20),)
    around = np.delete(images[..., 19:22, 30:33].reshape(LIGHTS, 3, 9), 4, -1)
    assert ((around.min(-1) <= found[..., 20, 31]) & (found[..., 20, 31] <= around.max(-1))).all()
    found[..., 20, 31] = images[..., 20, 31]
    np.testing.assert_array_equal(found, images)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("value", [0, 255])
def test_a_defect_of_two_by_two_pixels_stays(images, value, dtype) -> None:
    images[..., 20:22, 31:33] = value
    images = images.astype(dtype) * (np.iinfo(dtype).max // 255)
    found, places = replace(images)
    assert places == () and found is images


def test_what_one_light_does_not_show_stays(images) -> None:
    spot = images.copy()
    spot[1:, :, 20, 31] = 255
    assert replace(spot)[1] == ()


def test_a_surface_full_of_specks_stays(images) -> None:
    places = np.stack(np.meshgrid(np.arange(4, 60, 8), np.arange(4, 60, 8)), -1).reshape(-1, 2)
    assert len(places) > MOST
    images[..., places[:, 0], places[:, 1]] = 255
    assert replace(images)[1] == ()


def test_nothing_is_replaced_unless_it_was_asked_for(images) -> None:
    images[..., 20, 31] = 255
    kept = Imaging(pixels=Pixels(bits=8))
    np.testing.assert_array_equal(kept.see(images).images, images)
    assert kept.see(images).replaced == ()
    assert kept.model_copy(update={"repairs": True}).see(images).replaced == ((31, 20),)


def test_twelve_bits_of_linear_light_are_repaired_alike(images) -> None:
    images[..., 20, 31] = 255
    raw = np.rint(4095 * to_linear(images / 255)).astype(np.uint16)
    seen = Imaging(pixels=Pixels(bits=12, transfer="linear"), repairs=True).see(raw)
    assert seen.replaced == ((31, 20),)
    expected = Imaging(pixels=Pixels(bits=8), repairs=True).see(images).images[..., 20, 31]
    np.testing.assert_allclose(seen.images[..., 20, 31] / 257, expected, atol=2)
