"""What the threshold promises, from captures on disk to what the user reads."""

import json
import subprocess
import sys

import pytest

from afrd import Inspector
from afrd.datasets import open_dataset
from afrd.errors import DatasetError
from afrd.training import TrainConfig, train
from afrd.training.false_alarms import advice
from captures import write_folder


@pytest.fixture(scope="module")
def grouped(tmp_path_factory):
    """Six parts to learn from and 22 held out, each photographed twice, left and right; 3 good and 3 bad to test."""
    root = tmp_path_factory.mktemp("grouped")
    counts = {"train": {"good": 12}, "val": {"good": 44}, "test": {"good": 3, "scratch": 3}}
    write_folder(root, counts, size=32, pattern="{id}_{light}.png", masks=False)
    for path in sorted(root.glob("*/*/*.png")):
        number, light = path.stem.split("_")
        name = f"{path.parts[-3]}{int(number) // 2}_{int(number) % 2}_{light}.png"
        path.rename(path.with_name(name))
    return root


PATTERN = "{group}_{id}_{light}.png"
CONFIG = TrainConfig(
    image_size=64, false_alarm_rate=0.05, painting={"pairs": 4, "captures": 4}, disturbing={"copies": 0}, folds=0
)


def afrd(*arguments) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-m", "afrd", *map(str, arguments)], capture_output=True, text=True)


@pytest.mark.slow
def test_the_promise_is_about_parts_and_is_read_by_the_user(grouped, tmp_path):
    checked = afrd("check", grouped, "--pattern", PATTERN)
    assert "captures train 12 of 6 parts, val 44 of 22 parts, test 6 of 4 parts; 3 lights" in checked.stdout
    options = ("--pattern", PATTERN, "--image-size", 64, "--painting-pairs", 4, "--painting-captures", 4)
    options += ("--disturbing-copies", 0, "--folds", 0)
    done = afrd("train", grouped, "--out", tmp_path / "run", *options)
    assert done.returncode == 0, done.stderr
    assert "false alarms: 5 %, at most 12 % with 90 % confidence, from 22 parts" in done.stdout
    assert "  5 % with 90 % confidence takes 23 more held-out good parts and --false-alarm-rate 0.02" in done.stdout
    inspector = Inspector.load(tmp_path / "run")
    card = inspector.card
    assert (card.holdout, card.holdout_parts, card.false_alarm_rate) == (44, 22, 0.05)
    scores = [inspector.inspect_capture(c).score for c in open_dataset(grouped, split="val", pattern=PATTERN)]
    above = sum(score > card.threshold for score in scores)
    assert above == 0  # 23 · 0.05 - 1 is 0.15 of a part, less than half of one
    evaluated = afrd("evaluate", tmp_path / "run", grouped, "--pattern", PATTERN, "--json", tmp_path / "e.json")
    assert "False alarms stated: 5 %, at most 12 %" in evaluated.stdout.replace("\n", " ")
    assert len(json.loads((tmp_path / "e.json").read_text())["captures"]) == 6  # still one by one
    report = afrd("report", tmp_path / "run", grouped, "--pattern", PATTERN, "--out", tmp_path / "r.html")
    assert report.returncode == 0, report.stderr
    assert "False alarms stated: 5 %, at most 12 %" in (tmp_path / "r.html").read_text()


def test_a_rate_below_what_the_parts_promise_by_the_tail(grouped, tmp_path):
    good, held_out = (open_dataset(grouped, split=split, pattern=PATTERN) for split in ("train", "val"))
    few = held_out.subset(range(20))  # ten parts
    low = CONFIG.model_copy(update={"false_alarm_rate": 0.001})
    with pytest.raises(DatasetError, match=r"10 held-out good parts; --tail gpd takes at least 20"):
        train(good, tmp_path / "few", low.model_copy(update={"tail": "gpd"}), holdout=few)
    assert not (tmp_path / "few").exists()
    card = train(good, tmp_path / "tail", low.model_copy(update={"tail": "gpd"}), holdout=held_out)
    with pytest.warns(UserWarning, match=r"22 held-out good parts can promise .* 4.3 %, not 0.1 %.*Hold out 977 more"):
        plain = train(good, tmp_path / "plain", low, holdout=held_out)
    assert (card.tail, plain.tail) == ("gpd", "conformal")
    assert card.threshold > plain.threshold and plain.threshold_interval is None
    assert card.threshold_interval[0] < card.threshold
    assert 0.001 <= card.false_alarm_rate < card.false_alarm_bound < plain.false_alarm_rate
    assert len(card.thresholds_without) == 3
    assert advice(plain)[0] == "0.1 % takes 977 more held-out good parts"
    assert advice(card)[0] == "0.1 % to be observed instead of extrapolated takes 977 more held-out good parts"


def test_a_part_on_both_sides_is_an_error(grouped, tmp_path):
    good = open_dataset(grouped, split="train", pattern=PATTERN)
    with pytest.raises(DatasetError, match=r"group good-train4 also has captures in another split"):
        train(good.subset(range(9)), tmp_path / "r", CONFIG, holdout=good.subset(range(9, 12)))
