"""The paired tests and the sentences made from them."""

import numpy as np
import pytest

from afrd.comparison.job import ALL_LIGHTS, Job
from afrd.comparison.paired import verdicts
from afrd.comparison.tables import build_tables
from comparison_folder import THREE, ComparisonFolder, area


def test_tests_compare_what_they_say(folder, tables):
    by_key = {test.key: test for test in tables.tests}
    lights = [f"light-{i}" for i in range(6)]
    assert list(by_key) == ["mean", *lights, "best-light", "oracle", "late-mean", "late-max", "paper-attention"]
    mean = by_key["mean"]
    expected = [
        np.mean([area(folder, Job(n, m, ALL_LIGHTS, s)) for n in THREE for s in (0, 1)]) for m in ("attention", "mean")
    ]
    assert (mean.subject, mean.value) == pytest.approx(tuple(expected))
    assert mean.difference == pytest.approx(expected[0] - expected[1])
    assert mean.classes == THREE and mean.family == len(by_key)
    averages = [np.mean([area(folder, Job(n, "rd", str(i), s)) for n in THREE for s in (0, 1)]) for i in range(6)]
    assert by_key["best-light"].value == pytest.approx(max(averages))
    assert f"L{np.argmax(averages) + 1}, chosen on the test labels" in by_key["best-light"].other
    assert by_key["oracle"].value >= by_key["best-light"].value
    assert all(test.holm >= test.p for test in tables.tests)
    one = tables.table("tests-classes").cell("Confetto", "RD L3")
    both = [
        np.mean([area(folder, Job("Confetto", *what, s)) for s in (0, 1)])
        for what in (("attention", ALL_LIGHTS), ("rd", "2"))
    ]
    assert one.value == pytest.approx(both[0] - both[1])
    assert one.main.startswith(("+", "−"))


def test_verdicts_follow_the_intervals(tmp_path):
    folder = ComparisonFolder(tmp_path / "verdicts", n_good=20, n_bad=20)
    rng = np.random.default_rng(0)
    for name in THREE:
        shared = rng.normal(size=40) + 6
        for method, gain in (("attention", 1.5), ("mean", 0.0), ("late-mean", 4.0), ("late-max", 1.5)):
            scores = shared + gain * folder.labels + 0.05 * rng.normal(size=40)
            folder.done(Job(name, method, ALL_LIGHTS, 0), scores)
    tables = build_tables(folder.root)
    sentences = verdicts(tables.tests, tables.kind)
    assert len(sentences) == 5
    assert sentences[0].startswith("Attention over mean fusion: shown. I-AUROC 0.")
    assert "3 classes of rendered captures" in sentences[0]
    assert sentences[1] == "Attention over the best fixed light: not tested, results are missing."
    assert sentences[2] == "Attention over the oracle light: not tested, results are missing."
    assert sentences[3].startswith("Attention over late fusion by mean: shown the other way. ")
    assert sentences[4].startswith("Attention over late fusion by normalised maximum: not shown. ")


def test_the_joint_model_is_compared_with_the_same_others_and_with_attention(tmp_path):
    folder = ComparisonFolder(tmp_path / "joint", n_good=20, n_bad=20)
    rng = np.random.default_rng(0)
    for name in THREE:
        shared = rng.normal(size=40) + 6
        for method, gain in (("attention", 1.0), ("mean", 3.0), ("joint", 3.0)):
            folder.done(Job(name, method, ALL_LIGHTS, 0), shared + gain * folder.labels + 0.05 * rng.normal(size=40))
    table = build_tables(folder.root).table("tests-joint")
    assert [row.title for row in table.rows] == ["mean", "attention"]
    assert "Joint Gaussian over attention: shown. I-AUROC 0." in " ".join(table.notes)
    assert "Joint Gaussian over mean fusion: not shown" in " ".join(table.notes)
    for path in folder.root.glob("results/*__joint__*"):
        path.unlink()
    assert "tests-joint" not in {t.key for t in build_tables(folder.root).tables}
