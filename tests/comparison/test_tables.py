"""The tables as a reader gets them: the right numbers in the right cells, what is missing said, nothing executable."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from afrd.comparison import paper
from afrd.comparison.job import ALL_LIGHTS, MEAN_IMAGE, Job
from afrd.comparison.methods import METHODS
from afrd.comparison.series import MEAN_SCORE, ORACLE_LIGHT, Column, load_comparison
from afrd.comparison.tables import build_tables, write_tables
from afrd.errors import ModelError, RunError
from comparison_folder import LIGHTS, THREE, ComparisonFolder, area, strength


def test_printed_averages_are_those_of_the_printed_values():
    """Table by table, hand-copied from the paper's text against the values that are shipped."""
    rows = {
        ("I", "image_auroc"): "0.507 0.555 0.692 0.701 0.708 0.794 0.796 0.861",
        ("II", "image_auroc"): "0.807 0.828 0.829 0.799 0.827 0.796",
        ("III", "image_auroc"): "0.796 0.834 0.861",
        ("III", "pixel_auroc"): "0.969 0.975 0.982",
    }
    for (table, metric), printed in rows.items():
        columns = list(dict.fromkeys((m, light) for t, _, m, light, k in paper.printed() if (t, k) == (table, metric)))
        assert len(columns) == len(printed.split())
        for (method, light), expected in zip(columns, map(float, printed.split()), strict=True):
            values = [paper.value(table, name, method, light, metric) for name in paper.CLASSES]
            assert np.mean(values) == pytest.approx(expected, abs=0.00051), (table, method, light)
            assert paper.average(table, paper.CLASSES, method, light, metric) == expected
    assert len(paper.printed()) == 200
    assert paper.value("III", "HazelnutTruffle", "mean", "", "pixel_auroc") == 0.922
    oracle = [max(paper.value("II", name, "rd", f"L{i}") for i in range(1, 7)) for name in paper.CLASSES]
    assert np.mean(oracle) == pytest.approx(0.8645)  # above the paper's own 0.861


def test_paper_columns_name_methods_that_exist():
    assert set(paper.TABLE_1.values()) | set(paper.TABLE_3.values()) <= set(METHODS)


def test_a_cell_is_the_mean_over_seeds(folder, tables):
    expected = np.mean([area(folder, Job("Confetto", "attention", ALL_LIGHTS, seed)) for seed in (0, 1)])
    for table, title in (("I", "AFRD (attention)"), ("II", "attention"), ("III", "I-AUROC AFRD (attention)")):
        cell = tables.table(table).cell("Confetto", title, "rendered")
        assert (cell.value, cell.seeds) == (pytest.approx(expected), 2)
        assert cell.interval[0] < expected < cell.interval[1]
        assert cell.main == f"{expected:.3f}" and cell.details.endswith("×2")


def test_table_1_shows_single_image_methods_under_light_6(folder, tables):
    table = tables.table("I")
    assert table.cell("Confetto", "RD", "rendered").value == pytest.approx(
        np.mean([area(folder, Job("Confetto", "rd", "5", seed)) for seed in (0, 1)])
    )
    ganomaly = table.cell("Confetto", "GANomaly", "rendered")
    assert ganomaly.value == pytest.approx(area(folder, Job("Confetto", "ganomaly", "5", 0)))
    assert table.cell("Confetto", "GANomaly", "paper").value == 0.504
    assert table.cell("Peppermint Candy", "AFRD (attention)", "paper").value == 1.0
    sources = [heading.source for heading in table.headings]
    assert sources == ["paper", "rendered"] * 8


def test_oracle_takes_the_best_light_of_each_class(folder, tables):
    table = tables.table("II")
    for name, light in (("Lollipop", 1), ("Confetto", None)):
        areas = [np.mean([area(folder, Job(name, "rd", str(i), s)) for s in (0, 1)]) for i in range(6)]
        cell = table.cell(name, "ORACLE light", "rendered")
        assert cell.value == pytest.approx(max(areas))
        assert cell.text == f"(L{np.argmax(areas) + 1})"
        assert light is None or cell.text == f"(L{light})"
        assert not cell.best


def test_mean_score_is_the_plain_mean_over_lights(folder):
    comparison = load_comparison(folder.root)
    results = folder.store.read()
    series = comparison.series["Confetto", Column("rd", MEAN_SCORE)]
    assert series.runs.seeds == (0, 1)
    for row, seed in zip(series.runs.scores, (0, 1), strict=True):
        captures = [results[Job("Confetto", "rd", str(i), seed)]["captures"] for i in range(6)]
        assert row == pytest.approx([np.mean([c[k]["score"] for c in captures]) for k in range(24)])
    assert ("Lollipop", Column("padim", MEAN_SCORE)) not in comparison.series
    assert comparison.series["Lollipop", Column("rd", ORACLE_LIGHT)].light == 0


def test_missing_failed_and_mapless_cells_say_so(tables):
    first = tables.table("I")
    assert first.cell("Lollipop", "PaDiM", "rendered").main == "failed"
    assert first.cell("Marshmallow", "PaDiM", "rendered").main == "–"
    assert first.cell("Confetto", "STFPM", "rendered").main == "–"
    others = "Chocolate Cookie, Chocolate Praline, Gummy Bear, Hazelnut Truffle, Licorice Sandwich, Marshmallow"
    # PaDiM on Lollipop failed, which is not missing: its reason is listed.
    assert first.missing == f"all methods: {others}, Peppermint Candy; DFKDE, DFM, AE (SSIM), STFPM: all classes"
    lollipop = first.cell("Lollipop", "AFRD (attention)", "rendered")
    assert lollipop.seeds == 2 and "(1 failed)" in lollipop.details
    everything = tables.table("all")
    rows = [r for r in everything.rows if r.title == "GANomaly"]
    assert len(rows) == len(LIGHTS) + 3 and all(r.cells[3].main == r.cells[4].main == "no map" for r in rows)
    assert any("Lollipop, PaDiM, L6, seed 0: <img" in failure for failure in tables.failures)
    assert len(tables.failures) == 2
    padim = [r.cells[1].main for r in everything.rows if r.title == "PaDiM" and r.cells[0].main == "L6"]
    assert padim == ["2 (1 failed)"]


def test_averages_are_over_the_classes_that_all_columns_have(folder, tables):
    table = tables.table("I")
    averages = [row for row in table.rows if row.average]
    assert [row.title for row in averages] == ["Average of 2 classes that all columns have"]
    here = table.cell(averages[0].title, "RD", "rendered")
    expected = np.mean([area(folder, Job(n, "rd", "5", s)) for n in ("CandyCane", "Confetto") for s in (0, 1)])
    assert here.value == pytest.approx(expected)
    assert table.cell(averages[0].title, "RD", "paper").value == pytest.approx((0.518 + 0.917) / 2)
    assert table.cell(averages[0].title, "STFPM", "rendered").main == "–"
    third = tables.table("II")
    assert [row.title for row in third.rows if row.average] == ["Average of 3 classes that all columns have"]
    widths = [np.diff(row.cells[1].interval) for row in third.rows if row.cells[1].interval]
    assert widths[-1] < np.mean(widths[:-1])  # of the average


def test_complete_table_averages_all_ten_and_prints_the_papers_average(tmp_path):
    folder = ComparisonFolder(tmp_path / "all", kind="eyecandies", n_good=4, n_bad=4)
    folder.fill(paper.CLASSES, ("mean", "attention"), strength)
    for name in paper.CLASSES:
        folder.done(Job(name, "rd", "5", 0), np.arange(8.0))
    table = build_tables(folder.root).table("III")
    assert [row.title for row in table.rows if row.average] == ["Average of all 10 classes"]
    assert table.cell("Average of all 10 classes", "P-AUROC AFRD (attention)", "paper").main == "0.982"
    assert table.cell("Average of all 10 classes", "I-AUROC RD", "here").value == 1.0
    pixel = table.cell("Average of all 10 classes", "P-AUROC mean", "here")
    assert pixel.interval == pytest.approx((0.9 - 0.05 / np.sqrt(10), 0.9 + 0.05 / np.sqrt(10)))
    assert not table.missing


def test_numbers_of_other_data_are_not_set_beside_the_papers(tmp_path, tables):
    assert any("data sets differ" in note for note in tables.table("I").notes)
    eyecandies = ComparisonFolder(tmp_path / "eyecandies", kind="eyecandies")
    own = ComparisonFolder(tmp_path / "own", kind="folder")
    for made in (eyecandies, own):
        made.fill(["Confetto"], ("mean",), strength)
    theirs, ours = build_tables(eyecandies.root), build_tables(own.root)
    assert not any("data sets differ" in note for table in theirs.tables for note in table.notes)
    assert {heading.source for heading in theirs.table("I").headings} == {"paper", "here"}
    assert {heading.source for heading in ours.table("I").headings} == {"here"}
    assert [row.title for row in ours.table("I").rows if not row.average] == ["Confetto"]
    assert len([row for row in theirs.table("I").rows if not row.average]) == 10


def test_defect_types_are_scored_against_the_good_captures(folder, tables):
    table = tables.table("defects")
    result = folder.store.read()[Job("Confetto", "mean", ALL_LIGHTS, 0)]
    assert [heading.title for heading in table.headings] == sorted(
        {d for c in result["captures"] for d in c["defects"]}
    )
    values = []
    for name in THREE:
        for seed in (0, 1):
            rows = folder.store.read()[Job(name, "mean", ALL_LIGHTS, seed)]["captures"]
            rows = [row for row in rows if not row["anomalous"] or "dents" in row["defects"]]
            values.append(roc_auc_score([row["anomalous"] for row in rows], [row["score"] for row in rows]))
    cell = table.cell("mean", "dents")
    assert cell.value == pytest.approx(np.mean(values)) and cell.text == "(3)"


def test_one_sided_captures_are_undefined_and_nothing_breaks(tmp_path):
    folder = ComparisonFolder(tmp_path / "good", n_good=6, n_bad=0)
    folder.done(Job("Confetto", "mean", ALL_LIGHTS, 0), np.arange(6.0))
    folder.done(Job("Confetto", "attention", ALL_LIGHTS, 0), np.arange(6.0))
    write_tables(folder.root, tmp_path / "out")
    tables = build_tables(folder.root)
    assert tables.table("II").cell("Confetto", "mean", "rendered").main == "undefined"
    assert not tables.tests


def test_one_undefined_class_leaves_no_average(tmp_path):
    folder = ComparisonFolder(tmp_path / "masks")
    for name, pixel in (("CandyCane", (0.9, 0.8)), ("Confetto", None)):
        folder.done(Job(name, "mean", ALL_LIGHTS, 0), np.arange(16.0), pixel=pixel)
    (row,) = build_tables(folder.root).table("all").rows
    assert [cell.main for cell in row.cells[2:5]] == ["1.000", "undefined", "undefined"]


def test_only_failures_still_make_tables(tmp_path):
    folder = ComparisonFolder(tmp_path / "failed")
    folder.failed(Job("Confetto", "mean", ALL_LIGHTS, 0), "ValueError: nothing works")
    write_tables(folder.root, tmp_path / "out")
    assert "ValueError: nothing works" in (tmp_path / "out" / "tables.md").read_text()
    assert build_tables(folder.root).table("II").cell("Confetto", "mean", "here").main == "failed"


def test_results_that_do_not_belong_together_are_refused(tmp_path):
    folder = ComparisonFolder(tmp_path / "mixed")
    with pytest.raises(RunError, match=r"holds no results; run `afrd benchmark"):
        build_tables(folder.root)
    folder.fill(["Confetto"], ("mean", "attention"), strength)
    mean = Job("Confetto", "mean", ALL_LIGHTS, 0)
    captures = folder.store.read()[mean]["captures"]
    folder.change(mean, captures=captures[:-1])
    with pytest.raises(RunError, match="made from different captures"):
        build_tables(folder.root)
    folder.change(mean, captures=captures, data={"kind": "rendered", "digests": {"test": "changed since"}})
    with pytest.raises(RunError, match="made from different captures"):
        build_tables(folder.root)
    folder.change(mean, captures=captures, data={"kind": "eyecandies", "digests": {}})
    with pytest.raises(RunError, match="different data sets"):
        build_tables(folder.root)
    folder.change(mean, data={"kind": "rendered", "digests": {}})
    folder.done(Job("Confetto", "no-such-method", "0", 0), np.arange(16.0))
    with pytest.raises(ModelError, match="no-such-method"):
        build_tables(folder.root)


def test_results_written_by_the_runner_are_read(folder):
    """The keys that the tables need are those of the contract: a result without them names itself."""
    comparison = load_comparison(folder.root)
    assert comparison.kind == "rendered" and comparison.lights == LIGHTS
    assert comparison.having(Column("ganomaly", MEAN_IMAGE)) == list(THREE)
    assert comparison.jobs["failed"] == 2


def test_tables_are_written_where_torch_is_not_installed(folder, tmp_path):
    code = (
        "import sys; sys.modules['torch'] = None\n"
        "from pathlib import Path\nfrom afrd.comparison.tables import write_tables\n"
        f"write_tables(Path({str(folder.root)!r}), Path({str(tmp_path)!r}))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert (tmp_path / "tables.md").is_file()
