"""The control chart against its textbook definition, and on pictures whose light fades."""

import numpy as np
import pytest

from afrd.station.drift import BASELINE, WEIGHT, chart, charts_of
from afrd.station.light_figures import measure
from captures import make_capture


def test_the_average_is_exponentially_weighted():
    values = list(np.random.default_rng(0).normal(1, 0.1, 80))
    found = chart("top", "brightness", values)
    expected = values[0] * (1 - WEIGHT) ** 79 + sum(
        WEIGHT * value * (1 - WEIGHT) ** (79 - k) for k, value in enumerate(values) if k
    )
    assert found.average[-1] == pytest.approx(expected)
    assert found.low < 1 < found.high
    assert not found.out


def test_noise_alone_seldom_leaves_the_limits():
    rng = np.random.default_rng(4)
    left = [chart("top", "noise", list(rng.normal(1, 0.1, 300))).out for _ in range(300)]
    assert sum(left) <= 6  # at any one look; 2 % at most


def test_without_a_baseline_there_are_no_limits():
    assert chart("top", "noise", [1.0] * BASELINE).low is None
    assert not chart("top", "noise", [1.0] * (BASELINE - 1) + [9.0]).out


def test_a_light_that_fades_leaves_its_limits_and_the_others_stay():
    rng = np.random.default_rng(1)
    figures = []
    for k in range(BASELINE + 60):
        images = make_capture(rng, 3, 64)[0].astype(float)
        images[1] *= 1 - 0.003 * max(0, k - BASELINE)
        figures.append(measure(images.astype(np.uint8)))
    found = {(each.light, each.figure): each for each in charts_of(("left", "right", "top"), figures)}
    assert found["right", "brightness"].out
    assert "clean the light" in found["right", "brightness"].advice
    assert not found["left", "brightness"].out
    assert not found["top", "brightness"].out


def test_figures_tell_blur_noise_and_brightness_apart_at_both_depths():
    import cv2

    images = make_capture(np.random.default_rng(2), 2, 128)[0]
    plain = measure(images)
    wide = measure(images.astype(np.uint16) * 257)
    assert wide["brightness"] == pytest.approx(plain["brightness"], rel=1e-3)
    assert wide["noise"] == pytest.approx(plain["noise"], rel=1e-3)
    blurred = np.stack([cv2.GaussianBlur(i.transpose(1, 2, 0), (0, 0), 2).transpose(2, 0, 1) for i in images])
    assert measure(blurred)["sharpness"][0] < 0.5 * plain["sharpness"][0]
    flat = np.full_like(images, 128)
    noise = measure(np.clip(flat + np.random.default_rng(3).normal(0, 5.1, images.shape), 0, 255).astype(np.uint8))
    assert noise["noise"][0] == pytest.approx(0.02, rel=0.1)  # 5.1 / 255
