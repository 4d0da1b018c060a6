"""What an evaluation found: the numbers, one row per capture, and all of it as JSON.

Knows neither how captures were inspected nor how the result is shown.
"""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from afrd.evaluation.metrics import Estimate
from afrd.evaluation.parts import PartMetrics, Verdict
from afrd.files import write_text
from afrd.rates import stated_and_seen


@dataclass(frozen=True)
class CaptureResult:
    """One capture: what it is, and what the inspector said.

    anomalous: the label.  verdict: the inspector's answer; True is anomalous in both.
    light_weights: [L, N], light_evidence: [N] or None; see `afrd.inspection.Inspection`.
    light_faults: what was wrong with the lights, in words. judged: False where they were too faulty for a verdict;
    would_be: the verdict that the score would give then.
    rig_notes: what was grossly wrong with the whole rig, in words.
    threshold: that of the verdict, where it is not the evaluation's; else None. left_out: whether a light was.
    """

    id: str
    anomalous: bool
    defects: tuple[str, ...]
    score: float
    verdict: bool
    light_weights: np.ndarray = field(repr=False)
    light_faults: tuple[str, ...] = ()
    rig_notes: tuple[str, ...] = ()
    judged: bool = True
    threshold: float | None = None
    left_out: bool = False
    would_be: Literal["good", "anomalous"] | None = None
    light_evidence: np.ndarray | None = field(default=None, repr=False)

    @property
    def light_shares(self) -> np.ndarray:
        """[L, N], rows sum to 1: the evidence of models that have it, the weights of others."""
        return np.asarray(self.light_weights) if self.light_evidence is None else self.light_evidence[None]

    @property
    def answer(self) -> Verdict:
        """The verdict in words: good, anomalous or light fault."""
        return ("anomalous" if self.verdict else "good") if self.judged else "light fault"

    @property
    def outcome(self) -> str:
        """found, passed, false alarm or miss; "light fault" where it was not judged."""
        if not self.judged:
            return "light fault"
        if self.anomalous:
            return "found" if self.verdict else "miss"
        return "false alarm" if self.verdict else "passed"


@dataclass(frozen=True)
class Metrics:
    """The three metrics on n_good good and n_bad defective captures."""

    image_auroc: Estimate
    pixel_auroc: Estimate
    au_pro: Estimate
    n_good: int
    n_bad: int


@dataclass(frozen=True)
class Evaluation:
    """How an inspector did on one split.

    lights: names, in order.
    captures: one result per capture, in the order of the split.
    metrics: on all captures with a verdict, so without light faults.
    per_defect: the same on the good captures and those with the defect type.
    threshold: the inspector's; it was set without looking at these captures.
    seconds_per_capture: median time of inspection alone; reading the images is not in it. None where not timed.
    config: the inspector's.
    maps: anomaly maps, [H, W] float32, in the order of captures, made when they are asked for. Not written to JSON.
    parts: where captures are views of parts, the verdicts on parts; None elsewhere.
    learned_from: the model was fitted to these captures, or its threshold set by them.
    """

    category: str
    split: str
    lights: tuple[str, ...]
    captures: tuple[CaptureResult, ...]
    metrics: Metrics
    per_defect: dict[str, Metrics]
    threshold: float
    seconds_per_capture: float | None
    config: dict[str, Any]
    maps: Sequence[np.ndarray] = field(repr=False, compare=False)
    parts: PartMetrics | None = None
    learned_from: bool = False

    @property
    def n_good(self) -> int:
        return self.metrics.n_good

    @property
    def n_bad(self) -> int:
        return self.metrics.n_bad

    @property
    def image_auroc(self) -> float | None:
        return self.metrics.image_auroc.value

    @property
    def image_auroc_ci(self) -> tuple[float, float] | None:
        return self.metrics.image_auroc.interval

    @property
    def pixel_auroc(self) -> float | None:
        return self.metrics.pixel_auroc.value

    @property
    def pixel_auroc_ci(self) -> tuple[float, float] | None:
        return self.metrics.pixel_auroc.interval

    @property
    def au_pro(self) -> float | None:
        return self.metrics.au_pro.value

    @property
    def au_pro_ci(self) -> tuple[float, float] | None:
        return self.metrics.au_pro.interval

    @property
    def confusion(self) -> dict[str, int]:
        """How many captures were found, passed, false alarm and miss; light faults are in none of these."""
        outcomes = [capture.outcome for capture in self.captures]
        return {outcome: outcomes.count(outcome) for outcome in ("found", "passed", "false alarm", "miss")}

    @property
    def judged_by_the_wider(self) -> list[CaptureResult]:
        """Those that the rig check notes, where the model has a threshold for such captures."""
        return [one for one in self.captures if one.threshold is not None and not one.left_out]

    @property
    def alarms(self) -> tuple[int, int]:
        """False alarms, and the good ones that were judged: of parts where captures are views of them."""
        of = self.parts or self
        return of.confusion["false alarm"], of.n_good

    @property
    def stated(self) -> str | None:
        """What the model promises, and whether these captures keep it; None where it promises nothing."""
        if self.learned_from:
            return "The model learned from these captures, so they say nothing of new parts, nor of what it promises."
        return stated_and_seen(self.config, *self.alarms)

    @property
    def false_alarm_rate(self) -> float | None:
        """Share of all good captures whose verdict is anomalous; None without good captures."""
        return self._share(False, "false alarm")

    @property
    def miss_rate(self) -> float | None:
        """Share of all defective captures whose verdict is good; None without defective captures."""
        return self._share(True, "miss")

    @property
    def light_faults(self) -> tuple[int, int]:
        """Good and defective captures whose verdict is light fault."""
        faulty = [capture.anomalous for capture in self.captures if not capture.judged]
        return faulty.count(False), faulty.count(True)

    @property
    def light_fault_rates(self) -> tuple[float | None, float | None]:
        """Of good and of defective captures, the share whose verdict is light fault; None without such captures."""
        return self._share(False, "light fault"), self._share(True, "light fault")

    def _share(self, anomalous: bool, outcome: str) -> float | None:
        outcomes = [capture.outcome for capture in self.captures if capture.anomalous == anomalous]
        return outcomes.count(outcome) / len(outcomes) if outcomes else None

    def to_json(self) -> dict[str, Any]:
        """Everything but the maps, as plain JSON values; an undefined metric is null, with its reason beside it."""
        return {
            "category": self.category,
            "split": self.split,
            "lights": list(self.lights),
            **_metrics_json(self.metrics),
            "per_defect": {defect: _metrics_json(metrics) for defect, metrics in self.per_defect.items()},
            "threshold": self.threshold,
            "false_alarm_rate": self.false_alarm_rate,
            "miss_rate": self.miss_rate,
            "light_fault_rate_good": self.light_fault_rates[0],
            "light_fault_rate_bad": self.light_fault_rates[1],
            "confusion": {outcome.replace(" ", "_"): n for outcome, n in self.confusion.items()},
            "light_faults": {"good": self.light_faults[0], "bad": self.light_faults[1]},
            "seconds_per_capture": self.seconds_per_capture,
            **({"parts": self.parts.to_json()} if self.parts else {}),
            **({"learned_from": True} if self.learned_from else {}),
            "config": self.config,
            "captures": [
                asdict(result)
                | {
                    "defects": list(result.defects),
                    "verdict": result.answer,
                    "outcome": result.outcome,
                    "light_weights": np.asarray(result.light_weights).tolist(),
                    "light_evidence": None if result.light_evidence is None else result.light_evidence.tolist(),
                    "light_faults": list(result.light_faults),
                    "rig_notes": list(result.rig_notes),
                }
                for result in self.captures
            ],
        }

    def write_json(self, path: Path) -> None:
        """Write `to_json()` to path, whole or not at all."""
        write_text(Path(path), json.dumps(self.to_json(), indent=2, allow_nan=False) + "\n")


def _metrics_json(metrics: Metrics) -> dict[str, Any]:
    named = {name: getattr(metrics, name) for name in ("image_auroc", "pixel_auroc", "au_pro")}
    return {
        **{name: estimate.value for name, estimate in named.items()},
        **{f"{name}_ci": list(e.interval) if e.interval else None for name, e in named.items()},
        **{f"{of}_ap": named[f"{of}_auroc"].average_precision for of in ("image", "pixel")},
        **{f"{of}_f1_max": named[f"{of}_auroc"].best_f1 for of in ("image", "pixel")},
        "undefined": {name: estimate.reason for name, estimate in named.items() if estimate.reason},
        "n_good": metrics.n_good,
        "n_bad": metrics.n_bad,
    }
