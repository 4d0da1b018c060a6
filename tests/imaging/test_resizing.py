"""Resizing in linear light: against exact numbers, and in torch as in numpy."""

import cv2
import numpy as np
import pytest
import torch

from afrd.imaging.pixels import to_linear, to_srgb
from afrd.imaging.resizing import along, resize
from afrd.model.resizing import matrices
from afrd.model.resizing import resize as resize_tensor


def test_black_and_white_stripes_become_half_the_light() -> None:
    stripes = np.zeros((2, 1, 64, 64), np.uint8)
    stripes[..., ::2] = 255
    np.testing.assert_allclose(resize(stripes, (32, 32)), 0.735357, atol=1e-4)  # sRGB of half the light; not 0.5


def test_at_the_same_size_nothing_changes() -> None:
    images = np.random.default_rng(0).integers(0, 256, (2, 3, 32, 48), np.uint8)
    np.testing.assert_array_equal(resize(images, (32, 48)), images.astype(np.float32) / 255)


@pytest.mark.parametrize(
    ("before", "after"), [(64, 64), (100, 32), (97, 33), (2001, 1000), (32, 64), (20, 48), (1, 5), (7, 1)]
)
def test_matrices_are_what_opencv_does(before: int, after: int) -> None:
    plane = np.random.default_rng(0).random((before, before), np.float32)
    how = cv2.INTER_AREA if after <= before else cv2.INTER_LINEAR
    expected = cv2.resize(plane, (after, after), interpolation=how)
    np.testing.assert_allclose(along(before, after) @ plane @ along(before, after).T, expected, atol=1e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(100, 140), (40, 50), (100, 50), (64, 64)])
def test_torch_and_numpy_agree(kind: type, size: tuple[int, int]) -> None:
    full = np.iinfo(kind).max
    images = np.random.default_rng(0).integers(0, full + 1, (2, 3, *size)).astype(kind)
    images[1] //= 50  # a dark picture, of which a whole number of steps of linear light would leave little
    expected = resize(images, (64, 64))
    found = resize_tensor(torch.from_numpy(images / full).float(), *matrices(size, 64)).numpy()
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("size", [(1031, 1100), (90, 12_000), (2048, 640)])
def test_a_large_picture_is_shrunk_as_by_matrices(kind: type, channels: int, size: tuple[int, int]) -> None:
    """Its rows are narrowed in strips, the last of them shorter."""
    full = np.iinfo(kind).max
    images = np.random.default_rng(2).integers(0, full + 1, (1, channels, *size)).astype(kind)
    light = to_linear(images[0] / full)
    expected = to_srgb(along(size[0], 64).astype(float) @ light @ along(size[1], 80).T.astype(float))
    np.testing.assert_allclose(resize(images, (64, 80))[0], expected, atol=2e-6)


def test_a_mean_of_light_is_kept() -> None:
    images = np.random.default_rng(1).integers(0, 65536, (1, 1, 96, 128)).astype(np.uint16)
    light = to_linear(images[0, 0] / 65535).mean()
    assert abs(to_linear(resize(images, (24, 32))).mean() - light) < 1e-4
    assert abs(to_srgb(light) - images.mean() / 65535) > 0.05  # which coded values would not have
