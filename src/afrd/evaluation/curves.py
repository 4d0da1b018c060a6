"""Curves of true-positive against false-positive rate for weighted positives, exact or from histograms, and their area.

The ROC curve and the per-region overlap are both of this kind and differ in what a positive weighs. Knows no pixels.
"""

import numpy as np

PRO_LIMIT = 0.3
# False-positive rates between which pixels are counted together in resamples: fine below the limit of AU-PRO, and
# geometric towards zero, where a good detector's curve climbs.
_BIN_RATES = np.concatenate(
    [np.geomspace(1e-7, PRO_LIMIT / 1024, 256), np.linspace(0, PRO_LIMIT, 1025), np.linspace(PRO_LIMIT, 1, 769)]
)


def exact_curve(positives: np.ndarray, weights: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """[2, P] curve at every distinct positive, straight where positives and negatives tie; negatives are sorted."""
    order = np.argsort(positives)
    values, first = np.unique(positives[order], return_index=True)
    mass = np.add.reduceat(weights[order], first)[::-1]
    above = len(negatives) - np.searchsorted(negatives, values, side="right")[::-1]
    at_or_above = len(negatives) - np.searchsorted(negatives, values, side="left")[::-1]
    reached = np.cumsum(mass)
    reached /= reached[-1]  # 1 but for rounding
    false_rate = np.stack([above, at_or_above], axis=1).ravel() / len(negatives)
    true_rate = np.stack([reached - mass, reached], axis=1).ravel()
    return np.stack([np.concatenate([[0.0], false_rate, [1.0]]), np.concatenate([[0.0], true_rate, [1.0]])])


def binned_curve(good: np.ndarray, bad: np.ndarray) -> np.ndarray:
    """[2, ..., P] false-positive and true-positive rates of [..., B] histograms."""
    rates = []
    for counts in (good, bad):
        total = np.concatenate([np.zeros_like(counts[..., :1]), np.cumsum(counts, axis=-1)], axis=-1)
        rates.append(total / total[..., -1:])
    return np.stack(rates)


def area(curve: np.ndarray, limit: float) -> np.ndarray:
    """Area under [2, ..., P] curves left of the limit, over the limit; the segment that crosses it is cut there."""
    false_rate, true_rate = curve
    left, right = false_rate[..., :-1], false_rate[..., 1:]
    bottom, top = true_rate[..., :-1], true_rate[..., 1:]
    width = right - left
    inside = np.clip(limit - left, 0, width)
    share = np.divide(inside, width, out=np.zeros_like(width), where=width > 0)
    whole = (inside * (bottom + share * (top - bottom) / 2)).sum(axis=-1) / limit
    return np.minimum(whole, 1.0)  # rounding of long sums


def precision_and_recall(curve: np.ndarray, share: float) -> tuple[np.ndarray, np.ndarray]:
    """At each point of a [2, P] curve after its first. share: of positives in all that was ranked."""
    false_rate, true_rate = curve[:, 1:]
    found = share * true_rate
    called = found + (1 - share) * false_rate
    return np.divide(found, called, out=np.zeros_like(found), where=called > 0), true_rate


def bin_edges(negatives: np.ndarray) -> np.ndarray:
    """Values of the negatives at the bins' rates; a value that fills bins alone, or ends them, gets one to itself."""
    at = np.clip(np.ceil(len(negatives) * (1 - _BIN_RATES)).astype(int), 0, len(negatives) - 1)
    edges, repeats = np.unique(negatives[at], return_counts=True)
    alone = edges[(repeats > 1) | (edges == negatives[-1])]
    return np.unique(np.concatenate([edges, np.nextafter(alone, alone.dtype.type(np.inf))]))


def binning_error(curve: np.ndarray, edges: np.ndarray, limit: float) -> float:
    """Bound on the difference between the areas of a [2, P] binned curve and the exact one.

    Inside a bin the exact curve rises from corner to corner and the binned one is its diagonal: they differ by at most
    half the box, by the whole box where the limit cuts it, and not at all where the bin holds a single value.
    """
    false_rate, true_rate = curve
    width = np.diff(false_rate) * (false_rate[:-1] < limit)
    single = np.zeros(len(edges) + 1, dtype=bool)
    single[1:-1] = edges[1:] == np.nextafter(edges[:-1], edges.dtype.type(np.inf))
    boxes = np.diff(true_rate) * width * np.where(false_rate[1:] > limit, 1.0, 0.5)
    return float(boxes[~single[::-1]].sum() / limit)


def histogram(values: np.ndarray, weights: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """Weighted counts in the same bins, highest values first."""
    bins = np.searchsorted(edges, values, side="right")
    return np.bincount(bins, weights=weights, minlength=len(edges) + 1)[::-1]
