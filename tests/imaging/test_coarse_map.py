"""Maps at the model's scale, as large as they are asked for."""

import numpy as np
import pytest

from afrd.imaging.coarse_map import CoarseMap
from afrd.imaging.region import Region


def _with_peak(height: int, width: int) -> np.ndarray:
    values = np.zeros((height, width), np.float32)
    values[height // 4, width // 2] = 1
    return values


@pytest.mark.parametrize(("size", "expected"), [((3000, 4000), (384, 512)), ((300, 400), (300, 400)), (None, (48, 64))])
def test_a_map_within_a_side_has_the_captures_proportions_and_is_no_larger_than_it(size, expected):
    found = CoarseMap(_with_peak(48, 64), size).within(512)
    assert found.shape == expected
    peak = np.unravel_index(found.argmax(), found.shape)
    assert peak == pytest.approx((expected[0] * 12.5 / 48, expected[1] * 32.5 / 64), abs=expected[0] / 40)


def test_where_the_capture_is_no_larger_than_the_side_it_is_the_map_at_full_size():
    coarse = CoarseMap(_with_peak(32, 32), (100, 80))
    np.testing.assert_array_equal(coarse.within(512), coarse.at_full_size())


def test_a_map_that_is_larger_than_the_side_is_averaged_not_sampled():
    values = np.zeros((1024, 1024), np.float32)
    values[::2, ::2] = 4
    np.testing.assert_allclose(CoarseMap(values, (2048, 2048)).within(512), 1, atol=1e-6)


def test_outside_the_region_it_is_zero_at_every_size():
    inside = np.zeros((1000, 1000), bool)
    inside[:, :500] = True
    found = CoarseMap(np.ones((64, 64), np.float32), (1000, 1000), Region.of(inside)).within(250)
    assert found[:, :124].min() == 1 and found[:, 126:].max() == 0
