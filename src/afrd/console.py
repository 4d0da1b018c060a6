"""What every process of a command writes to standard error besides progress bars."""

import sys


def show_warning(message: Warning | str, *_: object) -> None:
    """For `warnings.showwarning`: what is wrong, without the place in the code."""
    print(f"afrd: warning: {message}", file=sys.stderr, flush=True)
