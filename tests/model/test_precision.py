"""TF32 rounds to 10 bits what thresholds are compared with: neither torch nor ONNX Runtime may use it."""

import onnxruntime
import pytest
import torch

from afrd.errors import RunError
from afrd.families import TrainConfig
from afrd.runtimes import onnx_runtime, torch_runtime
from afrd.training.loop import launch


@pytest.fixture
def tf32():
    before = torch.backends.cudnn.allow_tf32, torch.get_float32_matmul_precision()
    torch.backends.cudnn.allow_tf32 = True
    torch.set_float32_matmul_precision("high")
    yield lambda: torch.backends.cudnn.allow_tf32 or torch.get_float32_matmul_precision() != "highest"
    torch.backends.cudnn.allow_tf32 = before[0]
    torch.set_float32_matmul_precision(before[1])


def test_inspection_turns_it_off(tf32, tmp_path):
    assert tf32()
    with pytest.raises(RunError, match="no trained model"):
        torch_runtime.open_runtime(tmp_path, "cpu")
    assert not tf32()


def test_training_turns_it_off(tf32):
    launch(TrainConfig(accelerator="cpu"))
    assert not tf32()


def test_onnx_runtime_is_told_so(monkeypatch, tmp_path, capsys):
    """And CUDA of pip's wheels is loaded before it starts."""
    asked = []

    def session(*arguments, providers, **options):
        asked.extend(providers)
        raise onnxruntime.capi.onnxruntime_pybind11_state.Fail("no GPU here")

    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CUDAExecutionProvider"])
    monkeypatch.setattr(onnxruntime, "InferenceSession", session)
    monkeypatch.setattr(onnxruntime, "preload_dlls", lambda: print("no CUDA here", asked), raising=False)
    with pytest.raises(RunError):
        onnx_runtime.open_runtime(tmp_path / "a.onnx", "cuda:1")
    assert asked == [("CUDAExecutionProvider", {"use_tf32": 0, "device_id": 1})]
    assert capsys.readouterr() == ("", "no CUDA here []\n")
