"""What methods get to see of a class: values at one scale in every part, and what lights.yaml asks for."""

import json

import numpy as np
import pytest

from afrd.comparison.class_data import ClassData
from afrd.comparison.figures import write_figures
from afrd.comparison.job import ALL_LIGHTS, Job, Settings
from afrd.datasets import open_dataset
from captures import write_image, write_lights
from comparison_folder import LIGHTS, ComparisonFolder
from surfaces import capture, drawn, part

SETTINGS = Settings(image_size=32, split="test")


@pytest.fixture(scope="module")
def deep(tmp_path_factory):
    """16-bit files of a camera of 12 bits, as only those in train show; every other capture is darker."""
    root = tmp_path_factory.mktemp("deep")
    parts = (("train", "good", 2, 4000), ("val", "good", 1, 900), ("test", "bad", 2, 900))
    for split, label, count, brightest in parts:
        for i in range(count):
            image = np.linspace(0, brightest, 32 * 32).reshape(32, 32).astype(np.uint16)
            for light in LIGHTS:
                write_image(root / "plate" / split / label / str(i) / f"{light}.png", image)
    write_lights(root / "plate" / "lights.yaml", LIGHTS)
    return root


@pytest.mark.filterwarnings("ignore:.*read as 12 bits")
def test_held_out_captures_are_read_at_the_scale_of_train(deep, tmp_path):
    data = ClassData(deep, "plate", SETTINGS, tmp_path)
    for part_, brightest in (("train", 4000), ("holdout", 900), ("test", 900)):
        assert data.images(part_, "0").max() == pytest.approx(255 * brightest / 4095, abs=1)


@pytest.mark.filterwarnings("ignore:.*read as 12 bits")
def test_figures_know_the_captures_that_were_compared(deep, tmp_path):
    data = ClassData(deep, "plate", SETTINGS, tmp_path / "features")
    made = ComparisonFolder(tmp_path / "comparison", n_good=0, n_bad=2, ids=[r.id for r in data.test.records])
    for method, light in [("rd", str(i)) for i in range(6)] + [("mean", ALL_LIGHTS), ("attention", ALL_LIGHTS)]:
        job = Job("plate", method, light, 0)
        settings = SETTINGS.model_dump(mode="json")
        made.done(job, [8.0, 9.0], settings=settings, data={"kind": "folder", "digests": data.digests})
        made.store.write_maps(job, np.ones((1, 32, 32)), np.ones((2, 32, 32)))
    assert len(write_figures(made.root, deep, tmp_path / "out")) == 2


def test_what_lights_yaml_says_is_told_without_folders(tmp_path):
    image = np.zeros((8, 8), np.uint8)
    for number, split in enumerate(("train/good/0", "train/good/1", "train/good/2", "test/bad/0")):
        write_image(tmp_path / "plate" / split / "a.png", image + number)
        write_image(tmp_path / "plate" / split / "b.png", image)
    write_image(tmp_path / "plate" / "roi.png", image + 255)

    def told(imaging="", light=""):
        text = f"lights: [{{name: a, direction: [0, 3, 4]{light}}}, {{name: b}}]\n{imaging}"
        (tmp_path / "plate" / "lights.yaml").write_text(text)
        data = ClassData(tmp_path, "plate", SETTINGS, tmp_path / "features")
        return json.dumps(data.rig, allow_nan=False), data.digests

    plain, digests = told()
    assert json.loads(plain)["directions"] == [[0, 0.6, 0.8], [None, None, None]]
    changed = [told(light=", weight: 0.5"), told(light=", distance: 2"), told("imaging: {roi: roi.png}")]
    write_image(tmp_path / "plate" / "roi.png", image + 1)
    changed.append(told("imaging: {roi: roi.png}"))
    assert len({plain, *(rig for rig, _ in changed)}) == 5
    assert all(each == digests for _, each in changed)
    assert str(tmp_path) not in changed[-1][0]


def test_single_images_are_registered_within_the_region_and_in_one_square(tmp_path):
    """As lights.yaml asks for; before, the mean of shifted lights was a smear, and the ignored corner was looked at."""
    still, shifts = part(0), drawn(0, 3)
    for split, count in (("train", 3), ("test", 1)):
        for i in range(count):
            for name, image in zip("abcde", capture(still, shifts, i), strict=True):
                write_image(tmp_path / "plate" / split / "good" / str(i) / f"{name}.png", image[0])
    write_lights(tmp_path / "plate" / "lights.yaml", "abcde")
    with (tmp_path / "plate" / "lights.yaml").open("a") as file:
        file.write("imaging: {motion: free, tile: 48, roi: {ignore: [{rectangle: [0, 0, 16, 16]}]}}\n")
    size = still.shape[-1]
    data = ClassData(tmp_path, "plate", Settings(image_size=size, split="test"), tmp_path / "features", ("gain:0.8",))
    seen, darker = data.images("test", "mean-image")[:, 0] / 255
    inner, expected = np.s_[20:-20, 20:-20], still.mean(0)
    smeared = open_dataset(tmp_path, "plate", "test")[0].images.mean((0, 1)) / 255
    assert np.abs(smeared - expected)[inner].mean() > 2 * np.abs(seen - expected)[inner].mean()
    assert np.abs(darker - 0.8 * expected)[inner].mean() < 0.02
    assert np.ptp(seen[:16, :16]) < 0.01 < np.ptp(smeared[:16, :16])
