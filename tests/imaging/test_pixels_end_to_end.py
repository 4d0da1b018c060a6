"""The same captures in 8 bits, as 12-bit linear files with a black level, and in grey: trained, judged, exported."""

from pathlib import Path

import numpy as np
import pytest

from afrd.datasets import open_dataset, read_captures
from afrd.errors import DatasetError, ModelError
from afrd.evaluation import evaluate
from afrd.export import export_run
from afrd.imaging import Imaging, ImagingOptions, Pixels
from afrd.imaging.pixels import to_linear
from afrd.inspector import Inspector
from afrd.training import TrainConfig, train
from captures import write_folder, write_image, write_lights
from quick import QUICK

LIGHTS = ("left", "right", "top")
COUNTS = {"train": {"good": 8}, "val": {"good": 3}, "test": {"good": 3, "scratch": 3}}
RAW = Pixels(bits=12, black=64, transfer="linear")


def as_linear(image: np.ndarray) -> np.ndarray:
    """8-bit sRGB values as a 12-bit sensor gives them."""
    return np.rint(64 + to_linear(image / 255) * (4095 - 64)).astype(np.uint16)


def _written(root: Path, change) -> Path:
    for (split, id_), capture in write_folder(root, COUNTS, lights=LIGHTS, size=64).items():
        label, own = id_.rsplit("-", 1)
        for light, image in zip(LIGHTS, capture.images, strict=True):
            write_image(root / split / label / own / f"{light}.png", change(image))
    return root


@pytest.fixture(scope="module")
def eight(tmp_path_factory) -> Path:
    return _written(tmp_path_factory.mktemp("eight"), lambda image: image)


@pytest.fixture(scope="module")
def linear(tmp_path_factory) -> Path:
    root = _written(tmp_path_factory.mktemp("linear"), as_linear)
    write_lights(root / "lights.yaml", LIGHTS)
    with (root / "lights.yaml").open("a") as file:
        file.write("imaging: {black: 64, transfer: linear}\n")
    return root


def _train(data: Path, run: Path, **options) -> Inspector:
    config = TrainConfig(image_size=64, imaging=ImagingOptions(**options), **QUICK)
    train(open_dataset(data, split="train"), run, config, holdout=open_dataset(data, split="val"))
    return Inspector.load(run, check_lights=False)


@pytest.fixture(scope="module")
def of_eight(eight, tmp_path_factory) -> Inspector:
    return _train(eight, tmp_path_factory.mktemp("run8"))


@pytest.fixture(scope="module")
def of_linear(linear, tmp_path_factory) -> tuple[Inspector, Path]:
    run = tmp_path_factory.mktemp("run12")
    with pytest.warns(UserWarning, match="read as 12 bits"):
        return _train(linear, run), run


def test_twelve_bits_linear_are_judged_as_the_same_in_eight(eight, of_eight, linear, of_linear) -> None:
    inspector, _ = of_linear
    assert inspector.card.imaging.pixels == RAW and of_eight.card.imaging.pixels == Pixels(bits=8)
    plain = [of_eight.inspect_capture(capture).score for capture in open_dataset(eight, split="test")]
    raw = open_dataset(linear, split="test").read_as(inspector.imaging)
    scores = [inspector.inspect_capture(capture).score for capture in raw]
    np.testing.assert_allclose(scores, plain, rtol=0.05)  # 12 bits of light are coarser in the dark
    assert evaluate(inspector, raw).image_auroc == evaluate(of_eight, open_dataset(eight, split="test")).image_auroc


def test_raw_arrays_are_read_as_at_training(linear, of_linear) -> None:
    inspector, _ = of_linear
    unlabelled = read_captures([linear / "test" / "scratch"], inspector.lights)[0]
    assert unlabelled.images.max() < 4096 and unlabelled.imaging is None
    read = read_captures([linear / "test" / "scratch"], inspector.lights).read_as(inspector.imaging)[0]
    scores = {
        inspector.inspect(unlabelled.images).score,
        inspector.inspect_capture(unlabelled).score,
        inspector.inspect_capture(read).score,
    }
    assert len(scores) == 1
    with pytest.raises(ModelError, match=r"values up to 65520, where 12 bits \(up to 4095\) are expected; take it at"):
        inspector.inspect(unlabelled.images * 16)
    with pytest.raises(ModelError, match="8-bit, where 12 bits are expected; save it at the camera's full depth"):
        inspector.inspect((unlabelled.images // 16).astype(np.uint8))
    otherwise = read_captures([linear / "test" / "scratch"], inspector.lights).read_as(Imaging(pixels=Pixels(bits=14)))[
        0
    ]
    with pytest.raises(DatasetError, match=r"read as 14-bit srgb values, the model .* 12-bit linear"):
        inspector.inspect_capture(otherwise)


def test_an_artefact_reads_raw_arrays_alike(linear, of_linear, tmp_path) -> None:
    inspector, run = of_linear
    report = export_run(
        run, open_dataset(linear, split="train"), tmp_path / "model.onnx", to="onnx",
        compare_on=open_dataset(linear, split="test"),
    )  # fmt: skip
    assert not report.comparison.failures
    artefact = Inspector.load(tmp_path / "model.onnx", check_lights=False)
    raw = read_captures([linear / "test" / "scratch"], inspector.lights)[0].images
    assert artefact.inspect(raw).score == pytest.approx(inspector.inspect(raw).score, rel=1e-4)


def test_grey_is_trained_judged_and_exported_as_one_channel(tmp_path) -> None:
    data = _written(tmp_path / "data", lambda image: image[0])
    inspector = _train(data, tmp_path / "run")
    images = open_dataset(data, split="test")[0].images
    assert images.shape == (3, 1, 64, 64)
    score = inspector.inspect(images).score
    assert inspector.inspect(images[:, 0]).score == score
    assert inspector.inspect(np.repeat(images, 3, 1)).score == pytest.approx(score, rel=1e-6)
    export_run(tmp_path / "run", open_dataset(data, split="train"), tmp_path / "grey.onnx", to="onnx")
    artefact = Inspector.load(tmp_path / "grey.onnx", check_lights=False)
    assert artefact.inspect(images[:, 0]).score == pytest.approx(score, rel=1e-4)
    with pytest.raises(ModelError, match="colour images; this artefact was exported for grey ones"):
        artefact.inspect(np.repeat(images, 3, 1))


def test_larger_captures_are_resized_alike_by_run_and_artefact(eight, of_eight, tmp_path) -> None:
    captures = [np.repeat(np.repeat(c.images, 3, -1), 2, -2) for c in open_dataset(eight, split="test")]
    assert of_eight.inspect(captures[-1]).anomaly_map.shape == (128, 192)
