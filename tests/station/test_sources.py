"""Captures that come by themselves: files that others write, and a camera that pylon emulates."""

import importlib.util
import json
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import yaml

from afrd.datasets.images import decode

LIGHTS = ("left", "right", "top")


def start(serve, artefact: Path, tmp_path: Path, source: dict):
    """A station with one source; and its folder."""
    file = tmp_path / "station.yaml"
    file.write_text(yaml.safe_dump({"model": str(artefact), "sources": [source]}))
    return serve(file)


def until(condition) -> None:
    """Wait for something another process does."""
    while not condition():
        time.sleep(0.05)


def listed(station) -> dict[str, dict]:
    """Id → record."""
    return {each["id"]: each for each in station.client.get("/api/captures", params={"limit": 1000}).json()}


def test_a_watched_folder_takes_whole_captures_and_puts_them_aside(serve, artefact, parts, tmp_path):
    source = {"kind": "folder", "name": "drop", "path": "drop", "settle_seconds": 0.3, "incomplete_seconds": 3}
    station = start(serve, artefact, tmp_path, source)
    drop = station.data / "drop"
    until(drop.is_dir)

    def slowly(id: str, files: dict[str, bytes]) -> None:
        """As a camera program writes: in pieces, one light after the other."""
        (drop / id).mkdir()
        for light, content in files.items():
            with (drop / id / f"{light}.png").open("wb", buffering=0) as file:
                for at in range(0, len(content), len(content) // 4 + 1):
                    file.write(content[at : at + len(content) // 4 + 1])
                    time.sleep(0.02)

    writers = [threading.Thread(target=slowly, args=(f"part-{k}", parts[k])) for k in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    slowly("broken", parts[3] | {"top": b"no image"})
    slowly("bad name!", parts[4])
    slowly("half", {light: parts[5][light] for light in LIGHTS[:2]})
    until(lambda: set(listed(station)) == {"part-0", "part-1", "part-2"})
    for k in range(3):
        record = listed(station)[f"part-{k}"]
        assert record["source"] == "drop"
        until((drop / "done" / f"part-{k}" / "top.png").exists)
        for light, content in parts[k].items():
            assert station.client.get(f"/api/captures/part-{k}/lights/{light}.png").content == content
    reasons = {}
    for id, words in (("broken", "top: "), ("bad name!", "letters, digits"), ("half", "no image of top")):
        until((drop / "refused" / id / "reason.txt").exists)
        reasons[id] = (drop / "refused" / id / "reason.txt").read_text()
        assert words in reasons[id]
    assert {path.name for path in drop.iterdir()} == {"done", "refused"}
    slowly("part-0", parts[6])  # an id that was used, with other images
    until((drop / "refused" / "part-0" / "reason.txt").exists)
    assert "other images" in (drop / "refused" / "part-0" / "reason.txt").read_text()


def test_what_lies_there_at_the_start_is_taken(serve, artefact, parts, tmp_path):
    drop = tmp_path / "drop"
    for light, content in parts[0].items():
        (drop / "early").mkdir(parents=True, exist_ok=True)
        (drop / "early" / f"{light}.png").write_bytes(content)
    station = start(
        serve, artefact, tmp_path, {"kind": "folder", "name": "drop", "path": str(drop), "settle_seconds": 0}
    )
    until(lambda: "early" in listed(station))


@pytest.mark.skipif(importlib.util.find_spec("pypylon") is None, reason="pypylon is not installed")
def test_an_emulated_camera_brings_one_picture_a_light_in_order(serve, artefact, parts, tmp_path, monkeypatch):
    """The emulator goes round the files of a folder by name: three pictures are one part."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    sent = []
    for k in range(2):
        for light in LIGHTS:
            image = decode(parts[k][light], light)[1]
            sent.append(image)
            import cv2

            cv2.imwrite(str(pictures / f"{len(sent):03d}.png"), np.ascontiguousarray(image))
    monkeypatch.setenv("PYLON_CAMEMU", "1")
    settings = {"ImageFilename": str(pictures), "ImageFileMode": "On", "TestImageSelector": "Off"}
    source = {
        "kind": "camera",
        "name": "cam",
        "every_seconds": 0.05,
        "pixel_format": "Mono8",
        "roi": [0, 0, 64, 64],
        "settings": settings,
        "gap_seconds": 30,
    }
    station = start(serve, artefact, tmp_path, source)
    until(lambda: len(listed(station)) >= 4 or station.health()["problems"])
    assert station.health()["problems"] == []
    ids = list(listed(station))[::-1][:4]
    got = []
    for id in ids:
        assert listed(station)[id]["source"] == "cam"
        for light in LIGHTS:
            content = station.client.get(f"/api/captures/{id}/lights/{light}.png").content
            got.append(decode(content, Path(light))[0])
    first = next(k for k in range(6) if np.array_equal(sent[k], got[0]))
    for k, image in enumerate(got):
        np.testing.assert_array_equal(image, sent[(first + k) % 6])
    assert station.end() == 0


@pytest.mark.skipif(importlib.util.find_spec("pypylon") is None, reason="pypylon is not installed")
def test_a_camera_that_is_frozen_brings_no_good_parts(serve, artefact, parts, tmp_path, monkeypatch):
    """The emulator goes round one part's pictures, which is good."""
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for k, light in enumerate(LIGHTS):
        (pictures / f"{k}.png").write_bytes(parts[0][light])
    monkeypatch.setenv("PYLON_CAMEMU", "1")
    settings = {"ImageFilename": str(pictures), "ImageFileMode": "On", "TestImageSelector": "Off"}
    camera = {"kind": "camera", "name": "cam", "every_seconds": 0, "roi": [0, 0, 64, 64], "gap_seconds": 30}
    station = start(serve, artefact, tmp_path, camera | {"settings": settings, "pixel_format": "RGB8Packed"})
    until(lambda: len(listed(station)) >= 4 or station.health()["problems"])
    until(lambda: sum(each["verdict"] == "light fault" for each in listed(station).values()) >= 2)
    first, *others = [each for each in listed(station).values() if each["verdict"] != "not judged"][::-1]
    assert {each["verdict"] for each in others} == {"light fault"} and first["light_notes"] == []
    note = f"the same pictures as capture {first['id']}: is the camera frozen?"
    assert {tuple(each["light_notes"]) for each in others} == {(note,)}
    (problem,) = station.health()["problems"]
    assert problem.startswith("source cam: capture ") and problem.endswith(note)


@pytest.mark.skipif(importlib.util.find_spec("pypylon") is None, reason="pypylon is not installed")
def test_a_camera_that_is_not_there_is_told_and_the_line_goes_on(serve, artefact, parts, tmp_path, monkeypatch):
    monkeypatch.delenv("PYLON_CAMEMU", raising=False)
    station = start(serve, artefact, tmp_path, {"kind": "camera", "name": "cam", "serial": "12345"})
    until(lambda: station.health()["problems"])
    assert "no camera 12345" in json.dumps(station.health()["problems"])
    station.post(parts[0]).raise_for_status()
