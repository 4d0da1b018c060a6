"""What each disturbance does to pixels, against numbers computed by hand or by other libraries."""

import io

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage.registration import phase_cross_correlation

from afrd.disturb import apply
from afrd.disturb.dust import belt


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def texture(lights: int = 3, size: int = 96) -> np.ndarray:
    """Smooth random texture, the same under all lights, [lights, 3, size, size] uint8."""
    smooth = gaussian_filter(rng(1).standard_normal((size, size)), 2, mode="reflect")
    smooth = 128 + 90 * smooth / np.abs(smooth).max()
    return np.broadcast_to(np.rint(smooth).astype(np.uint8), (lights, 3, size, size)).copy()


def test_noise_is_white_gaussian_of_the_stated_sigma():
    images = np.full((4, 3, 100, 100), 120, np.uint8)
    images[:, 1] += 1  # no grey capture: every channel draws for itself
    error = apply(images, "noise:3", rng()).astype(float) - images
    assert error.std() == pytest.approx(np.sqrt(9 + 1 / 12), rel=0.01)  # rounding adds a twelfth
    assert error.mean() == pytest.approx(0, abs=0.03)
    flat = error.reshape(12, -1)
    assert np.abs(np.corrcoef(flat) - np.eye(12)).max() < 0.05
    assert np.corrcoef(error[..., :-1].ravel(), error[..., 1:].ravel())[0, 1] == pytest.approx(0, abs=0.02)


@pytest.mark.parametrize("quality", [60, 90])
@pytest.mark.parametrize("grey", [False, True])
def test_jpeg_is_what_pillow_writes_and_reads(quality, grey):
    images = rng().integers(0, 255, (2, 3, 40, 56)).astype(np.uint8)
    images = gaussian_filter(images, (0, 0, 2, 2))
    if grey:
        images[:, 1:] = images[:, :1]
    changed = apply(images, f"jpeg:{quality}", rng())
    for light, got in zip(images, changed, strict=True):
        file = io.BytesIO()
        Image.fromarray(light[0] if grey else light.transpose(1, 2, 0)).save(file, "JPEG", quality=quality)
        expected = np.asarray(Image.open(file))
        assert np.array_equal(got[0] if grey else got.transpose(1, 2, 0), expected)


@pytest.mark.parametrize("sigma", [0.7, 2.0])
def test_blur_spreads_a_point_as_a_gaussian(sigma):
    images = np.zeros((2, 3, 41, 41), np.uint16)
    images[:, :, 20, 20] = 60000
    spread = apply(images, f"blur:{sigma}", rng()).astype(float)
    offset = np.arange(41) - 20
    line = np.exp(-0.5 * (offset / sigma) ** 2)
    expected = 60000 * np.outer(line, line) / line.sum() ** 2
    assert np.abs(spread - expected).max() < 10


def test_gain_multiplies_coded_values_and_clips():
    images = np.array([0, 100, 200, 255], np.uint8).reshape(1, 1, 1, 4).repeat(2, 0).repeat(3, 1).repeat(8, 2)
    assert apply(images, "gain:0.8", rng())[0, 0, 0].tolist() == [0, 80, 160, 204]
    assert apply(images, "gain:1.5", rng())[1, 2, 0].tolist() == [0, 150, 255, 255]


def test_gain_of_one_changes_one_light_whichever():
    images, changed_lights = texture(), set()
    for seed in range(20):
        changed = apply(images, "gain-one:0.8", rng(seed))
        different = [k for k in range(3) if not np.array_equal(changed[k], images[k])]
        assert len(different) == 1
        assert np.abs(changed[different[0]] - 0.8 * images[0]).max() <= 0.5
        changed_lights |= set(different)
    assert changed_lights == {0, 1, 2}


def test_hot_pixels_are_at_full_scale_at_one_place_under_all_lights():
    images = np.full((3, 3, 20, 30), 50, np.uint16)
    changed = apply(images, "hot:3", rng(), full_scale=4095)
    assert (changed == 4095).sum() == 3 * 3 * 3
    assert (changed == 50).sum() == changed.size - 27
    assert (changed == changed[0, 0]).all()


@pytest.mark.parametrize("pixels", [1, 2, 3.4])
def test_lights_shift_evenly_up_to_the_stated_distance(pixels):
    fading = np.outer(*[np.exp(-0.5 * ((np.arange(96) - 48) / 12) ** 2)] * 2)  # nothing enters at the border
    images = np.rint((texture(lights=5) - 128.0) * fading + 128).astype(np.uint8)
    changed = apply(images, f"shift:{pixels}", rng(4))
    assert np.array_equal(changed[0], images[0])
    offsets = np.array(
        [
            phase_cross_correlation(light[0] - 128.0, images[0, 0] - 128.0, upsample_factor=100, normalization=None)[0]
            for light in changed
        ]
    )
    assert np.hypot(*offsets[-1]) == pytest.approx(pixels, abs=0.05)
    assert np.abs(offsets - np.arange(5)[:, None] / 4 * offsets[-1]).max() < 0.05


def test_a_moved_part_moves_alike_under_all_lights():
    images = texture()
    images[1] = images[1] // 2
    changed = apply(images, "moved:6", rng(2))
    found = [
        (down, right)
        for down in range(-7, 8)
        for right in range(-7, 8)
        if all(
            np.array_equal(np.roll(before, (down, right), (1, 2))[:, 8:-8, 8:-8], after[:, 8:-8, 8:-8])
            for before, after in zip(images, changed, strict=True)
        )
    ]
    assert len(found) == 1
    assert np.hypot(*found[0]) == pytest.approx(6, abs=0.8)


def on_belt(lights: int = 3, size: int = 80) -> tuple[np.ndarray, np.ndarray]:
    """A bright disc on a dark belt with a shadow that falls elsewhere under each light; where the disc is, [H, W]."""
    rows, columns = np.mgrid[:size, :size]
    values = 0.15 + 0.01 * rng(3).standard_normal((lights, 3, size, size))
    disc = np.hypot(rows - 40, columns - 40) < 20
    for k, (down, right) in enumerate([(8, 0), (-8, 0), (0, 8)]):
        values[k, :, np.hypot(rows - 40 - down, columns - 40 - right) < 20] = 0.02
        values[k, :, disc] = 0.6 - 0.1 * k
    return np.rint(values.clip(0, 1) * 255).astype(np.uint8), disc


def test_the_belt_is_what_surrounds_the_part_shadows_included():
    images, disc = on_belt()
    found = belt(images.astype(np.float32) / 255)
    assert not (found & disc).any()
    assert found[~disc].mean() > 0.85


def test_dust_lies_on_the_belt_and_is_lit_as_the_light_is():
    images, disc = on_belt()
    changed = apply(images, "dust:12", rng(7))
    different = (changed != images).any(axis=(0, 1))
    assert not (different & disc).any()
    assert 12 <= different.sum() < 12 * 30
    bright = changed.astype(int)[:, 0] - images[:, 0] > 40
    assert bright[0].any()
    assert changed[0, 0][bright[0]].mean() > changed[2, 0][bright[0]].mean()
