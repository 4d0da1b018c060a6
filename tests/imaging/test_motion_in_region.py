"""Shifts are those of the part in the region of interest, not of a belt that fills the picture and stands still."""

from pathlib import Path

import numpy as np
import pytest

from afrd.datasets import open_dataset
from afrd.errors import DatasetError
from afrd.imaging import Imaging, Motion, Pixels
from afrd.imaging.region import Region
from afrd.imaging.registration import estimate_shifts
from afrd.training.imaging import learn_imaging
from captures import write_image, write_lights
from surfaces import LIGHTS, capture, drawn, part

NAMES = tuple(f"light{k}" for k in range(LIGHTS))
SHIFTS = (np.arange(LIGHTS) - 2)[:, None] * np.array([6.0, -2.0])
MARGIN = 8  # pixels of belt between the part and the border of the region


def on_belt(size: int, corner: tuple[int, int], side: int, seed: int = 0, dust: int = 0) -> np.ndarray:
    """[N, 1, size, size] uint8: a moving part, its corner at x, y, over a still, sharp belt. dust: specks on it."""
    rng = np.random.default_rng(100)
    belt = np.kron(rng.integers(30, 120, (size // 4, size // 4)), np.ones((4, 4))).astype(np.uint8)
    belt = np.random.default_rng(seed).integers(0, 8, (LIGHTS, 1, size, size), np.uint8) + belt
    outside = ~inside(size, corner, side)
    specks = np.random.default_rng(seed + 1)
    for y, x in specks.integers(0, size - 6, (dust, 2)):
        belt[..., y : y + 6, x : x + 6][..., outside[y : y + 6, x : x + 6]] = 255
    wide = side + 64
    moving = capture(part(seed, side=wide), SHIFTS, seed)  # every light shows another piece of one surface
    held = np.pad(np.ones((side, side)), 32)[None].repeat(LIGHTS, 0)
    held = capture(held, np.rint(SHIFTS), seed) > 127
    place = np.s_[..., corner[1] - 32 : corner[1] + side + 32, corner[0] - 32 : corner[0] + side + 32]
    belt[place] = np.where(held, moving, belt[place])
    return belt


def inside(size: int, corner: tuple[int, int], side: int) -> np.ndarray:
    mask = np.zeros((size, size), bool)
    x, y = (place - MARGIN for place in corner)
    mask[y : y + side + 2 * MARGIN, x : x + side + 2 * MARGIN] = True
    return mask


def test_a_part_in_the_corner_of_a_large_picture_is_registered_by_itself() -> None:
    place = 2048, (1700, 1650), 240
    region = Region.of(inside(*place))
    motion = Motion.learn("constant", ((str(k), on_belt(*place, k)) for k in range(2)), inside=region.inside)
    np.testing.assert_allclose(motion.shifts, SHIFTS, atol=0.15)
    imaging = Imaging(pixels=Pixels(bits=8), motion=motion, region=region)
    imaging = Imaging.model_validate_json(imaging.model_dump_json())
    plain, dusty = imaging.see(on_belt(*place, 7)), imaging.see(on_belt(*place, 7, dust=4000))
    for seen in (plain, dusty):
        assert seen.moved == ()
        np.testing.assert_allclose(seen.shifts, SHIFTS, atol=0.15)
    np.testing.assert_allclose(dusty.shifts, plain.shifts, atol=0.02)
    late = on_belt(*place, 7)
    late[3] = np.roll(late[3], 5, -1)
    assert imaging.see(late).moved == (3,)
    earlier = imaging.model_copy(update={"motion": motion.model_copy(update={"of_region": False})})
    assert np.abs(earlier.see(on_belt(*place, 7)).shifts - SHIFTS).max() > 5  # the belt's, in the middle of the picture


@pytest.mark.parametrize("shape", ["large", "ring"])
def test_of_a_region_that_is_larger_than_what_is_compared_most_is(shape: str) -> None:
    size = 1000
    region = inside(size, (64, 64), size - 128)
    if shape == "ring":
        region[200:-200, 200:-200] = False
    images, shifts = capture(part(0, side=size), drawn(0, 3)), drawn(0, 3)
    images[..., ~region] = np.random.default_rng(0).integers(0, 255, int((~region).sum()))
    found, agreement = estimate_shifts(images, region)
    np.testing.assert_allclose(found, shifts, atol=0.3)
    assert agreement.min() > 0.3


def test_a_region_that_shows_nothing_is_told() -> None:
    images = capture(part(0), drawn(0, 1))
    flat = np.zeros(images.shape[-2:], bool)
    flat[40:80, 40:80] = True
    images[..., 34:86, 34:86] = 255
    with pytest.raises(DatasetError, match=r"too little of what the others show in the region .*draw a larger region"):
        Motion.learn("free", [("a", images)], inside=flat)


@pytest.mark.parametrize("follows", [False, True])
def test_training_learns_the_motion_of_what_its_region_shows(tmp_path: Path, follows: bool) -> None:
    place = 512, (330, 320), 120
    for k in range(3):
        for name, image in zip(NAMES, on_belt(*place, k), strict=True):
            write_image(tmp_path / "train" / "good" / f"{k}" / f"{name}.png", image[0])
    write_lights(tmp_path / "lights.yaml", NAMES)
    region = "rectangle: [322, 312, 136, 136]"
    with (tmp_path / "lights.yaml").open("a") as file:
        file.write(f"imaging: {{motion: constant, roi: {{include: [{{{region}}}]}}{', align: part' * follows}}}\n")
    captures = open_dataset(tmp_path, split="train")
    imaging = learn_imaging(captures, 64)
    np.testing.assert_array_equal(imaging.region.inside, inside(*place))
    assert imaging.motion.of_region == (not follows)  # a part that lies anywhere is in no place known beforehand
    if not follows:
        np.testing.assert_allclose(imaging.motion.shifts, SHIFTS, atol=0.15)
        assert captures.read_as(imaging)[0].moved == ()
        assert learn_imaging(captures, 64, imaging) == imaging  # whose region is taken over
