"""The station's camera, against what its constants say in closed form."""

import numpy as np
import pytest

from afrd.imaging.pixels import to_linear
from afrd.render.camera import FULL_WELL, LIGHT_DRIFT, READ_NOISE, RIG_DRIFT, VIGNETTING, photograph


def _flat(level: float, size: int = 128) -> dict[str, np.ndarray]:
    return {name: np.full((size, size, 3), level) for name in ("left", "right")}


def _linear(image: np.ndarray) -> np.ndarray:
    return to_linear(image / 255)


def test_corners_are_darker_and_the_noise_is_that_of_electrons():
    light = _linear(photograph(_flat(0.3), np.random.default_rng(0))["left"])
    centre, corner = light[48:80, 48:80], light[:8, :8]
    assert corner.mean() / centre.mean() == pytest.approx(1 - 0.94 * VIGNETTING, abs=0.01)
    # JPEG takes some of it away, and of the chroma more
    expected = np.sqrt(0.3 * FULL_WELL + READ_NOISE**2) / FULL_WELL
    assert 0.3 * expected < centre.mean(axis=2).std() < expected


def test_power_drifts_from_capture_to_capture_and_from_light_to_light():
    captures = [photograph(_flat(0.3, 32), np.random.default_rng(i)) for i in range(300)]
    power = np.log([[_linear(image).mean() for image in capture.values()] for capture in captures])
    assert power.mean(axis=1).std() == pytest.approx(np.hypot(RIG_DRIFT, LIGHT_DRIFT / np.sqrt(2)), rel=0.15)
    assert np.diff(power, axis=1).std() == pytest.approx(LIGHT_DRIFT * np.sqrt(2), rel=0.15)


def test_the_same_state_gives_the_same_pictures_and_white_stays_white():
    first, again = (photograph(_flat(0.5), np.random.default_rng(4)) for _ in range(2))
    assert all((first[name] == again[name]).all() for name in first)
    assert (photograph(_flat(3.0), np.random.default_rng(0))["left"] == 255).all()
