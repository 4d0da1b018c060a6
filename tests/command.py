"""The command line in this process: what `python -m afrd` prints and ends with, without starting Python and torch anew.

Where a process itself is what is tested (killed, without a package, its help without torch) a real one is started.
"""

import io
import subprocess
import sys
import warnings
from contextlib import redirect_stderr, redirect_stdout
from unittest.mock import patch

from afrd.cli import main

UNSHOWN = (DeprecationWarning, PendingDeprecationWarning, ImportWarning, ResourceWarning)  # as Python does by itself


def afrd(*arguments: object, check: int | None = 0) -> subprocess.CompletedProcess[str]:
    """check: the status it must end with; None: any."""
    command = ["afrd", *map(str, arguments)]
    out, err, status = io.StringIO(), io.StringIO(), 0
    with redirect_stdout(out), redirect_stderr(err), patch.object(sys, "argv", command), warnings.catch_warnings():
        warnings.simplefilter("default")
        for kind in UNSHOWN:
            warnings.simplefilter("ignore", kind)
        try:
            main()
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else int(ended.code is not None)
    done = subprocess.CompletedProcess(command, status, out.getvalue(), err.getvalue())
    assert check is None or status == check, done.stderr
    return done
