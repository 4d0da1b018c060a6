"""torch.compile: the same losses, gradients and answers as without; a machine without a compiler is told what it lacks.

Generating C++ for a whole network takes a minute, so that is tried on a block; the networks go through all of the rest,
with torch's backend `aot_eager` in place of its code generator.
"""

import json
import shutil
from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import torch._dynamo.testing

from afrd import Inspector, TrainConfig, train
from afrd.card import Capabilities
from afrd.datasets import open_dataset
from afrd.errors import ModelError
from afrd.model.blocks import ResidualBlock, initialise
from afrd.model.compilation import compiled, compiled_while_training
from afrd.runtimes.torch_runtime import TorchRuntime

needs_compiler = pytest.mark.skipif(not shutil.which("g++"), reason="torch.compile takes a C++ compiler, g++")


class Student(torch.nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.block = ResidualBlock(4, 4, 4, resample="up")
        initialise(self)

    def reconstruct(self, x):
        return self.block(x)

    def forward(self, x):
        return self.reconstruct(x).mean()


@needs_compiler
def test_compiled_losses_and_gradients_are_the_same():
    torch.manual_seed(0)
    one, other, x = Student(), Student(), torch.randn(2, 4, 8, 8)
    other.load_state_dict(one.state_dict())
    optimizers = [torch.optim.SGD(model.parameters(), 0.1) for model in (one, other)]
    with compiled_while_training(other):
        assert other.reconstruct != type(other).reconstruct
        for _ in range(3):
            losses = []
            for model, optimizer in zip((one, other), optimizers, strict=True):
                optimizer.zero_grad()
                losses.append(model(x))
                losses[-1].backward()
                optimizer.step()
            assert torch.allclose(*losses, rtol=1e-4)
    assert "reconstruct" not in vars(other)
    for a, b in zip(one.state_dict().values(), other.state_dict().values(), strict=True):
        assert torch.allclose(a, b, rtol=1e-3, atol=1e-5)


@needs_compiler
def test_a_compiled_answer_is_the_same():
    model, x = Student().eval(), torch.randn(2, 4, 8, 8)
    with torch.inference_mode():
        assert torch.allclose(model(x), compiled(model)(x), rtol=1e-5)


def test_without_a_compiler_it_is_named(monkeypatch, tiny, tmp_path):
    monkeypatch.setenv("CXX", "no-such-compiler++")
    good = open_dataset(tiny, "Confetto", "train")
    with pytest.raises(ModelError, match=r"--compile: C\+\+ compiler 'no-such-compiler\+\+' not found; install it"):
        train(good, tmp_path / "run", TrainConfig(fusion="mean", epochs=1, image_size=64, compile=True))
    assert not (tmp_path / "run").exists()


@pytest.mark.slow
@needs_compiler
def test_a_run_and_its_inspection_can_be_compiled(monkeypatch, tiny, tmp_path):
    good, held_out = (open_dataset(tiny, "Confetto", split) for split in ("train", "val"))
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="aot_eager"))
    losses = []
    for compile in (False, True):
        run = tmp_path / str(compile)
        config = TrainConfig(
            fusion="attention", epochs=2, image_size=64, batch_size=8, false_alarm_rate=0.2, compile=compile
        )
        train(good, run, config, holdout=held_out)  # 12 captures: batches of 8 and 4
        losses.append([json.loads(line)["loss"] for line in (run / "log.jsonl").read_text().splitlines()])
    assert np.allclose(*losses, rtol=1e-3)
    capture = held_out[0]
    one, other = (Inspector.load(run, compile=compile).inspect_capture(capture) for compile in (False, True))
    assert np.allclose(one.anomaly_map, other.anomaly_map, rtol=1e-4, atol=1e-5)
    assert one.score == pytest.approx(other.score, rel=1e-4)


class Judge(torch.nn.Module):
    lights, image_size = 3, 8

    def forward(self, images, lights=None):
        kept = images[:, sorted(lights or range(3))].float().mean((1, 2))
        return kept, kept.amax((1, 2)), kept[:, :1]


@needs_compiler
def test_leaving_out_a_light_compiles_nothing_on_the_line(monkeypatch):
    counter = torch._dynamo.testing.CompileCounter()
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend=counter))
    card = SimpleNamespace(capabilities=Capabilities(leave_out=True))
    runtime = TorchRuntime(Judge(), card, None, "cpu")
    images = np.random.default_rng(0).integers(0, 256, (1, 3, 3, 8, 8), np.uint8)
    expected = [runtime.run(images, left_out) for left_out in ((), (0,), (1,), (2,))]
    runtime.compile()
    first = runtime.run(images)
    compiled_frames = counter.frame_count
    assert compiled_frames
    answers = [first, *(runtime.run(images, (k,)) for k in range(3))]
    assert counter.frame_count == compiled_frames
    for answer, other in zip(answers, expected, strict=True):
        assert np.allclose(answer.anomaly_map, other.anomaly_map)


def test_an_artefact_is_not_compiled(tmp_path):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"")
    with pytest.raises(ModelError, match=r"model\.onnx: compile is for run folders"):
        Inspector.load(path, compile=True)
