"""Thresholds count each held-out part at its worst: as it is, or as one of its disturbed copies.

Copies that the rig check notes set the threshold of captures that it notes, and no other.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from afrd.datasets import open_dataset
from afrd.disturb import apply
from afrd.imaging import Imaging, Pixels
from afrd.imaging.region import Region
from afrd.inspector import Inspector
from afrd.rig import measure_rig
from afrd.training import TrainConfig, train
from afrd.training.disturbed import COPIES, disturbed_copies
from captures import write_folder, write_image

JOINT = {"painting": {"pairs": 4}, "disturbing": {"captures": 2, "copies": COPIES}, "folds": 0}


def _write(data: Path, counts: dict) -> Path:
    """Captures of a camera whose noise is between 1 and 2 grey levels."""
    write_folder(data, counts, size=64)
    rng = np.random.default_rng(0)
    for each in sorted(path for path in data.rglob("*") if list(path.glob("*.png"))):
        sigma = rng.uniform(1, 2)
        for path in sorted(each.glob("*.png")):
            image = np.asarray(Image.open(path)).transpose(2, 0, 1).astype(float)
            write_image(path, np.clip(np.rint(image + rng.normal(0, sigma, image.shape)), 0, 255).astype(np.uint8))
    return data


@pytest.mark.parametrize(
    ("fusion", "options"), [("mean", {"epochs": 1, "cache": "off"}), ("joint", JOINT), ("nearest", {})]
)
def test_it_is_the_largest_score_of_parts_and_copies(fusion, options, tmp_path):
    _write(tmp_path / "data", {"train": {"good": 6}, "val": {"good": 3}})
    captures, holdout = (open_dataset(tmp_path / "data", split=split) for split in ("train", "val"))
    config = TrainConfig(fusion=fusion, image_size=64, false_alarm_rate=0.2, **options)
    card = train(captures, tmp_path / "run", config, holdout=holdout)
    inspector, rig = Inspector.load(tmp_path / "run", check_lights=False), card.rig_reference
    copies = disturbed_copies(holdout, config.seed, COPIES)
    scores = [[inspector.inspect(capture.images).score for capture in part] for part in (holdout, *copies)]
    noted = [[rig.unlike(rig.deviations(measure_rig(capture.images))) for capture in part] for part in copies]
    mild = [s for part, each in zip(scores[1:], noted, strict=True) for s, n in zip(part, each, strict=True) if not n]
    assert 0 < len(mild) < COPIES * len(holdout), "the example shows both"
    if fusion != "nearest":  # whose unit is another for each of the held-out parts
        assert card.threshold_unlike == pytest.approx(max(map(max, scores)), rel=1e-3)
        assert card.threshold == pytest.approx(max(*scores[0], *mild), rel=1e-3)
    assert card.threshold_unlike >= card.threshold >= max(scores[0])


def test_a_capture_is_judged_by_the_threshold_of_its_kind(tmp_path):
    write_folder(tmp_path / "data", {"train": {"good": 6}, "test": {"good": 2}}, size=64)
    captures = open_dataset(tmp_path / "data", split="train")
    card = train(captures, tmp_path / "run", TrainConfig(fusion="joint", image_size=64, **JOINT))
    inspector, (capture, other) = Inspector.load(tmp_path / "run"), open_dataset(tmp_path / "data", split="test")
    plain = inspector.inspect_capture(capture)
    noisy = inspector.inspect(apply(capture.images, "noise:8", np.random.default_rng(0)))
    assert plain.threshold == card.threshold == inspector.threshold and not plain.rig_notes
    assert noisy.threshold == card.threshold_unlike > card.threshold and "noise" in noisy.rig_notes[0]
    between = (card.threshold + card.threshold_unlike) / 2
    assert replace(plain, score=between).verdict == "anomalous"
    assert replace(noisy, score=between).verdict == "good"
    unchecked = Inspector.load(tmp_path / "run", check_lights=False)
    assert unchecked.inspect(apply(other.images, "noise:8", np.random.default_rng(0))).threshold == card.threshold


def test_copies_are_filled_outside_of_the_region_as_a_station_fills_them(tmp_path):
    """Noise there would be noted at training and never at inspection."""
    write_folder(tmp_path, {"train": {"good": 3}}, size=64)
    inside = np.zeros((64, 64), bool)
    inside[16:48, 16:48] = True
    imaging = Imaging(pixels=Pixels(bits=8), region=Region.of(inside))
    captures = open_dataset(tmp_path, split="train").read_as(imaging)
    for copy in disturbed_copies(captures, 0, COPIES):
        for capture, images in zip(captures, (each.images for each in copy), strict=True):
            assert (images[..., inside] != capture.images[..., inside]).any()
            assert (images[..., ~inside].std(-1) == 0).all()
            np.testing.assert_array_equal(imaging.see(images).images, images)
