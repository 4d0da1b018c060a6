"""A region of interest that follows a part, turned and shifted by known amounts; the picture itself stays."""

import math

import cv2
import numpy as np
import pytest

from afrd.datasets import open_dataset
from afrd.imaging import Imaging, ImagingOptions, Pixels
from afrd.imaging.alignment import Alignment
from afrd.imaging.region import Region, Shape, Shapes
from afrd.inspector import Inspector
from afrd.training import TrainConfig, train
from afrd.training.holdout import split_holdout
from afrd.training.threshold import ROUNDING
from captures import write_image
from quick import QUICK

LIGHTS, HEIGHT, WIDTH = 3, 240, 320


def capture(degrees: float, right: float, down: float, seed: int = 0) -> np.ndarray:
    """[3, 1, 240, 320] uint8: a plate with a round end, of its own texture, on a dark belt, under three lights."""
    rng = np.random.default_rng(seed)
    plate = np.full((HEIGHT, WIDTH), 12, np.float32)
    cv2.rectangle(plate, (110, 90), (210, 150), 130, -1)
    cv2.circle(plate, (210, 120), 42, 130, -1)
    cv2.circle(plate, (130, 120), 14, 40, -1)
    plate += (plate > 50) * cv2.GaussianBlur(rng.normal(0, 60, plate.shape).astype(np.float32), (0, 0), 3)
    moved = cv2.warpAffine(plate, matrix(degrees, right, down), (WIDTH, HEIGHT), borderValue=12)
    x = np.linspace(-0.2, 0.2, WIDTH)
    lights = [moved * gain for gain in (1 + x, 1 - x, np.full(WIDTH, 0.9))]
    return (np.stack(lights)[:, None] + rng.normal(0, 2, (LIGHTS, 1, HEIGHT, WIDTH))).clip(0, 255).astype(np.uint8)


def matrix(degrees: float, right: float, down: float) -> np.ndarray:
    found = cv2.getRotationMatrix2D((160, 120), degrees, 1.0)
    found[:, 2] += right, down
    return found


@pytest.fixture(scope="module")
def alignment() -> Alignment:
    return Alignment.to(capture(0, 0, 0))


@pytest.mark.parametrize(
    ("degrees", "right", "down"), [(0, 0, 0), (4, 6, -5), (-11, 20, 12), (90, 10, 0), (171, -15, 20)]
)
def test_a_turned_and_shifted_part_is_found(alignment, degrees, right, down) -> None:
    found = alignment.pose(capture(degrees, right, down, seed=1))
    corners = np.array([[100, 80, 1], [250, 80, 1], [250, 160, 1], [100, 160, 1]], float)
    apart = np.linalg.norm(corners @ found.T - corners @ matrix(degrees, right, down).T, axis=1)
    assert apart.max() < 2


def test_the_region_follows_and_the_picture_inside_stays(alignment) -> None:
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[95:146, 150:230] = True
    imaging = Imaging(pixels=Pixels(bits=8), region=Region.of(inside), alignment=alignment)
    images = capture(30, 12, -8, seed=2)
    seen = imaging.see(images)
    where = seen.region.inside
    np.testing.assert_array_equal(seen.images[..., where], images[..., where])
    expected = cv2.warpAffine(inside.astype(np.uint8), matrix(30, 12, -8), (WIDTH, HEIGHT)).astype(bool)
    assert (where & expected).sum() / (where | expected).sum() > 0.93
    assert len(np.unique(seen.images[0, 0][~where])) == 1
    assert not seen.lost and imaging.looked_at(256) is None


@pytest.mark.parametrize("folds", [0, 2])
def test_the_score_is_of_what_lies_inside(tmp_path, folds) -> None:
    """At training as later; dust on the belt is not seen."""
    rng = np.random.default_rng(0)
    parts = [capture(*rng.uniform(-15, 15, 3), seed=seed) for seed in range(8)]
    for k, part in enumerate(parts):
        for name, image in zip("abc", part, strict=True):
            write_image(tmp_path / ("train" if k < 5 else "val") / "good" / f"{k:03d}" / f"{name}.png", image[0])
    options = ImagingOptions(align="part", roi=Shapes(include=[Shape(rectangle=[130, 95, 100, 50])]))
    quick = QUICK | {"folds": folds}
    config = TrainConfig(fusion="joint", image_size=64, false_alarm_rate=0.2, imaging=options, **quick)
    captures, held = (open_dataset(tmp_path, split=split) for split in ("train", "val"))
    card = train(captures, tmp_path / "run", config, holdout=held)
    run = Inspector.load(tmp_path / "run", check_lights=False)
    if not folds:
        largest = max(run.inspect(part).score for part in parts[5:])
        assert card.threshold == pytest.approx(largest * (1 + ROUNDING), rel=1e-5)
    for part in parts[3:7]:
        dusty = part.copy()
        dusty[:, :, 4:12, 20:60] = 200
        found, seen = run.inspect(part), run.imaging.see(part)
        assert found.score == pytest.approx(found.map.values.max()) and not seen.lost
        for y, x in np.argwhere(found.map.values > 0):  # a place is 3.75 × 5 px
            rows = slice(int(y * HEIGHT / 64), math.ceil((y + 1) * HEIGHT / 64))
            assert seen.region.inside[rows, x * 5 : x * 5 + 5].any()
        assert run.inspect(dusty).score == pytest.approx(found.score, rel=0.05)  # it moves the region a little
    cut = run.inspect(capture(0, 110, 0, seed=9))  # a fifth of the region lies outside of the picture
    assert not cut.may_be_good and cut.verdict != "good" and "outside of the picture" in cut.rig_notes[0]


class Learned(Exception):
    """How captures are seen, which is all that a test asks of a training."""

    @classmethod
    def stop(cls, imaging: Imaging) -> None:
        raise cls(imaging)


def test_the_region_is_that_of_the_first_capture_also_where_it_is_held_out(tmp_path) -> None:
    for k in range(4):
        for name, image in zip("abc", capture(0, 30 * k, -5 * k, seed=k), strict=True):
            write_image(tmp_path / "train/good" / f"{k}" / f"{name}.png", image[0])
    captures = open_dataset(tmp_path)
    options = ImagingOptions(align="part", roi=Shapes(include=[Shape(rectangle=[150, 95, 80, 50])]))
    config = TrainConfig(fusion="joint", image_size=64, holdout_share=0.25, false_alarm_rate=0.5, imaging=options)
    chosen = (config.model_copy(update={"seed": seed}) for seed in range(50))
    config = next(one for one in chosen if captures.records[0] in split_holdout(captures, None, one)[1].records)
    with pytest.raises(Learned) as learned:
        train(captures, tmp_path / "run", config, on_imaging=Learned.stop)
    region = learned.value.args[0].see(captures[0].images).region
    np.testing.assert_allclose(region.matrix, [[1, 0, 0], [0, 1, 0]], atol=0.2)


def test_without_the_part_everything_is_looked_at(alignment) -> None:
    empty = np.random.default_rng(0).normal(12, 2, (LIGHTS, 1, HEIGHT, WIDTH)).clip(0, 255).astype(np.uint8)
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[95:146, 150:230] = True
    seen = Imaging(pixels=Pixels(bits=8), region=Region.of(inside), alignment=alignment).see(empty)
    assert seen.lost and seen.region is None
    np.testing.assert_array_equal(seen.images, empty)


@pytest.mark.parametrize(("right", "lost"), [(80, False), (110, True)])
def test_a_part_that_lies_farther_outside_than_any_in_training_is_told(alignment, right, lost) -> None:
    """The region ends at 230 of 320 pixels."""
    inside = np.zeros((HEIGHT, WIDTH), bool)
    inside[95:146, 150:230] = True
    region = Region.of(inside)
    known = alignment.learned(region, (capture(k, 3 * k, -k, seed=k) for k in range(3)))
    seen = Imaging(pixels=Pixels(bits=8), region=region, alignment=known).see(capture(0, right, 0, seed=5))
    assert (seen.lost, seen.region is None) == (lost, False)
    farther = alignment.learned(region, [capture(0, 110, 0, seed=4)])  # where parts lie there in training, it is usual
    seen = Imaging(pixels=Pixels(bits=8), region=region, alignment=farther).see(capture(0, right, 0, seed=5))
    assert not seen.lost


def test_a_defect_moves_the_region_by_less_than_a_pixel(alignment) -> None:
    good = capture(-7, 9, 4, seed=3)
    bad = good.copy()
    bad[:, :, 110:126, 170:200] = 255
    corners = np.array([[100, 80, 1], [250, 80, 1], [250, 160, 1], [100, 160, 1]], float)
    apart = np.linalg.norm(corners @ (alignment.pose(good) - alignment.pose(bad)).T, axis=1)
    assert apart.max() < 1
