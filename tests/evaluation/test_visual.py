"""Drawings and stored maps, read back by other means than those that wrote them."""

import dataclasses

import cv2
import numpy as np
import pytest

from afrd.capture import LightRig
from afrd.errors import DatasetError, ModelError
from afrd.evaluation.visual import (
    colour_range,
    contact_sheet,
    heat_map,
    overlay,
    photo,
    write_picture,
)
from afrd.map_png import MAP_SCALE, fitting_scale, read_map_png16, write_map_png16


def lightness(rgb):
    return cv2.cvtColor(np.float32(rgb)[None] / 255, cv2.COLOR_RGB2LAB)[0, :, 0]


def test_heat_map_is_evenly_lighter_towards_anomalous():
    steps = np.diff(lightness(heat_map(np.linspace(0, 2, 41)[None], 0, 2)[0]))
    assert (steps > 0).all()
    assert steps[2:].max() < 2 * steps[2:].min()  # perceptually uniform


def test_a_value_has_one_colour_on_every_map():
    quiet, loud = np.array([[0.1, 0.5]], np.float32), np.array([[0.5, 9.0]], np.float32)
    low, high = colour_range(0.4)
    assert np.array_equal(heat_map(quiet, low, high)[0, 1], heat_map(loud, low, high)[0, 0])
    assert (low + high) / 2 == 0.4
    ends = heat_map(np.array([[-1, 0, 0.8, 7]]), low, high)[0]
    assert np.array_equal(ends[0], ends[1]) and np.array_equal(ends[2], ends[3])


@pytest.mark.parametrize("threshold", [0, -1, np.nan, np.inf])
def test_colours_need_a_positive_threshold(threshold):
    with pytest.raises(ModelError, match="threshold is"):
        colour_range(threshold)


def test_sixteen_bit_photos_look_like_eight_bit_ones():
    image = np.random.default_rng(0).integers(0, 256, (3, 8, 9), dtype=np.uint8)
    assert np.array_equal(photo(image.astype(np.uint16) * 257), photo(image))
    assert np.array_equal(photo(image)[2, 3], image[:, 2, 3])


def test_overlay_leaves_the_part_visible_and_encloses_what_is_above_the_threshold():
    image = np.full((3, 60, 60), 100, np.uint8)
    anomaly_map = np.full((60, 60), 0.2, np.float32)
    anomaly_map[20:40, 20:40] = 0.9
    drawn = overlay(image, anomaly_map, 0.5)
    assert (drawn[:15] == 100).all()
    white = (drawn > 180).all(axis=-1)  # smoothed
    assert white[20, 20:40].all() and white[39, 20:40].all() and white[20:40, 20].all() and white[20:40, 39].all()
    assert not white[23:37, 23:37].any() and (drawn[30, 30] != 100).any()
    assert (overlay(image, np.full((60, 60), 0.2, np.float32), 0.5) == 100).all()


@pytest.mark.parametrize("threshold", [None, 0.1 + 0.2])
def test_map_png_is_read_alike_by_opencv_and_by_its_reader(tmp_path, threshold):
    anomaly_map = np.random.default_rng(1).gamma(2, 0.3, (40, 50)).astype(np.float32)
    path = tmp_path / "maps" / "a.png"
    write_map_png16(path, anomaly_map, 5000, threshold=threshold)
    stored = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16 and stored.shape == (40, 50)
    assert np.abs(stored - anomaly_map * 5000.0).max() <= 0.5
    read, scale, read_threshold = read_map_png16(path)
    assert (scale, read_threshold) == (5000, threshold)
    assert np.abs(read - anomaly_map).max() <= 0.51 / 5000
    assert b"afrd:scale" in path.read_bytes()
    assert [p.name for p in path.parent.iterdir()] == ["a.png"]


@pytest.mark.parametrize("value", [-0.01, 6.6, np.nan, np.inf])
def test_map_values_that_do_not_fit_are_refused_and_nothing_is_written(tmp_path, value):
    anomaly_map = np.zeros((4, 4), np.float32)
    anomaly_map[1, 1] = value
    with pytest.raises(ModelError, match=r"a\.png.*smaller scale"):
        write_map_png16(tmp_path / "a.png", anomaly_map)
    assert not list(tmp_path.iterdir())


def test_other_pictures_are_no_maps(tmp_path):
    write_picture(tmp_path / "a.png", np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(DatasetError, match="no 16-bit anomaly map"):
        read_map_png16(tmp_path / "a.png")


@pytest.mark.parametrize("n", [2, 5, 6, 16])
def test_contact_sheet_shows_every_light_once(domes, n):
    """Lights of distinct plain colours: each fills its share of the sheet."""
    inspector, captures = domes
    inspection = dataclasses.replace(inspector.inspect_capture(captures[3]), light_weights=np.full((3, n), 1 / n))
    colours = [(255 - 12 * i, 12 * i, 40) for i in range(n)]
    images = np.broadcast_to(np.array(colours, np.uint8)[:, :, None, None], (n, 3, 48, 48))
    rig = LightRig(tuple(f"a light with a long name {i}" for i in range(n)))
    capture = dataclasses.replace(captures[3], images=np.ascontiguousarray(images), lights=rig)
    sheet = contact_sheet(capture, inspection, tile=64)
    for colour in colours:
        assert (sheet == colour).all(axis=-1).sum() == 64 * 64
    without = contact_sheet(dataclasses.replace(capture, mask=None), inspection, tile=64)
    assert without.shape[1] < sheet.shape[1]


def test_every_map_fits_its_own_scale(tmp_path):
    """Rounding of 65535 / highest · highest may come out above 65535: of a seventh of all maps it did."""
    rng = np.random.default_rng(0)
    for highest in rng.uniform(6.5, 40, 60).astype(np.float32):
        found = (rng.random((8, 8)) * highest).astype(np.float32)
        found[3, 3] = highest
        scale = fitting_scale(found)
        assert scale <= MAP_SCALE
        write_map_png16(tmp_path / "m.png", found, scale)
        read, its, _ = read_map_png16(tmp_path / "m.png")
        np.testing.assert_allclose(read, found, atol=0.51 / its + 1e-6)
