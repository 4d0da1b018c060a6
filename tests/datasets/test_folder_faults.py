"""Every fault in a data set ends in one error that names the file and the fix: a folder of named captures.

Each case breaks a sound data set in one way. Faults that names, labels and headers show are raised when the data set is
opened; damage inside of an image when the capture is decoded.
"""

from pathlib import Path

import pytest

from afrd.datasets import check_dataset, open_dataset
from afrd.errors import DatasetError
from breaking import copied, on, resize, sixteen_bit, text
from captures import write_folder

# case: (break it, split, file named in the error, what, fix)
FOLDER_FAULTS = {
    "light missing": (
        on("train/good/001/top.png", Path.unlink),
        "train",
        "train/good/001/top.*",
        "light top is missing for capture 001",
        "add the image",
    ),
    "unknown light": (
        copied("train/good/001/top.png", "train/good/001/flash.png"),
        "train",
        "train/good/001/flash.png",
        "unknown light flash in capture 001; the lights are left, right, top",
        "remove or rename",
    ),
    "two images for a light": (
        copied("train/good/001/top.png", "train/good/001/top.bmp"),
        "train",
        "train/good/001/top.png",
        "a second image for light top of capture 001, beside top.bmp",
        "remove one of them",
    ),
    "sizes differ between lights": (
        on("train/good/001/top.png", resize),
        "train",
        "train/good/001/top.png",
        "20×14, but left.png of the same capture is 16×16",
        "crop them alike",
    ),
    "depths differ between lights": (
        on("train/good/001/top.png", sixteen_bit),
        "train",
        "train/good/001/top.png",
        "16-bit, but left.png of the same capture is 8-bit",
        "one depth",
    ),
    "mask of another size": (
        on("masks/scratch/001.png", resize),
        "test",
        "masks/scratch/001.png",
        "mask of 20×14, but its images are 16×16",
        "draw it on the image",
    ),
    "mask with no capture": (
        copied("masks/scratch/001.png", "masks/scratch/007.png"),
        "test",
        "masks/scratch/007.png",
        "mask with no capture",
        "or remove it",
    ),
    "mask of an unknown type": (
        copied("masks/scratch/001.png", "masks/rust/001.png"),
        "test",
        "masks/rust/001.png",
        "mask with no capture",
        "or remove it",
    ),
    "mask for a good capture": (
        copied("masks/scratch/001.png", "masks/good/001.png"),
        "test",
        "masks/good/001.png",
        "mask for a good capture",
        "remove it",
    ),
    "mask in no type's folder": (
        copied("masks/scratch/001.png", "masks/001.png"),
        "test",
        "masks/001.png",
        "mask outside of masks/<defect type>/",
        "move it",
    ),
    "two masks": (
        copied("masks/scratch/001.png", "masks/scratch/001.tif"),
        "test",
        "masks/scratch/001.tif",
        "a second mask",
        "remove one",
    ),
    "not an image": (
        text("train/good/001/top.png", "hello"),
        "train",
        "train/good/001/top.png",
        "is not a PNG, JPEG, WebP, TIFF or BMP image",
        "replace it",
    ),
    "anomalous in train": (
        copied("train/good/001/top.png", "train/scratch/000/top.png"),
        "train",
        "train/scratch",
        "anomalous captures in train, which holds good parts only",
        "move the folder to test/scratch",
    ),
    "anomalous in val": (
        copied("train/good/001/top.png", "val/scratch/000/top.png"),
        "val",
        "val/scratch",
        "anomalous captures in val",
        "move the folder to test/scratch",
    ),
    "image beside the captures": (
        copied("train/good/001/top.png", "train/good/002.png"),
        "train",
        "train/good",
        'do not fit the pattern "{id}/{light}.*": 002.png',
        "move them",
    ),
    "image beside the labels": (
        copied("train/good/001/top.png", "train/x.png"),
        "train",
        "train",
        "outside of the folder of a label, such as x.png",
        "move them",
    ),
    "lights.yaml is no YAML": (
        text("lights.yaml", "lights:\n  - name: [top\n"),
        "train",
        "lights.yaml",
        "line 3: ",
        'write "lights: [{name: top',
    ),
    "lights.yaml with an unknown key": (
        text("lights.yaml", "lights:\n  - {name: left}\n  - {name: top,\n     angle: 30}\n"),
        "train",
        "lights.yaml",
        "line 4: lights.1.angle: Extra inputs are not permitted",
        'write "lights: [{name: top',
    ),
    "lights.yaml with no light": (
        text("lights.yaml", "lights: []\n"),
        "train",
        "lights.yaml",
        "line 1: lights: List should have at least 1 item",
        'write "lights: [{name: top',
    ),
    "lights.yaml with two lights at one time": (
        text("lights.yaml", "lights: [{name: top, trigger: 0}, {name: left, trigger: 0}]"),
        "train",
        "lights.yaml",
        "trigger: give every light one of its own, or none",
        'write "lights: [{name: top',
    ),
    "lights.yaml with a name twice": (
        text("lights.yaml", "lights: [{name: top}, {name: top}]"),
        "train",
        "lights.yaml",
        "light name used twice: top",
        'write "lights: [{name: top',
    ),
    "lights.yaml with a name that cannot be shown": (
        text("lights.yaml", 'lights: [{name: top}, {name: "le\\nft"}]'),
        "train",
        "lights.yaml",
        "lights.1.name: String should match pattern",
        'write "lights: [{name: top',
    ),
    "lights.yaml with a direction of zero": (
        text("lights.yaml", "lights:\n- {name: top}\n- {name: left, direction: [0, 0, 0]}"),
        "train",
        "lights.yaml",
        "line 3: lights.1.direction",
        'write "lights: [{name: top',
    ),
    "lights.yaml is empty": (text("lights.yaml", ""), "train", "lights.yaml", "line 1: ", 'write "lights: [{name'),
}


@pytest.mark.parametrize("case", FOLDER_FAULTS)
def test_folder_faults(tmp_path: Path, case: str) -> None:
    fault, split, file, what, fix = FOLDER_FAULTS[case]
    write_folder(tmp_path, size=16)
    fault(tmp_path)
    with pytest.raises(DatasetError) as error:
        open_dataset(tmp_path, split=split)
    for part in (str(tmp_path / file), what, fix):
        assert part in str(error.value)
    assert any(what in str(problem) for problem in check_dataset(tmp_path))
