"""The real bench's data sets, made of pictures that are drawn here."""

import sys
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from afrd.datasets import open_dataset
from captures import write_folder

sys.path.insert(0, str(Path(__file__).parents[2]))  # no package that is installed

from benchmarks.flats import BLOBS, CELL, GAMMA, TRAIN, VAL, photographs, with_blob, write_material
from benchmarks.splits import dealt, good_parts, write_draw


def patches(seed: int) -> np.ndarray:
    """[9, CELL, CELL, 3] uint8, textured, another brightness under every light."""
    rng = np.random.default_rng(seed)
    texture = rng.uniform(60, 140, (CELL, CELL, 3))
    return np.stack([texture * (0.6 + 0.1 * k) for k in range(9)]).astype(np.uint8)


def test_a_sheet_is_read_row_by_row(tmp_path):
    sheet = np.kron(np.arange(9).reshape(3, 3) * 20 + 40, np.ones((64, 64))).astype(np.uint8)
    Image.fromarray(sheet).save(tmp_path / "felt.jpg", quality=100)
    lights = photographs(tmp_path, "felt")
    assert lights.shape == (9, 1024, 1024, 3)
    assert np.abs(lights.reshape(9, -1).mean(axis=1) - (np.arange(9) * 20 + 40)).max() < 1
    with pytest.raises(SystemExit, match=r"silk\.jpg: not there; give the folder of the sheets bathroomtile1, "):
        photographs(tmp_path, "silk")


@pytest.mark.parametrize("blobs", BLOBS.values(), ids=BLOBS)
def test_a_blob_changes_its_place_and_no_mean_colour(blobs):
    good, other = patches(0), patches(1)
    areas = []
    for seed in range(30):
        bad, mask = with_blob(good, other, np.random.default_rng(seed), blobs)
        changed = (bad != good).any(axis=(0, 3))
        assert mask.any() and changed[mask].mean() > 0.9
        assert (changed & ~mask).sum() < 0.5 * mask.sum() + 30  # the soft edge
        linear = bad.astype(float) ** GAMMA, good.astype(float) ** GAMMA
        before, after = (values[:, mask].mean(axis=(0, 1)) for values in linear)
        assert np.abs(before / after - 1).max() < 0.03
        areas.append(np.sqrt(mask.sum() / np.pi))
    low, high = blobs.radius
    assert low * 0.9 < min(areas) < max(areas) < high * 1.1


def test_a_material_becomes_a_data_set(tmp_path):
    rng = np.random.default_rng(0)
    sheets = [np.tile(patches(seed), (1, 8, 8, 1)) for seed in (0, 1)]
    write_material(tmp_path / "felt", *sheets, rng, BLOBS["faint"])
    sets = {split: open_dataset(tmp_path, "felt", split) for split in ("train", "val", "test")}
    assert {split: len(found) for split, found in sets.items()} == {"train": TRAIN, "val": VAL, "test": 16 * 4}
    assert sum(sets["test"].labels) == 48
    capture = next(c for c in sets["test"] if c.anomalous)
    assert capture.images.shape == (9, 3, CELL, CELL) and capture.mask.any()


@pytest.fixture
def data(tmp_path):
    write_folder(
        tmp_path / "parts", {"train": {"good": 6}, "val": {"good": 2}, "test": {"good": 4, "dent": 3}}, size=16
    )
    for split, offset in (("val", 6), ("test", 8)):  # ids as a station numbers them: one series
        for path in sorted((tmp_path / "parts" / split / "good").iterdir(), reverse=True):
            path.rename(path.with_name(f"{int(path.name) + offset:03d}"))
    return tmp_path / "parts"


def test_further_draws_deal_the_good_parts_anew(data, tmp_path):
    parts = good_parts(data)
    assert dealt(parts, 0) == parts
    draws = [{split: [p.name for p in paths] for split, paths in dealt(parts, seed).items()} for seed in (1, 1, 2)]
    assert draws[0] == draws[1] != draws[2]
    for draw in draws:
        assert [len(names) for names in draw.values()] == [6, 2, 4]
        assert sorted(chain(*draw.values())) == [f"{i:03d}" for i in range(12)]


def test_a_draw_is_a_data_set_whose_bad_parts_stayed(data, tmp_path):
    for _ in range(2):  # the second replaces the first
        write_draw(data, tmp_path / "draws" / "parts-draw1", dealt(good_parts(data), 1))
    drawn = open_dataset(tmp_path / "draws", "parts-draw1", "test")
    before = open_dataset(data, None, "test")
    assert len(drawn) == len(before) == 7
    bad = [[c for c in found if c.anomalous] for found in (drawn, before)]
    for a, b in zip(*bad, strict=True):
        assert a.id == b.id and np.array_equal(a.images, b.images) and np.array_equal(a.mask, b.mask)


def test_what_cannot_be_dealt_is_said(data):
    (data / "train" / "good" / "000").rename(data / "train" / "good" / "008")
    with pytest.raises(SystemExit, match="good part 008 is in two splits"):
        good_parts(data)
    with pytest.raises(SystemExit, match="no good parts"):
        good_parts(data / "train")
