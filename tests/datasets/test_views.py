"""Parts seen from several sides: one verdict for a part from all its views, in Python and by every command."""

import json
import shutil

import numpy as np
import pytest
from typer.testing import CliRunner

from afrd.capture import LightRig
from afrd.checkpoint import load_card
from afrd.cli import app
from afrd.comparison.class_data import ClassData
from afrd.comparison.job import Job, Settings
from afrd.comparison.results import Store, read_results
from afrd.comparison.worker import run_job
from afrd.datasets import open_dataset, read_captures
from afrd.datasets.pattern import Name, Pattern
from afrd.errors import DatasetError, StationError
from afrd.evaluation.parts import judge_parts, part_metrics
from afrd.families import FAMILIES, register
from afrd.station.judge import load_version
from afrd.training.false_alarms import of_whole_parts
from captures import write_folder
from command import afrd
from layouts import write_light_folders, write_m2ad, write_mvtec_ad2, write_psad, write_real_iad_d3, write_vision
from toy_family import Toy

PATTERN = "{id}/{view}_{light}.png"


@pytest.fixture(autouse=True)
def toy():
    register(Toy())
    yield
    FAMILIES.pop()


def write_views(root):
    """Two views of each part, `a` and `b`; the scratch of part 000 is marked in `b` alone, that of 001 nowhere."""
    for view in ("a", "b"):
        counts = {"train": {"good": 4}, "test": {"good": 2, "scratch": 2}}
        write_folder(root, counts, size=64, pattern="{id}/" + view + "_{light}.png", masks=False)
    write_folder(root / "other", {"test": {"scratch": 1}}, size=64)
    (root / "masks/scratch").mkdir(parents=True)
    (root / "other/masks/scratch/000.png").rename(root / "masks/scratch/000-b.png")
    shutil.rmtree(root / "other")


def run(*command):
    done = CliRunner().invoke(app, list(map(str, command)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def test_a_view_has_the_fewest_characters_and_the_part_is_the_group_or_the_id():
    named = Pattern("{id}_{view}_{light}.png", ("top", "top_left"))
    assert named.match("part_1_v2_top_left.png") == (Name("part_1", None, "v2"), "top_left")
    assert named.match("part_1_v2_top.png")[0].part == "part_1"
    grouped = Pattern("{group}_{id}_{view}_{light}.png")
    assert grouped.match("part_1_3_v2_top.png") == (Name("3", "part_1", "v2"), "top")
    assert str(Name("3", "part_1", "v2")) == "part_1-3-v2" and Name("3", "part_1", "v2").part == "part_1"
    assert grouped.fill(Name("3", "p", "v2"), "top") == "p_3_v2_top.png"
    with pytest.raises(DatasetError, match=r"has \{view\} twice"):
        Pattern("{id}/{view}/{view}_{light}.png")


def test_a_view_without_a_mask_shows_no_defect_where_another_has_one(tmp_path):
    write_views(tmp_path)
    test = open_dataset(tmp_path, split="test", pattern=PATTERN)
    labels = {record.id: record.anomalous for record in test.records if record.id.startswith("scratch")}
    assert labels == {"scratch-000-a": False, "scratch-000-b": True, "scratch-001-a": True, "scratch-001-b": True}
    assert test.groups[-1] == "test-scratch-001" and test.views
    unknown = read_captures([tmp_path / "test/scratch"], LightRig(("left", "right", "top")), pattern=PATTERN)
    assert unknown.groups == ["000", "000", "001", "001"] and unknown.views


def test_a_part_is_as_bad_as_its_worst_view_and_not_good_while_a_light_is_at_fault():
    views = [("p-a", "good", 1.0), ("q-a", "good", 1.0), ("p-b", "anomalous", 3.0), ("q-b", "light fault", 0.5)]
    p, q = judge_parts(["p", "q", "p", "q"], views)
    assert (p.verdict, p.score, p.mean_score, p.worst, p.views) == ("anomalous", 3.0, 2.0, "p-b", 2)
    assert (q.verdict, q.score) == ("light fault", 1.0)


def test_a_part_without_a_view_that_others_have_is_not_good():
    views = [("p-a", "good", 1.0), ("q-a", "good", 1.0), ("q-b", "good", 0.5), ("r-a", "anomalous", 4.0)]
    p, q, r = judge_parts("pqqr", views, {"p": ("b",), "r": ("b",)})
    assert [part.verdict for part in (p, q, r)] == ["light fault", "good", "anomalous"]
    assert (p.missing, q.missing) == (("b",), ())


def test_a_view_under_a_light_fault_gives_a_part_no_score():
    views = [("p-a", "anomalous", 3.0), ("p-b", "light fault", 9.0), ("q-a", "light fault", 2.0), ("q-b", "good", 1.0)]
    views += [("r-a", "good", 1.0), ("s-a", "anomalous", 4.0)]
    found = part_metrics(list("ppqqrs"), [False] * 5 + [True], views, resamples=20)
    p, q, *_ = found.parts
    assert (p.verdict, p.score, p.mean_score, p.worst, p.views) == ("anomalous", 3.0, 3.0, "p-a", 2)
    assert (q.verdict, q.score, q.worst) == ("light fault", 1.0, "q-b")
    assert (found.auroc.value, found.mean_auroc.value) == (1.0, 1.0)  # 4 above 3 and 1; q is in none
    assert (found.n_good, found.n_bad) == (2, 1)
    assert found.confusion == {"found": 1, "passed": 1, "false alarm": 1, "miss": 0, "light fault": 1}
    dark = part_metrics(["q", "q"], [False, False], views[2:3] * 2)
    assert dark.auroc.reason == "no part was judged, 1 have a fault of the lights or lack a view"


def test_metrics_of_parts_against_numbers_by_hand():
    views = [("a", "good", 1.0), ("a2", "good", 4.0), ("b", "anomalous", 5.0), ("b2", "good", 0.0), ("c", "good", 3.0)]
    found = part_metrics(["a", "a", "b", "b", "c"], [False, False, True, False, False], views, resamples=20)
    assert found.auroc.value == 1.0  # 5 above 4 and 3
    assert found.mean_auroc.value == 0.25  # 2.5 equals one 2.5 and is below 3
    assert found.confusion == {"found": 1, "passed": 2, "false alarm": 0, "miss": 0, "light fault": 0}


def test_the_threshold_counts_a_part_by_its_worst_view_each_time_it_was_scored(tmp_path):
    write_views(tmp_path)
    train = open_dataset(tmp_path, pattern=PATTERN).subset([0, 1, 2, 3, 0, 1, 2, 3])  # two parts, disturbed once
    scores, parts = of_whole_parts([1, 2, 3, 4, 5, 6, 8, 7], train)
    assert (scores, parts) == ([2, 4, 6, 8], ["train-good-000", "train-good-001"] * 2)


def test_every_command_gives_parts_one_verdict_or_none_without_their_views(tmp_path):
    write_views(tmp_path / "data")
    data, model = tmp_path / "data", tmp_path / "run"
    assert "train 8 of 4 parts, test 8 of 4 parts" in run("check", data, "--pattern", PATTERN)
    options = ["--fusion", "toy", "--cells", 8, "--image-size", 64, "--pattern", PATTERN, "--holdout-share", 0.5]
    run("train", data, "--out", model, *options)
    assert load_card(model).holdout_parts == 2
    said = run("evaluate", model, data, "--pattern", PATTERN, "--json", tmp_path / "e.json")
    assert "One verdict for a part, from all its views" in said
    parts = json.loads((tmp_path / "e.json").read_text())["parts"]
    assert [part["anomalous"] for part in parts["parts"]] == [False, False, True, True]
    assert parts["n_good"] + parts["n_bad"] + parts["confusion"]["light_fault"] == 4
    said = run(
        *("predict", model, data / "test/scratch", "--pattern", PATTERN),
        *("--out", tmp_path / "o", "--jsonl", tmp_path / "o.jsonl"),
    )
    assert "part 000, worst view 000-" in said
    lines = [json.loads(line) for line in (tmp_path / "o.jsonl").read_text().splitlines()]
    assert [line["part"] for line in lines if "part" in line] == ["000", "001"]
    assert load_card(model).views == ("a", "b")
    good = data / "test/good"
    for file in (good / "001").glob("b_*"):
        file.unlink()
    said = run("predict", model, good, "--pattern", PATTERN, "--out", tmp_path / "g", "--jsonl", tmp_path / "g.jsonl")
    assert "without view b" in said
    lines = [json.loads(line) for line in (tmp_path / "g.jsonl").read_text().splitlines()]
    lacking = {line["part"]: (line["missing_views"], line["verdict"]) for line in lines if "part" in line}
    assert lacking["000"][0] == [] and lacking["001"][0] == ["b"] and lacking["001"][1] != "good"
    write_folder(tmp_path / "single", {"test": {"good": 2, "scratch": 2}}, size=64)
    for command in (
        ["predict", model, tmp_path / "single/test/good", "--out", tmp_path / "s"],
        ["evaluate", model, tmp_path / "single"],
    ):
        refused = afrd(*command, check=1)
        assert "judges a part from all its views, a, b" in refused.stderr and "--pattern" in refused.stderr
    with pytest.raises(StationError, match="several views, a, b"):
        load_version(model, None, None)


@pytest.mark.parametrize(
    "write", [write_m2ad, write_psad, write_mvtec_ad2, write_real_iad_d3, write_vision, write_light_folders]
)
def test_public_layouts_are_read_unchanged_from_check_to_benchmark(tmp_path, write):
    data = tmp_path / "data"
    written = write(data, size=64)
    data = written if write is write_real_iad_d3 else data
    assert "no problems found" in run("check", data)
    options = ["--fusion", "toy", "--cells", 8, "--image-size", 64, "--holdout-share", 0.5]
    run("train", data, "--out", tmp_path / "run", *options)
    run("evaluate", tmp_path / "run", data, "--json", tmp_path / "e.json")
    answer = json.loads((tmp_path / "e.json").read_text())
    assert answer["n_good"] and answer["n_bad"] and np.isfinite(answer["pixel_auroc"])
    settings = Settings(image_size=64, epochs=1)
    store = Store(tmp_path / "comparison")
    store.open(settings)
    name = open_dataset(data).category
    if write is not write_m2ad:  # what a job of the comparison reads, which takes long
        compared = ClassData(data, name, settings, store.features)
        assert compared.images("test", "0").shape == (len(answer["captures"]), 3, 64, 64)
        assert [record.id for record, *_ in compared.truths] == [one["id"] for one in answer["captures"]]
        return
    assert run_job(data, Job(name, "ssim-ae", "0", 0), settings, store.folder) == "done"
    (result,) = read_results(store.folder).values()
    assert [one["id"] for one in result["captures"]] == [one["id"] for one in answer["captures"]]
    assert [[part["anomalous"] for part in one["parts"]["parts"]].count(True) for one in (result, answer)] == [4, 4]
