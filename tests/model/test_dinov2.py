"""DINOv2 as a teacher: against the network in the package's own file, run by ONNX Runtime."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from torch.nn.functional import interpolate

from afrd import Inspector
from afrd.datasets import open_dataset
from afrd.errors import ModelError, WeightsError
from afrd.export import export_run
from afrd.families import TrainConfig, build_model
from afrd.model import dinov2
from afrd.model.teacher import Teacher
from afrd.training import train

SIZE = 128  # enlarged to 224, the size of the file's input


@pytest.fixture(scope="module")
def dino():
    return Teacher.load("dinov2_vits14")


def test_the_blocks_are_those_of_the_file(dino):
    graph = onnx.load(dinov2._package_file())
    names = [f"/backbone/encoder/layer.{block - 1}/Add_1_output_0" for block in dinov2.BLOCKS]
    graph.graph.output.extend(onnx.helper.make_tensor_value_info(n, onnx.TensorProto.FLOAT, None) for n in names)
    session = onnxruntime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    images = torch.rand(1, 1, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0))
    mean, std = (torch.tensor(x).view(1, 3, 1, 1) for x in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    enlarged = interpolate((images[0] - mean) / std, (224, 224), mode="bilinear", align_corners=False)
    expected = session.run(names, {"input_image": enlarged.numpy()})
    for level, tokens in zip(dino(images), expected, strict=True):
        assert level.shape == (1, 1, 384, SIZE // 8, SIZE // 8)
        np.testing.assert_allclose(level[0, 0].flatten(1).T, tokens[0, 1:], atol=1e-4)


@pytest.mark.slow
def test_a_run_holds_it_and_needs_no_package(tiny, tmp_path, monkeypatch):
    good, held = (open_dataset(tiny, "Confetto", split) for split in ("train", "val"))
    config = TrainConfig(
        fusion="joint",
        teacher="dinov2_vits14",
        image_size=64,
        false_alarm_rate=0.2,
        gaussian={"channels": 128},
        painting={"pairs": 2},
        disturbing={"captures": 2, "copies": 0},
        folds=0,
    )
    train(good, tmp_path / "run", config, holdout=held)
    monkeypatch.setattr(dinov2, "_package_file", lambda: Path("nowhere"))
    inspector = Inspector.load(tmp_path / "run", check_lights=False)
    first, second = (inspector.inspect(held[i].images) for i in (0, 1))
    assert first.score != second.score and np.isfinite(first.anomaly_map).all()
    exported = export_run(tmp_path / "run", good, tmp_path / "a.onnx", to="onnx")
    artefact = Inspector.load(exported.files[0], check_lights=False)
    assert artefact.inspect(held[0].images).score == pytest.approx(first.score, rel=1e-3)


def test_what_it_cannot_do_is_said(dino, tmp_path):
    with pytest.raises(ModelError, match=r"no levels at strides \[4, 8, 16\], which fusion mean distils"):
        build_model(TrainConfig(fusion="mean", teacher="dinov2_vits14"), 3, dino)
    with pytest.raises(WeightsError, match="leave --teacher-weights out"):
        Teacher.load("dinov2_vits14", "random")
    (tmp_path / "damaged.onnx").write_bytes(b"\x07nonsense")
    with pytest.raises(WeightsError, match="cannot be read as ONNX"):
        dinov2.read_weights(tmp_path / "damaged.onnx")
    onnx.save(onnx.helper.make_model(onnx.helper.make_graph([], "other", [], [])), tmp_path / "other.onnx")
    with pytest.raises(WeightsError, match="holds no DINOv2"):
        dinov2.read_weights(tmp_path / "other.onnx")
