"""Distributed training takes the step that one process takes: uneven shares, a last batch of one, and batch norms."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from afrd.inspector import Inspector

SCRIPT = """
import sys
import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn
from afrd.families import TrainConfig
from afrd.model import AFRD
from afrd.training.distillation import epoch
from afrd.training.synchronised import synchronise

class Features:
    fused = False

    def __init__(self, shapes):
        random = torch.Generator().manual_seed(1)
        self.levels = [torch.randn(captures, *shape, generator=random) for shape in shapes]

    def __len__(self):
        return len(self.levels[0])

    def batch(self, indices):
        return [level[indices] for level in self.levels]

class Tiny(nn.Module):  # without batch norm
    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.student = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 1))

    def distil(self, levels, fused=False):
        return levels, [self.student(levels[0].roll(1, 1))], None

torch.set_num_threads(1)
devices, out, papers, captures = int(sys.argv[1]), sys.argv[2], sys.argv[3] == "papers", int(sys.argv[4])
fabric = Fabric(accelerator="cpu", devices=devices)
fabric.launch()
torch.manual_seed(2)
model = AFRD(teacher_weights="random", lights=2, image_size=64, fusion="attention") if papers else Tiny()
if papers:
    with torch.no_grad():
        levels = model.extract(torch.zeros(1, 2, 3, 64, 64, dtype=torch.uint8))
    features = Features([level.shape[1:] for level in levels])
    model.double()  # so deep a network amplifies rounding
    features.levels = [level.double() for level in features.levels]
else:
    features = Features([(6, 4, 4)])
if devices > 1:
    synchronise(model)
trained = [p for p in model.parameters() if p.requires_grad]
optimizer = torch.optim.SGD(trained, lr=0.02 if papers else 0.5)
wrapped, optimizer = fabric.setup(model, optimizer)
wrapped.mark_forward_method("distil")
config = TrainConfig(fusion="attention" if papers else "mean", batch_size=4, epochs=3)
losses = [epoch(number, wrapped, features, optimizer, config, fabric).loss for number in (1, 2, 3)]
if fabric.is_global_zero:
    statistics = [value for name, value in model.named_buffers() if "running" in name]
    weights = np.concatenate([p.detach().flatten().numpy() for p in trained])
    seen = np.concatenate([value.flatten().numpy() for value in statistics]) if statistics else np.zeros(0)
    np.savez(out, weights=weights, losses=losses, statistics=seen)
"""


def trained(folder: Path, processes: int, network: str, captures: int):
    script, out = folder / "loop.py", folder / f"{processes}.npz"
    script.write_text(SCRIPT)
    subprocess.run(
        [sys.executable, script, str(processes), out, network, str(captures)], check=True, capture_output=True
    )
    return np.load(out)


@pytest.mark.slow
@pytest.mark.parametrize("network", ["tiny", "papers"])
@pytest.mark.parametrize(("processes", "captures"), [(2, 13), (3, 14)])  # in batches of 4: last ones of 1 and 2
def test_several_processes_end_with_the_weights_of_one(processes, captures, network, tmp_path):
    one, several = (trained(tmp_path, count, network, captures) for count in (1, processes))
    assert one["losses"][2] < 0.998 * one["losses"][0]  # it learned
    np.testing.assert_allclose(several["weights"], one["weights"], rtol=1e-4, atol=1e-6 if network == "tiny" else 1e-4)
    np.testing.assert_allclose(several["statistics"], one["statistics"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(several["losses"], one["losses"], rtol=1e-5)


def log_of(tiny: Path, out: Path, devices: int, *options: str) -> list[dict]:
    command = [sys.executable, "-m", "afrd", "train", tiny, "--category=Confetto", "--out", out, "--fusion=attention"]
    command += ["--image-size=64", f"--devices={devices}", "--accelerator=cpu", *options]
    subprocess.run(command, check=True, capture_output=True)
    return [json.loads(line) for line in (out / "log.jsonl").read_text().splitlines()]


@pytest.mark.slow
def test_two_processes_train_one_model(tiny, tmp_path):
    lines = log_of(tiny, tmp_path / "two", 2, "--epochs=12")
    assert [line["epoch"] for line in lines] == list(range(1, 13))
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert all(sum(level) == pytest.approx(1, abs=1e-4) for line in lines for level in line["light_weights"])
    assert Inspector.load(tmp_path / "two").threshold > 0


@pytest.mark.slow
def test_two_processes_have_the_loss_of_one(tiny, tmp_path):
    losses = []
    for devices in (1, 2):  # hardly a step: AdamW amplifies rounding
        lines = log_of(tiny, tmp_path / str(devices), devices, "--epochs=1", "--learning-rate=1e-7")
        losses.append(lines[0]["loss"])
    assert losses[1] == pytest.approx(losses[0], rel=1e-5)  # batch norms are of the whole batch
