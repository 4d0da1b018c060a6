"""What a smoothed map keeps: what exceeds the threshold, the highest pixel, the borders of a region."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from afrd.imaging.smoothing import smoothed

NOISE = np.random.default_rng(0).uniform(0.2, 0.5, (64, 96)).astype(np.float32)


@pytest.mark.parametrize("strength", [1.2, 6.0])
def test_what_exceeds_the_threshold_is_the_same_before_and_after(strength: float) -> None:
    """The outline that a report draws neither shrinks nor grows, and two defects side by side stay two."""
    values = NOISE.copy()
    values[20, 30] = values[40:44, 50:54] = values[40:44, 58:62] = strength
    found = smoothed(values, 4, 1.0)
    assert (found[values > 1.0] == values[values > 1.0]).all()
    assert ((found > 1.0) == (values > 1.0)).all()
    assert np.unravel_index(found.argmax(), found.shape) == (20, 30) and found.max() == values.max()


def test_what_is_far_below_is_the_mean_of_its_surroundings() -> None:
    values = NOISE.copy()
    values[32, 48] = 2.0
    found = smoothed(values, 3, 1.0)
    by_scipy = gaussian_filter(values, 3, mode="reflect")
    far = np.hypot(*np.mgrid[-32:32, -48:48]) > 2
    assert found[far] == pytest.approx(by_scipy[far], abs=5e-3)
    assert found[far].std() < NOISE.std() / 2


@pytest.mark.parametrize("level", [3.0, 0.5])
def test_the_highest_pixel_of_a_part_below_the_threshold_keeps_its_value_and_place(level: float) -> None:
    values = NOISE.copy()
    values[7, 9] = 0.9
    found = smoothed(values, 8, level)
    assert found.max() == np.float32(0.9) and np.unravel_index(found.argmax(), found.shape) == (7, 9)


def test_what_was_not_looked_at_stays_0_and_draws_nothing_down() -> None:
    values = np.zeros((64, 64), np.float32)
    values[16:48, 8:40] = 0.35
    values[32, 24] = 0.9
    found = smoothed(values, 4, 1.0)
    assert not found[values == 0].any()
    assert found[16:48, 8] == pytest.approx(0.35, abs=1e-3), "level up to the border"


def test_a_map_of_nothing_stays_one() -> None:
    assert not smoothed(np.zeros((8, 8), np.float32), 2, 1.0).any()
