"""`check` opens the region of interest that lights.yaml gives or names, so that training is not the first to tell."""

from pathlib import Path

import numpy as np
import pytest

from afrd.datasets import check_dataset
from captures import write_folder, write_image, write_lights


def _data(root: Path, roi: str) -> None:
    write_folder(root, size=16)
    write_lights(root / "lights.yaml", ("left", "right", "top"))
    with (root / "lights.yaml").open("a") as file:
        file.write(f"imaging: {{roi: {roi}}}\n")


@pytest.mark.parametrize(
    ("roi", "place", "what", "fix"),
    [
        ("nothere.png", "nothere.png", "cannot be read (No such file or directory)", "restore"),
        ("nothere.yaml", "nothere.yaml", "cannot be read (No such file or directory)", 'write "include'),
        ("text.png", "text.png", "is not a PNG, JPEG, WebP, TIFF or BMP image, or is damaged", "replace it"),
        ("small.png", "lights.yaml", "small.png: 12×8, the captures are 16×16", "draw it on one of them"),
        ("empty.png", "lights.yaml", "empty.png: leaves nothing of the picture", "mark where the part"),
        ("shapes.yaml", "lights.yaml", "shapes.yaml: include 1 reaches from 0, 0 to 20, 4, outside", "draw it on"),
        ("{ignore: [{rectangle: [0, 0, 16, 16]}]}", "lights.yaml", "roi: leaves nothing", "mark where the part"),
    ],
)
def test_a_region_that_does_not_fit_is_listed_with_the_rest(tmp_path: Path, roi, place, what, fix) -> None:
    _data(tmp_path, roi)
    (tmp_path / "text.png").write_text("no picture")
    write_image(tmp_path / "small.png", np.ones((8, 12), bool))
    write_image(tmp_path / "empty.png", np.zeros((16, 16), bool))
    (tmp_path / "shapes.yaml").write_text("include: [{rectangle: [0, 0, 20, 4]}]\n")
    (tmp_path / "val/good/001/top.png").write_text("broken as well")
    region, image = check_dataset(tmp_path)
    assert image.path == tmp_path / "val/good/001/top.png"
    assert region.path == tmp_path / place
    assert what in region.what and region.fix.startswith(fix)


def test_a_region_that_fits_and_one_that_is_found(tmp_path: Path) -> None:
    for name, roi in (("mask", "roi.png"), ("shapes", "{include: [{rectangle: [2, 2, 9, 9]}]}"), ("found", "auto")):
        _data(tmp_path / name, roi)
    write_image(tmp_path / "mask/roi.png", np.eye(16, dtype=bool))
    assert [check_dataset(tmp_path / name) for name in ("mask", "shapes", "found")] == [[], [], []]
