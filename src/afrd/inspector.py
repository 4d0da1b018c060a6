"""The one way from a capture to a verdict: Python, command line and every later service go through here.

Needs a finished run or an exported artefact, never training; what computes is a runtime (`afrd.runtimes`). Nothing here
imports torch, so that an ONNX or OpenVINO artefact is inspected where torch is not installed.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import cv2
import numpy as np

from afrd.capture import Capture, LightRig
from afrd.card import ModelCard
from afrd.datasets import require_lights
from afrd.errors import ModelError
from afrd.runtimes import Runtime, open_runtime


@dataclass(frozen=True)
class Inspection:
    """The answer for one capture.

    id: the capture's.
    score: how anomalous, the maximum (or top-share mean) of the map at the model's size; 0 is a perfect reproduction.
    threshold: the score above which a part is called anomalous, from held-out good parts.
    anomaly_map: [H, W] float32, at the capture's own size; same unit as the score.
    light_weights: [L, N] float32, weight of each of the N lights on each of the L feature levels (shallow first),
        rows sum to 1.
    """

    id: str
    score: float
    threshold: float
    anomaly_map: np.ndarray
    light_weights: np.ndarray

    @property
    def anomalous(self) -> bool:
        """The verdict: True is not good."""
        return self.score > self.threshold


class Inspector:
    """A trained model that answers for one capture at a time.

    card: what the run was trained on and for. runtime: torch, onnx or openvino.
    lights: the rig it was trained for; captures must have the same lights in the same order.
    threshold, config: the model's.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self.runtime: str = runtime.name
        self.card: ModelCard = runtime.card
        self.lights: LightRig = self.card.lights.rig()
        self.threshold: float = self.card.threshold
        self.config: dict[str, Any] = self.card.model_dump(mode="json")

    @classmethod
    def load(cls, path: str | Path, device: str = "cpu", runtime: str = "auto") -> Self:
        """From the folder that training left, or an artefact of `afrd export`: .onnx, OpenVINO .xml, .pt2.

        A .pt2 may run code of whoever made it: load only your own. The others cannot.
        device: cpu, cuda, cuda:1, mps; with OpenVINO cpu, gpu, npu. runtime: "auto", or the one that is expected.

        Raises RunError: no run, unfinished, damaged, of another format; ModelError: a device that is not there, an
        artefact for another runtime; MissingExtraError.
        """
        return cls(open_runtime(Path(path), device, runtime))

    def inspect(self, images: np.ndarray, id: str = "") -> Inspection:
        """One object under all lights. images: [N, 3, H, W], uint8 or uint16, RGB, in the order of `lights`.

        An artefact takes images of one size and depth, a run any.

        Raises ModelError: another number of lights, another shape or type, an answer that is not finite.
        """
        name = f"capture {id or 'without id'}"
        try:
            images = np.ascontiguousarray(images)
        except (ValueError, TypeError, RuntimeError) as error:
            raise ModelError(f"{name}: images are no array ({error})") from error
        self._require_fitting(images, name)
        answer = self._runtime.run(images[None])
        score = float(answer.score[0])
        if not all(np.isfinite(part).all() for part in (score, answer.anomaly_map, answer.light_weights)):
            raise ModelError(
                f"{name}: score {score}, and a score, map or light weights that are not finite; the model is broken, "
                f"retrain it"
            )
        return Inspection(
            id=id,
            score=score,
            threshold=self.threshold,
            anomaly_map=resize_map(answer.anomaly_map[0], images.shape[-2:]),
            light_weights=answer.light_weights[0],
        )

    def inspect_capture(self, capture: Capture) -> Inspection:
        """The same for a capture read from a data set. Raises DatasetError: lights of another rig or order."""
        require_lights(capture.lights, self.lights, f"capture {capture.id}")
        return self.inspect(capture.images, capture.id)

    def _require_fitting(self, images: np.ndarray, name: str) -> None:
        expected = f"expected [{len(self.lights)}, 3, H, W], one image per light: {', '.join(self.lights.names)}"
        if images.ndim != 4 or images.shape[:2] != (len(self.lights), 3) or 0 in images.shape:
            raise ModelError(f"{name}: images of shape {list(images.shape)}; {expected}")
        if images.dtype not in (np.uint8, np.uint16):
            raise ModelError(f"{name}: images are {images.dtype}; expected uint8 or uint16")
        wanted = self._runtime.input
        if wanted and (*images.shape[-2:], images.dtype) != (wanted.height, wanted.width, wanted.dtype):
            raise ModelError(
                f"{name}: images are {images.dtype} of {images.shape[-1]}×{images.shape[-2]}; this artefact was "
                f"exported for {wanted.dtype} of {wanted.width}×{wanted.height}: export it again with captures like "
                f"this one, or use the run folder, which takes any"
            )


def resize_map(anomaly_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[S, S] float32 to [H, W], bilinear, sampled at pixel centres without smoothing: torch's `interpolate`."""
    return cv2.resize(anomaly_map, (size[1], size[0]), interpolation=cv2.INTER_LINEAR)
