"""One gain of the whole rig: found exactly, by no defect and no single light, and taken out."""

import numpy as np
import pytest

from afrd.imaging import Imaging, Pixels
from afrd.imaging.gain import Gain

LIGHTS, SIDE = 4, 64


def part(seed: int) -> np.ndarray:
    """[4, 3, 64, 64] uint8: a part of its own texture on a belt, under lights of different brightness."""
    rng = np.random.default_rng(seed)
    light = np.full((SIDE, SIDE), 60.0)
    light[16:48, 16:48] = rng.normal(110, 20) + rng.normal(0, 6, (32, 32))
    lights = np.linspace(0.6, 1.4, LIGHTS)[:, None, None, None] * light
    return (lights + rng.normal(0, 2, (LIGHTS, 3, SIDE, SIDE))).clip(0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def gain() -> Gain:
    return Gain.learn(part(seed) for seed in range(12))


@pytest.mark.parametrize("factor", [0.6, 0.8, 1.0, 1.25])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_a_known_gain_is_found_and_taken_out(gain, factor, dtype) -> None:
    images = part(20).astype(dtype) * (np.iinfo(dtype).max // 255)
    changed = np.rint(images * factor).clip(0, np.iinfo(dtype).max).astype(dtype)
    assert gain.of(changed) == pytest.approx(factor, rel=0.02)
    back = gain.taken_out(changed)
    assert back.dtype == dtype
    unclipped = images < np.iinfo(dtype).max / 1.3
    np.testing.assert_allclose(back[unclipped], images[unclipped], atol=0.02 * np.iinfo(dtype).max)


def test_no_defect_and_no_single_light_is_taken_for_it(gain) -> None:
    stained = part(20)
    stained[:, :, 16:40, 16:40] //= 2
    assert gain.of(stained) == pytest.approx(1, rel=0.02)
    dim = part(20)
    dim[2] //= 2
    assert gain.of(dim) == pytest.approx(1, rel=0.02)


@pytest.mark.parametrize("lights", [2, 4])
def test_a_light_that_is_out_of_order_has_no_say(lights: int) -> None:
    gain = Gain.learn(part(seed)[:lights] for seed in range(12))
    whole = (part(20)[:lights] * 0.9).astype(np.uint8)
    dead = whole.copy()
    dead[0] = 0
    others = Gain(levels=gain.levels[1:], spreads=gain.spreads[1:]).of(whole[1:])
    assert gain.of(dead, {0}) == others and gain.of(dead) != others
    imaging = Imaging(pixels=Pixels(bits=8), gain=gain)
    np.testing.assert_array_equal(imaging.cut(dead, {0})[0][1:], gain.taken_out(whole, {0})[1:])
    assert gain.of(dead, range(lights)) == gain.of(dead)
