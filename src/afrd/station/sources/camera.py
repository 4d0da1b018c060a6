"""Captures from a Basler camera through pypylon, or from pylon's emulator (`PYLON_CAMEMU=1`)."""

import logging
import threading
import time
from collections.abc import Sequence

import cv2
import numpy as np

from afrd.errors import MissingExtraError, StationError
from afrd.station.refusals import Refused
from afrd.station.sources.config import CameraConfig
from afrd.station.sources.parts_of_pictures import Grabbing, Parts

try:
    from pypylon import genicam, pylon
except ModuleNotFoundError as error:
    raise MissingExtraError("pypylon", "camera") from error

_log = logging.getLogger("afrd.station")
_PARTS_KEPT = 4  # whose pictures wait while the line is busy
_AT_ONCE = 0.001  # seconds, for a picture that is there
_PATIENCE_MS = 500  # how long one wait for a picture is, so that the end of the station is noticed


class Camera:
    """One picture a light, in the station's order."""

    def __init__(self, config: CameraConfig, lights: Sequence[str]) -> None:
        self._config, self._lights = config, tuple(lights)
        self.trouble: str | None = None

    def run(self, offer, ending: threading.Event) -> None:
        """See `Source`. Raises StationError: no such camera, or a setting that it does not have."""
        camera = pylon.InstantCamera(self._device())
        camera.Open()
        try:
            self._set_up(camera)
            camera.StartGrabbing(pylon.GrabStrategy_OneByOne)
            if self._config.trigger == "software":
                while not ending.is_set():
                    if pictures := self._triggered(camera, ending):
                        self._offer(offer, pictures)
                    ending.wait(self._config.every_seconds)
            else:
                self._coming(camera, offer, ending)
        except genicam.GenericException as error:
            raise StationError(f"camera {self._config.name}: {str(error).splitlines()[0]}") from error
        finally:
            camera.Close()

    def _device(self):
        found = pylon.TlFactory.GetInstance().EnumerateDevices()
        serials = [device.GetSerialNumber() for device in found]
        if self._config.serial is None and len(found) == 1:
            return pylon.TlFactory.GetInstance().CreateDevice(found[0])
        if self._config.serial in serials:
            return pylon.TlFactory.GetInstance().CreateDevice(found[serials.index(self._config.serial)])
        there = ", ".join(serials) or "none"
        wanted = "say which by serial" if self._config.serial is None else f"no camera {self._config.serial}"
        raise StationError(f"camera {self._config.name}: {wanted}; connected: {there}")

    def _set_up(self, camera) -> None:
        config = self._config
        nodes = dict(config.settings)
        if config.pixel_format is not None:
            nodes["PixelFormat"] = config.pixel_format
        if config.roi is not None:
            nodes |= dict(
                zip(("Width", "Height", "OffsetX", "OffsetY"), (*config.roi[2:], *config.roi[:2]), strict=True)
            )
        if config.exposure_us is not None:
            nodes["ExposureTime"] = config.exposure_us
        source = "Software" if config.trigger == "software" else config.trigger
        nodes |= {"TriggerSelector": "FrameStart", "TriggerMode": "On", "TriggerSource": source}
        for name, value in nodes.items():
            try:
                getattr(camera, name).SetValue(value)
            except (genicam.GenericException, AttributeError, TypeError) as error:
                raise StationError(
                    f"camera {config.name}: {name} cannot be {value!r} ({str(error).splitlines()[0]}); see pylon Viewer"
                ) from error

    def _triggered(self, camera, ending: threading.Event) -> list[np.ndarray]:
        pictures = []
        self._flush(camera, ending, _AT_ONCE)  # what came since its part was given up
        for _ in self._lights:
            picture = None
            if self._ready(camera):  # a trigger that comes too early is lost without a word
                camera.ExecuteSoftwareTrigger()
                picture = self._next(camera, ending, self._config.gap_seconds)
            if picture is None:
                self._flush(camera, ending, self._config.gap_seconds)
                return self._incomplete(pictures, ending)
            pictures.append(picture)
        return pictures

    def _flush(self, camera, ending: threading.Event, seconds: float) -> None:
        """Until none has come for so long: a picture that comes late is not taken for the next part's."""
        while self._next(camera, ending, seconds) is not None:
            pass

    def _ready(self, camera) -> bool:
        milliseconds = max(1, int(1000 * self._config.gap_seconds))
        return not camera.CanWaitForFrameTriggerReady() or camera.WaitForFrameTriggerReady(
            milliseconds, pylon.TimeoutHandling_Return
        )

    def _coming(self, camera, offer, ending: threading.Event) -> None:
        """Pictures that an outside trigger brings, while the line may be busy with those before."""
        parts, before = Parts(len(self._lights), self._config.gap_seconds, time.monotonic()), None

        def grab() -> tuple[np.ndarray, bool] | None:
            nonlocal before
            result = camera.RetrieveResult(_PATIENCE_MS, pylon.TimeoutHandling_Return)
            if not result.IsValid():
                return None
            try:
                number, lost = result.GetBlockID(), result.GetNumberOfSkippedImages() > 0
                lost = lost or (before is not None and number > before + 1)
                before = number
                return self._pixels(result), lost
            finally:
                result.Release()

        grabbing = Grabbing(grab, _PARTS_KEPT * len(self._lights))
        try:
            while not ending.is_set():
                asked = time.monotonic()
                picture = grabbing.next(_PATIENCE_MS / 1000)
                pictures, away = parts.pause(asked) if picture is None else parts.add(picture)
                if away:
                    _log.warning("source %s: %d pictures of no whole part, thrown away", self._config.name, away)
                self._tell_crowded(parts.crowded)
                if pictures:
                    self._offer(offer, pictures)
        finally:
            grabbing.stop()

    def _next(self, camera, ending: threading.Event, seconds: float) -> np.ndarray | None:
        """[H, W] or [H, W, 3], or None after so long. Raises StationError: a picture that the camera calls bad."""
        waited = 0.0
        while not ending.is_set() and waited < seconds:
            step = min(_PATIENCE_MS, 1000 * (seconds - waited))
            result = camera.RetrieveResult(max(1, int(step)), pylon.TimeoutHandling_Return)
            waited += step / 1000
            if not result.IsValid():
                continue
            try:
                return self._pixels(result)
            finally:
                result.Release()
        return None

    def _pixels(self, result) -> np.ndarray:
        if not result.GrabSucceeded():
            raise StationError(f"camera {self._config.name}: {result.GetErrorDescription()}")
        return result.GetArray().copy()

    def _incomplete(self, pictures: list[np.ndarray], ending: threading.Event) -> list[np.ndarray]:
        """Never a part of mixed pictures: what has come is thrown away."""
        if pictures and not ending.is_set():
            count = len(pictures)
            _log.warning("source %s: %d pictures, none for light %s", self._config.name, count, self._lights[count])
        return []

    def _tell_crowded(self, crowded: bool) -> None:
        if crowded and self.trouble is None:
            gap = f"gap_seconds ({self._config.gap_seconds:g})"
            self.trouble = (
                f"no pause of more than {gap} between parts: where a picture is lost, they cannot be told apart; make "
                f"it shorter than that pause, longer than that between two pictures"
            )
            _log.warning("source %s: %s", self._config.name, self.trouble)
        elif not crowded:
            self.trouble = None

    def _offer(self, offer, pictures: list[np.ndarray]) -> None:
        files = {light: _file(picture) for light, picture in zip(self._lights, pictures, strict=True)}
        try:
            offer(files, None, self._config.name)
        except Refused as error:
            _log.warning("source %s: refused: %s", self._config.name, error)


def _file(picture: np.ndarray) -> bytes:
    """Uncompressed TIFF: quick to write, and of any depth."""
    if picture.ndim == 3:
        picture = picture[..., ::-1]
    return cv2.imencode(".tiff", picture, [cv2.IMWRITE_TIFF_COMPRESSION, 1])[1].tobytes()
