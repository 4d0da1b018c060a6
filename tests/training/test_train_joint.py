"""The joint model: fitted in two passes, whoever interrupts it."""

import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from afrd import Inspector
from afrd.checkpoint import load_card
from afrd.datasets import open_dataset
from afrd.training import TrainConfig, train


@pytest.mark.slow
def test_the_joint_model_is_fitted_in_two_passes_and_goes_on_after_a_kill(tiny, tmp_path):
    joint = TrainConfig(image_size=64, false_alarm_rate=0.2)
    good, held_out = (open_dataset(tiny, "Confetto", split) for split in ("train", "val"))
    read = []
    card = train(
        good, tmp_path / "whole", joint, holdout=held_out, on_features=lambda done, total: read.append((done, total))
    )
    assert card.fusion == "joint"
    assert read == [(i, 2 * (12 + 6) + 120 + 12) for i in range(1, 169)]
    assert (card.captures, card.holdout_parts, card.holdout) == (18, 18, 18)
    assert len(card.thresholds_without) == 6
    command = [sys.executable, "-m", "afrd", "train", tiny, "--category", "Confetto", "--out"]
    options = ["--image-size", "64", "--false-alarm-rate", "0.2"]
    killed = [*map(str, [*command, tmp_path / "killed", *options])]
    process = subprocess.Popen(killed, stderr=subprocess.DEVNULL)
    while not (tmp_path / "killed" / "teacher.safetensors").exists():
        assert process.poll() is None
        time.sleep(0.01)
    process.kill()
    process.wait()
    assert not (tmp_path / "killed" / "model.yaml").exists()
    subprocess.run([*killed, "--resume"], check=True, stderr=subprocess.DEVNULL)
    assert_near(tmp_path / "whole", tmp_path / "killed")
    assert load_card(tmp_path / "killed").threshold == pytest.approx(card.threshold, rel=1e-2)


@pytest.mark.slow
def test_a_held_out_part_that_is_none_is_named_and_does_not_make_all_parts_good(tiny, tmp_path):
    data = tmp_path / "data"
    shutil.copytree(tiny, data)
    noise = np.random.default_rng(0).integers(0, 256, (6, 64, 64, 3), np.uint8)
    first = sorted((data / "Confetto/val/data").glob("*_image_0.png"))[0]
    for k, image in enumerate(noise):
        Image.fromarray(image).save(first.with_name(first.name.replace("image_0", f"image_{k}")))
    good, held_out = (open_dataset(data, "Confetto", split) for split in ("train", "val"))
    with pytest.warns(UserWarning, match=f"{first.name}.*take it out if it is bad"):
        train(good, tmp_path / "run", TrainConfig(image_size=64), holdout=held_out)
    inspector = Inspector.load(tmp_path / "run", check_lights=False)
    assert inspector.inspect(noise.transpose(0, 3, 1, 2)[::-1].copy()).anomalous
    assert not any(inspector.inspect_capture(capture).anomalous for capture in list(held_out)[1:])


def assert_near(a: Path, b: Path) -> None:
    """Equal but for the order of sums, which follows the number of threads; one capture less would show."""
    one, other = load_file(a / "model.safetensors"), load_file(b / "model.safetensors")
    assert one.keys() == other.keys()
    assert int(one["samples"]) == int(other["samples"]) == 2 * (12 + 6) * 8 * 8
    for name in ("mean", "covariance", "defects.covariance"):
        assert one[name].any()
        torch.testing.assert_close(one[name], other[name], rtol=1e-3, atol=1e-5)
