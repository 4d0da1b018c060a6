"""Two lights, two captures, maps of two pixels: everything by hand."""

import numpy as np

from afrd.comparison.late_fusion import mean, normalised_maximum

HOLDOUT = np.array([[[[1.0, 3.0]]], [[[10.0, 10.0 + 4.0]]]])  # [lights, captures, 1, 2]: mean 2, sd 1; mean 12, sd 2
TEST = np.array([[[[2.0, 5.0]], [[2.0, 2.0]]], [[[12.0, 12.0]], [[20.0, 13.0]]]])


def test_mean_is_the_mean_of_the_maps_and_its_maximum_the_score():
    scored = mean(HOLDOUT, TEST)
    np.testing.assert_allclose(scored.maps, [[[7.0, 8.5]], [[11.0, 7.5]]])
    np.testing.assert_allclose(scored.scores, [8.5, 11.0])
    np.testing.assert_allclose(scored.holdout_scores, [8.5])


def test_maximum_is_taken_of_maps_standardised_by_each_lights_good_parts():
    scored = normalised_maximum(HOLDOUT, TEST)
    np.testing.assert_allclose(scored.maps, [[[0.0, 3.0]], [[4.0, 0.5]]])
    np.testing.assert_allclose(scored.scores, [3.0, 4.0])
    np.testing.assert_allclose(scored.holdout_scores, [1.0])
