"""The metrics against scikit-learn, torchmetrics, a brute-force AU-PRO, hand-computed cases, and simulated truth."""

import itertools

import numpy as np
import pytest
from scipy import ndimage, stats
from sklearn.metrics import average_precision_score, precision_recall_curve, roc_auc_score

from afrd.evaluation.curves import area
from afrd.evaluation.metrics import image_auroc, pixel_metrics


def brute_force_au_pro(maps, masks, limit=0.3):
    """Walk all thresholds, measure each region and the good pixels, cut at the limit, trapezoid."""
    regions = []
    for anomaly_map, mask in zip(maps, masks, strict=True):
        labels, n = ndimage.label(mask, structure=np.ones((3, 3)))
        regions += [anomaly_map[labels == i] for i in range(1, n + 1)]
    good = np.concatenate([m[~mask] for m, mask in zip(maps, masks, strict=True)])
    points = [(0.0, 0.0)]
    for threshold in sorted({float(v) for m in maps for v in m.ravel()}, reverse=True):
        points.append(((good >= threshold).mean(), np.mean([(r >= threshold).mean() for r in regions])))
    total = 0.0
    for (x0, y0), (x1, y1) in itertools.pairwise(points):
        if x1 > limit:
            if x0 < limit:
                y = y0 + (y1 - y0) * (limit - x0) / (x1 - x0)
                total += (limit - x0) * (y0 + y) / 2
            break
        total += (x1 - x0) * (y0 + y1) / 2
    return total / limit


def simulated_maps(rng, captures=8, size=20, shift=1.0, levels=None):
    """Half of the captures with one to three defects of different sizes; `levels` rounds values, for ties."""
    maps, masks = [], []
    for i in range(captures):
        anomaly_map, mask = rng.normal(rng.normal(0, 0.5), 1, (size, size)), np.zeros((size, size), dtype=bool)
        for _ in range(rng.integers(1, 4) if i % 2 else 0):
            (y, x), (h, w) = rng.integers(0, size - 6, 2), rng.integers(1, 7, 2)
            mask[y : y + h, x : x + w] = True
        anomaly_map[mask] += shift * rng.uniform(0.2, 1.5)
        if levels:
            anomaly_map = np.round(anomaly_map * levels / 6) / levels
        maps.append(anomaly_map.astype(np.float32))
        masks.append(mask)
    return maps, masks


@pytest.mark.parametrize("decimals", [8, 1, 0])
def test_image_auroc_equals_scikit_learn_also_with_ties(decimals):
    rng = np.random.default_rng(decimals)
    labels = rng.random(60) < 0.4
    scores = np.round(rng.normal(size=60) + labels, decimals)
    estimate = image_auroc(labels, scores, resamples=50)
    assert estimate.value == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert area(estimate.curve, 1.0) == pytest.approx(estimate.value, abs=1e-12)
    assert estimate.average_precision == pytest.approx(average_precision_score(labels, scores), abs=1e-12)
    assert estimate.best_f1 == pytest.approx(f1_at_best(labels, scores), abs=1e-12)


def f1_at_best(labels, scores):
    precision, recall, _ = precision_recall_curve(labels, scores)
    return max(2 * p * r / (p + r) for p, r in zip(precision, recall, strict=True) if p + r)


@pytest.mark.parametrize("levels", [None, 3])
@pytest.mark.parametrize("shift", [1.0, 4.0])
def test_precision_of_pixels_equals_scikit_learn(levels, shift):
    maps, masks = simulated_maps(np.random.default_rng(3), shift=shift, levels=levels)
    auroc, pro = pixel_metrics(maps, masks, resamples=20)
    flat = [np.concatenate([a.ravel() for a in arrays]) for arrays in (masks, maps)]
    assert auroc.average_precision == pytest.approx(average_precision_score(*flat), abs=1e-9)
    assert auroc.best_f1 == pytest.approx(f1_at_best(*flat), abs=1e-9)
    assert pro.average_precision is None and pro.best_f1 is None


@pytest.mark.parametrize(
    ("scores", "value"), [([1, 2, 3, 4], 1.0), ([4, 3, 2, 1], 0.0), ([1, 1, 1, 1], 0.5), ([1, 3, 2, 4], 0.75)]
)
def test_image_auroc_by_hand(scores, value):
    assert image_auroc([False, False, True, True], scores, resamples=20).value == value


@pytest.mark.parametrize("levels", [None, 24, 3])
@pytest.mark.parametrize("shift", [0.0, 1.0, 8.0])
def test_pixel_metrics_equal_independent_implementations(levels, shift):
    maps, masks = simulated_maps(np.random.default_rng(3), shift=shift, levels=levels)
    auroc, pro = pixel_metrics(maps, masks, resamples=20)
    flat = [np.concatenate([a.ravel() for a in arrays]) for arrays in (masks, maps)]
    assert auroc.value == pytest.approx(roc_auc_score(*flat), abs=1e-9)
    assert pro.value == pytest.approx(brute_force_au_pro(maps, masks), abs=1e-9)


def test_pixel_auroc_equals_torchmetrics():
    torch = pytest.importorskip("torch")
    binary_auroc = pytest.importorskip("torchmetrics.functional.classification").binary_auroc
    maps, masks = simulated_maps(np.random.default_rng(4))
    maps = [1 / (1 + np.exp(-m)) for m in maps]
    expected = binary_auroc(torch.tensor(np.stack(maps)).flatten(), torch.tensor(np.stack(masks)).flatten().long())
    assert pixel_metrics(maps, masks, resamples=20)[0].value == pytest.approx(float(expected), abs=1e-5)


def test_au_pro_by_hand():
    """Two regions: one pixel of 0.9; 0.7 and 0.2, which touch at a corner only. One of twelve good pixels has 0.8.

    Overlap 0.5 up to a false-positive rate of 1/12, then 1: (0.5 / 12 + (0.3 - 1 / 12)) / 0.3.
    """
    anomaly_map = np.array([[0.9, 0.1, 0.1, 0.1, 0.7], [0.1, 0.1, 0.1, 0.2, 0.1], [0.8, 0.1, 0.1, 0.1, 0.1]])
    mask = np.isin(anomaly_map, [0.9, 0.7, 0.2])
    good = np.zeros_like(mask)
    _, pro = pixel_metrics([anomaly_map], [mask])
    assert pro.value == pytest.approx((0.5 / 12 + 0.3 - 1 / 12) / 0.3)
    # A good capture only adds good pixels.
    _, pro = pixel_metrics([anomaly_map, np.full((3, 5), 0.8)], [mask, good], resamples=20)
    assert pro.value == pytest.approx(0.3 * 0.5 / 0.3)


def test_perfect_and_useless_maps():
    masks = simulated_maps(np.random.default_rng(5))[1]
    perfect = pixel_metrics([m.astype(np.float32) for m in masks], masks, resamples=50)
    assert [(e.value, e.low, e.high) for e in perfect] == [(1.0, 1.0, 1.0)] * 2
    constant = pixel_metrics([np.zeros(m.shape, np.float32) for m in masks], masks, resamples=50)
    assert constant[0].value == pytest.approx(0.5)
    assert constant[1].value == pytest.approx(0.15)  # the diagonal up to 0.3, over 0.3


def test_ignored_pixels_count_neither_way():
    rng = np.random.default_rng(6)
    maps, masks = simulated_maps(rng)
    ignored = [(rng.random(m.shape) < 0.2) & ~m if i % 2 else None for i, m in enumerate(masks)]
    kept = [np.ones_like(m) if skip is None else ~skip for m, skip in zip(masks, ignored, strict=True)]
    expected = roc_auc_score(
        *(np.concatenate([a[k] for a, k in zip(arrays, kept, strict=True)]) for arrays in (masks, maps))
    )
    assert pixel_metrics(maps, masks, ignored=ignored, resamples=20)[0].value == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("levels", [None, 40])
def test_binning_stays_within_its_stated_error(levels):
    maps, masks = simulated_maps(np.random.default_rng(7), captures=10, size=96, levels=levels)
    for estimate, limit in zip(pixel_metrics(maps, masks, resamples=20), (1.0, 0.3), strict=True):
        assert abs(area(estimate.curve, limit) - estimate.value) <= estimate.error + 1e-12
        assert estimate.error < 1e-3


def test_pixels_that_do_not_fit_memory_are_counted_in_bins_within_the_stated_error():
    maps, masks = simulated_maps(np.random.default_rng(7), captures=10, size=96)
    exact = pixel_metrics(maps, masks, resamples=20)
    with pytest.warns(UserWarning, match="do not fit 0.0001 GB: .* P-AUROC is off by at most"):
        counted = pixel_metrics(maps, masks, resamples=20, memory_gb=1e-4)
    for whole, binned in zip(exact, counted, strict=True):
        assert binned.value != whole.value
        assert abs(binned.value - whole.value) <= binned.error < 0.01


def test_pixel_intervals_equal_a_bootstrap_of_the_pixels_themselves():
    """Resamples drawn by another generator, ranked by scikit-learn and walked by brute force."""
    maps, masks = simulated_maps(np.random.default_rng(8), captures=16, size=12, levels=30)
    groups = [[i for i in range(16) if masks[i].any() == kind] for kind in (False, True)]
    rng = np.random.RandomState(0)
    aurocs, pros = [], []
    for i in range(1000):
        chosen = np.concatenate([rng.choice(group, len(group)) for group in groups])
        chosen_maps, chosen_masks = [maps[j] for j in chosen], [masks[j] for j in chosen]
        flat = [np.concatenate([a.ravel() for a in arrays]) for arrays in (chosen_masks, chosen_maps)]
        aurocs.append(roc_auc_score(*flat))
        if i < 200:
            pros.append(brute_force_au_pro(chosen_maps, chosen_masks))
    auroc, pro = pixel_metrics(maps, masks)
    assert auroc.interval == pytest.approx(np.quantile(aurocs, [0.025, 0.975]), abs=0.01)
    assert pro.interval == pytest.approx(np.quantile(pros, [0.025, 0.975]), abs=0.035)


def test_image_interval_holds_the_truth_about_as_often_as_it_says():
    rng, truth = np.random.default_rng(9), stats.norm.cdf(1.2 / np.sqrt(2))
    labels = np.arange(80) < 40
    held = [
        low <= truth <= high
        for low, high in (
            image_auroc(labels, rng.normal(size=80) + 1.2 * labels, resamples=400, seed=i).interval for i in range(300)
        )
    ]
    assert 0.91 <= np.mean(held) <= 0.985


def test_pixel_intervals_resample_captures_not_pixels():
    """Pixels of a capture share an offset, so that a bootstrap over pixels would hold the truth far too rarely."""
    rng = np.random.default_rng(10)

    def draw(captures):
        offset = rng.normal(size=(captures, 1, 1))
        masks = np.zeros((captures, 10, 10), dtype=bool)
        masks[::2, 3:6, 3:6] = True
        return offset + 0.3 * rng.normal(size=masks.shape) + 1.0 * masks, masks

    maps, masks = draw(4000)
    truth = [e.value for e in pixel_metrics(maps, masks, resamples=10)]
    held = np.zeros(2)
    for i in range(100):
        estimates = pixel_metrics(*draw(40), resamples=200, seed=i)
        held += [e.low <= t <= e.high for e, t in zip(estimates, truth, strict=True)]
    assert (held >= 86).all(), held
    assert (held <= 100).all()


def test_same_seed_same_interval():
    maps, masks = simulated_maps(np.random.default_rng(11))
    assert pixel_metrics(maps, masks, resamples=100, seed=5) == pixel_metrics(maps, masks, resamples=100, seed=5)
    first, other = (pixel_metrics(maps, masks, resamples=100, seed=s)[0] for s in (5, 6))
    assert first.interval != other.interval
    assert first.value == other.value


@pytest.mark.parametrize(
    ("labels", "reason"), [([True, True], "no good"), ([False, False], "no defective"), ([], "no captures")]
)
def test_undefined_image_auroc_gives_a_reason_and_no_number(labels, reason):
    estimate = image_auroc(labels, [0.5] * len(labels))
    assert estimate.value is None and estimate.interval is None
    assert reason in estimate.reason


def test_one_capture_of_a_kind_has_a_value_but_no_interval():
    estimate = image_auroc([False, False, True], [1, 3, 2])
    assert estimate.value == 0.5
    assert estimate.interval is None and "one defective capture" in estimate.reason


def test_no_defective_pixel_is_undefined():
    for estimate in pixel_metrics([np.ones((4, 4))] * 2, [np.zeros((4, 4), bool)] * 2):
        assert estimate.value is None and "no capture has a defective pixel" in estimate.reason
    for estimate in pixel_metrics([np.ones((4, 4))] * 2, [np.ones((4, 4), bool)] * 2):
        assert estimate.value is None and "no capture has a good pixel" in estimate.reason


def test_nan_and_mismatched_input_are_errors():
    with pytest.raises(ValueError, match="score 1 is NaN"):
        image_auroc([True, False], [1, np.nan])
    with pytest.raises(ValueError, match="expected one score per label"):
        image_auroc([True, False], [1])
    mask = np.eye(4, dtype=bool)
    with pytest.raises(ValueError, match="capture 1: its anomaly map has NaN"):
        pixel_metrics([np.ones((4, 4)), np.full((4, 4), np.nan)], [mask, mask])
    with pytest.raises(ValueError, match=r"capture 0: .*shapes"):
        pixel_metrics([np.ones((4, 5))], [mask])
    with pytest.raises(ValueError, match="2 maps, 1 masks"):
        pixel_metrics([np.ones((4, 4))] * 2, [mask])
