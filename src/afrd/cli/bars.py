"""Progress bars of the command line: on standard error, silent where that is no terminal."""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich import progress
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from afrd.progress import Progress


def is_main_process() -> bool:
    """False in the further processes of distributed training, which should say nothing."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def _bars() -> progress.Progress:
    return progress.Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not is_main_process(),
    )


@contextmanager
def bar(what: str) -> Iterator[Progress]:
    """A bar driven by calls with (done, total)."""
    with _bars() as bars:
        yield _step(bars, what)


@contextmanager
def training_bars(what: str = "training") -> Iterator[tuple[Progress, Callable[[Any, int], None]]]:
    """Two bars: teacher features, then epochs with their loss."""
    with _bars() as bars:
        epochs = _step(bars, what)
        yield (
            _step(bars, f"{what}: teacher features"),
            lambda epoch, total: epochs(epoch.epoch, total, f"{what}: loss {epoch.loss:.4f}"),
        )


def _step(bars: progress.Progress, what: str) -> Callable[..., None]:
    task = None

    def step(done: int, total: int, description: str = what) -> None:
        nonlocal task
        if task is None:
            task = bars.add_task(description, total=total)
        bars.update(task, completed=done, total=total, description=description)

    return step
