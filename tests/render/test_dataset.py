"""A rendered data set on disk: whole, the same for the same seed, resumed after a real kill, clear about mistakes."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import cv2
import numpy as np
import pytest
import yaml

from afrd.datasets import check_dataset, open_dataset
from afrd.errors import DatasetError
from afrd.render import CLASSES, LIGHT_DIRECTIONS, render_dataset
from afrd.render.sample import render_object

CLASS_NAMES = ("Confetto", "CandyCane")
COUNTS = {"train": 2, "val": 1, "test": 3, "test_private": 2}
KINDS = ("bumps", "dents", "colors", "normals")
OPEN_ITEMS = {*(f"image_{i}.png" for i in range(6)), "depth.png", "info_depth.yaml", "normals.png", "pose.txt"}
LABELS = {*(f"{kind}_mask.png" for kind in KINDS), "mask.png", "metadata.yaml", "obj_params.yaml"}


@pytest.fixture(scope="module")
def out(tmp_path_factory):
    out = tmp_path_factory.mktemp("rendered") / "set"
    render_dataset(out, CLASS_NAMES, **COUNTS, size=32, seed=4, workers=1)
    return out


def _bytes(out: Path) -> dict[str, bytes]:
    return {str(p.relative_to(out)): p.read_bytes() for p in sorted(out.rglob("*")) if p.is_file()}


def _samples(out: Path, name: str, split: str) -> dict[str, dict[str, Path]]:
    samples: dict[str, dict[str, Path]] = {}
    for path in (out / name / split / "data").iterdir():
        index, item = re.fullmatch(r"(\d+)_(.+)", path.name).groups()
        samples.setdefault(index, {})[item] = path
    return samples


def test_layout_and_items_are_those_of_eyecandies(out):
    assert {p.name for p in out.iterdir()} == {*CLASS_NAMES, "render.yaml", "lights.yaml"}
    expected = {
        "train": {"000", "001"},
        "val": {"00"},
        "test_public": {"00", "01", "02"},
        "test_private": {"000", "001"},
    }
    for name in CLASS_NAMES:
        assert {p.name for p in (out / name).iterdir()} == set(expected)
        for split, indices in expected.items():
            samples = _samples(out, name, split)
            assert set(samples) == indices
            for items in samples.values():
                assert set(items) == OPEN_ITEMS | (set() if split == "test_private" else LABELS)
                for i in range(6):
                    assert cv2.imread(str(items[f"image_{i}.png"]), cv2.IMREAD_UNCHANGED).shape == (32, 32, 3)


def test_metadata_and_masks_agree(out):
    for name in CLASS_NAMES:
        for split in ("train", "val", "test_public"):
            for index, items in _samples(out, name, split).items():
                said = yaml.safe_load(items["metadata.yaml"].read_text())
                masks = {k: cv2.imread(str(items[f"{k}_mask.png"]), cv2.IMREAD_UNCHANGED) for k in KINDS}
                whole = cv2.imread(str(items["mask.png"]), cv2.IMREAD_UNCHANGED)
                assert set(np.unique(whole)) <= {0, 255}
                assert np.array_equal(whole, np.maximum.reduce(list(masks.values())))
                for kind in KINDS:
                    assert said[kind] == int(masks[kind].any())
                assert said["anomalous"] == int(whole.any())
                assert said["anomalous"] == int(split == "test_public" and int(index) % 2 == 0)
                drawn = yaml.safe_load(items["obj_params.yaml"].read_text())["defects"]
                assert [d["kind"] for d in drawn] == [kind for kind in KINDS if said[kind]]


def test_depth_and_normals_decode_to_what_was_rendered(out):
    seen = render_object(CLASSES["Confetto"](), "train", 1, bad=False, seed=4, size=32).exposure
    items = _samples(out, "Confetto", "train")["001"]
    span = yaml.safe_load(items["info_depth.yaml"].read_text())["normalization"]
    stored = cv2.imread(str(items["depth.png"]), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    metres = stored / 65535 * (span["max"] - span["min"]) + span["min"]
    assert np.abs(metres - seen.depth).max() < 1e-6
    normals = cv2.imread(str(items["normals.png"]), cv2.IMREAD_COLOR)[..., ::-1] / 255 * 2 - 1
    assert np.abs(normals - seen.normals).max() < 0.005
    camera = np.loadtxt(items["pose.txt"])
    assert camera.shape == (4, 4)
    belt = ~seen.part
    assert metres[belt] == pytest.approx(camera[2, 3], abs=1e-5)


def test_lights_file_names_every_light_and_its_direction(out):
    lights = yaml.safe_load((out / "lights.yaml").read_text())["lights"]
    assert [light["name"] for light in lights] == list(LIGHT_DIRECTIONS)
    assert [tuple(light["direction"]) if light["direction"] else None for light in lights] == list(
        LIGHT_DIRECTIONS.values()
    )
    width = (10.5 - 0.6) / (711.11 / 512)  # of the picture, cm
    away = [light.get("distance") for light in lights]
    assert away == [None, *[pytest.approx(17 / width, abs=1e-3)] * 4, None]


def test_a_folder_whose_lights_file_says_no_distance_goes_on(out, tmp_path):
    older = tmp_path / "older"
    render_dataset(older, ["Confetto"], train=1, val=0, test=0, size=32, seed=4, workers=1)
    whole = (older / "lights.yaml").read_text()
    (older / "lights.yaml").write_text(re.sub(r" *distance: .*\n", "", whole))
    render_dataset(older, ["Confetto"], train=1, val=1, test=0, size=32, seed=4, workers=1)
    assert (older / "lights.yaml").read_text() == whole


def test_the_package_reads_what_it_renders(out):
    assert check_dataset(out) == []
    train, test = (open_dataset(out, category="Confetto", split=split) for split in ("train", "test_public"))
    assert len(train) == 2 and len(test) == 3
    capture = test[0]
    assert capture.anomalous and capture.mask.any() and capture.defects
    assert capture.lights.names == tuple(LIGHT_DIRECTIONS)


def test_same_seed_same_bytes_with_other_workers_and_order(out, tmp_path):
    steps = []
    render_dataset(
        tmp_path / "b", CLASS_NAMES[::-1], **COUNTS, size=32, seed=4, workers=2, progress=lambda *s: steps.append(s)
    )
    assert _bytes(tmp_path / "b") == _bytes(out)
    assert steps == [(i, 16) for i in range(17)]


def test_another_seed_gives_other_pictures(out, tmp_path):
    render_dataset(tmp_path / "c", ["Confetto"], train=1, val=0, test=0, size=32, seed=5, workers=1)
    item = "Confetto/train/data/000_image_0.png"
    assert (tmp_path / "c" / item).read_bytes() != (out / item).read_bytes()


@pytest.mark.slow
def test_killed_at_any_moment_it_goes_on_and_ends_with_the_same_bytes(out, tmp_path):
    again = tmp_path / "killed"
    script = (
        "import sys; from afrd.render import render_dataset\n"
        "if __name__ == '__main__':\n"
        f"    render_dataset(sys.argv[1], {CLASS_NAMES}, **{COUNTS}, size=32, seed=4, workers=2)\n"
    )
    (tmp_path / "script.py").write_text(script)
    kills = 0
    for after in (1, 3, 5, 7):
        process = subprocess.Popen(
            [sys.executable, tmp_path / "script.py", again], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        while process.poll() is None and len(list(again.glob("[A-Z]*/*/data/*_image_0.png"))) < after:
            time.sleep(0.001)
        if process.poll() is None:
            os.kill(process.pid, signal.SIGKILL)
            kills += 1
        process.stdout.read()  # ends only when no worker holds the pipe any more
        process.wait()
        assert len(list(again.glob("[A-Z]*/*/data/*_image_0.png"))) < 16
    assert kills >= 3  # a machine may finish before it is looked at
    render_dataset(again, CLASS_NAMES, **COUNTS, size=32, seed=4, workers=1)
    assert _bytes(again) == _bytes(out)


def test_a_sample_that_was_half_moved_is_made_again(out, tmp_path):
    half = tmp_path / "half"
    render_dataset(half, ["Confetto"], train=1, val=0, test=1, size=32, seed=4, workers=1)
    whole = _bytes(half)
    data = half / "Confetto/test_public/data"
    (data / "00_image_0.png").unlink()
    (data / "00_mask.png").unlink()
    (data / "00_depth.png").write_bytes(b"cut sho")
    (half / ".partial/Confetto-test_public-00-1").mkdir(parents=True)
    (half / ".partial/Confetto-test_public-00-1/depth.png").write_bytes(b"cut")
    untouched = (half / "Confetto/train/data/000_image_0.png").stat().st_mtime_ns
    render_dataset(half, ["Confetto"], train=1, val=0, test=1, size=32, seed=4, workers=1)
    assert _bytes(half) == whole
    assert (half / "Confetto/train/data/000_image_0.png").stat().st_mtime_ns == untouched


def test_a_set_grows_by_captures_and_classes(out, tmp_path):
    grown = tmp_path / "grown"
    render_dataset(grown, ["CandyCane"], train=1, val=0, test=2, size=32, seed=4, workers=1)
    render_dataset(grown, CLASS_NAMES, **COUNTS, size=32, seed=4, workers=1)
    assert _bytes(grown) == _bytes(out)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"seed": 5}, "seed 4, not 5"),
        ({"size": 48}, "size 32, not 48"),
        ({"train": 1}, "already holds 2 captures, more than the 1"),
        ({"classes": ["Confetto", "Cookie"]}, "no class named Cookie: choose from .*ChocolateCookie"),
        ({"classes": []}, "no class given: choose from"),
        ({"train": -1}, "train: -1 captures; expected 0 or more"),
        ({"size": 4}, "image size 4: expected 16 to 4096"),
        ({"defect_size": (10, 30)}, r"defect size 10 to 30 px: expected two sizes, .* from 3 to 16 px, half the pic"),
        ({"defect_size": (4, 8)}, r"rendered with defect_size None, not \[4.0, 8.0\]"),
        ({"workers": -2}, "workers -2: expected 0 or more"),
    ],
)
def test_mistakes_are_told_and_nothing_is_touched(out, change, says):
    before = _bytes(out)
    asked = {"classes": CLASS_NAMES, **COUNTS, "size": 32, "seed": 4, "workers": 1} | change
    with pytest.raises(DatasetError, match=says):
        render_dataset(out, **asked)
    assert _bytes(out) == before


def test_nothing_to_do_is_a_mistake(tmp_path):
    with pytest.raises(DatasetError, match="0 captures in every split"):
        render_dataset(tmp_path / "d", ["Confetto"], train=0, val=0, test=0)


def test_a_folder_of_somebody_else_is_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("years of work")
    with pytest.raises(DatasetError, match=r"holds other files \(no render.yaml\)"):
        render_dataset(tmp_path, ["Confetto"], train=1, val=0, test=0, size=32)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.txt"]


def test_a_damaged_recipe_is_told(tmp_path):
    (tmp_path / "render.yaml").write_text("seed: [4")
    with pytest.raises(DatasetError, match=r"render.yaml: line 1: .*; delete .* or choose another folder"):
        render_dataset(tmp_path, ["Confetto"], train=1, val=0, test=0, size=32)


def test_classes_are_listed_without_the_renderer_and_rendering_asks_for_it(tmp_path):
    script = (
        "import sys; sys.modules['mitsuba'] = None\n"
        "from afrd.render import CLASSES, render_dataset\n"
        "assert 'scipy' not in sys.modules and 'torch' not in sys.modules\n"
        "from afrd.errors import MissingExtraError\n"
        "try:\n"
        f"    render_dataset({str(tmp_path / 'e')!r}, ['Confetto'], train=1, val=0, test=0)\n"
        "except MissingExtraError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "mitsuba is not installed: pip install 'afrd[render]'"
    assert not (tmp_path / "e").exists()
