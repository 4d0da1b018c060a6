"""Figures 4 and 5 and the sheet of classes, from real captures, result files and maps; pixels looked at one by one."""

import cv2
import numpy as np
import pytest

from afrd.comparison.figures import _GAP, _LINE, _TILE, chosen_captures, contact_sheet_classes, write_figures
from afrd.comparison.job import ALL_LIGHTS, Job
from afrd.datasets import open_dataset
from afrd.errors import DatasetError, RunError
from afrd.evaluation.visual import colour_range, heat_map, mask_picture, photo
from captures import EYECANDIES_LIGHTS, write_eyecandies
from comparison_folder import ComparisonFolder

CLASSES = ("Confetto", "Lollipop")
JOBS = [("rd", str(i)) for i in range(6)] + [("mean", ALL_LIGHTS), ("attention", ALL_LIGHTS)]
STEP = _TILE + _GAP
SIZE = 64


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp("data")
    write_eyecandies(root, CLASSES, {"train": (2, 0), "test_public": (3, 5)}, size=SIZE)
    return root


def attention_scores(name):
    """Of 3 good and 5 defective captures. Confetto: 4 found (2, 4, 3, 5 over a threshold of 1), one missed."""
    return [0.2, 0.3, 0.4, 2.0, 4.0, 0.5, 3.0, 5.0] if name == "Confetto" else [0.2] * 3 + [0.8, 0.7, 0.6, 0.5, 0.9]


@pytest.fixture
def folder(data, tmp_path):
    """Every map is flat, at its capture's score; thresholds differ by method."""
    ids = [record.id for record in open_dataset(data, "Confetto", "test_public").records]
    made = ComparisonFolder(tmp_path / "comparison", n_good=3, n_bad=5, ids=ids)
    for name in CLASSES:
        digests = {"test": open_dataset(data, name, "test_public").digest()}
        for k, (method, light) in enumerate(JOBS):
            scores = np.array(attention_scores(name)) * (1 if method == "attention" else 0.5 + k / 10)
            job = Job(name, method, light, 0)
            limit = 1.0 if method == "attention" else 2.0
            made.done(job, scores, threshold=limit, data={"kind": "rendered", "digests": digests})
            maps = np.broadcast_to(scores[:, None, None], (8, SIZE, SIZE))
            made.store.write_maps(job, maps[:2], maps)
    return made


def read(path):
    return cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB)


def test_captures_are_chosen_by_the_rule():
    def result(*rows):
        return {
            "captures": [
                {"anomalous": bad, "score": score, "verdict": "anomalous" if score > 1 else "good"}
                for bad, score in rows
            ]
        }

    four = result((False, 9), (True, 2), (True, 4), (True, 0.5), (True, 3), (True, 0.7), (True, 5), (True, 6))
    assert chosen_captures(four, 1) == [2]  # of 2 3 4 5 6 the middle one
    assert chosen_captures(four, 2) == [2, 3]  # and the lowest miss
    assert chosen_captures(four, 3) == [4, 6, 3]  # at a quarter and three quarters of five
    assert chosen_captures(four, 99) == [1, 4, 2, 6, 7, 3]
    assert chosen_captures(result((False, 9), (True, 0.4), (True, 0.3)), 1) == [2]
    assert chosen_captures(result((True, 2), (True, 3)), 2) == [0, 1]  # nothing was missed
    assert chosen_captures(result((False, 0.1)), 2) == []


def test_figure_5_shows_lights_mask_and_every_map_on_its_own_threshold(folder, data, tmp_path):
    write_figures(folder.root, data, tmp_path / "out", categories=["Confetto"])
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["figure4.png", "figure5.png"]
    picture = read(tmp_path / "out" / "figure5.png")
    index = 4  # scores 2 3 4 5 were found; the one above the middle
    capture = open_dataset(data, "Confetto", "test_public")[index]
    top = 2 * _LINE + _LINE  # below the title and the row's label
    middle = _TILE // 2
    for i in range(6):
        shown = picture[top : top + _TILE, _GAP + i * STEP : _GAP + i * STEP + _TILE]
        expected = cv2.resize(photo(capture.images[i]), (_TILE, _TILE), interpolation=cv2.INTER_LINEAR)
        assert np.array_equal(shown, expected)
    mask = cv2.resize(mask_picture(capture.mask), (_TILE, _TILE), interpolation=cv2.INTER_LINEAR)
    assert np.array_equal(picture[top : top + _TILE, _GAP + 6 * STEP : 6 * STEP + STEP], mask)
    below = top + _TILE + _LINE
    for k, (method, _) in enumerate(JOBS):
        score = 4.0 * (1 if method == "attention" else 0.5 + k / 10)
        limit = 1.0 if method == "attention" else 2.0
        expected = heat_map(np.array([[np.float16(score)]]), *colour_range(limit))[0, 0]
        assert np.array_equal(picture[below + middle, _GAP + k * STEP + middle], expected), (method, k)


def test_figure_4_has_a_row_for_each_capture_of_each_class(folder, data, tmp_path):
    write_figures(folder.root, data, tmp_path / "one")
    write_figures(folder.root, data, tmp_path / "two", captures_per_class=2)
    one, two = read(tmp_path / "one" / "figure4.png"), read(tmp_path / "two" / "figure4.png")
    row = _LINE + _TILE + _LINE
    assert one.shape[1] == two.shape[1] == _GAP + 5 * STEP
    assert two.shape[0] - one.shape[0] == row  # Lollipop has no found one: its lowest miss, once
    missed = heat_map(np.array([[np.float16(0.5)]]), *colour_range(1.0))[0, 0]
    attention = _GAP + 4 * STEP + _TILE // 2
    tops = [2 * _LINE + _LINE + i * row + _TILE // 2 for i in range(3)]
    assert np.array_equal(one[tops[1], attention], missed)  # Lollipop
    assert np.array_equal(two[tops[1], attention], missed)  # Confetto's miss


def test_what_cannot_be_shown_is_refused(folder, data, tmp_path):
    out = tmp_path / "out"
    other = tmp_path / "other"
    write_eyecandies(other, CLASSES, {"train": (2, 0), "test_public": (3, 4)}, size=32)
    with pytest.raises(DatasetError, match="does not hold the captures that were compared"):
        write_figures(folder.root, other, out)
    with pytest.raises(RunError, match="Confetto__attention__all__seed7 has not been run"):
        write_figures(folder.root, data, out, seed=7)
    with pytest.raises(RunError, match="0 captures a class"):
        write_figures(folder.root, data, out, captures_per_class=0)
    folder.failed(Job("Lollipop", "rd", "3", 0), "RuntimeError: no memory")
    with pytest.raises(RunError, match="Lollipop__rd__3__seed0 failed: RuntimeError: no memory; run"):
        write_figures(folder.root, data, out)
    (folder.root / "maps" / "Confetto__mean__all__seed0.npz").unlink()
    with pytest.raises(RunError, match=r"Confetto__mean__all__seed0\.npz: missing or damaged"):
        write_figures(folder.root, data, out, categories=["Confetto"])
    assert not out.exists()


def test_sheet_of_classes_shows_the_first_training_capture_under_every_light(data, tmp_path):
    contact_sheet_classes(data, tmp_path / "images" / "classes.png")
    picture = read(tmp_path / "images" / "classes.png")
    left = picture.shape[1] - 6 * STEP
    top = _GAP + _LINE
    for row, name in enumerate(CLASSES):
        images = open_dataset(data, name, "train")[0].images
        for i in range(len(EYECANDIES_LIGHTS)):
            y, x = top + row * STEP, left + i * STEP
            expected = cv2.resize(photo(images[i]), (_TILE, _TILE), interpolation=cv2.INTER_LINEAR)
            assert np.array_equal(picture[y : y + _TILE, x : x + _TILE], expected)
        label = picture[top + row * STEP : top + row * STEP + _TILE, :left]
        assert (label < 128).any()


def test_sheet_of_classes_of_different_stations_is_refused(tmp_path):
    write_eyecandies(tmp_path / "data", ["Confetto"], {"train": (1, 0)})
    write_eyecandies(tmp_path / "data", ["Lollipop"], {"train": (1, 0)}, lights=2)
    (tmp_path / "data" / "Lollipop" / "lights.yaml").write_text("lights: [{name: a}, {name: b}]")
    with pytest.raises(DatasetError, match="Lollipop has other lights"):
        contact_sheet_classes(tmp_path / "data", tmp_path / "classes.png")
