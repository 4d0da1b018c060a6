"""Motion, a region of interest and a single light, from training to a verdict, by run folder and artefact."""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from afrd.datasets import open_dataset
from afrd.errors import DatasetError, ModelError
from afrd.evaluation import evaluate
from afrd.export import export_run
from afrd.inspector import Inspector
from afrd.runtimes import SUFFIXES
from afrd.training import TrainConfig, train
from captures import write_folder, write_image, write_lights
from command import afrd
from quick import QUICK
from surfaces import LIGHTS, SIDE, capture, part

NAMES = tuple(f"light{k}" for k in range(LIGHTS))
ON_BELT = (np.arange(LIGHTS) - 2)[:, None] * np.array([1.5, 0.0])
ROI = (slice(24, 104), slice(16, 112))
_opened: Counter[str] | None = None


def _count(event: str, arguments: tuple) -> None:
    if _opened is not None and event == "open":
        _opened[str(arguments[0])] += 1


sys.addaudithook(_count)


def _write(folder: Path, images: np.ndarray) -> None:
    for name, image in zip(NAMES, images, strict=True):
        write_image(folder / f"{name}.png", image[0])


def stained(seed: int) -> tuple[np.ndarray, np.ndarray]:
    lights = part(seed)
    mask = np.zeros((SIDE, SIDE), bool)
    mask[50:66, 54:70] = True
    lights[:, mask] = 0.5 * lights[:, mask].mean(1, keepdims=True)
    return lights, mask


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> Path:
    """Parts on a belt that runs on between two lights, with a region of interest."""
    root = tmp_path_factory.mktemp("belt")
    for split, count, first in (("train", 8, 0), ("val", 3, 20), ("test", 3, 30)):
        for k in range(count):
            _write(root / split / "good" / f"{k:03d}", capture(part(first + k), ON_BELT, k))
    for k in range(3):
        lights, mask = stained(40 + k)
        _write(root / "test" / "stain" / f"{k:03d}", capture(lights, ON_BELT, k))
        write_image(root / "masks" / "stain" / f"{k:03d}.png", mask)
    write_lights(root / "lights.yaml", NAMES)
    with (root / "lights.yaml").open("a") as file:
        roi = "roi: {include: [{rectangle: [16, 24, 96, 80]}]}"
        file.write(f"imaging: {{motion: constant, dead_pixels: repair, gain: rig, {roi}}}\n")
    return root


@pytest.fixture(scope="module")
def run(data, tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("run")
    train(open_dataset(data, split="train"), out, TrainConfig(image_size=64), holdout=open_dataset(data, split="val"))
    return out


@pytest.fixture(scope="module")
def inspector(run) -> Inspector:
    return Inspector.load(run)


def test_the_card_holds_what_was_learned(inspector) -> None:
    imaging = inspector.card.imaging
    np.testing.assert_allclose(imaging.motion.shifts, ON_BELT, atol=0.15)
    expected = np.zeros((SIDE, SIDE), bool)
    expected[ROI] = True
    np.testing.assert_array_equal(imaging.region.inside, expected)


def test_stains_are_found_where_they_are_and_nothing_outside(data, inspector) -> None:
    evaluation = evaluate(inspector, open_dataset(data, split="test"))
    assert evaluation.image_auroc == 1.0 and evaluation.pixel_auroc > 0.8
    inside = inspector.card.imaging.region.inside
    assert not any(anomaly_map[~inside].any() for anomaly_map in evaluation.maps)


def test_dust_on_the_belt_makes_no_verdict(data, inspector) -> None:
    images = open_dataset(data, split="test")[0].images
    plain = inspector.inspect(images)
    dusty = images.copy()
    dusty[:, :, 4:12, 30:90] = 255
    dusty[:, :, 110:126, 10:60] = 0
    found = inspector.inspect(dusty)
    assert found.score == pytest.approx(plain.score, rel=0.002)  # shifts are measured in the region
    assert found.light_faults == plain.light_faults == ()
    dusty = images.copy()
    dusty[:, :, 60:70, 40:60] = 255
    assert inspector.inspect(dusty).score > 1.5 * plain.score


def test_a_hot_pixel_makes_no_verdict_and_is_told(data, inspector) -> None:
    images = open_dataset(data, split="test")[0].images
    hot = images.copy()
    hot[:, :, 70, 60] = 255
    plain, found = inspector.inspect(images), inspector.inspect(hot)
    assert found.score == pytest.approx(plain.score, rel=0.02)
    assert "the pixel at 60, 70 stands out" in found.rig_notes[0] and not plain.rig_notes


def test_a_rig_that_is_darker_all_over_changes_no_score_and_is_told(data, inspector) -> None:
    images = open_dataset(data, split="test")[0].images
    plain, dimmed = inspector.inspect(images), inspector.inspect((images * 0.8).astype(np.uint8))
    assert dimmed.score == pytest.approx(plain.score, rel=0.1)
    assert "darker than in training" in dimmed.rig_notes[0]


def test_a_light_that_does_not_follow_the_belt_is_a_fault_of_the_rig(inspector) -> None:
    late = ON_BELT.copy()
    late[3] += [3.0, 0.0]
    found = inspector.inspect(capture(part(31), late, 1))
    assert [(fault.light, fault.kind) for fault in found.light_faults] == [(3, "shifted")]
    assert "light light3: its picture is shifted against the others" in found.light_notes[0]
    assert inspector.inspect(capture(part(31), ON_BELT, 1)).light_faults == ()


@pytest.mark.parametrize("to", ["onnx", pytest.param("openvino", marks=pytest.mark.slow)])
def test_the_artefact_sees_the_same(data, run, inspector, tmp_path, to) -> None:
    path = tmp_path / f"m{SUFFIXES[to]}"
    report = export_run(
        run, open_dataset(data, split="train"), path, to=to, compare_on=open_dataset(data, split="test")
    )
    assert not report.comparison.failures
    artefact = Inspector.load(path)
    images = open_dataset(data, split="test")[4].images
    assert artefact.inspect(images).score == pytest.approx(inspector.inspect(images).score, rel=1e-3)


def test_captures_of_another_size_are_named(inspector) -> None:
    with pytest.raises(ModelError, match="100×128, but the region of interest is one of 128×128; take it at that size"):
        inspector.inspect(np.zeros((LIGHTS, 128, 100), np.uint8))


def test_captures_read_otherwise_are_registered_too(data, inspector) -> None:
    """As whoever opens the data set himself has them."""
    captures = open_dataset(data, split="test")
    raw = inspector.inspect(captures[4].images).score
    assert inspector.inspect_capture(captures[4]).score == raw
    assert inspector.inspect_capture(captures.read_as(inspector.imaging)[4]).score == raw
    other = inspector.imaging.model_copy(update={"motion": None})
    with pytest.raises(DatasetError, match=r"read as 8-bit srgb values, a region.*trained with .*constant motion"):
        inspector.inspect_capture(captures.read_as(other)[4])


def test_every_picture_is_decoded_once(data, run, tmp_path) -> None:
    """By motion, region, light check, rig and what is written of it alike; beside its header, at the opening."""
    pictures = {str(path) for path in (data / "test").rglob("light*.png")}
    assert len(pictures) == 6 * LIGHTS

    def opened(call) -> Counter[str]:
        global _opened
        _opened = Counter()
        call()
        found, _opened = _opened, None
        return Counter({path: found[path] for path in pictures})

    headers = opened(lambda: open_dataset(data, split="test"))
    expected = Counter({path: count + 1 for path, count in headers.items()})
    assert opened(lambda: afrd("evaluate", run, data, "--split", "test", "--json", tmp_path / "e.json")) == expected
    assert opened(lambda: afrd("predict", run, data / "test", "--out", tmp_path / "out")) == expected
    assert len(list((tmp_path / "out").rglob("*.png"))) > 6


@pytest.mark.parametrize("fusion", ["auto", "nearest", "joint", "mean", "attention", "single:0"])
def test_one_light_is_a_capture(fusion: str, tmp_path) -> None:
    counts = {"train": {"good": 5}, "val": {"good": 3}, "test": {"good": 1, "scratch": 1}}
    write_folder(tmp_path / "data", counts, lights=["ring"], size=64)
    options = {"joint": QUICK, "auto": {}, "nearest": {}}.get(fusion, {"epochs": 1})
    config = TrainConfig(fusion=fusion, image_size=64, **options)
    captures, held = (open_dataset(tmp_path / "data", split=split) for split in ("train", "val"))
    with pytest.warns(UserWarning, match="one light: .*other lights, one picture each, would tell more"):
        card = train(captures, tmp_path / "run", config, holdout=held)
    assert card.thresholds_without is None
    inspector = Inspector.load(tmp_path / "run")
    found = inspector.inspect_capture(open_dataset(tmp_path / "data", split="test")[1])
    assert np.isfinite(found.score) and found.light_weights.shape[1] == 1
    dark = inspector.inspect(np.zeros((1, 64, 64), np.uint8))
    assert dark.verdict == "light fault"
    with pytest.raises(ModelError, match="ring"):
        inspector.inspect_capture(captures[0], missing=["ring"])
