"""The last whole epoch on disk: weights and optimiser, so that a killed run goes on as if it had not been killed."""

import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from afrd.checkpoint import load_trained_state, read_tensors, trained_state
from afrd.files import atomic_folder
from afrd.model import AFRD


def last_epoch(run: Path) -> int:
    """Number of the last whole epoch in a run folder, 0 for none."""
    return max((int(p.name.removeprefix("epoch-")) for p in run.glob("epoch-*")), default=0)


def save_epoch(run: Path, epoch: int, model: AFRD, optimizer: Optimizer) -> None:
    """The epoch's folder appears whole; older ones go."""
    with atomic_folder(_folder(run, epoch)) as temporary:
        save_file(
            {k: v.detach().cpu().contiguous() for k, v in trained_state(model).items()},
            temporary / "weights.safetensors",
        )
        save_file(_optimizer_tensors(optimizer), temporary / "optimizer.safetensors")
    remove_epochs(run, keep=epoch)


def load_epoch(run: Path, epoch: int, model: AFRD, optimizer: Optimizer) -> None:
    """Into a model and optimiser of the same configuration. Raises RunError: damaged or foreign files."""
    path = _folder(run, epoch) / "weights.safetensors"
    load_trained_state(model, read_tensors(path), path)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in read_tensors(_folder(run, epoch) / "optimizer.safetensors").items():
        index, _, key = name.partition(".")
        if value.dim():  # the fused optimiser walks memory, so moments must lie as their parameter does (channels last)
            value = torch.empty_like(parameters[int(index)], requires_grad=False).copy_(value)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def remove_epochs(run: Path, keep: int | None = None) -> None:
    """All epoch folders but one, and what a killed process left half-written."""
    for folder in [*run.glob("epoch-*"), *run.glob(".epoch-*.tmp")]:
        if keep is None or folder != _folder(run, keep):
            shutil.rmtree(folder)


def _folder(run: Path, epoch: int) -> Path:
    return run / f"epoch-{epoch:04d}"


def _optimizer_tensors(optimizer: Optimizer) -> dict[str, Tensor]:
    state = optimizer.state_dict()["state"]
    return {f"{i}.{k}": v.detach().cpu().contiguous() for i, values in state.items() for k, v in values.items()}
