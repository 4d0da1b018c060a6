"""Views of a part on its page, of a model whose lights have directions."""

import io
import shutil

import numpy as np
import pytest
import yaml
from PIL import Image

from afrd.capture import Capture, LightRig
from afrd.views import make_views
from captures import make_capture
from station_process import StationProcess, uploads

LIGHTS = ("left", "right", "top")
SIDES = tuple((0.6 * float(np.cos(a)), 0.6 * float(np.sin(a)), 0.8) for a in 2 * np.pi * np.arange(3) / 3)


@pytest.fixture(scope="module")
def images():
    return make_capture(np.random.default_rng(3), 3, 64)[0]


@pytest.fixture(scope="module")
def station(run, images, tmp_path_factory):
    """As if lights.yaml had said where the lights are."""
    folder = tmp_path_factory.mktemp("views")
    shutil.copytree(run, folder / "run")
    path = folder / "run" / "model.yaml"
    card = yaml.safe_load(path.read_text())
    card["lights"]["directions"] = [list(side) for side in SIDES]
    path.write_text(yaml.safe_dump(card))
    station = StationProcess(folder / "run", folder / "data")
    station.post(uploads(images, LIGHTS), "part-0").raise_for_status()
    yield station
    station.kill()


def test_views_are_those_of_the_parts_lights(station, images):
    get = station.client.get
    assert "/parts/part-0/views" in get("/parts/part-0").text
    piece = get("/parts/part-0/views").text
    expected = make_views(Capture("part-0", images, LightRig(LIGHTS, SIDES)))
    for name, view in expected.items():
        assert f"/parts/part-0/views/{name}.png" in piece
        answer = get(f"/parts/part-0/views/{name}.png").raise_for_status()
        assert answer.headers["content-type"] == "image/png"
        np.testing.assert_array_equal(np.asarray(Image.open(io.BytesIO(answer.content))), view)
    assert get("/parts/part-0/views/height.png").status_code == 404
    assert get("/parts/absent/views").status_code == get("/parts/absent/views/albedo.png").status_code == 404


def test_without_directions_there_are_none(artefact, images, serve):
    station = serve(artefact)
    station.post(uploads(images, LIGHTS), "part-0").raise_for_status()
    assert station.client.get("/parts/part-0/views").text.strip() == ""
    answer = station.client.get("/parts/part-0/views/albedo.png")
    assert answer.status_code == 422 and "no light has a direction" in answer.text
