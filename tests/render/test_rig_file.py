"""A station with other lights: what is refused, and what one renders under."""

import json

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from afrd.cli import app
from afrd.datasets import open_dataset
from afrd.errors import DatasetError
from afrd.imaging.pixels import to_linear
from afrd.render.rig_file import read_rig, shipped

SPOT = {"azimuth": 0, "polar": 60, "distance": 17}


def write(path, *lights):
    path.write_text(json.dumps({"lights": lights}))
    return path


@pytest.mark.parametrize("name", ["dome-and-bars", "low-spots", "twelve"])
def test_shipped_rigs_are_possible(name):
    assert name in shipped()
    assert len(read_rig(name).lights) == {"dome-and-bars": 6, "low-spots": 8, "twelve": 12}[name]


def test_directions_are_towards_the_light():
    east, _, north = (read_rig("twelve").lights[k].direction for k in (0, 2, 1))
    s, c = np.sin(np.radians(52)), np.cos(np.radians(52))
    np.testing.assert_allclose(east, (s, 0, c), atol=1e-12)
    np.testing.assert_allclose(north, (0, s, c), atol=1e-12)
    assert read_rig("twelve").lights[-1].direction is None


@pytest.mark.parametrize(
    ("light", "message"),
    [
        ({"spot": SPOT | {"distance": 5}}, r"light x is inside the part: 5 cm from its middle, and parts reach 4.5 cm"),
        ({"ring": {"polar": 80, "distance": 4}}, "light x is inside the part"),
        ({"spot": SPOT | {"polar": 89, "radius": 3}}, "light x reaches below the belt"),
        ({"spot": {"azimuth": 0, "polar": 5, "distance": 8}}, "light x stands between the camera and the part"),
        ({"spot": SPOT | {"polar": 95}}, "lights.0.spot.polar: Input should be less than 90"),
        ({}, "no form; give one of spot, bar, ring and dome"),
        ({"dome": {}, "spot": SPOT}, "spot and dome; give one of"),
        ({"dome": {}, "polarised": True}, "lights.0.polarised: Extra inputs are not permitted"),
    ],
)
def test_rigs_that_cannot_be(tmp_path, light, message):
    with pytest.raises(DatasetError, match=message):
        read_rig(write(tmp_path / "rig.yaml", {"name": "x", **light}))


def test_names_and_files(tmp_path):
    with pytest.raises(DatasetError, match="light name used twice: x"):
        read_rig(write(tmp_path / "rig.yaml", {"name": "x", "dome": {}}, {"name": "x", "dome": {}}))
    with pytest.raises(DatasetError, match=r"lights\.0\.name: String should match"):  # as lights.yaml would refuse it
        read_rig(write(tmp_path / "rig.yaml", {"name": 'x"', "dome": {}}))
    with pytest.raises(DatasetError, match=r"absent: no such rig file; shipped are dome-and-bars, low-spots, twelve"):
        read_rig("absent")


def test_rendered_under_a_rig_file(tmp_path):
    bar = {"azimuth": 180, "polar": 70, "distance": 15, "length": 8}
    rig = write(
        tmp_path / "rig.yaml",
        {"name": "right", "spot": SPOT},
        {"name": "red", "spot": SPOT, "colour": [1, 0, 0]},
        {"name": "bar", "bar": bar, "exposure_ms": 4, "switching_ms": 0.5},
        {"name": "dome", "dome": {}, "exposure": 0.85},
        {"name": "ring", "ring": {"polar": 40, "distance": 16}},
    )
    counts = ["--train", "1", "--val", "0", "--test", "0", "--size", "32", "--no-camera", "--workers", "1"]
    asked = ["render", str(tmp_path / "set"), "--classes", "HazelnutTruffle", *counts]
    assert CliRunner().invoke(app, [*asked, "--rig", str(rig)], catch_exceptions=False).exit_code == 0
    captures = open_dataset(tmp_path / "set", "HazelnutTruffle")
    assert captures.lights.names == ("right", "red", "bar", "dome", "ring")
    width = (10.5 - 0.6) / (711.11 / 512)
    assert captures.lights.distances[:3] == pytest.approx((17 / width, 17 / width, 15 / width), abs=1e-3)
    right, red, bar, dome, ring = to_linear(captures[0].images / 255)
    assert red[1:].mean() < 0.02 * red[0].mean()
    assert red[0].mean() == pytest.approx(right[0].mean(), rel=0.1)
    middle = np.s_[:, 8:24]
    assert right[middle][..., 18:22].mean() > 1.5 * right[middle][..., 10:14].mean()  # a ball, lit from the right
    assert bar[middle][..., 18:22].mean() < bar[middle][..., 10:14].mean()
    assert ring.mean() == pytest.approx(dome.mean(), rel=0.5)
    with pytest.raises(DatasetError, match="was rendered with a rig file"):
        CliRunner().invoke(app, asked, catch_exceptions=False)
    found = yaml.safe_load((tmp_path / "set" / "lights.yaml").read_text())["lights"]
    assert "direction" not in found[3]
    assert [(light.get("exposure_ms"), light.get("switching_ms")) for light in found] == [
        (4, 0.5) if light["name"] == "bar" else (None, None) for light in found
    ]
    rig.write_text(rig.read_text().replace('"exposure_ms": 4', '"exposure_ms": 6'))  # changes no picture
    assert CliRunner().invoke(app, [*asked, "--rig", str(rig)], catch_exceptions=False).exit_code == 0
    assert open_dataset(tmp_path / "set", "HazelnutTruffle").lights.exposure_ms[2] == 6
