"""A real, simple detector evaluated on lit captures; every number is recomputed here from maps, masks and scores."""

import dataclasses
import json
import weakref
from collections.abc import Sequence

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from afrd.errors import DatasetError, ModelError
from afrd.evaluation.evaluate import evaluate
from afrd.evaluation.metrics import pixel_metrics
from afrd.imaging.coarse_map import CoarseMap


def test_rows_agree_with_the_inspector(domes, dome_evaluation):
    inspector, captures = domes
    assert len(dome_evaluation.captures) == len(captures)
    for capture, row, anomaly_map in zip(captures, dome_evaluation.captures, dome_evaluation.maps, strict=True):
        inspection = inspector.inspect_capture(capture)
        assert (row.id, row.anomalous, row.defects) == (capture.id, capture.anomalous, capture.defects)
        assert (row.score, row.verdict) == (inspection.score, inspection.score > inspector.threshold)
        assert np.array_equal(anomaly_map, inspection.anomaly_map)
        assert np.array_equal(row.light_weights, inspection.light_weights)


def test_metrics_agree_with_scikit_learn(domes, dome_evaluation):
    _, captures = domes
    labels = [c.anomalous for c in captures]
    scores = [r.score for r in dome_evaluation.captures]
    assert dome_evaluation.image_auroc == pytest.approx(roc_auc_score(labels, scores))
    masks = np.stack([c.mask for c in captures]).ravel()
    assert dome_evaluation.pixel_auroc == pytest.approx(roc_auc_score(masks, np.stack(dome_evaluation.maps).ravel()))
    assert 0.7 < dome_evaluation.image_auroc < 1  # else this set tests nothing
    for value, interval in (
        (dome_evaluation.image_auroc, dome_evaluation.image_auroc_ci),
        (dome_evaluation.pixel_auroc, dome_evaluation.pixel_auroc_ci),
        (dome_evaluation.au_pro, dome_evaluation.au_pro_ci),
    ):
        assert interval[0] < value < interval[1]


def test_a_defect_type_is_measured_on_its_own_mask_and_other_defects_are_left_out(domes, dome_evaluation):
    _, captures = domes
    assert sorted(dome_evaluation.per_defect) == ["bumps", "colors"]
    for defect, found in dome_evaluation.per_defect.items():
        chosen = [i for i, c in enumerate(captures) if not c.anomalous or defect in c.defects]
        assert (found.n_good, found.n_bad) == (6, 12)
        scores = [dome_evaluation.captures[i].score for i in chosen]
        assert found.image_auroc.value == pytest.approx(roc_auc_score([captures[i].anomalous for i in chosen], scores))
        truth, values = [], []
        for i in chosen:
            own = captures[i].defect_masks.get(defect, np.zeros(captures[i].size, dtype=bool))
            counted = own | ~captures[i].mask
            truth.append(own[counted])
            values.append(dome_evaluation.maps[i][counted])
        expected = roc_auc_score(np.concatenate(truth), np.concatenate(values))
        assert found.pixel_auroc.value == pytest.approx(expected)


def test_a_defect_without_a_mask_of_its_own_uses_the_capture_mask(domes, lit):
    inspector, captures = domes
    merged = lit.capture_list([dataclasses.replace(c, defect_masks={}) for c in captures])
    evaluation = evaluate(inspector, merged, resamples=20)
    chosen = [i for i, c in enumerate(captures) if not c.anomalous or "bumps" in c.defects]
    expected = pixel_metrics([evaluation.maps[i] for i in chosen], [captures[i].mask for i in chosen], resamples=20)
    found = evaluation.per_defect["bumps"]
    assert (found.pixel_auroc.value, found.au_pro.value) == (expected[0].value, expected[1].value)


def test_rates_at_the_threshold(dome_evaluation):
    rows, threshold = dome_evaluation.captures, dome_evaluation.threshold
    alarms = sum(r.score > threshold for r in rows if not r.anomalous)
    misses = sum(r.score <= threshold for r in rows if r.anomalous)
    assert dome_evaluation.confusion == {
        "found": 18 - misses,
        "passed": 6 - alarms,
        "false alarm": alarms,
        "miss": misses,
    }
    assert dome_evaluation.false_alarm_rate == alarms / 6
    assert dome_evaluation.miss_rate == misses / 18


def test_json_holds_what_scripts_rely_on(dome_evaluation, tmp_path):
    path = tmp_path / "deep" / "evaluation.json"
    dome_evaluation.write_json(path)
    read = json.loads(path.read_text())
    always = {"category", "split", "image_auroc", "pixel_auroc", "au_pro", "image_auroc_ci", "per_defect", "threshold"}
    always |= {"n_good", "n_bad", "seconds_per_capture", "config"}
    assert always <= {key for key, value in read.items() if value is not None}
    assert read["image_auroc"] == dome_evaluation.image_auroc
    assert read["au_pro_ci"] == list(dome_evaluation.au_pro_ci)
    assert read["per_defect"]["bumps"]["au_pro"] == dome_evaluation.per_defect["bumps"].au_pro.value
    assert read["per_defect"]["bumps"]["n_bad"] == 12
    assert [row["id"] for row in read["captures"]] == [row.id for row in dome_evaluation.captures]
    assert read["captures"][3]["defects"] == ["bumps", "colors"]
    assert {row["verdict"] for row in read["captures"]} == {"good", "anomalous"}
    assert np.shape(read["captures"][0]["light_weights"]) == (2, 6)
    assert "maps" not in read
    assert [p.name for p in path.parent.iterdir()] == ["evaluation.json"]


def test_a_failed_write_leaves_the_old_file(dome_evaluation, tmp_path):
    path = tmp_path / "evaluation.json"
    dome_evaluation.write_json(path)
    before = path.read_bytes()
    with pytest.raises(TypeError):
        dataclasses.replace(dome_evaluation, config={"file": object()}).write_json(path)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_only_good_captures_give_reasons_instead_of_numbers(domes, lit):
    inspector, captures = domes
    evaluation = evaluate(inspector, lit.capture_list(c for c in captures if not c.anomalous))
    assert evaluation.image_auroc is None and evaluation.pixel_auroc is None and evaluation.au_pro is None
    assert evaluation.miss_rate is None and evaluation.false_alarm_rate is not None
    read = evaluation.to_json()
    assert read["image_auroc"] is None and read["image_auroc_ci"] is None
    assert read["undefined"]["image_auroc"] == "no defective capture"
    json.dumps(read, allow_nan=False)


def test_defective_captures_without_masks_leave_the_pixel_metrics_undefined(domes, lit):
    inspector, captures = domes
    bare = lit.capture_list(dataclasses.replace(c, mask=None, defect_masks={}) if c.anomalous else c for c in captures)
    evaluation = evaluate(inspector, bare, resamples=20)
    assert evaluation.image_auroc is not None and evaluation.pixel_auroc is None
    assert "18 of 18 defective captures have no mask (001, 002, 003, …)" in evaluation.metrics.au_pro.reason
    # Good captures need none.
    bare = lit.capture_list(c if c.anomalous else dataclasses.replace(c, mask=None) for c in captures)
    assert evaluate(inspector, bare, resamples=20).pixel_auroc == pytest.approx(
        evaluate(inspector, captures, resamples=20).pixel_auroc
    )


def test_a_split_without_labels_is_sent_to_predict(domes, lit):
    inspector, captures = domes
    private = lit.capture_list([dataclasses.replace(captures[0], anomalous=None)], split="test_private")
    with pytest.raises(DatasetError, match=r"Dome/test_private: capture 000 has no label.*afrd predict"):
        evaluate(inspector, private)
    with pytest.raises(DatasetError, match="has no captures"):
        evaluate(inspector, lit.capture_list([]))


def test_a_good_capture_with_a_marked_defect_is_refused(domes, lit):
    inspector, captures = domes
    wrong = dataclasses.replace(captures[1], anomalous=False, defects=())
    with pytest.raises(DatasetError, match="capture 001 is labelled good, but its mask"):
        evaluate(inspector, lit.capture_list([wrong]))


def test_answers_that_are_no_scores_or_maps_are_refused(domes, lit):
    _, captures = domes
    broken = lit.detector(captures[:2], captures[:1])
    broken.mean = broken.mean.copy()
    broken.mean[0, 0, 0, 0] = np.nan
    with pytest.raises(ModelError, match=r"capture 000: .*not finite"):
        evaluate(broken, captures)

    class Halved(lit.detector):
        def inspect_capture(self, capture):
            whole = super().inspect_capture(capture)
            return dataclasses.replace(whole, map=CoarseMap(whole.anomaly_map[::2, ::2]))

    with pytest.raises(ModelError, match=r"capture 000: .*\[24, 24\]; expected .*\[48, 48\]"):
        evaluate(Halved(captures[:2], captures[:1]), captures)


def test_captures_are_read_one_at_a_time_and_let_go(domes):
    inspector, captures = domes
    alive = weakref.WeakSet()
    most = 0

    class Disk(Sequence):
        category, split, lights = "Dome", "test_public", captures[0].lights

        def __len__(self):
            return len(captures)

        def __getitem__(self, i):
            nonlocal most
            images = captures[i].images.copy()
            alive.add(token := images.view(_Tracked))
            most = max(most, len(alive))
            return dataclasses.replace(captures[i], images=token)

    seen = []
    evaluate(inspector, Disk(), resamples=20, progress=lambda done, total: seen.append((done, total)))
    assert most <= 2
    assert not alive
    assert seen == [(i + 1, 24) for i in range(24)]


class _Tracked(np.ndarray):
    """An array that can be referred to weakly, and hashed by identity."""

    __hash__ = object.__hash__

    def __eq__(self, other):
        return self is other


def test_sixteen_bit_captures(lit):
    rng = np.random.default_rng(1)
    good = [lit.capture(rng, f"t{i}", dtype=np.uint16) for i in range(8)]
    bad = [lit.capture(rng, f"b{i}", ("colors",), dtype=np.uint16) for i in range(4)]
    inspector = lit.detector(good[:4], good[4:6])
    assert evaluate(inspector, lit.capture_list(good[6:] + bad), resamples=20).image_auroc > 0.8
