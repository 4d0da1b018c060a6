"""Known shifts are found and undone; what a light does to a surface, and a defect, are not taken for motion."""

import re
from pathlib import Path

import numpy as np
import pytest

from afrd.capture import LightRig
from afrd.card import Lights
from afrd.errors import DatasetError
from afrd.imaging import Imaging, Motion, Pixels
from afrd.imaging.registration import estimate_shifts, move_back
from captures import write_image, write_lights
from command import afrd
from surfaces import LIGHTS, SIDE, capture, drawn, part


@pytest.mark.parametrize("most", [0.0, 0.7, 6.0])
def test_known_shifts_are_found_to_a_tenth_of_a_pixel(most: float) -> None:
    errors = []
    for seed in range(3):
        found, agreement = estimate_shifts(capture(part(seed), drawn(seed, most), seed))
        errors.append(np.linalg.norm(found - drawn(seed, most), axis=1))
        assert agreement.min() > 0.5
    assert np.median(errors) < 0.1 and np.max(errors) < 0.3


def test_shifts_are_undone() -> None:
    still, shifts = part(0), drawn(0, 3)
    back = move_back(capture(still, shifts), shifts)[:, 0, 16:-16, 16:-16] / 255
    assert np.abs(back - still[:, 16:-16, 16:-16]).mean() < 0.01
    assert np.abs(capture(still, shifts)[:, 0, 16:-16, 16:-16] / 255 - still[:, 16:-16, 16:-16]).mean() > 0.03


def test_a_defect_is_not_registered_away() -> None:
    """Neither a deep dent, which turns shading round, nor a black stain moves anything."""
    shifts = drawn(1, 1)
    whole, _ = estimate_shifts(capture(part(1), shifts))
    dented, _ = estimate_shifts(capture(part(1, dent=8), shifts))
    stained = part(1)
    stained[1, 40:60, 50:80] *= 0.2
    stained, _ = estimate_shifts(capture(stained, shifts))
    assert np.abs(dented - whole).max() < 0.1
    assert np.abs(stained - whole).max() < 0.1
    motion = Motion.learn("free", ((str(k), capture(part(k), drawn(9, 1), k)) for k in range(4)))
    bad, good = capture(part(1, dent=8), drawn(9, 1)), capture(part(1), drawn(9, 1))
    before = np.abs(bad.astype(float) - good)
    after = np.abs(motion.register(bad).images.astype(float) - motion.register(good).images)
    assert after.sum() > 0.9 * before.sum()


def test_a_velocity_is_learned_and_a_light_that_does_not_follow_is_named() -> None:
    velocity = np.array([2.0, -0.5])
    steps = (np.arange(LIGHTS) - 2)[:, None]

    def on_belt(seed: int, speed: float = 1.0) -> np.ndarray:
        return steps * velocity * speed

    motion = Motion.learn("constant", ((str(k), capture(part(k), on_belt(k), k)) for k in range(4)))
    np.testing.assert_allclose(motion.shifts, on_belt(0), atol=0.1)
    faster = motion.register(capture(part(7), on_belt(7, 1.3)))  # the belt may run faster
    np.testing.assert_allclose(faster.shifts, on_belt(7, 1.3), atol=0.15)
    assert faster.moved == ()
    still = motion.register(capture(part(7), on_belt(7, 0)))
    assert still.moved == ()
    fast = motion.register(capture(part(7), on_belt(7, 4)))  # farther than the border of any picture in training
    assert fast.moved == tuple(range(LIGHTS))
    np.testing.assert_allclose(fast.shifts, on_belt(7, 4), atol=0.2)
    earlier = Motion.model_validate(motion.model_dump(exclude={"farthest"}))  # of a card without the figure
    assert earlier.register(capture(part(7), on_belt(7, 4))).moved == ()
    late = on_belt(7)
    late[3] += velocity  # light 4 was triggered one interval late
    found = motion.register(capture(part(7), late))
    assert found.moved == (3,)
    np.testing.assert_allclose(found.shifts, on_belt(7), atol=0.2)


@pytest.mark.parametrize("kind", ["constant", "free"])
@pytest.mark.parametrize("light", range(4))
def test_a_light_that_is_out_has_no_say_in_how_the_others_moved(kind: str, light: int) -> None:
    """Of four lights it would have a part in half of all pairs."""
    on_belt = np.arange(LIGHTS)[:, None] * np.array([3.0, -1.0])
    motion = Motion.learn(kind, ((str(k), capture(part(k), on_belt, k)[:4]) for k in range(3)))
    images = capture(part(7), on_belt, 7)[:4]
    dark, copied = images.copy(), images.copy()
    dark[light] = np.random.default_rng(0).integers(0, 3, dark[light].shape)
    copied[light] = images[(light + 1) % 4]  # as stands for a light that is said to be missing
    others, expected = [k for k in range(4) if k != light], on_belt[:4] - on_belt[:4].mean(0)
    for found, moved in ((motion.register(dark), (light,)), (motion.register(copied, [light]), ())):
        assert found.moved == moved
        np.testing.assert_allclose(found.shifts[others], expected[others], atol=0.2)


@pytest.mark.parametrize("picked", ["acd", "dac"])
def test_lights_picked_out_of_a_belt_keep_their_times(picked: str) -> None:
    rig = Lights.of(LightRig(tuple("abcde")).pick("abcd").pick(picked)).rig()  # as the card has it
    order = ["abcd".index(name) for name in picked]
    on_belt = np.arange(LIGHTS)[:, None] * np.array([5.0, 0.0])
    motion = Motion.learn("constant", ((str(k), capture(part(k), on_belt, k)[order]) for k in range(2)), rig.triggers)
    motion = Motion.model_validate_json(motion.model_dump_json())
    found = motion.register(capture(part(7), on_belt)[order])
    np.testing.assert_allclose(found.shifts, on_belt[order] - on_belt[order].mean(0), atol=0.2)
    assert found.moved == () and motion.limit < 2


def test_free_shifts_are_checked_against_training() -> None:
    shifts = drawn(3, 4)
    motion = Motion.learn("free", ((str(k), capture(part(k), shifts, k)) for k in range(4)))
    assert motion.register(capture(part(8), shifts)).moved == ()
    other = shifts.copy()
    other[2] += [3, 0]
    assert motion.register(capture(part(8), other)).moved == (2,)


def test_what_cannot_be_registered_is_refused() -> None:
    rng = np.random.default_rng(0)
    noise = rng.integers(0, 256, (LIGHTS, 1, SIDE, SIDE), np.uint8)
    with pytest.raises(DatasetError, match=r"capture 017: .*shows too little of what the others show.*motion: none"):
        Motion.learn("free", [("017", noise)])


@pytest.mark.parametrize(("width", "most"), [(SIDE, 32), (600, 128)])
def test_shifts_farther_than_are_found_are_told_with_how_far_that_is(width: int, most: int) -> None:
    lights, far = part(0, side=width)[:, :SIDE], np.zeros((LIGHTS, 2))
    far[0, 0] = most * 1.35  # zero on average, shifts are 4/5 of it and less
    said = rf"capture 018: image 1 is shifted by {0.8 * far[0, 0]:.0f}, -?0 px, more than the {most}, 32 px up to which"
    with pytest.raises(DatasetError, match=said):
        Motion.learn("free", [("018", capture(lights, far))])


def test_motion_is_of_captures_of_one_size() -> None:
    """Shifts are in their pixels. The card of an earlier afrd holds no size, and its digest stays."""
    motion = Motion.learn("constant", ((str(k), capture(part(k), drawn(0, 0.2))) for k in range(2)))
    imaging = Imaging(pixels=Pixels(bits=8), motion=motion)
    assert imaging.problem(np.zeros((LIGHTS, 1, SIDE, SIDE), np.uint8)) is None
    what, fix = imaging.problem(np.zeros((LIGHTS, 1, SIDE, 100), np.uint8))
    assert what == f"100×{SIDE}, but motion was learned from captures of {SIDE}×{SIDE}"
    assert fix == "take it at that size, or train a model for this one"
    written = '{"kind":"free","shifts":[[0.0,0.0]],"limit":0.5,"triggers":null}'
    earlier = Motion.model_validate_json(written)
    assert earlier.problem(np.zeros((1, 1, 9, 9))) is None and earlier.model_dump_json() == written
    small = capture(part(1, side=96), drawn(0, 0.2))
    with pytest.raises(DatasetError, match=r"capture b: 96×96, others are 128×128; motion is learned from .* one size"):
        Motion.learn("free", [("a", capture(part(0), drawn(0, 0.2))), ("b", small)])


@pytest.mark.parametrize("size", [(1, 1), (1, 40), (7, 7)])
def test_pictures_that_are_too_small_are_not_compared(size) -> None:
    shifts, agreement = estimate_shifts(np.full((3, 1, *size), 9, np.uint8))
    assert not shifts.any() and not agreement.any()


def test_one_light_has_nothing_to_be_registered_to() -> None:
    images = capture(part(0), np.zeros((LIGHTS, 2)))[:1]
    assert Motion.learn("constant", [("a", images)]).register(images).shifts.tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("images", "said"),
    [
        (
            capture(part(0)[:3], np.array([[-3.0, 1.0], [0.0, 0.0], [3.0, -1.0]])),
            r"lights are shifted against each other, px right and down: a -3\.0 \+1\.0, b [+-]0\.0 [+-]0\.0, "
            r"c \+3\.0 -1\.0; see motion under imaging in lights.yaml\n",
        ),
        (capture(part(0)[:3], np.zeros((3, 2))), r"lights lie on each other, to 0\.\d\d px\n"),
        (
            np.random.default_rng(0).integers(0, 256, (3, 1, SIDE, SIDE), np.uint8),
            r"shifts between lights cannot be told: they show too little alike\n",
        ),
    ],
)
def test_check_says_how_lights_are_shifted(tmp_path: Path, images: np.ndarray, said: str) -> None:
    for k in range(2):
        for name, image in zip("abc", images, strict=True):
            write_image(tmp_path / "train" / "good" / f"{k}" / f"{name}.png", (image[0] // 3 * 3) + k)  # no copies
    write_lights(tmp_path / "lights.yaml", "abc")
    assert re.search(rf"3 lights: a, b, c\n +{said}", afrd("check", tmp_path).stdout)
