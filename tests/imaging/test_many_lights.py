"""Two, twelve and sixteen lights, grey, 12 bits in 16, linear, not square: files to verdicts, by run and artefact."""

from pathlib import Path

import numpy as np
import pytest

from afrd.datasets import open_dataset
from afrd.evaluation import evaluate
from afrd.export import export_run
from afrd.imaging import Pixels
from afrd.imaging.pixels import to_linear
from afrd.inspector import Inspector
from afrd.training import TrainConfig, train
from captures import make_capture, write_image, write_lights
from quick import QUICK

COUNTS = (("train", "good", 8), ("val", "good", 3), ("test", "good", 3), ("test", "scratch", 3))


def _written(root: Path, lights: int, raw: bool) -> Path:
    """Captures of 96 × 64, grey linear 12 bits in 16 with a black level, or 8-bit colour."""
    rng, names = np.random.default_rng(0), [f"light{k:02d}" for k in range(lights)]
    for split, label, count in COUNTS:
        for i in range(count):
            images, mask = make_capture(rng, lights, 64, label != "good")
            for name, image in zip(names, np.pad(images, [(0, 0), (0, 0), (16, 16), (0, 0)], mode="edge"), strict=True):
                if raw:
                    image = np.rint(64 + to_linear(image[0] / 255) * (4095 - 64)).astype(np.uint16)
                write_image(root / split / label / f"{i:03d}" / f"{name}.png", image)
            if label != "good":
                write_image(root / "masks" / label / f"{i:03d}.png", np.pad(mask, [(16, 16), (0, 0)]))
    write_lights(root / "lights.yaml", names)
    if raw:
        with (root / "lights.yaml").open("a") as file:
            file.write("imaging: {bits: 12, black: 64, transfer: linear}\n")
    return root


@pytest.mark.parametrize(
    ("lights", "raw"), [(2, True), *(pytest.param(*many, marks=pytest.mark.slow) for many in ((12, False), (16, True)))]
)
def test_few_and_many_lights_are_trained_judged_and_exported(lights, raw, tmp_path) -> None:
    data = _written(tmp_path / "data", lights, raw)
    captures, holdout = open_dataset(data, split="train"), open_dataset(data, split="val")
    card = train(captures, tmp_path / "run", TrainConfig(image_size=64, **QUICK), holdout=holdout)
    assert len(card.lights.names) == lights == len(card.thresholds_without)
    expected = Pixels(bits=12, black=64, transfer="linear") if raw else Pixels(bits=8)
    assert card.imaging.pixels == expected
    inspector, test = Inspector.load(tmp_path / "run"), open_dataset(data, split="test")
    evaluation = evaluate(inspector, test)
    assert evaluation.image_auroc == 1.0 and evaluation.maps[0].shape == (96, 64)
    export_run(tmp_path / "run", captures, tmp_path / "m.onnx", to="onnx", compare_on=test)
    images = test[4].images if not raw else test.read_as(None)[4].images
    assert images.shape == (lights, 1 if raw else 3, 96, 64) and images.dtype == (np.uint16 if raw else np.uint8)
    one, other = Inspector.load(tmp_path / "m.onnx").inspect(images), inspector.inspect(images)
    assert one.score == pytest.approx(other.score, rel=1e-3)
