"""What scripts of measurements share: settings that differ are refused, and differences are those of the comparison."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

sys.path.insert(0, str(Path(__file__).parents[2]))  # no package that is installed

from benchmarks.by_class import measure_classes
from benchmarks.learned import less


def test_a_file_of_classes_says_of_each_how_it_was_made_and_takes_no_other_settings(tmp_path):
    out = tmp_path / "classes.json"
    measure_classes(out, ["A"], str.lower, epochs=4)
    made = json.loads(out.read_text())["made"]
    measure_classes(out, ["A", "B"], str.lower, epochs=4)
    found = json.loads(out.read_text())
    assert found["classes"] == {"A": "a", "B": "b"} and found["epochs"] == 4
    assert found["made"]["A"] == made["A"] and {"versions", "commit"} == found["made"]["B"].keys()
    with pytest.raises(SystemExit, match=r"classes.json: measured with other settings \(epochs: 4 → 40\)"):
        measure_classes(out, ["C"], str.lower, epochs=40)
    assert json.loads(out.read_text()) == found
    measure_classes(out, ["A", "B"], str.lower, epochs=40)  # nothing to measure


def test_a_file_of_before_keeps_what_it_said_for_its_classes(tmp_path):
    out = tmp_path / "classes.json"
    out.write_text(json.dumps({"classes": {"A": 1}, "versions": {"torch": "1"}, "commit": "old"}))
    measure_classes(out, ["A", "B"], str.lower)
    found = json.loads(out.read_text())
    assert found["made"]["A"] == {"versions": {"torch": "1"}, "commit": "old"} != found["made"]["B"]
    assert "commit" not in found


def test_a_difference_of_areas_is_paired():
    rng = np.random.default_rng(0)
    labels = [False] * 20 + [True] * 20
    others = rng.normal(size=40) + labels
    scores = others + np.array(labels)
    value, low, high = less("A", labels, scores.tolist(), others.tolist())
    expected = roc_auc_score(labels, scores) - roc_auc_score(labels, others)
    assert value == pytest.approx(expected, abs=1e-4) and 0 < low < value < high
    assert less("A", labels, others.tolist(), others.tolist()) == [0, 0, 0]
