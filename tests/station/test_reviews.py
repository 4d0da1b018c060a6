"""What is said of a part and asked of the pages: what makes no sense is refused with its fix, never a 500."""

import base64
import io
from html import unescape

import numpy as np
import pytest
import tifffile
from PIL import Image

from afrd.station.config import Limits
from afrd.station.masks import read_mask_drawing
from afrd.station.refusals import Refused
from station_process import StationProcess


@pytest.fixture(scope="module")
def station(artefact, parts, tmp_path_factory):
    """Has judged one part of 64 × 64 pixels."""
    station = StationProcess(artefact, tmp_path_factory.mktemp("reviews") / "data")
    station.post(parts[0], "part-0").raise_for_status()
    yield station
    station.kill()


def url(content: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(content).decode()


def drawing(height: int, width: int) -> bytes:
    """A PNG with a painted square, as the page draws it."""
    pixels = np.zeros((height, width, 4), np.uint8)
    pixels[10:20, 10:20] = 255
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.parametrize("name", ["good", "good.", "Good"])
def test_no_defect_is_called_good(station, name):
    asked = {"label": "defect", "defect_type": name}
    answer = station.client.post("/api/captures/part-0/review", json=asked)
    assert answer.status_code == 422
    assert answer.json()["detail"][0]["loc"] == ["body", "defect_type"]
    assert "say what is wrong" in answer.json()["detail"][0]["msg"]
    assert station.client.post("/review/part-0", data=asked).status_code == 422
    assert station.client.get("/api/captures/part-0").json()["label"] is None


def test_a_mask_has_the_size_of_the_part(station):
    for height, width in ((64, 32), (128, 128), (150, 300)):  # the last is a canvas to which no picture came
        asked = {"label": "defect", "mask": url(drawing(height, width))}
        answer = station.client.post("/review/part-0", data=asked)
        assert answer.status_code == 422
        assert f"{width} × {height} pixels, the part's images have 64 × 64" in unescape(answer.text)
    assert station.client.get("/api/captures/part-0").json()["reviews"] == []
    asked = {"label": "defect", "mask": url(drawing(64, 64))}
    assert station.client.post("/review/part-0", data=asked).status_code == 303
    assert station.client.get("/api/captures/part-0").json()["reviews"][0]["mask"] is True


def test_a_mask_of_a_part_whose_images_are_gone_is_refused(station, parts):
    station.post(parts[1], "part-1").raise_for_status()
    for path in station.data.glob("captures/*/part-1/0*.png"):
        path.unlink()
    asked = {"label": "defect", "mask": url(drawing(64, 64))}
    answer = station.client.post("/review/part-1", data=asked)
    assert answer.status_code == 422 and "send none" in answer.text
    assert station.client.post("/review/part-1", data={"label": "defect"}).status_code == 303


def test_damaged_masks_are_refused_whatever_they_are():
    buffer = io.BytesIO()
    tags = [(0x0112, 3, 2, (1, 1), True)]  # two orientations
    tifffile.imwrite(buffer, np.full((64, 64), 255, np.uint8), photometric="minisblack", extratags=tags)
    whole = drawing(64, 64)
    # a chunk before the pixels that promises a colour profile and is none
    broken = [buffer.getvalue(), b"", whole[:8], whole[:40], whole[:-30], whole[:33] + b"\0\0\0\1iCCP" + whole[33:]]
    for content in broken:
        with pytest.raises(Refused, match="brush it again") as refused:
            read_mask_drawing(url(content), Limits(), (64, 64))
        assert refused.value.status == 422
    assert read_mask_drawing(url(whole), Limits(), None)


def test_numbers_that_no_database_holds_are_refused(station):
    for number in (99999999999999999999, 2**63, -1):
        assert station.client.get("/review", params={"after": number}).status_code == 422
    assert station.client.get("/review", params={"after": 2**63 - 1}).status_code == 200
    for path in ("/models/99999999999999999999", "/api/captures?limit=99999999999999999999"):
        assert station.client.get(path).status_code == 422


@pytest.mark.parametrize(
    "body",
    [
        '{"label": NaN}',
        '{"label": Infinity}',
        '{"label": 1e999}',
        '{"label": "good", "defect_type": "\\ud800"}',
        "[NaN]",
    ],
)
def test_what_json_does_not_hold_is_refused(station, body):
    answer = station.client.post(
        "/api/captures/part-0/review", content=body, headers={"Content-Type": "application/json"}
    )
    assert answer.status_code == 422
    assert answer.json()["detail"] and all(set(each) == {"loc", "msg", "type"} for each in answer.json()["detail"])


def test_a_threshold_needs_a_reason_and_the_model_that_it_was_compared_for(station):
    judges = station.client.get("/healthz").json()["model"]
    for asked, status, words in (
        ({"model": "other@1", "reason": "to try"}, 409, f"the threshold is for other@1, and {judges} judges meanwhile"),
        ({"model": judges, "reason": "  "}, 422, "say why"),
        ({"model": judges}, 422, "say why"),
    ):
        answer = station.client.post("/threshold", data={"threshold": "0.7", **asked})
        assert answer.status_code == status and words in answer.text
    asked = {"threshold": "0.7", "model": judges, "reason": "to try"}
    assert station.client.post("/threshold", data=asked).status_code == 303
