"""Every fault in a data set ends in one error that names the file and the fix: the Eyecandies layout.

Each case breaks a sound data set in one way. Faults that names, labels and headers show are raised when the data set is
opened; damage inside of an image when the capture is decoded.
"""

from pathlib import Path

import pytest

from afrd.datasets import check_dataset, open_dataset
from afrd.errors import DatasetError
from breaking import copied, on, resize, text
from captures import write_eyecandies

DATA = "Confetto/test_public/data/"
EYECANDIES_FAULTS = {
    "light missing": (
        on(DATA + "001_image_4.png", Path.unlink),
        DATA + "001_image_4.png",
        "light left is missing for capture 001",
        "add the image",
    ),
    "unknown light": (
        copied(DATA + "001_image_4.png", DATA + "001_image_6.png"),
        DATA + "001_image_6.png",
        "unknown light image_6 in capture 001",
        "remove or rename",
    ),
    "duplicate id": (
        lambda home: [copied(f"{DATA}001_image_{k}.png", f"{DATA}1_image_{k}.png")(home) for k in range(6)],
        DATA + "1_image_0.png",
        "duplicate id: capture 1 beside capture 001",
        "renumber",
    ),
    "mask with no capture": (
        copied(DATA + "004_mask.png", DATA + "077_mask.png"),
        DATA + "077_mask.png",
        "mask with no capture",
        "or remove it",
    ),
    "mask of another size": (
        on(DATA + "004_mask.png", resize),
        DATA + "004_mask.png",
        "mask of 20×14, but its images are 16×16",
        "draw it on the image",
    ),
    "mask missing": (
        on(DATA + "004_mask.png", Path.unlink),
        DATA + "004_mask.png",
        "mask of the anomalous capture 004 is missing",
        "restore it",
    ),
    "label missing": (
        on(DATA + "004_metadata.yaml", Path.unlink),
        DATA + "004_metadata.yaml",
        "the label of capture 004 is missing",
        "restore it",
    ),
    "label is no YAML": (
        text(DATA + "004_metadata.yaml", "anomalous: 1\nbumps: {"),
        DATA + "004_metadata.yaml",
        "line 2: ",
        'write "anomalous: 0"',
    ),
    "label is another value": (
        text(DATA + "004_metadata.yaml", "bumps: 1\nanomalous: yes, a bit"),
        DATA + "004_metadata.yaml",
        "line 2: anomalous is 'yes, a bit', expected 0 or 1",
        'write "anomalous: 0"',
    ),
    "label without the key": (
        text(DATA + "004_metadata.yaml", "bumps: 1"),
        DATA + "004_metadata.yaml",
        "no key anomalous",
        'write "anomalous: 0"',
    ),
    "label with a date that is none": (
        text(DATA + "004_metadata.yaml", "taken: 2024-13-45"),
        DATA + "004_metadata.yaml",
        "month must be in 1..12",
        'write "anomalous: 0"',
    ),
    "label contradicts itself": (
        text(DATA + "004_metadata.yaml", "dents: 1\nanomalous: 0"),
        DATA + "004_metadata.yaml",
        "line 2: anomalous is 0, but dents is set",
        'write "anomalous: 0"',
    ),
    "sizes differ between lights": (
        on(DATA + "001_image_4.png", resize),
        DATA + "001_image_4.png",
        "20×14, but 001_image_0.png of the same capture is 16×16",
        "crop them alike",
    ),
    "lights.yaml is wrong": (
        text("lights.yaml", "lights:\n- {name: 1}\n- {name: b}"),
        "lights.yaml",
        "line 2: lights.0.name: Input should be a valid string",
        'write "lights: [{name: top',
    ),
}


@pytest.mark.parametrize("case", EYECANDIES_FAULTS)
def test_eyecandies_faults(tmp_path: Path, case: str) -> None:
    fault, file, what, fix = EYECANDIES_FAULTS[case]
    write_eyecandies(tmp_path, size=16)
    fault(tmp_path)
    with pytest.raises(DatasetError) as error:
        open_dataset(tmp_path, split="test_public")
    for part in (str(tmp_path / file), what, fix):
        assert part in str(error.value)
    assert any(what in str(problem) for problem in check_dataset(tmp_path))
