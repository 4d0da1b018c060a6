import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from afrd.checkpoint import load_card, load_model
from afrd.datasets import open_dataset
from afrd.errors import DatasetError, RunError
from afrd.inspector import Inspector
from afrd.training import TrainConfig, train
from afrd.training.record import learned_from

CONFIG = TrainConfig(fusion="attention", epochs=3, image_size=64, false_alarm_rate=0.2)


def run(tiny: Path, out: Path, config: TrainConfig = CONFIG, **options):
    captures, holdout = (open_dataset(tiny, "Confetto", split) for split in ("train", "val"))
    return train(captures, out, config, holdout=holdout, **options)


def same_weights(a: Path, b: Path) -> bool:
    one, other = load_file(a / "model.safetensors"), load_file(b / "model.safetensors")
    return one.keys() == other.keys() and all(torch.equal(one[k], other[k]) for k in one)


def log(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


def test_two_runs_with_one_seed_are_equal_and_another_seed_is_not(tiny, tmp_path):
    cards = [run(tiny, tmp_path / name) for name in ("a", "b")]
    assert same_weights(tmp_path / "a", tmp_path / "b")
    assert cards[0] == cards[1]
    run(tiny, tmp_path / "c", CONFIG.model_copy(update={"seed": 1}))
    assert not same_weights(tmp_path / "a", tmp_path / "c")


def test_the_loss_falls_and_is_logged_every_epoch(tiny, tmp_path):
    seen = []
    config = CONFIG.model_copy(update={"epochs": 8, "fusion": "attention"})
    run(tiny, tmp_path / "r", config, on_epoch=lambda epoch, total: seen.append((epoch.epoch, total)))
    lines = log(tmp_path / "r")
    assert [line["epoch"] for line in lines] == list(range(1, 9)) == [epoch for epoch, _ in seen]
    assert lines[-1]["loss"] < 0.97 * lines[0]["loss"]
    assert all(abs(sum(level) - 1) < 1e-4 for level in lines[-1]["light_weights"])
    assert sorted(p.name for p in (tmp_path / "r").iterdir()) == [
        "log.jsonl",
        "model.safetensors",
        "model.yaml",
        "run.yaml",
        "teacher.safetensors",
    ]


@pytest.mark.parametrize("cache", ["disk", "off"])
def test_where_features_come_from_does_not_change_what_is_learned(tiny, tmp_path, cache):
    config = CONFIG.model_copy(update={"batch_size": 12, "learning_rate": 1e-4})
    run(tiny, tmp_path / "memory", config)
    run(tiny, tmp_path / cache, config.model_copy(update={"cache": cache}))
    if cache == "disk":  # the same half-precision values
        assert same_weights(tmp_path / "memory", tmp_path / cache)
    first, *later = [
        (a["loss"], b["loss"]) for a, b in zip(log(tmp_path / "memory"), log(tmp_path / cache), strict=True)
    ]
    assert first[0] == pytest.approx(first[1], rel=1e-4)  # before any update: the rounding of the features alone
    assert all(a == pytest.approx(b, rel=5e-3) for a, b in later)


def start(tiny: Path, out: Path, *options: str) -> subprocess.Popen:
    command = [sys.executable, "-m", "afrd", "train", tiny, "--category", "Confetto", "--out", out]
    command += ["--epochs", "12", "--image-size", "64", "--fusion", "attention", *options]
    return subprocess.Popen([*map(str, command)], stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_run_killed_twice_ends_with_the_weights_of_one_never_killed(tiny, tmp_path):
    assert start(tiny, tmp_path / "whole").wait() == 0
    killed, kills = tmp_path / "killed", 0
    for after in (2, 7):  # epochs
        process = start(tiny, killed, *(["--resume"] if kills else []))
        while process.poll() is None and not ((killed / "log.jsonl").exists() and len(log_lines(killed)) >= after):
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        kills += process.wait() == -signal.SIGKILL
    assert kills == 2
    with pytest.raises(RunError, match=r"not finished.*--resume"):
        load_model(killed)
    assert start(tiny, killed, "--resume").wait() == 0
    assert same_weights(tmp_path / "whole", killed)
    assert [line["epoch"] for line in log(killed)] == list(range(1, 13))
    assert load_card(killed) == load_card(tmp_path / "whole")
    assert not [p for p in killed.iterdir() if p.name.startswith((".", "epoch"))]


def log_lines(out: Path) -> list[str]:
    return (out / "log.jsonl").read_text().splitlines()


def test_resuming_a_finished_run_changes_nothing(tiny, tmp_path):
    run(tiny, tmp_path / "r")
    before = {p.name: p.read_bytes() for p in (tmp_path / "r").iterdir()}
    run(tiny, tmp_path / "r", resume=True)
    assert {p.name: p.read_bytes() for p in (tmp_path / "r").iterdir()} == before


def test_runs_in_the_way(tiny, tmp_path):
    run(tiny, tmp_path / "r")
    unreadable = open_dataset(tiny, "Confetto", "train").read_as(None).subset([])
    with pytest.raises(RunError, match=r"holds a run already; pass --resume"):
        train(unreadable, tmp_path / "r", CONFIG)  # before captures are looked at
    with pytest.raises(RunError, match=r"seed: 0 → 5.*start a new --out"):
        run(tiny, tmp_path / "r", CONFIG.model_copy(update={"seed": 5}), resume=True)
    run(tiny, tmp_path / "new", resume=True)  # killed before anything was written, say
    assert same_weights(tmp_path / "new", tmp_path / "r")
    for k, name in enumerate(("holiday.jpg", ".tmp/mine.txt", ".vimrc.tmpl")):  # hidden files are somebody's, too
        path = tmp_path / f"full{k}" / name
        path.parent.mkdir(parents=True)
        path.touch()
        with pytest.raises(RunError, match="not empty and no run"):
            run(tiny, tmp_path / f"full{k}")
        assert path.exists()


def test_other_data_is_not_the_run_that_was_started(tiny, tmp_path):
    run(tiny, tmp_path / "r")
    (tmp_path / "r" / "model.yaml").unlink()
    captures, holdout = (open_dataset(tiny, "Confetto", split) for split in ("train", "val"))
    with pytest.raises(RunError, match=r"captures: 12 → 11.*data_digest"):
        train(captures.subset(range(11)), tmp_path / "r", CONFIG, holdout=holdout, resume=True)
    with pytest.raises(RunError, match=r"holdout: 6 → 5.*holdout_digest"):
        train(captures, tmp_path / "r", CONFIG, holdout=holdout.subset(range(5)), resume=True)
    with pytest.raises(RunError, match=r"cache: on → off"):
        run(tiny, tmp_path / "r", CONFIG.model_copy(update={"cache": "off"}), resume=True)


def test_without_a_val_split_a_share_of_train_is_held_out(tiny, tmp_path):
    captures = open_dataset(tiny, "Confetto", "train")
    card = train(captures, tmp_path / "r", CONFIG.model_copy(update={"holdout_share": 0.34}))
    assert card.holdout == 4 and card.threshold > 0
    captures = captures.read_as(card.imaging)  # what says nothing of new parts is told
    assert learned_from(tmp_path / "r", captures)
    assert not learned_from(tmp_path / "r", captures.subset(range(11)))
    assert not learned_from(tmp_path / "r", open_dataset(tiny, "Confetto", "val").read_as(card.imaging))
    (tmp_path / "r" / "run.yaml").write_text("format: 9")
    assert not learned_from(tmp_path / "r", captures)


def test_few_held_out_captures_warn_what_they_can_promise(tiny, tmp_path):
    with pytest.warns(UserWarning, match=r"6 held-out good parts can promise .* 14 %, not 5 %.*Hold out 13 more"):
        card = run(tiny, tmp_path / "r", CONFIG.model_copy(update={"false_alarm_rate": 0.05}))
    assert card.false_alarm_rate == pytest.approx(1 / 7)
    assert card.false_alarm_bound == pytest.approx(1 - 0.1 ** (1 / 6))
    assert (card.holdout, card.holdout_parts, card.tail) == (6, 6, "conformal")


def test_bad_parts_are_not_learned_from(tiny, tmp_path):
    captures = open_dataset(tiny, "Confetto", "test_public")
    with pytest.raises(DatasetError, match="anomalous"):
        train(captures, tmp_path / "r", CONFIG)
    assert not (tmp_path / "r").exists()


def test_too_few_captures(tiny, tmp_path):
    with pytest.raises(DatasetError, match="1 captures left to train on"):
        train(open_dataset(tiny, "Confetto", "train").subset([0, 1]), tmp_path / "r", CONFIG)


def test_what_was_trained_finds_the_defects_of_parts_it_has_not_seen(tiny, tmp_path):
    run(tiny, tmp_path / "r", TrainConfig(epochs=30, image_size=64, fusion="mean", false_alarm_rate=0.2))
    inspector = Inspector.load(tmp_path / "r")
    test = open_dataset(tiny, "Confetto", "test_public")
    answers = [(capture, inspector.inspect_capture(capture)) for capture in test]
    good = [a.score for c, a in answers if not c.anomalous]
    bad = [a.score for c, a in answers if c.anomalous]
    assert sum(b > g for b in bad for g in good) / (len(bad) * len(good)) > 0.8
    for capture, answer in answers:
        assert answer.anomaly_map.shape == capture.size
        if capture.anomalous:
            assert answer.anomaly_map[capture.mask].mean() > answer.anomaly_map[~capture.mask].mean()


@pytest.mark.parametrize("name", ["model.safetensors", "teacher.safetensors", "model.yaml"])
def test_damaged_runs_name_the_file(tiny, tmp_path, name):
    run(tiny, tmp_path / "r")
    path = tmp_path / "r" / name
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(RunError, match=name):
        Inspector.load(tmp_path / "r")


def test_another_teacher_is_noticed(tiny, tmp_path, teacher):
    from safetensors.torch import save_file

    run(tiny, tmp_path / "r")
    state = {k: v.contiguous() for k, v in teacher.state_dict().items()}
    state["backbone.conv_stem.weight"] = state["backbone.conv_stem.weight"] + 0.01
    save_file(state, tmp_path / "r" / "teacher.safetensors")
    with pytest.raises(RunError, match=r"teacher.safetensors: not the teacher"):
        Inspector.load(tmp_path / "r")
    shutil.copyfile(tmp_path / "r" / "model.safetensors", tmp_path / "r" / "teacher.safetensors")
    with pytest.raises(RunError, match=r"teacher.safetensors: .* do not fit the teacher efficientnet_lite0"):
        Inspector.load(tmp_path / "r")


def test_runs_of_another_format_are_refused(tiny, tmp_path):
    run(tiny, tmp_path / "r")
    card = tmp_path / "r" / "model.yaml"
    card.write_text(card.read_text().replace("format: 3", "format: 7"))
    with pytest.raises(RunError, match=r"model.yaml: format 7"):
        Inspector.load(tmp_path / "r")
    with pytest.raises(RunError, match="no trained model here"):
        Inspector.load(os.fspath(tmp_path))


def test_left_overs_of_a_killed_process_are_removed(tiny, tmp_path):
    (tmp_path / "r" / ".epoch-0001.99.tmp").mkdir(parents=True)
    (tmp_path / "r" / ".run.99.tmp.yaml").write_text("half")
    run(tiny, tmp_path / "r")
    assert not [p for p in (tmp_path / "r").iterdir() if p.name.startswith(".")]


def test_one_process_at_a_time_in_a_run_folder(tiny, tmp_path):
    first = start(tiny, tmp_path / "r", "--epochs", "400")
    while first.poll() is None and not (tmp_path / "r" / "log.jsonl").exists():
        time.sleep(0.01)
    with pytest.raises(RunError, match="another process trains in this folder"):
        run(tiny, tmp_path / "r", resume=True)
    assert first.poll() is None
    first.kill()
    first.wait()


def test_a_damaged_capture_is_named_before_anything_is_written(tiny, tmp_path):
    shutil.copytree(tiny, tmp_path / "d")
    path = sorted((tmp_path / "d" / "Confetto" / "val" / "data").glob("*_image_2.png"))[-1]
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DatasetError, match=path.name):
        run(tmp_path / "d", tmp_path / "r")
    assert not (tmp_path / "r").exists()


def test_training_that_diverges_is_no_model(tiny, tmp_path):
    with pytest.raises(RunError, match=r"loss is (nan|inf) in epoch .*--learning-rate"):
        run(tiny, tmp_path / "r", CONFIG.model_copy(update={"learning_rate": 1e30}))
    with pytest.raises(RunError, match="not finished"):
        Inspector.load(tmp_path / "r")


def test_bf16_is_computed_in_bf16(tiny, tmp_path):
    run(tiny, tmp_path / "fp32")
    run(tiny, tmp_path / "bf16", CONFIG.model_copy(update={"precision": "bf16-mixed"}))
    assert not same_weights(tmp_path / "fp32", tmp_path / "bf16")
    for a, b in zip(log(tmp_path / "fp32"), log(tmp_path / "bf16"), strict=True):
        assert a["loss"] == pytest.approx(b["loss"], rel=0.02)


def test_short_trainings_take_larger_steps():
    """The paper: 1000 captures, batch 8, 100 epochs."""
    paper = TrainConfig(fusion="attention")
    assert paper.resolved(range(1000)).learning_rate == 4e-4
    assert paper.resolved(range(60)).learning_rate == 1.5e-3
    assert TrainConfig(fusion="attention", learning_rate=1e-4).resolved(range(60)).learning_rate == 1e-4


def test_parts_of_two_runs_are_not_one(tiny, tmp_path):
    run(tiny, tmp_path / "a")
    run(tiny, tmp_path / "b", CONFIG.model_copy(update={"seed": 1}))
    shutil.copy(tmp_path / "b" / "model.safetensors", tmp_path / "a")
    with pytest.raises(RunError, match=r"model.safetensors: not the weights"):
        Inspector.load(tmp_path / "a")


def test_what_was_trained_on_does_not_set_the_threshold(tiny, tmp_path):
    captures = open_dataset(tiny, "Confetto", "train")
    with pytest.raises(DatasetError, match="12 captures are both trained on and held out"):
        train(captures, tmp_path / "r", CONFIG, holdout=captures)


def test_a_run_can_be_read_by_others(tiny, tmp_path):
    run(tiny, tmp_path / "r")
    modes = {p.stat().st_mode & 0o777 for p in (tmp_path / "r").iterdir()}
    assert len(modes) == 1 and modes.pop() & 0o400
