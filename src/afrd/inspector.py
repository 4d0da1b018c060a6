"""The one way from a capture to a verdict: Python, command line and every later service go through here.

Needs a finished run and the model, never training.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np

from afrd.capture import Capture, LightRig
from afrd.datasets import require_lights
from afrd.errors import ModelError


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

    lights: the rig it was trained for; captures must have the same lights in the same order.
    threshold, config: the model's.
    """

    def __init__(self, model: Any, card: Any, device: str = "cpu") -> None:
        self._model, self._device = model.to(device).eval(), device
        self.card = card
        self.lights: LightRig = card.lights.rig()
        self.threshold: float = card.threshold
        self.config: dict[str, Any] = card.model_dump(mode="json")

    @classmethod
    def load(cls, run: str | Path, device: str = "cpu") -> Self:
        """From the folder that training left. device: cpu, cuda, cuda:1, mps.

        Raises RunError: no run, unfinished, damaged; ModelError: a device that is not there.
        """
        import torch

        from afrd.checkpoint import load_model

        try:
            torch.zeros(1, device=device)
        except (RuntimeError, AssertionError) as error:
            reason = str(error).splitlines()[0]
            raise ModelError(f"device {device!r}: not usable here ({reason}); use cpu, or cuda with a GPU") from error
        return cls(*load_model(Path(run)), device)

    def inspect(self, images: np.ndarray, id: str = "") -> Inspection:
        """One object under all lights. images: [N, 3, H, W], uint8 or uint16, RGB, in the order of `lights`.

        Raises ModelError: another number of lights, another shape or type, an answer that is not finite.
        """
        import torch
        from torch.nn.functional import interpolate

        try:
            images = np.ascontiguousarray(images)
        except (ValueError, TypeError, RuntimeError) as error:
            raise ModelError(f"capture {id or 'without id'}: images are no array ({error})") from error
        expected = f"expected [{len(self.lights)}, 3, H, W], one image per light: {', '.join(self.lights.names)}"
        if images.ndim != 4 or images.shape[:2] != (len(self.lights), 3) or 0 in images.shape:
            raise ModelError(f"capture {id or 'without id'}: images of shape {list(images.shape)}; {expected}")
        if images.dtype not in (np.uint8, np.uint16):
            raise ModelError(f"capture {id or 'without id'}: images are {images.dtype}; expected uint8 or uint16")
        with torch.inference_mode():
            answer = self._model(torch.from_numpy(images)[None].to(self._device))
            anomaly_map = interpolate(
                answer.anomaly_map[:, None], images.shape[-2:], mode="bilinear", align_corners=False
            )[0, 0]
        if not torch.isfinite(answer.score):
            raise ModelError(
                f"capture {id or 'without id'}: score {float(answer.score)}; the model is broken, retrain it"
            )
        return Inspection(
            id=id,
            score=float(answer.score),
            threshold=self.threshold,
            anomaly_map=anomaly_map.float().cpu().numpy(),
            light_weights=answer.light_weights[0].float().cpu().numpy(),
        )

    def inspect_capture(self, capture: Capture) -> Inspection:
        """The same for a capture read from a data set. Raises DatasetError: lights of another rig or order."""
        require_lights(capture.lights, self.lights, f"capture {capture.id}")
        return self.inspect(capture.images, capture.id)
