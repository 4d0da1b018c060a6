"""What leaves a station for training says of lights and pixels what the model was told."""

import io
import zipfile

import cv2
import numpy as np
import pytest

from afrd.card import Lights
from afrd.datasets.lights import read_imaging, read_lights
from afrd.imaging import Imaging, ImagingOptions, Pixels
from afrd.imaging.alignment import Alignment
from afrd.imaging.region import Region
from afrd.inspector import Inspector
from afrd.station.exports import as_folder
from afrd.station.tables import CaptureRow, ReviewRow


def test_the_lights_file_of_an_export_is_that_of_the_model(artefact, tmp_path):
    card = Inspector.load(artefact).card
    inside = np.zeros((48, 64), bool)
    inside[8:40, 10:50] = True
    options = ImagingOptions(bits=12, black=64, transfer="linear", motion="constant", roi="/elsewhere/mask.png")
    card = card.model_copy(
        update={
            "lights": Lights(
                names=("left", "right", "top"),
                directions=((-0.6, 0.0, 0.8), (0.6, 0.0, 0.8), None),
                distances=(2.5, None, 3.0),
                weights=(1.0, 0.5, 1.0),
                triggers=(0, 3, 1),  # of a rig of four
            ),
            "imaging": Imaging(pixels=Pixels(bits=12, black=64, transfer="linear"), region=Region.of(inside)),
            "config": {**card.config, "imaging": options.model_dump(mode="json")},
        }
    )
    with zipfile.ZipFile(io.BytesIO(b"".join(as_folder(iter(()), card, tmp_path, 10)))) as archive:
        archive.extractall(tmp_path)
    rig, found = read_lights(tmp_path / "lights.yaml"), read_imaging(tmp_path / "lights.yaml")
    assert rig.names == ("left", "right", "top") and rig.weights == (1.0, 0.5, 1.0) and rig.triggers == (0, 3, 1)
    assert rig.directions[:2] == (pytest.approx((-0.6, 0, 0.8)), pytest.approx((0.6, 0, 0.8)))
    assert np.isnan(rig.directions[2]).all() and rig.distances[::2] == (2.5, 3.0) and np.isnan(rig.distances[1])
    assert found == options.model_copy(update={"roi": str(tmp_path / "roi.png")})
    assert (cv2.imread(found.roi, cv2.IMREAD_GRAYSCALE).astype(bool) == inside).all()


@pytest.mark.parametrize("pixels", [Pixels(bits=8), Pixels(bits=12, black=16), Pixels(bits=16)])
def test_an_export_says_of_pixels_what_training_found_out(artefact, tmp_path, pixels):
    card = Inspector.load(artefact).card
    card = card.model_copy(update={"imaging": Imaging(pixels=pixels), "config": {**card.config, "imaging": None}})
    with zipfile.ZipFile(io.BytesIO(b"".join(as_folder(iter(()), card, tmp_path, 10)))) as archive:
        archive.extractall(tmp_path)
    found = read_imaging(tmp_path / "lights.yaml")
    assert (found.bits, found.black or 0) == (pixels.bits, pixels.black)


def test_a_region_that_follows_the_part_is_left_out_and_said(artefact, tmp_path):
    """It lies as in a picture that is not in the folder."""
    card = Inspector.load(artefact).card
    inside, picture = np.zeros((64, 64), bool), np.random.default_rng(0).integers(0, 255, (3, 1, 64, 64), np.uint8)
    inside[8:40, 10:50] = True
    options = ImagingOptions(bits=8, gain="rig", roi="/elsewhere/mask.png", align="part")
    seen = Imaging(pixels=Pixels(bits=8), region=Region.of(inside), alignment=Alignment.to(picture))
    told = {**card.config, "imaging": options.model_dump(mode="json")}
    card = card.model_copy(update={"imaging": seen, "config": told})
    with zipfile.ZipFile(io.BytesIO(b"".join(as_folder(iter(()), card, tmp_path, 10)))) as archive:
        archive.extractall(tmp_path)
        assert archive.namelist() == ["lights.yaml", "left-out.txt"]
    assert read_imaging(tmp_path / "lights.yaml") == ImagingOptions(bits=8, gain="rig")
    assert (tmp_path / "left-out.txt").read_text().startswith("region of interest: it follows the part")


@pytest.mark.parametrize("name", ["good", "good.", "Good"])
def test_a_defect_on_record_as_good_leaves_as_a_defect(artefact, tmp_path, name):
    (tmp_path / "part").mkdir()
    for file in ("00.png", "mask-1.png"):
        assert cv2.imwrite(str(tmp_path / "part" / file), np.full((8, 8), 255, np.uint8))
    said = ReviewRow(label="defect", defect_type=name, mask="mask-1.png")
    judged = {"verdict": "good", "light_notes": []}
    row = CaptureRow(id="a", label="defect", folder="part", files={"left": "00.png"}, reviews=[said], **judged)
    packed = b"".join(as_folder(iter([row]), Inspector.load(artefact).card, tmp_path, 10))
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        assert {"test/defect/a/left.png", "masks/defect/a.png"} <= set(archive.namelist())
        assert not [path for path in archive.namelist() if "good" in path.casefold()]
