"""Names, strengths, types of pixels, seeds: what holds for every disturbance."""

import numpy as np
import pytest

from afrd.capture import Capture, LightRig
from afrd.disturb import KINDS, STANDARD, Disturbance, apply, disturb_capture
from afrd.errors import DisturbanceError

EVERY = [Disturbance.parse(name) for name in KINDS]


def part(*, bits: int = 8, grey: bool = False, lights: int = 3, size: int = 64) -> np.ndarray:
    """A textured disc on an even belt, [lights, 3, size, size], using most of the range of so many bits."""
    rng = np.random.default_rng(5)
    rows, columns = np.mgrid[:size, :size]
    disc = np.hypot(rows - size / 2, columns - size / 2) < size / 4
    values = np.full((lights, 1 if grey else 3, size, size), 0.1)
    values[..., disc] = 0.4 + 0.4 * rng.random((lights, values.shape[1], disc.sum()))
    coded = np.rint(values * (2**bits - 1)).astype(np.uint8 if bits == 8 else np.uint16)
    return np.repeat(coded, 3, axis=1) if grey else coded


@pytest.mark.parametrize("disturbance", EVERY, ids=str)
def test_the_seed_decides(disturbance):
    images = part()
    first, again, other = (apply(images, disturbance, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, images)
    drawn = disturbance.kind not in ("jpeg", "blur", "gain")
    assert np.array_equal(first, other) != drawn


@pytest.mark.parametrize("disturbance", EVERY, ids=str)
def test_lights_one_by_one_are_as_all_at_once(disturbance):
    images = part()
    kind = KINDS[disturbance.kind]
    changed = kind.effect(images / np.float32(255), disturbance.strength, np.random.default_rng(1))
    expected = np.rint(changed.clip(0, 1) * np.float32(255))
    np.testing.assert_array_equal(apply(images, disturbance, np.random.default_rng(1)), expected)


@pytest.mark.parametrize("disturbance", EVERY, ids=str)
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_type_shape_and_range_stay_and_grey_stays_grey(disturbance, bits):
    images = part(bits=bits, grey=True)
    before = images.copy()
    changed = apply(images, disturbance, np.random.default_rng(0), full_scale=2**bits - 1)
    assert (changed.shape, changed.dtype) == (images.shape, images.dtype)
    assert np.array_equal(images, before)
    assert np.array_equal(changed[:, 0], changed[:, 1])
    assert np.array_equal(changed[:, 0], changed[:, 2])
    assert 2**bits / 2 < changed.max() <= 2**bits - 1
    assert not np.array_equal(changed, images)


def test_strengths_are_relative_to_the_full_scale():
    flat = np.full((2, 3, 64, 64), 2048, np.uint16)
    twelve = apply(flat, "noise:2", np.random.default_rng(0), full_scale=4095).astype(float)
    sixteen = apply(flat, "noise:2", np.random.default_rng(0)).astype(float)
    assert twelve.std() == pytest.approx(2 / 255 * 4095, rel=0.02)
    assert sixteen.std() == pytest.approx(2 / 255 * 65535, rel=0.02)
    with pytest.raises(DisturbanceError, match="a pixel of 5000 above the full scale of 4095"):
        apply(np.full((2, 3, 8, 8), 5000, np.uint16), "gain", np.random.default_rng(0), full_scale=4095)


def test_names_and_strengths():
    assert Disturbance.parse("noise") == Disturbance.parse(" noise:2.0 ") == Disturbance("noise", 2)
    assert [str(Disturbance.parse(text)) for text in STANDARD] == list(STANDARD)
    assert Disturbance("gain-one", 0.8).title == "one light × 0.8"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rain", r"disturbance 'rain': unknown; there are noise:2, jpeg:90, .*moved:4"),
        ("jpeg:101", "jpeg: strength 101; expected a whole number from 1 to 100"),
        ("jpeg:90.5", "jpeg: strength 90.5; expected a whole number"),
        ("gain:-1", "gain: strength -1; expected a number from 0.05 to 20"),
        ("noise:nan", "noise: strength nan; expected a number from 0 to 128"),
        ("noise:loud", "'loud' is no strength; write noise:2"),
        ("blur:", "'' is no strength; write blur:0.7"),
    ],
)
def test_unknown_names_and_strengths_are_refused(text, message):
    with pytest.raises(DisturbanceError, match=message):
        apply(part(), text, np.random.default_rng(0))


def test_what_is_no_capture_is_refused():
    with pytest.raises(DisturbanceError, match=r"\[2, 3, 8, 8\] float64; expected \[N, 3, H, W\], uint8 or uint16"):
        apply(np.zeros((2, 3, 8, 8)), "noise", np.random.default_rng(0))


def test_a_capture_keeps_its_label_and_its_masks_move_with_the_part():
    images = np.zeros((2, 3, 40, 40), np.uint8)
    mask = np.zeros((40, 40), bool)
    mask[10:14, 20:25] = True
    images[:, :, mask] = 200
    capture = Capture("a", images, LightRig(("x", "y")), True, ("dent",), mask, {"dent": mask})
    moved = disturb_capture(capture, Disturbance("moved", 5), seed=3)
    assert (moved.id, moved.anomalous, moved.defects) == ("a", True, ("dent",))
    assert moved.mask.sum() == mask.sum()
    assert not np.array_equal(moved.mask, mask)
    assert np.array_equal(moved.images[0, 0] > 0, moved.mask)
    assert np.array_equal(moved.defect_masks["dent"], moved.mask)
    still = disturb_capture(capture, Disturbance("noise", 2), seed=3)
    assert np.array_equal(still.mask, mask)


def test_every_capture_and_seed_draws_for_itself():
    noise, lights = Disturbance("noise", 2), LightRig(("x", "y", "z"))
    one, same, other = (Capture(name, part(), lights) for name in ("a", "a", "b"))
    first = disturb_capture(one, noise, 0).images
    assert np.array_equal(first, disturb_capture(same, noise, 0).images)
    assert not np.array_equal(first, disturb_capture(other, noise, 0).images)
    assert not np.array_equal(first, disturb_capture(one, noise, 1).images)


def test_dust_without_a_belt_names_the_capture():
    rng = np.random.default_rng(0)
    texture = rng.integers(0, 255, (2, 3, 48, 48)).astype(np.uint8)
    with pytest.raises(DisturbanceError, match="capture a: no belt to be seen"):
        disturb_capture(Capture("a", texture, LightRig(("x", "y"))), Disturbance("dust", 10))
