"""Inspect every labelled capture of a split and say how well the verdicts, scores and maps agree with the labels.

Captures are read one at a time and let go. P-AUROC and AU-PRO rank all pixels together, so maps stay, at the model's
scale (`KeptMaps`), and masks, a bit a pixel.
Knows no model: anything with `inspect_capture`, `threshold` and `config` can be evaluated.
"""

import time
from collections.abc import Sequence
from statistics import median
from typing import Any, Protocol

import numpy as np

from afrd.capture import Capture
from afrd.datasets import CaptureSet
from afrd.errors import DatasetError, ModelError
from afrd.evaluation.kept_maps import KeptMaps
from afrd.evaluation.metrics import MEMORY_GB, RESAMPLES, Estimate, image_auroc, pixel_metrics
from afrd.evaluation.parts import part_metrics, require_views
from afrd.evaluation.result import CaptureResult, Evaluation, Metrics
from afrd.evaluation.truth import Lazy, Truth, truth
from afrd.inspection import Inspection
from afrd.progress import Progress


class Inspects(Protocol):
    """What `evaluate` asks of an inspector."""

    threshold: float
    config: dict[str, Any]

    def inspect_capture(self, capture: Capture) -> Inspection: ...


def evaluate(
    inspector: Inspects,
    captures: CaptureSet,
    *,
    progress: Progress | None = None,
    seed: int = 0,
    resamples: int = RESAMPLES,
    memory_gb: float = MEMORY_GB,
) -> Evaluation:
    """Inspect every capture and compare with the labels.

    captures: a split, with `.category` and `.split`; read one at a time.
    progress: called with (captures done, all captures) after each one.
    seed, resamples: of the bootstrap that gives the intervals.
    memory_gb: half for maps, more of which go to a temporary file; the rest as for `pixel_metrics`.
    Raises DatasetError where captures have no labels, or are no views and the model judges parts from views; ModelError
    where an answer cannot be a score or a map.
    """
    where = f"{captures.category}/{captures.split}"
    if imaging := getattr(inspector, "imaging", None):
        captures = captures.read_as(imaging)
    if not len(captures):
        raise DatasetError(f"{where} has no captures; nothing to evaluate")
    require_views(captures, inspector.config.get("views"))
    results, truths, seconds, maps = [], [], [], KeptMaps(memory_gb / 2)
    for i in range(len(captures)):
        capture = captures[i]
        if capture.anomalous is None:
            raise DatasetError(
                f"{where}: capture {capture.id} has no label, so there is nothing to compare with; use `afrd predict` "
                "for captures without labels, or evaluate a split that has them"
            )
        started = time.perf_counter()
        inspection = inspector.inspect_capture(capture)
        seconds.append(time.perf_counter() - started)
        _check_answer(inspection, capture)
        results.append(
            CaptureResult(
                id=capture.id,
                anomalous=bool(capture.anomalous),
                defects=tuple(capture.defects),
                score=float(inspection.score),
                verdict=bool(inspection.anomalous),
                light_weights=np.asarray(inspection.light_weights),
                light_evidence=inspection.light_evidence,
                light_faults=tuple(inspection.light_notes),
                rig_notes=inspection.rig_notes,
                judged=inspection.judged,
                threshold=inspection.threshold if inspection.threshold != inspector.threshold else None,
                left_out=bool(inspection.left_out),
                would_be=inspection.would_be,
            )
        )
        truths.append(truth(capture))
        maps.add(inspection.map.calm(inspection.threshold))
        if progress is not None:
            progress(i + 1, len(captures))
    return compare(
        captures,
        results,
        truths,
        maps.at_full_size(),
        threshold=float(inspector.threshold),
        seconds_per_capture=median(seconds),
        config=dict(inspector.config),
        seed=seed,
        resamples=resamples,
        memory_gb=memory_gb - maps.in_memory / 1e9,
        views=inspector.config.get("views"),
    )


def compare(
    captures: CaptureSet,
    results: Sequence[CaptureResult],
    truths: Sequence[Truth],
    maps: Sequence[np.ndarray] | None,
    *,
    threshold: float,
    seconds_per_capture: float | None,
    config: dict[str, Any],
    seed: int = 0,
    resamples: int = RESAMPLES,
    memory_gb: float = MEMORY_GB,
    views: Sequence[str] | None = None,
) -> Evaluation:
    """All metrics from answers that are there: results, truths and maps in the order of captures.

    maps: [H, W] float32 each, at the captures' own size; None for a method that scores whole captures only. views: that
    every part has.
    """
    options = {"seed": seed, "resamples": resamples}
    everything = [i for i, result in enumerate(results) if result.judged]
    defects = sorted({defect for result in results for defect in result.defects})
    parts = None
    if getattr(captures, "views", False):
        labels, lacking = [r.anomalous for r in results], captures.missing_views(views)
        # captures may have thresholds of their own: scores of a part's views in the unit of one
        seen = [(r.id, r.answer, r.score * threshold / r.threshold if r.threshold else r.score) for r in results]
        parts = part_metrics(captures.groups, labels, seen, lacking, **options)
    return Evaluation(
        category=captures.category or "",
        split=captures.split or "",
        lights=captures.lights.names,
        captures=tuple(results),
        metrics=_metrics(results, truths, maps, everything, None, options, memory_gb),
        per_defect={
            defect: _metrics(
                results,
                truths,
                maps,
                [i for i in everything if not results[i].anomalous or defect in results[i].defects],
                defect,
                options,
                memory_gb,
            )
            for defect in defects
        },
        threshold=threshold,
        seconds_per_capture=seconds_per_capture,
        config=config,
        maps=[] if maps is None else maps,
        parts=parts,
    )


def _check_answer(inspection: Inspection, capture: Capture) -> None:
    if not np.isfinite(inspection.score) or not np.isfinite(inspection.map.values).all():
        raise ModelError(
            f"capture {capture.id}: the inspector answered with a score or a map that is not finite; the model is "
            "damaged or its training diverged: train it again"
        )
    size = inspection.map.size or inspection.map.values.shape
    if size != capture.size:
        raise ModelError(
            f"capture {capture.id}: its anomaly map has shape {list(size)}; expected the "
            f"capture's own size {list(capture.size)}"
        )


def _metrics(
    results: Sequence[CaptureResult],
    truths: Sequence[Truth],
    maps: Sequence[np.ndarray] | None,
    chosen: Sequence[int],
    defect: str | None,
    options: dict[str, int],
    memory_gb: float,
) -> Metrics:
    """The metrics on the chosen captures; with a defect type, by its masks."""
    if not chosen:
        none = Estimate(None, reason=f"no capture was judged, {len(results)} have a fault of the lights")
        return Metrics(image_auroc=none, pixel_auroc=none, au_pro=none, n_good=0, n_bad=0)
    labels, scores = [results[i].anomalous for i in chosen], [results[i].score for i in chosen]
    unmasked = [results[i].id for i in chosen if not truths[i].known]
    if maps is None:
        pixel_auroc = au_pro = Estimate(None, reason="the method gives no map")
    elif unmasked:
        reason = f"{len(unmasked)} of {sum(labels)} defective captures have no mask ({', '.join(unmasked[:3])}"
        pixel_auroc = au_pro = Estimate(None, reason=reason + (", …)" if len(unmasked) > 3 else ")"))
    else:
        pixel_auroc, au_pro = pixel_metrics(
            Lazy(len(chosen), lambda n: maps[chosen[n]]),
            Lazy(len(chosen), lambda n: truths[chosen[n]].counted(defect)),
            ignored=Lazy(len(chosen), lambda n: truths[chosen[n]].ignored(defect)),
            memory_gb=memory_gb,
            **options,
        )
    return Metrics(
        image_auroc=image_auroc(labels, scores, **options),
        pixel_auroc=pixel_auroc,
        au_pro=au_pro,
        n_good=len(labels) - sum(labels),
        n_bad=sum(labels),
    )
