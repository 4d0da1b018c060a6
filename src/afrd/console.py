"""What every process of a command does: how it warns, and that a worker ends with the command that started it."""

import multiprocessing
import os
import sys
import threading
from multiprocessing.connection import wait


def show_warning(message: Warning | str, *_: object) -> None:
    """For `warnings.showwarning`: what is wrong, without the place in the code."""
    print(f"afrd: warning: {message}", file=sys.stderr, flush=True)


def end_with_parent() -> None:
    """For a worker of `multiprocessing`: a killed parent cannot stop it, and it would write beside the next command."""
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def watch() -> None:
        wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
