"""Distributed training takes the step that one process takes: gradients of uneven shares, and of a last batch of one.

Of a network without batch norm, whose statistics are each process's own (docs/scale.md): what is compared is the loop.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = """
import sys
import numpy as np
import torch
from lightning_fabric import Fabric
from torch import nn
from afrd.families import TrainConfig
from afrd.training.distillation import epoch

class Features:
    fused = False

    def __init__(self):
        self.level = torch.randn(13, 6, 4, 4, generator=torch.Generator().manual_seed(1))

    def __len__(self):
        return len(self.level)

    def batch(self, indices):
        return [self.level[indices]]

class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.student = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 6, 1))

    def distil(self, levels, fused=False):
        return levels, [self.student(levels[0].roll(1, 1))], None

fabric = Fabric(accelerator="cpu", devices=int(sys.argv[1]))
fabric.launch()
model = Tiny()
own = model.student
optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
model, optimizer = fabric.setup(model, optimizer)
model.mark_forward_method("distil")
config = TrainConfig(fusion="mean", batch_size=4, epochs=3)
losses = [epoch(number, model, Features(), optimizer, config, fabric).loss for number in (1, 2, 3)]
if fabric.is_global_zero:
    weights = np.concatenate([p.detach().flatten().numpy() for p in own.parameters()])
    np.savez(sys.argv[2], weights=weights, losses=losses)
"""


def trained(folder: Path, processes: int):
    script, out = folder / "loop.py", folder / f"{processes}.npz"
    script.write_text(SCRIPT)
    subprocess.run([sys.executable, script, str(processes), out], check=True, capture_output=True)
    return np.load(out)


@pytest.mark.slow
def test_two_processes_end_with_the_weights_of_one(tmp_path):
    one, two = trained(tmp_path, 1), trained(tmp_path, 2)
    assert one["losses"][2] < 0.9 * one["losses"][0]  # it learned
    np.testing.assert_allclose(two["weights"], one["weights"], rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(two["losses"], one["losses"], rtol=1e-5)
