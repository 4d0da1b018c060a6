"""The answer for one capture: score, map, verdict, and which light shows it."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from afrd.imaging.coarse_map import CoarseMap
from afrd.rig.light_check import LightFault

Verdict = Literal["good", "anomalous", "light fault"]


@dataclass(frozen=True)
class Inspection:
    """The answer for one capture.

    id: the capture's.
    score: how anomalous, the maximum (or top-share mean) of `map`; 0 is a perfect reproduction.
    threshold: the score above which this part is called anomalous, from held-out good parts: wider where the rig check
        notes the capture (`afrd.card.ModelCard`), another where a light was left out.
    map: the anomaly map as the model gives it, at its scale; same unit as the score.
    light_weights: [L, N] float32, how far the verdict goes by each of the N lights on each of the L feature levels
        (shallow first), rows sum to 1. Of models with evidence [1, N]: the weights of lights.yaml, 0 for a light left
        out.
    light_evidence: [N] float32, each light's share in what makes the map's highest point unusual, sums to 1; None for
        models that cannot tell which light shows a defect.
    light_faults: what is wrong with the lights, found in the capture itself. light_notes: the same in words.
    left_out: lights that were not looked at, because they are faulty or were said to be missing.
    rig_notes: what is grossly wrong with the whole rig, in words, each with its fix; of these only that a part is not
        whole in the picture changes a verdict.
    rig_deviations: [Q, 1 + N], for `afrd.rig.RigMonitor`; None where the rig was not checked.
    judged: False where the lights are too faulty, or the part too little in the picture, for the verdict that the score
        would give. may_be_good: False where they are for it to pass, by whatever threshold.
    """

    id: str
    score: float
    threshold: float
    map: CoarseMap
    light_weights: np.ndarray
    light_evidence: np.ndarray | None = None
    light_faults: tuple[LightFault, ...] = ()
    light_notes: tuple[str, ...] = ()
    left_out: tuple[int, ...] = ()
    rig_notes: tuple[str, ...] = ()
    rig_deviations: np.ndarray | None = None
    judged: bool = True
    may_be_good: bool = True

    @property
    def light_shares(self) -> np.ndarray:
        """[L, N], rows sum to 1: the evidence of models that have it, the weights of others."""
        return self.light_weights if self.light_evidence is None else self.light_evidence[None]

    @cached_property
    def anomaly_map(self) -> np.ndarray:
        """[H, W] float32, at the capture's own size, smoothed below the threshold; made when it is first asked for."""
        return self.map.calm(self.threshold).at_full_size()

    @property
    def anomalous(self) -> bool:
        """The score is above the threshold, or the part could not be judged: either way it must not pass as good."""
        return not self.judged or self.score > self.threshold

    @property
    def verdict(self) -> Verdict:
        """Of the part, or that the lights must be fixed before there can be one."""
        if not self.judged:
            return "light fault"
        return "anomalous" if self.anomalous else "good"

    @property
    def would_be(self) -> Literal["good", "anomalous"] | None:
        """Under a light fault the verdict that the score would give: without `left_out`, the lights else as they are.

        It is no verdict to act on. None where there is a verdict.
        """
        if self.judged:
            return None
        return "anomalous" if self.score > self.threshold else "good"
