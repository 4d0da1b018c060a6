"""The fixed API: captures in, verdicts out, on record."""

import io

import httpx
import numpy as np
import pytest
import tifffile
from PIL import Image

from afrd import Inspector
from afrd.datasets.images import decode
from afrd.map_png import read_map_png16
from captures import make_capture
from station_process import StationProcess, png

LIGHTS = ("left", "right", "top")


@pytest.fixture(scope="module")
def station(artefact, tmp_path_factory):
    station = StationProcess(artefact, tmp_path_factory.mktemp("captures") / "data")
    yield station
    station.kill()


def _images(files):
    return np.stack([decode(content, light) for light, content in files.items()])


def test_the_answer_is_the_inspectors_and_on_record(station, artefact, parts, tmp_path):
    inspector = Inspector.load(artefact)
    for k, files in enumerate(parts[:6]):
        answer = station.post(files, f"part-{k}").raise_for_status().json()
        expected = inspector.inspect(_images(files))
        assert list(answer) == ["id", "verdict", "score", "threshold", "shown_by", "light_notes", "seconds", "model"]
        assert answer["id"] == f"part-{k}"
        assert answer["verdict"] == expected.verdict
        assert answer["score"] == pytest.approx(expected.score, rel=1e-4)
        assert answer["threshold"] == pytest.approx(inspector.threshold)
        assert answer["seconds"] > 0
        if expected.verdict == "anomalous":
            assert answer["shown_by"] == inspector.lights.names[int(expected.light_evidence.argmax())]
        else:
            assert answer["shown_by"] is None

        record = station.client.get(f"/api/captures/part-{k}").json()
        assert {name: record[name] for name in answer} == answer
        for light, content in files.items():
            assert station.client.get(f"/api/captures/part-{k}/lights/{light}.png").content == content
        (tmp_path / "map.png").write_bytes(station.client.get(f"/api/captures/part-{k}/map.png").content)
        stored, _, threshold = read_map_png16(tmp_path / "map.png")
        np.testing.assert_allclose(stored, expected.anomaly_map, atol=2e-4)
        assert threshold == pytest.approx(inspector.threshold)


def test_newest_first_page_by_page_and_by_verdict(station, parts):
    ids = [station.post(files).json()["id"] for files in parts]
    assert len(set(ids)) == len(ids)
    listed = station.client.get("/api/captures", params={"limit": 5}).json()
    assert [each["id"] for each in listed] == ids[:-6:-1]
    more = station.client.get("/api/captures", params={"limit": 3, "before": listed[-1]["id"]}).json()
    assert [each["id"] for each in more] == ids[-6:-9:-1]
    bad = station.client.get("/api/captures", params={"verdict": "anomalous"}).json()
    assert bad
    assert {each["verdict"] for each in bad} == {"anomalous"}
    assert station.client.get("/api/captures", params={"before": "none such"}).status_code == 404
    assert station.client.get("/api/captures", params={"verdict": "bad"}).status_code == 422


def test_the_same_capture_sent_again_gets_the_same_answer_and_one_record(station, parts):
    first = station.post(parts[0], "again").json()
    assert station.post(parts[0], "again").json() == first
    other = station.post(parts[1], "again")
    assert other.status_code == 409
    assert "other images" in other.json()["detail"]
    ids = [each["id"] for each in station.client.get("/api/captures", params={"limit": 1000}).json()]
    assert ids.count("again") == 1


def test_the_same_pictures_under_another_id_are_told(station, parts):
    first = station.post(parts[3], "moving").json()
    note = "the same pictures as capture moving: is the camera frozen?"
    for id in ("still", "standing"):
        answer = station.post(parts[3], id).json()
        assert (answer["verdict"], answer["light_notes"]) == (first["verdict"], [note])
        assert station.client.get(f"/api/captures/{id}").json()["light_notes"] == [note]
        assert [each for each in station.health()["problems"] if each.endswith(f"capture {id} has {note}")]
    assert station.post(parts[1], "moving-again").json()["light_notes"] == []
    assert station.health()["problems"] == []


def test_another_threshold_is_compared_with_what_was_said_at_the_one_before(station, parts):
    own = station.post(parts[2], "judged-by-its-own").json()["threshold"]
    stopped = station.client.get("/api/captures", params={"verdict": "anomalous", "limit": 1000}).json()
    higher = 1.25 * max(each["score"] for each in stopped)
    station.client.post("/threshold", data={"threshold": higher, "reason": "to compare"})
    for at, passes in ((own, 0), (higher, len(stopped))):
        page = station.client.get("/threshold", params={"at": at}).text
        assert f"stopped, would pass</th><td>{passes}</td>" in page
    station.client.post("/threshold", data={"threshold": "", "reason": "back"})


def test_review_is_kept_and_the_newest_counts(station, parts):
    station.post(parts[2], "reviewed")
    for body in ({"label": "good"}, {"label": "defect", "defect_type": "scratch"}):
        assert station.client.post("/api/captures/reviewed/review", json=body).status_code == 200
    record = station.client.get("/api/captures/reviewed").json()
    assert record["label"] == "defect"
    assert [(each["label"], each["defect_type"]) for each in record["reviews"]] == [
        ("good", None),
        ("defect", "scratch"),
    ]
    for body in ({}, {"label": "bad"}, {"label": "good", "defect_type": "scratch"}, {"label": "good", "note": 1}):
        assert station.client.post("/api/captures/reviewed/review", json=body).status_code == 422
    assert station.client.post("/api/captures/nothing/review", json={"label": "good"}).status_code == 404


def test_other_formats_and_depths_are_served_as_png(station):
    images = make_capture(np.random.default_rng(3), 3, 64)[0]
    files = {}
    for light, image in zip(("left", "right", "top"), images, strict=True):
        buffer = io.BytesIO()
        Image.fromarray(image.transpose(1, 2, 0)).save(buffer, "BMP")
        files[light] = buffer.getvalue()
    assert station.post(files, "bitmap").status_code == 200
    served = Image.open(io.BytesIO(station.client.get("/api/captures/bitmap/lights/right.png").content))
    assert served.format == "PNG"
    np.testing.assert_array_equal(np.asarray(served).transpose(2, 0, 1), images[1])
    assert station.client.get("/api/captures/bitmap/lights/none.png").status_code == 404


def test_a_capture_in_one_file_is_the_same_capture(station, parts):
    images = _images(parts[2])
    expected = station.post(parts[2], "in-three-files").json()
    tiff, by_light, together = io.BytesIO(), io.BytesIO(), io.BytesIO()
    tifffile.imwrite(tiff, images.transpose(0, 2, 3, 1), photometric="rgb")
    np.savez_compressed(
        by_light, **{light: image.transpose(1, 2, 0) for light, image in zip(LIGHTS, images, strict=True)}
    )
    np.savez(together, images=images)
    for id, file in (("as-tiff", tiff), ("as-npz", by_light), ("as-array", together)):
        answer = station.post({"capture": file.getvalue()}, id).raise_for_status().json()
        assert {name: answer[name] for name in ("verdict", "score")} == {
            name: expected[name] for name in ("verdict", "score")
        }
        for light, image in zip(LIGHTS, images, strict=True):
            served = station.client.get(f"/api/captures/{id}/lights/{light}.png").content
            np.testing.assert_array_equal(decode(served, light), image)


def test_health_and_schema(station, parts):
    station.post(parts[4]).raise_for_status()  # other pictures than the ones before
    health = station.health()
    assert health["status"] == "ok"
    assert health["model"].startswith("model@")
    assert health["queue"] == 0
    schema = station.client.get("/api/openapi.json").json()
    form = schema["paths"]["/api/captures"]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
    assert [each["required"] for each in form["oneOf"]] == [["left", "right", "top"], ["capture"]]
    assert set(schema["paths"]) >= {"/api/captures", "/api/captures/{id}", "/api/captures/{id}/review", "/healthz"}


def test_no_part_passes_while_the_rig_is_broken(station, parts):
    dark, glaring = (png(np.full((3, 64, 64), value, np.uint8)) for value in (0, 255))
    swapped = {"left": parts[0]["right"], "right": parts[0]["left"]}
    for wrong, words in (
        ({"top": dark}, "light top: dark"),
        ({"top": glaring}, "light top: overexposed"),
        (swapped, "lights left and right: swapped"),
        (dict.fromkeys(parts[0], dark), "dark"),
        (dict.fromkeys(parts[0], glaring), "overexposed"),
    ):
        answer = station.post(parts[0] | wrong).json()
        assert answer["verdict"] == "light fault", words
        assert any(words in note for note in answer["light_notes"]), answer["light_notes"]


def test_ends_in_order(artefact, parts, serve):
    station = serve(artefact)
    station.post(parts[0], "last")
    assert station.end() == 0
    with pytest.raises(httpx.ConnectError):
        station.client.get("/healthz")
    again = serve(artefact)
    assert again.client.get("/api/captures/last").status_code == 200


def test_a_map_is_calm_below_the_threshold_that_a_person_set(station, artefact, parts, tmp_path):
    """What lies between it and the model's own is an outline on the page: smoothed by the model's it would be less."""
    inspector = Inspector.load(artefact)
    raw = inspector.inspect(_images(parts[3])).map.at_full_size()
    lower = float(np.quantile(raw, 0.98))
    assert lower < inspector.threshold
    station.client.post("/threshold", data={"threshold": lower, "reason": "stricter"})
    station.post(parts[3], "stricter").raise_for_status()
    (tmp_path / "map.png").write_bytes(station.client.get("/api/captures/stricter/map.png").content)
    station.client.post("/threshold", data={"threshold": "", "reason": "back"})
    stored, _, threshold = read_map_png16(tmp_path / "map.png")
    assert threshold == pytest.approx(lower, rel=1e-4)
    assert ((stored > lower) != (raw > lower)).mean() < 1e-3, "but for rounding to 16 bits"
