"""A camera that pylon emulates, whose pictures come late or without a pause: no part is of two parts' pictures."""

import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from afrd.datasets.images import decode

pytest.importorskip("pypylon")

from pypylon import pylon

from afrd.station.sources.config import CameraConfig
from afrd.station.sources.running import Sources

LIGHTS = ("left", "right", "top")
LATE = 5  # which picture, from 1
GAP = 0.4


class Emulated:
    """pylon's camera, with one picture that is late: it is there once `comes` says so of the waits since,
    in ms. comes: None where none is late.

    Line1 is the software trigger here, as the emulator has no wires.
    """

    def __init__(self, camera, comes) -> None:
        self._camera, self._comes = camera, comes
        self._taken, self._late, self._waits = 0, None, []

    def __getattr__(self, name: str):
        return getattr(self._camera, name)

    @property
    def TriggerSource(self):
        return self

    def SetValue(self, _: str) -> None:
        self._camera.TriggerSource.SetValue("Software")

    def RetrieveResult(self, milliseconds: int, handling: int):
        if self._late is not None:
            self._waits.append(milliseconds)
            if self._comes(self._waits):
                late, self._late = self._late, None
                return late
        result = self._camera.RetrieveResult(milliseconds, handling)
        self._taken += result.IsValid()
        if result.IsValid() and self._taken == LATE and self._comes is not None:
            self._late, result = result, self._camera.RetrieveResult(milliseconds, handling)
        return result


@pytest.fixture
def camera(tmp_path, monkeypatch):
    """trigger, comes → its sources, the parts that they bring, and the camera once it is open.

    The k-th picture is k everywhere.
    """
    monkeypatch.setenv("PYLON_CAMEMU", "1")
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    for k in range(1, 100):
        cv2.imwrite(str(pictures / f"{k:03d}.png"), np.full((64, 64), k, np.uint8))
    real, started = pylon.InstantCamera, []

    def start(trigger: str, comes):
        opened: list[Emulated] = []

        def instant(device) -> Emulated:
            opened.append(Emulated(real(device), comes))
            return opened[-1]

        monkeypatch.setattr(pylon, "InstantCamera", instant)
        config = CameraConfig(
            kind="camera", name="cam", trigger=trigger, every_seconds=0, gap_seconds=GAP, pixel_format="Mono8",
            roi=(0, 0, 64, 64),
            settings={"ImageFilename": str(pictures), "ImageFileMode": "On", "TestImageSelector": "Off"},
        )  # fmt: skip
        parts: list[list[int]] = []

        def offer(files: dict[str, bytes], *_: object) -> dict:
            parts.append([int(decode(files[light], Path(light))[0].flat[0]) for light in LIGHTS])
            return {}

        sources = Sources((config,), tmp_path, LIGHTS, offer)
        sources.start()
        started.append(sources)
        return sources, parts, opened

    yield start
    for each in started:
        each.stop()


def until(condition) -> None:
    """Wait for something another thread does."""
    while not condition():
        time.sleep(0.02)


@pytest.mark.parametrize(
    "comes",
    [
        pytest.param(lambda waits: waits[-1] > 100, id="while it would be waited for again"),
        pytest.param(lambda waits: len(waits) == 2, id="between two parts"),
    ],
)
def test_a_picture_that_comes_late_is_in_no_part(camera, comes):
    sources, parts, _ = camera("software", comes)
    until(lambda: len(parts) >= 4 or sources.problems())
    assert sources.problems() == []
    assert parts[0] == [1, 2, 3]
    assert all(part == list(range(part[0], part[0] + 3)) and LATE not in part for part in parts[:4]), parts


def test_parts_without_a_pause_are_told_of_until_there_is_one(camera):
    sources, parts, opened = camera("Line1", None)
    until(lambda: opened and opened[0].IsGrabbing())
    time.sleep(2 * GAP)

    def bring(count: int) -> None:
        for _ in range(count):
            opened[0].WaitForFrameTriggerReady(1000, pylon.TimeoutHandling_ThrowException)
            opened[0].ExecuteSoftwareTrigger()

    bring(6)
    until(lambda: sources.problems())
    assert "gap_seconds" in sources.problems()[0]
    until(lambda: len(parts) == 2)
    time.sleep(2 * GAP)
    bring(3)
    until(lambda: not sources.problems())
    assert parts == [[1, 2, 3], [4, 5, 6], [7, 8, 9]]
