"""Views of a ball of known colour with a highlight and a cast shadow, and as files from the command line."""

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from afrd.capture import Capture, LightRig
from afrd.cli import app
from afrd.errors import DatasetError, ModelError
from afrd.imaging.pixels import to_srgb
from afrd.views import make_views
from afrd.views.directions import estimated_directions
from captures import write_image, write_lights

NAMES = ("right", "top", "left", "bottom", "steep")
DIRECTIONS = np.array([[1, 0, 1], [0, 1, 1], [-1, 0, 1], [0, -1, 1], [0.3, 0.3, 2.0]])
DIRECTIONS /= np.linalg.norm(DIRECTIONS, axis=1, keepdims=True)
SIZE, COLOUR = 48, np.array([0.6, 0.4, 0.2])
RIG = LightRig(NAMES, tuple(map(tuple, DIRECTIONS.tolist())))


@pytest.fixture(scope="module")
def bump():
    """Linear values [5, 3, H, W] and true normals of a low bump; light 0 has a highlight, light 1 a cast shadow."""
    x, y = np.meshgrid(np.linspace(-1, 1, SIZE), np.linspace(1, -1, SIZE))
    normals = np.stack([0.4 * x, 0.4 * y, np.ones_like(x)])
    normals /= np.linalg.norm(normals, axis=0)
    values = np.einsum("kc,chw->khw", DIRECTIONS, normals).clip(0)[:, None] * COLOUR[:, None, None]
    values[0, :, 10:16, 10:16] += 0.35
    values[1, :, 30:36, 30:36] *= 0.02
    return values, normals


def capture(values) -> Capture:
    return Capture("ball", np.rint(65535 * to_srgb(values.clip(0, 1))).astype(np.uint16), RIG)


def test_colour_shape_highlight_and_shadow(bump):
    values, normals = bump
    views = make_views(capture(values))
    albedo = 255 * to_srgb(COLOUR)
    assert np.abs(views.albedo - albedo).max() < 8
    np.testing.assert_allclose(views.normals / 127.5 - 1, normals.transpose(1, 2, 0), atol=0.08)
    plain = values.copy()
    plain[0, :, 10:16, 10:16] -= 0.35
    dull = 255 * to_srgb(plain.mean(0)).transpose(1, 2, 0)
    shiny = 255 * to_srgb(values.mean(0)).transpose(1, 2, 0)
    spot = np.s_[10:16, 10:16]
    assert np.abs(views.no_highlight[spot] - dull[spot]).max() < 0.4 * np.abs(shiny[spot] - dull[spot]).max()
    plain[1, :, 30:36, 30:36] *= 50
    even = 255 * to_srgb(plain.mean(0)).transpose(1, 2, 0)
    np.testing.assert_allclose(views.no_shadow[30:36, 30:36], even[30:36, 30:36], atol=6)
    assert (views.no_highlight[30:36, 30:36] < even[30:36, 30:36] - 6).all()
    assert views.relief[24, 4, 0] > views.relief[24, 44, 0]  # lit from the left
    assert views.relief[4, 24, 0] > views.relief[44, 24, 0]  # and from above
    right = make_views(capture(values), relief_from=0).relief
    assert right[24, 44, 0] > right[24, 4, 0]
    assert abs(int(right[4, 24, 0]) - int(right[44, 24, 0])) < 12


def test_near_lights_are_taken_for_near():
    """A flat plate, 2 widths from its lights: as far ones they make a dome of it."""
    x, y = np.meshgrid((np.arange(SIZE) + 0.5) / SIZE - 0.5, 0.5 - (np.arange(SIZE) + 0.5) / SIZE)
    towards = 2 * DIRECTIONS[:, :, None, None] - np.stack([x, y, np.zeros_like(x)])
    away = np.linalg.norm(towards, axis=1)
    values = (0.7 * 4 * towards[:, 2] / away**3)[:, None].repeat(3, 1)
    degrees = []
    for distances in ((2.0,) * 5, None):
        rig = LightRig(NAMES, RIG.directions, distances)
        seen = make_views(Capture("plate", capture(values).images, rig)).normals / 127.5 - 1
        degrees.append(np.degrees(np.arccos((seen[..., 2] / np.linalg.norm(seen, axis=-1)).clip(-1, 1))).mean())
    assert degrees[0] < 0.5 and degrees[1] > 5


def test_command_line(bump, tmp_path):
    images = 255 * to_srgb(bump[0].clip(0, 1))
    for name, image in zip(NAMES, images, strict=True):
        for part in ("a", "b"):
            write_image(tmp_path / "data" / "train" / "good" / part / f"{name}.png", image.astype(np.uint8))
    parts = [str(tmp_path / "data" / "train" / "good" / part) for part in ("a", "b")]
    asked = ["views", *parts, "--out", str(tmp_path / "out")]
    with pytest.raises(DatasetError, match=r"no lights.yaml in it or above; write .* a shiny ball shows the light"):
        CliRunner().invoke(app, asked, catch_exceptions=False)
    lights = tmp_path / "data" / "lights.yaml"
    write_lights(lights, NAMES, {"left": (-1, 0, 1), "right": (1, 0, 1)})
    with pytest.raises(ModelError, match=r"2 of 5 lights have a direction; 3 are needed: give it in lights.yaml"):
        CliRunner().invoke(app, asked, catch_exceptions=False)
    write_lights(lights, NAMES, dict(zip(NAMES, DIRECTIONS.tolist(), strict=True)))
    assert CliRunner().invoke(app, asked, catch_exceptions=False).exit_code == 0
    for part in ("a", "b"):
        files = {path.name for path in (tmp_path / "out" / part).iterdir()}
        assert files == {f"{name}.png" for name in ("albedo", "normals", "no_highlight", "no_shadow", "relief")}
        assert Image.open(tmp_path / "out" / part / "albedo.png").size == (SIZE, SIZE)
    write_lights(lights, NAMES)
    asked += ["--overwrite", "--relief-from", "0"]
    answer = CliRunner().invoke(app, asked, catch_exceptions=False)
    assert answer.exit_code == 0
    assert "no light has a direction; estimated from 2 captures, each 40° above the part: right" in answer.output
    relief = np.asarray(Image.open(tmp_path / "out" / "a" / "relief.png")).astype(int)
    assert relief[24, 44, 0] > relief[24, 4, 0]


def test_sides_of_lights_are_seen(bump):
    images = capture(bump[0]).images
    found = np.array(estimated_directions([images, images]))
    azimuths = np.degrees(np.arctan2(found[:4, 1], found[:4, 0]))
    np.testing.assert_allclose((azimuths - [0, 90, 180, 270] + 180) % 360 - 180, 0, atol=15)
    np.testing.assert_allclose(found[:4, 2], np.sin(np.radians(40)))


def test_one_light_and_none_with_a_direction():
    image = np.zeros((1, 3, 8, 8), np.uint8)
    with pytest.raises(ModelError, match="one light, top: views need the part under at least 3"):
        make_views(Capture("x", image, LightRig(("top",), ((0, 0, 1),))))
    with pytest.raises(ModelError, match="no light has a direction; 3 are needed"):
        make_views(Capture("x", np.repeat(image, 3, 0), LightRig(("a", "b", "c"))))
