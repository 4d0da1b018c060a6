"""I-AUROC, P-AUROC and AU-PRO with 95 % bootstrap intervals over captures.

All three are one thing: the area under a curve of weighted positives against negatives. Captures weigh equally in
I-AUROC, defective pixels in P-AUROC, defective *regions* in AU-PRO (each pixel weighs one over its region's size),
whose area is cut at a false-positive rate of 0.3. The values are exact. The intervals resample captures, good and
defective ones apart, so that every resample has both; for the pixel metrics a resample is a sum of histograms, one per
capture, because ranking a hundred million pixels two thousand times is not affordable. `Estimate.error` bounds what
that costs. Resampling cannot see beyond the captures at hand: perfectly separated ones have the interval [1, 1].

Knows no model, no data set and no files: arrays in, numbers out.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from scipy import ndimage

from afrd.evaluation.curves import (
    PRO_LIMIT,
    area,
    bin_edges,
    binned_curve,
    binning_error,
    exact_curve,
    histogram,
    precision_and_recall,
)

RESAMPLES = 2000
MEMORY_GB = 2.0  # 1e9 bytes each; 250 million pixels
CONFIDENCE = 0.95
_EIGHT_CONNECTED = np.ones((3, 3), dtype=int)


@dataclass(frozen=True)
class Estimate:
    """One metric: its value, its interval, and why there is none.

    value: in [0, 1]; None where undefined, with the reason.
    low, high: ends of the 95 % interval; None where one capture of a kind leaves nothing to resample.
    reason: why value, or low and high, are None; empty otherwise.
    error: bound on the part of value that grouping pixels into bins would change; the interval's ends carry about as
        much. 0 for I-AUROC, which is not binned.
    curve: [2, P] false-positive rate and true-positive rate (per-region overlap for AU-PRO), for drawing.
    average_precision: precision averaged over recall, without interpolation. best_f1: at the threshold that is best by
        these labels, an oracle. None for AU-PRO, where there is no value, and of pixels counted in bins.
    """

    value: float | None
    low: float | None = None
    high: float | None = None
    reason: str = ""
    error: float = 0.0
    curve: np.ndarray | None = field(default=None, compare=False, repr=False)
    average_precision: float | None = field(default=None, compare=False)
    best_f1: float | None = field(default=None, compare=False)

    @property
    def interval(self) -> tuple[float, float] | None:
        """(low, high), or None."""
        return None if self.low is None or self.high is None else (self.low, self.high)


def image_auroc(
    labels: Sequence[bool], scores: Sequence[float], *, resamples: int = RESAMPLES, seed: int = 0
) -> Estimate:
    """Chance that a defective capture scores above a good one, ties counting half.

    labels: True for defective, [K].  scores: higher is more anomalous, [K].
    Raises ValueError on NaN scores or lengths that differ.
    """
    labels, scores = _checked_scores(labels, scores)
    reason = _one_sided(labels)
    if reason:
        return Estimate(None, reason=reason)
    curve = exact_curve(scores[labels], np.full(labels.sum(), 1 / labels.sum()), np.sort(scores[~labels]))
    value = float(_superiority(scores, labels).mean())
    more = {"curve": curve, **_precision(curve, labels.mean())}
    reason = _too_few_to_resample(labels)
    if reason:
        return Estimate(value, reason=reason, **more)
    areas = _resampled_aurocs(scores[None], labels, resamples, seed)[0]
    return Estimate(value, *_interval(areas), **more)


def pixel_metrics(
    maps: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    *,
    ignored: Sequence[np.ndarray | None] | None = None,
    resamples: int = RESAMPLES,
    seed: int = 0,
    memory_gb: float = MEMORY_GB,
) -> tuple[Estimate, Estimate]:
    """P-AUROC and AU-PRO (regions are 8-connected, false-positive rate up to 0.3, scaled to [0, 1]).

    maps: anomaly maps, [H, W] each, sizes may differ.  masks: [H, W] bool each, True on the defect, all False for good.
    ignored: [H, W] bool each or None, pixels that count neither way (other defects, when one type is looked at).
    memory_gb: that good pixels may take while they are ranked, twice 4 bytes each. Where it is not enough for all, they
        are counted in bins whose edges come from every so many pixels, and `error` bounds how far the value is off.
    Maps and masks are asked for one at a time, several times each. Raises ValueError on NaN, or shapes that differ.
    """
    ignored = [None] * len(maps) if ignored is None else ignored
    _check_maps(maps, masks, ignored)
    has_defect = np.array([bool(mask.any()) for mask in masks], dtype=bool)
    if not has_defect.any():
        undefined = Estimate(None, reason="no capture has a defective pixel in its mask")
        return undefined, undefined
    pixels = sum(mask.size for mask in masks)
    every = max(1, -int(-8 * pixels // (memory_gb * 1e9)))
    negatives = _sorted_negatives(maps, masks, ignored, every)
    if not len(negatives):
        undefined = Estimate(None, reason="no capture has a good pixel")
        return undefined, undefined
    per_capture = [_positives(*pair) for pair in zip(maps, masks, strict=True)]
    values = np.concatenate([p.values for p in per_capture])
    sizes = np.concatenate([p.region_sizes for p in per_capture])
    regions = np.array([p.regions for p in per_capture])
    by_pixel = by_region = curve = None
    if every == 1:
        curve = exact_curve(values, np.full(len(values), 1 / len(values)), negatives)
        by_pixel = area(curve, 1.0)
        by_region = area(exact_curve(values, 1 / (sizes * regions.sum()), negatives), PRO_LIMIT)
    edges = bin_edges(negatives)
    del negatives
    good = np.stack([_negative_histogram(*three, edges) for three in zip(maps, masks, ignored, strict=True)])
    pixels = np.stack([histogram(p.values, np.ones_like(p.region_sizes), edges) for p in per_capture])
    overlap = np.stack([histogram(p.values, 1 / p.region_sizes, edges) for p in per_capture])
    reason = _too_few_to_resample(has_defect)
    counts = None if reason else _resample_counts(has_defect, resamples, seed)
    pixel_auroc = _binned_estimate(by_pixel, good, pixels, edges, 1.0, counts, reason)
    if curve is not None:  # precision lives on the few highest pixels, which bins mix
        pixel_auroc = replace(pixel_auroc, **_precision(curve, pixels.sum() / (pixels.sum() + good.sum())))
    au_pro = _binned_estimate(by_region, good, overlap, edges, PRO_LIMIT, counts, reason)
    if every > 1:
        warnings.warn(
            f"the maps' pixels do not fit {memory_gb:.3g} GB: they are counted in bins, so that P-AUROC is off by at "
            f"most {pixel_auroc.error:.2g} and AU-PRO by {au_pro.error:.2g}; with more memory they are exact",
            stacklevel=2,
        )
    return pixel_auroc, au_pro


def _precision(curve: np.ndarray, share: float) -> dict[str, float]:
    """share: of positives in all that was ranked."""
    precision, recall = precision_and_recall(curve, share)
    total = precision + recall
    f1 = np.divide(2 * precision * recall, total, out=np.zeros_like(total), where=total > 0)
    return {
        "average_precision": float((np.diff(recall, prepend=0.0) * precision).sum()),
        "best_f1": float(f1.max()),
    }


def _checked_scores(labels, scores) -> tuple[np.ndarray, np.ndarray]:
    labels, scores = np.asarray(labels, dtype=bool), np.asarray(scores, dtype=np.float64)
    if labels.shape != scores.shape or labels.ndim != 1:
        raise ValueError(f"{list(labels.shape)} labels and {list(scores.shape)} scores; expected one score per label")
    if np.isnan(scores).any():
        raise ValueError(f"score {int(np.isnan(scores).argmax())} is NaN")
    return labels, scores


def _check_maps(maps, masks, ignored) -> None:
    if not len(maps) == len(masks) == len(ignored):
        raise ValueError(f"{len(maps)} maps, {len(masks)} masks, {len(ignored)} ignored; expected one per capture")
    for i, (anomaly_map, mask, skip) in enumerate(zip(maps, masks, ignored, strict=True)):
        shapes = {array.shape for array in (anomaly_map, mask, skip) if array is not None}
        if len(shapes) != 1 or anomaly_map.ndim != 2:
            raise ValueError(f"capture {i}: map, mask and ignored have shapes {sorted(shapes)}; expected one [H, W]")
        if np.isnan(anomaly_map).any():
            raise ValueError(f"capture {i}: its anomaly map has NaN")


def _one_sided(labels: np.ndarray) -> str:
    if not len(labels):
        return "no captures"
    return "no defective capture" if not labels.any() else "no good capture" if labels.all() else ""


def _too_few_to_resample(labels: np.ndarray) -> str:
    few = [kind for kind, n in (("good", (~labels).sum()), ("defective", labels.sum())) if n == 1]
    return f"no interval from one {' and one '.join(few)} capture" if few else ""


def _resample_counts(labels: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """[S, K] how often each capture is in each resample; good and defective ones are drawn apart."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((resamples, len(labels)))
    for kind in (False, True):
        n = int((labels == kind).sum())
        if n:
            counts[:, labels == kind] = rng.multinomial(n, np.full(n, 1 / n), size=resamples)
    return counts


def _interval(values: np.ndarray) -> tuple[float, float]:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return float(low), float(high)


def _superiority(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """[bad, good] 1 where the defective capture scores higher, 0.5 where they tie."""
    bad, good = scores[labels][:, None], scores[~labels][None]
    return (bad > good) + 0.5 * (bad == good)


def _resampled_aurocs(scores: np.ndarray, labels: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """[M, S] exact I-AUROC of M methods, [M, K] scores, in the same S resamples."""
    counts = _resample_counts(labels, resamples, seed)
    bad, good = counts[:, labels], counts[:, ~labels]
    pairs = labels.sum() * (~labels).sum()
    return np.stack([((bad @ _superiority(row, labels)) * good).sum(axis=1) / pairs for row in scores])


@dataclass(frozen=True)
class _Positives:
    """Defective pixels of one capture: their values and the size of the region that each lies in."""

    values: np.ndarray
    region_sizes: np.ndarray
    regions: int


def _positives(anomaly_map: np.ndarray, mask: np.ndarray) -> _Positives:
    if not mask.any():
        return _Positives(anomaly_map[:0, 0], np.zeros(0), 0)
    region, regions = ndimage.label(mask, structure=_EIGHT_CONNECTED)
    region = region[mask]
    return _Positives(anomaly_map[mask], np.bincount(region).astype(float)[region], regions)


def _negatives(anomaly_map: np.ndarray, mask: np.ndarray, ignored: np.ndarray | None) -> np.ndarray:
    return anomaly_map[~mask if ignored is None else ~(mask | ignored)]


def _sorted_negatives(maps, masks, ignored, every: int) -> np.ndarray:
    """Every so many of them."""
    pixels = np.concatenate([_negatives(*three)[::every] for three in zip(maps, masks, ignored, strict=True)])
    pixels.sort()
    return pixels


def _negative_histogram(anomaly_map, mask, ignored, edges) -> np.ndarray:
    # Sorting first is twice as fast as looking up every pixel among the edges.
    pixels = np.sort(_negatives(anomaly_map, mask, ignored))
    below = np.searchsorted(pixels, edges)
    return np.diff(below, prepend=0, append=len(pixels)).astype(float)[::-1]


def _binned_estimate(exact, good, bad, edges, limit, counts, reason) -> Estimate:
    """The exact value, or that of the bins, with the interval from [K, B] histograms resampled by [S, K] counts."""
    curve = binned_curve(good.sum(axis=0), bad.sum(axis=0))
    error = binning_error(curve, edges, limit)
    value = float(area(curve, limit) if exact is None else exact)
    if counts is None:
        return Estimate(value, reason=reason, error=error, curve=curve)
    areas = np.concatenate([area(binned_curve(part @ good, part @ bad), limit) for part in np.array_split(counts, 16)])
    return Estimate(value, *_interval(areas), error=error, curve=curve)
