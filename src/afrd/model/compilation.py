"""torch.compile, where it is asked for: less time between the convolutions, for a minute of compiling at first.

On a processor torch writes C++ for it, so a compiler must be there; that is checked before any work.
"""

import os
import shutil
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from afrd.errors import ModelError
from afrd.model.afrd import AFRD


def compiled(model: nn.Module) -> nn.Module:
    """For inference, each shape of input compiled when it is first met. Raises ModelError: no C++ compiler."""
    require_compiler()
    return torch.compile(model, dynamic=False)


@contextmanager
def compiled_while_training(model: AFRD, wanted: bool = True) -> Iterator[None]:
    """Bottleneck and student, forward and backward; afterwards the model is what it was, with other weights.

    Raises ModelError: no C++ compiler.
    """
    if not wanted:
        yield
        return
    require_compiler()
    model.reconstruct = torch.compile(model.reconstruct, dynamic=False)  # two batch sizes: the full one and the rest
    try:
        yield
    finally:
        del model.reconstruct  # the class's own shows again


def require_compiler() -> None:
    """Raises ModelError: torch would find no C++ compiler."""
    name = os.environ.get("CXX") or {"darwin": "clang++", "win32": "cl"}.get(sys.platform, "g++")
    if shutil.which(name) is None:
        raise ModelError(
            f"--compile: C++ compiler {name!r} not found; install it (Debian, Ubuntu: apt install g++), name another "
            f"in the environment variable CXX, or leave --compile out"
        )
