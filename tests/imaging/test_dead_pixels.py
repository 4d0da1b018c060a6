"""Which single pixels are taken for the sensor's, and what never is."""

import numpy as np
import pytest

from afrd.datasets import open_dataset
from afrd.disturb import apply
from afrd.errors import DatasetError
from afrd.imaging import Imaging, ImagingOptions, Pixels
from afrd.imaging.dead_pixels import MOST, replace
from afrd.imaging.pixels import to_linear
from afrd.inspector import Inspector
from afrd.training import TrainConfig, train
from captures import write_folder, write_image

LIGHTS, SIDE = 4, 64


@pytest.fixture
def images() -> np.ndarray:
    """[4, 3, 64, 64] uint8: a texture under lights of different brightness, with noise."""
    rng = np.random.default_rng(0)
    texture = 80 + 20 * np.sin(np.arange(SIDE) / 3)[:, None] * np.cos(np.arange(SIDE) / 5)
    lights = np.linspace(0.6, 1.4, LIGHTS)[:, None, None, None] * texture
    return (lights + rng.normal(0, 2, (LIGHTS, 3, SIDE, SIDE))).clip(0, 255).astype(np.uint8)


@pytest.mark.parametrize(("value", "kind"), [(255, "hot"), (0, "dead")])
def test_one_stuck_pixel_becomes_what_lies_around_it(images, value, kind) -> None:
    stuck = images.copy()
    stuck[..., 20, 31] = value
    found, places = replace(stuck)
    assert places == ((31, 20),)
    around = np.delete(images[..., 19:22, 30:33].reshape(LIGHTS, 3, 9), 4, -1)
    assert ((around.min(-1) <= found[..., 20, 31]) & (found[..., 20, 31] <= around.max(-1))).all()
    found[..., 20, 31] = images[..., 20, 31]
    np.testing.assert_array_equal(found, images)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("value", [0, 255])
def test_a_defect_of_two_by_two_pixels_stays(images, value, dtype) -> None:
    images[..., 20:22, 31:33] = value
    images = images.astype(dtype) * (np.iinfo(dtype).max // 255)
    found, places = replace(images)
    assert places == () and found is images


def test_what_one_light_does_not_show_stays(images) -> None:
    spot = images.copy()
    spot[1:, :, 20, 31] = 255
    assert replace(spot)[1] == ()


def test_a_surface_full_of_specks_stays(images) -> None:
    places = np.stack(np.meshgrid(np.arange(4, 60, 8), np.arange(4, 60, 8)), -1).reshape(-1, 2)
    assert len(places) > MOST
    images[..., places[:, 0], places[:, 1]] = 255
    assert replace(images)[1] == ()


def test_by_default_a_pixel_is_replaced_that_is_at_full_scale_in_every_light_and_channel(images, tmp_path) -> None:
    hot, stuck, dead, coloured, lit = (images.copy() for _ in range(5))
    hot[..., 20, 31], stuck[..., 20, 31], dead[..., 20, 31] = 255, 240, 0
    coloured[:, :2, 20, 31] = 255  # a speck of one colour, at full scale in two channels
    lit[1:, :, 20, 31] = 255  # one that the first light does not bring to full scale
    lit[0, :, 20, 31] = 200
    for name, pictures in {"hot": hot, "stuck": stuck, "dead": dead, "coloured": coloured, "lit": lit}.items():
        for k, picture in enumerate(pictures):
            write_image(tmp_path / "test" / "good" / name / f"{k}.png", picture)
    read = {capture.id: capture for capture in open_dataset(tmp_path, split="test")}
    assert {id: capture.replaced for id, capture in read.items() if capture.replaced} == {"good-hot": ((31, 20),)}
    np.testing.assert_array_equal(read["good-hot"].images, replace(hot)[0])
    np.testing.assert_array_equal(read["good-lit"].images, lit)
    kept = open_dataset(tmp_path, split="test").with_options(ImagingOptions(dead_pixels="keep"))
    assert all(capture.replaced == () for capture in kept)


def test_one_or_two_lights_cannot_tell_a_speck_from_the_sensor(images) -> None:
    images[..., 20, 31] = 255
    assert [replace(images[:n], only_hot=True)[1] for n in (1, 2, 3)] == [(), (), ((31, 20),)]


def test_a_light_that_is_out_of_order_has_no_say(images) -> None:
    images[..., 20, 31] = 255
    images[1] = 0
    assert replace(images, only_hot=True)[1] == replace(images)[1] == ()
    for only_hot in (True, False):
        found, places = replace(images, only_hot, absent=[1])
        assert places == ((31, 20),) and (found[1] == 0).all()
    seen = Imaging(pixels=Pixels(bits=8), repairs="hot").see(images, [1])
    assert seen.replaced == ((31, 20),)


def test_a_hot_pixel_changes_no_verdict_and_is_told(tmp_path) -> None:
    write_folder(tmp_path, {"train": {"good": 5}, "test": {"good": 1}}, size=64)
    painting = {"painting": {"pairs": 4}, "disturbing": {"captures": 2}, "folds": 0}
    train(
        open_dataset(tmp_path, split="train"), tmp_path / "run", TrainConfig(fusion="joint", image_size=64, **painting)
    )
    inspector, (good,) = Inspector.load(tmp_path / "run"), open_dataset(tmp_path, split="test")
    hot = apply(good.images, "hot:1", np.random.default_rng(3))
    (y, x), *_ = np.argwhere((hot != good.images).any((0, 1)))
    said, plain = inspector.inspect(hot), inspector.inspect(good.images)
    assert abs(said.score - plain.score) < 0.05 * plain.score and said.verdict == plain.verdict
    assert f"{x}, {y}" in said.rig_notes[0] and "was replaced" in said.rig_notes[0] and not plain.rig_notes
    card = tmp_path / "run" / "model.yaml"  # of before: it takes captures as they are
    card.write_text(card.read_text().replace("repairs: hot", "repairs: false"))
    earlier = Inspector.load(tmp_path / "run")
    for k, picture in enumerate(hot):
        write_image(tmp_path / "new" / "test" / "good" / "a" / f"{good.lights.names[k]}.png", picture)
    captures = open_dataset(tmp_path / "new", split="test")
    assert captures[0].replaced
    with pytest.raises(DatasetError, match=r"hot pixels replaced, the model was trained with .*read_as"):
        earlier.inspect_capture(captures[0])
    assert earlier.inspect_capture(captures.read_as(earlier.card.imaging)[0]).score == earlier.inspect(hot).score
    assert earlier.inspect_capture(good).score == earlier.inspect(good.images).score


def test_nothing_is_replaced_unless_it_was_asked_for(images) -> None:
    images[..., 20, 31] = 255
    kept = Imaging(pixels=Pixels(bits=8))
    np.testing.assert_array_equal(kept.see(images).images, images)
    assert kept.see(images).replaced == ()
    assert kept.model_copy(update={"repairs": True}).see(images).replaced == ((31, 20),)


def test_twelve_bits_of_linear_light_are_repaired_alike(images) -> None:
    images[..., 20, 31] = 255
    raw = np.rint(4095 * to_linear(images / 255)).astype(np.uint16)
    seen = Imaging(pixels=Pixels(bits=12, transfer="linear"), repairs=True).see(raw)
    assert seen.replaced == ((31, 20),)
    expected = Imaging(pixels=Pixels(bits=8), repairs=True).see(images).images[..., 20, 31]
    np.testing.assert_allclose(seen.images[..., 20, 31] / 257, expected, atol=2)
