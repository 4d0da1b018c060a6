"""A run folder while it is trained: one process at a time, the last whole epoch, the log.

A run can be killed at any moment: whatever is here is whole, or is recognised as left over and removed.
"""

import json
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from afrd.checkpoint import contiguous, load_trained_state, read_tensors, trained_state
from afrd.errors import RunError
from afrd.files import atomic_folder, is_half_written, locked_file, write_text
from afrd.model import MultiLightModel
from afrd.training.record import RunRecord
from afrd.yaml_model import parse, read_yaml, to_yaml

_LOCK = ".lock"
_EPOCH = re.compile(r"epoch-\d{4,}")


@dataclass(frozen=True)
class Epoch:
    """A line of log.jsonl. loss: mean over captures; light_weights: [L][N], likewise; seconds: wall time."""

    epoch: int
    loss: float
    light_weights: list[list[float]]
    seconds: float


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """The run folder, made if need be, for this process alone. Raises RunError: another one trains in it."""
    if out.exists() and not out.is_dir():
        raise RunError(f"{out}: is a file; --out names a folder")
    busy = f"{out}: another process trains in this folder; wait for it, or choose another --out"
    mine = False
    try:
        with locked_file(out / _LOCK, busy):
            mine = True
            yield
    finally:
        if mine and not ((out / "run.yaml").is_file() and not (out / "model.yaml").is_file()):
            (out / _LOCK).unlink(missing_ok=True)  # nothing to continue
            if not any(out.iterdir()):
                out.rmdir()


def require_free(out: Path) -> None:
    """Before hours are spent. Raises RunError: a run is there that is not to be continued."""
    if (out / "run.yaml").is_file():
        raise RunError(f"{out}: holds a run already; pass --resume to continue it, or another --out")


def prepare(out: Path, record: RunRecord, resume: bool) -> None:
    """Starts the run, or checks that it is the one to continue."""
    path = out / "run.yaml"
    if not path.is_file() and any(p.name != _LOCK and not is_half_written(p) for p in out.iterdir()):
        raise RunError(f"{out}: not empty and no run; choose another --out")
    for left_over in filter(is_half_written, list(out.iterdir())):  # the folder is locked: nobody writes there
        shutil.rmtree(left_over) if left_over.is_dir() else left_over.unlink()
    if not path.is_file():
        write_text(path, to_yaml(record))
        return
    if not resume:
        require_free(out)
    changed = parse(RunRecord, read_yaml(path), path).differences(record)
    if changed:
        raise RunError(
            f"{out}: was started with another configuration ({'; '.join(changed)}); start a new --out instead"
        )


def last_epoch(out: Path) -> int:
    """The number of whole epochs. What is left of an epoch that was not finished is removed."""
    done = max((int(p.name.removeprefix("epoch-")) for p in _epochs(out)), default=0)
    _remove_epochs(out, keep=done)
    _cut_log(out, done)
    return done


def tidy(out: Path) -> None:
    """Removes what a finished run no longer needs."""
    _remove_epochs(out)
    shutil.rmtree(out / "features", ignore_errors=True)


def log_epoch(out: Path, epoch: Epoch) -> None:
    """A line in log.jsonl."""
    with (out / "log.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(epoch)) + "\n")


def save_epoch(out: Path, epoch: Epoch, model: MultiLightModel, optimizer: Optimizer) -> None:
    """After it is logged: the epoch's folder appears whole, older ones go."""
    state = optimizer.state_dict()["state"]
    moments = {f"{i}.{k}": v for i, values in state.items() for k, v in values.items()}
    with atomic_folder(_folder(out, epoch.epoch)) as temporary:
        save_file(contiguous(trained_state(model)), temporary / "weights.safetensors")
        save_file(contiguous(moments), temporary / "optimizer.safetensors")
    _remove_epochs(out, keep=epoch.epoch)


def load_epoch(out: Path, epoch: int, model: MultiLightModel, optimizer: Optimizer) -> None:
    """Into a model and optimiser of the same configuration. Raises RunError: damaged or foreign files."""
    path = _folder(out, epoch) / "weights.safetensors"
    load_trained_state(model, read_tensors(path), path)
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    state: dict[int, dict[str, Tensor]] = {}
    for name, value in read_tensors(_folder(out, epoch) / "optimizer.safetensors").items():
        index, _, key = name.partition(".")
        if value.dim():  # the fused optimiser walks memory, so moments must lie as their parameter does (channels last)
            value = torch.empty_like(parameters[int(index)], requires_grad=False).copy_(value)
        state.setdefault(int(index), {})[key] = value
    optimizer.load_state_dict({"state": state, "param_groups": optimizer.state_dict()["param_groups"]})


def _epochs(out: Path) -> list[Path]:
    return [p for p in out.iterdir() if _EPOCH.fullmatch(p.name)]


def _folder(out: Path, epoch: int) -> Path:
    return out / f"epoch-{epoch:04d}"


def _remove_epochs(out: Path, keep: int | None = None) -> None:
    for folder in _epochs(out):
        if keep is None or folder != _folder(out, keep):
            shutil.rmtree(folder)


def _cut_log(out: Path, done: int) -> None:
    """Lines of epochs that were logged but not saved, or half-written, go."""
    path = out / "log.jsonl"
    if path.is_file():
        lines = path.read_text(encoding="utf-8").splitlines()
        write_text(path, "".join(f"{line}\n" for line in lines[:done]))
