"""A shaded ball on a steady backdrop, seen by a camera with noise; what disturbs the whole rig must be told."""

import hashlib
import re
import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from afrd.capture import Capture, LightRig
from afrd.disturb import apply
from afrd.errors import DatasetError
from afrd.imaging.cells import channel_means
from afrd.imaging.motion import Registered
from afrd.imaging.region import Region, fill
from afrd.rig import RigReference, measurable, measure_rig

SIZE = 96


def part(seed: int, lights: int = 4, *, noise: float = 1.0, backdrop: float = 0.3) -> np.ndarray:
    """[N, 3, 96, 96] uint8: a textured ball of any colour, a little off the centre."""
    rng = np.random.default_rng(seed)
    y, x = (np.mgrid[:SIZE, :SIZE] - SIZE / 2 + rng.uniform(-3, 3, (2, 1, 1))) / (SIZE / 3)
    inside = x**2 + y**2 < 1
    z = np.sqrt(np.where(inside, 1 - x**2 - y**2, 1))
    texture = 1 + 0.1 * rng.standard_normal((SIZE, SIZE)) * inside
    colour = np.where(inside, rng.uniform(0.4, 0.9, (3, 1, 1)), backdrop) * texture
    angles = 2 * np.pi * np.arange(lights) / lights
    shading = np.stack([np.maximum((0.8 * (np.cos(a) * x + np.sin(a) * y) * inside + 0.6 * z), 0.02) for a in angles])
    images = 200 * shading[:, None] * colour + rng.normal(0, noise, (lights, 3, SIZE, SIZE))
    return np.clip(np.rint(images), 0, 255).astype(np.uint8)


def learned(change=lambda images: images, captures: int = 24, lights: int = 4) -> RigReference:
    return RigReference.learn([measure_rig(change(part(seed, lights))) for seed in range(captures)])


def notes(reference: RigReference, images: np.ndarray) -> tuple[str, ...]:
    measured = measure_rig(images)
    return reference.notes(measured, reference.deviations(measured))


def warmer(images: np.ndarray, share: float) -> np.ndarray:
    """Red against blue; rounded by chance, as they were rounded once."""
    factors = np.array([1 + share / 2, 1, 1 - share / 2])[:, None, None]
    chance = np.random.default_rng(0).uniform(size=images.shape)
    return np.clip(np.floor(images * factors + chance), 0, 255).astype(np.uint8)


def disturbed(seed: int, *disturbances: str) -> np.ndarray:
    images = part(seed)
    for disturbance in disturbances:
        images = apply(images, disturbance, np.random.default_rng(seed))
    return images


@pytest.fixture(scope="module")
def four() -> RigReference:
    return learned()


def test_captures_as_in_training_have_no_note(four):
    assert [notes(four, part(seed)) for seed in range(100, 140)] == [()] * 40


@pytest.mark.parametrize(
    ("disturbance", "says"),
    [
        ("gain:0.8", r"all lights: (19|20)\.\d% darker"),
        ("gain:1.2", r"all lights: (19|20)\.\d% brighter"),
        ("blur:0.7", "all lights: blurred"),
        ("noise:3", "all lights: noise ×"),
        ("jpeg:90", "all lights: more of JPEG's blocks"),
        ("hot:1", r"the pixel at \d"),
    ],
)
def test_a_gross_change_of_the_whole_rig_is_noted_with_its_mend(four, disturbance, says):
    for seed in (100, 101, 102):
        (note,) = notes(four, disturbed(seed, disturbance))
        assert re.match(f"rig: {says}.*; ", note)


def test_colour(four):
    assert "warmer, more red" in notes(four, warmer(part(100), 0.06))[0]
    assert "colder, less red" in notes(four, warmer(part(100), -0.06))[0]


def test_a_hot_or_dead_pixel_is_named_by_its_place(four):
    for value in (255, 0):
        images = part(100)
        images[:, :, 12, 40] = value
        assert ("at 40, 12 differs" in " ".join(notes(four, images))) == (value == 255)  # a dead one on a dark backdrop
    images = part(100)
    images[:, :, 48, 40] = 0
    assert "at 40, 48 differs" in notes(four, images)[0]
    images = part(100)
    images[2, :, 48, 40] = 255  # a glint under one light
    assert notes(four, images) == ()


def test_sizes_are_what_was_done(four):
    def rig(images: np.ndarray) -> np.ndarray:
        return four.deviations(measure_rig(images))[:, 0]

    as_they_are = np.mean([rig(part(seed)) for seed in range(100, 110)], 0)
    assert (np.abs(as_they_are) < [0.01, 0.01, 0.02, 0.1, 0.05]).all()
    half = rig(disturbed(100, "gain:0.5"))
    assert half[:2] == pytest.approx([np.log(0.5), 0], abs=0.02)
    dimmed = np.mean([rig(disturbed(seed, "gain:0.9")) for seed in range(100, 110)], 0)
    assert dimmed[0] == pytest.approx(np.log(0.9), abs=0.01)
    warm = np.mean([rig(warmer(part(seed), 0.04)) for seed in range(100, 110)], 0)
    assert warm[1] == pytest.approx(np.log(1.02 / 0.98), abs=0.01)
    noisier = np.mean([rig(part(seed, noise=2.0)) for seed in range(100, 110)], 0)
    assert noisier[3] == pytest.approx(np.log(2), abs=0.15)


def test_one_light_that_changes_is_not_the_rig(four):
    images = part(100)
    images[2] = np.rint(images[2] * 0.9)
    deviations = four.deviations(measure_rig(images))
    assert abs(deviations[0, 0]) < 0.02
    assert deviations[0, 1:] == pytest.approx([0, 0, np.log(0.9), 0], abs=0.03)


@pytest.mark.parametrize("value", [0, 255])
def test_a_defect_is_not_the_rig(four, value):
    for seed in range(100, 106):
        images = part(seed)
        images[:, :, 40:56, 44:52] = value
        assert notes(four, images) == ()


def test_where_training_had_jpeg_it_is_no_news():
    reference = learned(lambda images: apply(images, "jpeg:90", np.random.default_rng(0)))
    assert notes(reference, disturbed(100, "jpeg:90")) == ()
    assert any("less of JPEG's blocks" in note for note in notes(reference, part(100)))


@pytest.mark.parametrize("lights", [1, 2, 16])
def test_any_number_of_lights(lights):
    reference = learned(captures=8, lights=lights)
    assert notes(reference, part(100, lights)) == ()
    assert "darker" in notes(reference, apply(part(100, lights), "gain:0.7", np.random.default_rng(0)))[0]


def test_noise_is_measured_in_its_unit():
    """On a plain surface and on one with a texture that all lights share, against the noise that was drawn."""
    rng = np.random.default_rng(0)
    for texture in (0, 20):
        plain = 120 + texture * rng.standard_normal((1, 1, 200, 200)).repeat(3, 1)
        images = np.clip(np.rint(plain + rng.normal(0, 4, (4, 3, 200, 200))), 0, 255).astype(np.uint8)
        assert measure_rig(images).noise * 255 == pytest.approx([4] * 4, rel=0.1)


def test_grey_and_sixteen_bits_and_large_images():
    grey = [part(seed).mean(1, keepdims=True).astype(np.uint8).repeat(3, 1) for seed in range(12)]
    reference = RigReference.learn([measure_rig(images) for images in grey])
    fresh = part(100).mean(1, keepdims=True).astype(np.uint8).repeat(3, 1)
    assert notes(reference, fresh) == ()
    noisy = apply(fresh, "noise:4", np.random.default_rng(0))
    assert "noise ×" in notes(reference, noisy)[0]
    assert notes(reference, noisy[:, :1]) == notes(reference, noisy)  # one channel is what three equal ones are

    wide = [part(seed).astype(np.uint16) * 257 for seed in range(12)]
    reference = RigReference.learn([measure_rig(images) for images in wide])
    narrow = RigReference.learn([measure_rig(part(seed)) for seed in range(12)])
    assert reference.limits == pytest.approx(narrow.limits, rel=1e-2)

    rng = np.random.default_rng(0)
    large = np.clip(120 + rng.normal(0, 4, (2, 3, 900, 700)), 0, 255).astype(np.uint8)  # measured on tiles
    measured = measure_rig(large)
    assert measured.noise * 255 == pytest.approx([4, 4], rel=0.1)
    assert measured.blocks == pytest.approx([0, 0], abs=0.1)
    assert (measure_rig(apply(large, "jpeg:95", rng)).blocks < -0.2).all()


def test_through_json_and_back(four):
    text = four.model_dump_json()
    assert len(text) < 8_000
    assert RigReference.model_validate_json(text) == four
    with pytest.raises(ValidationError, match="64 whole numbers"):
        RigReference.model_validate_json(text.replace('"levels":["', '"levels":["7 '))
    with pytest.raises(ValidationError, match="spreads: expected 5 rows of 5 numbers"):
        RigReference.model_validate(four.model_dump() | {"spreads": four.spreads[:3]})


def test_too_few_captures_are_refused():
    with pytest.raises(DatasetError, match="2 good captures to learn the rig from; expected at least 3"):
        RigReference.learn([measure_rig(part(0)), measure_rig(part(1))])


def test_needs_no_torch():
    code = "import sys; import afrd.rig; print([m for m in ('torch', 'scipy') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


WINDOW = np.hypot(*np.mgrid[-48:48, -48:48]) < 27
REGION = Region.of(WINDOW)


def within(images: np.ndarray) -> Registered:
    return Registered(fill(images, WINDOW), region=REGION, cells=channel_means(images))


@pytest.mark.parametrize(
    "disturbance, told",
    [("noise:1", "noise ×"), ("blur:0.5", "blurred"), ("jpeg:95", "JPEG"), ("gain:0.85", "darker")],
)
def test_what_is_filled_beyond_a_region_hides_no_disturbance(disturbance, told):
    """The fill is free of noise, its border sharp, and what lay there steady: measured with it, nothing is seen."""
    assert measurable(WINDOW)
    good = [within(part(seed)) for seed in range(24)]
    reference = RigReference.learn([measure_rig(one.images, WINDOW, one.cells) for one in good], within=True)
    blind = RigReference.learn([measure_rig(one.images) for one in good])
    bad = within(disturbed(101, disturbance))
    assert not reference.notes_capture(within(part(100)))
    assert reference.notes_capture(bad) and not blind.notes_capture(bad)
    measured = reference.measure(bad)
    assert any(told in note for note in reference.notes(measured, reference.deviations(measured)))


def test_a_disturbed_copy_of_what_was_filled_is_noted_as_the_part_itself():
    """Training disturbs captures that were read, and so filled, already."""
    images, rig = part(100), LightRig(tuple("abcd"))
    seen = within(images)
    capture = Capture("x", seen.images, rig, region=REGION, cells=seen.cells)
    copy = capture.with_images(fill(apply(seen.images, "gain:0.85", np.random.default_rng(0)), WINDOW))
    itself = within(apply(images, "gain:0.85", np.random.default_rng(0)))
    assert copy.cells == pytest.approx(itself.cells, rel=0.03, abs=1), "to a grey level"


def test_tiles_of_a_large_picture_lie_where_the_region_is():
    """Four windows of 90 px far from where tiles of the whole picture lie, all else filled."""
    rng, inside = np.random.default_rng(0), np.zeros((1200, 1200), bool)
    for y, x in ((70, 555), (1040, 555), (555, 70), (555, 1040)):
        inside[y : y + 90, x : x + 90] = True
    plain = np.full((3, 3, 1200, 1200), 128.0)
    for sigma in (2, 4):
        noisy = np.where(inside, plain + rng.normal(0, sigma, plain.shape), plain).round().astype(np.uint8)
        assert measure_rig(noisy, inside).noise * 255 == pytest.approx([sigma] * 3, rel=0.1)
        assert (measure_rig(noisy).noise * 255 < 0.1).all()
    assert measurable(inside)


@pytest.mark.parametrize("height, width", [(4, 4), (12, 200), (18, 18), (30, 30)])
def test_of_a_region_too_small_for_it_everything_is_measured(height, width):
    """Which blocks lie within a narrow strip hangs on where a part lies."""
    inside = np.zeros((240, 240), bool)
    inside[20 : 20 + height, 20 : 20 + width] = True
    assert not measurable(inside)


def test_a_part_that_moved_out_of_all_blocks_is_measured_with_what_lies_around():
    inside = np.zeros((SIZE, SIZE), bool)
    inside[44:52, 44:52] = True
    images = part(0)
    for name in ("noise", "sharpness"):
        assert getattr(measure_rig(images, inside), name) == pytest.approx(getattr(measure_rig(images), name))


def test_the_state_of_a_monitor_of_before_regions_is_still_read(four):
    """The digest is that of the fields there were."""
    before = hashlib.sha256(four.model_dump_json(exclude={"within"}).encode()).hexdigest()[:16]
    assert four.digest() == before != four.model_copy(update={"within": True}).digest()
