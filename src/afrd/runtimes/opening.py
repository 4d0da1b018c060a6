"""Which runtime a path needs: by its suffix, a folder being a run."""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path

from afrd.errors import MissingExtraError, ModelError, RunError
from afrd.runtimes.artefact import SUFFIXES, Runtime, Target

RUNTIMES = ("auto", *SUFFIXES)
_PACKAGES: dict[Target, str] = {"onnx": "onnxruntime", "openvino": "openvino", "torch": "torch"}


def open_runtime(path: Path, device: str = "cpu", runtime: str = "auto", compile: bool = False) -> Runtime:
    """A run folder or an artefact, ready to compute.

    runtime: "auto", or the one that the path is expected to be for. compile: a run folder with torch.compile.
    Raises RunError: missing, unfinished, damaged, of another format; ModelError: for another runtime, a device that
    is not there, nothing that can be compiled or no C++ compiler; MissingExtraError.
    """
    if runtime not in RUNTIMES:
        raise ModelError(f"runtime {runtime!r}: unknown; choose one of {', '.join(RUNTIMES)}")
    found = _target(path)
    if runtime not in ("auto", found):
        raise ModelError(
            f"{path}: is for the runtime {found}, not {runtime}; leave --runtime out, or pass what afrd export "
            f"--to {runtime} wrote"
        )
    if compile and not path.is_dir():
        raise ModelError(f"{path}: compile is for run folders; an artefact is made for its runtime already")
    opened = _opener(found, path)(path, device)
    if compile:
        opened.compile()
    return opened


def _target(path: Path) -> Target:
    if path.is_file():
        for target, suffix in SUFFIXES.items():
            if path.suffix == suffix:
                return target
        raise RunError(
            f"{path}: neither a run folder nor an artefact; pass the --out of afrd train, or a "
            f"{', '.join(SUFFIXES.values())} file of afrd export"
        )
    if not path.exists():
        raise RunError(f"{path}: no such run folder or artefact; pass what afrd train or afrd export wrote")
    return "torch"


def _opener(target: Target, path: Path) -> Callable[[Path, str], Runtime]:
    """The function that opens it; its module imports the runtime's package."""
    package = _PACKAGES[target]
    try:
        module = import_module(f"afrd.runtimes.{target}_runtime")
    except ModuleNotFoundError as error:
        if error.name != package:
            raise
        if package == "torch":
            raise ModelError(
                f"{path}: needs torch, which is not installed: pip install 'afrd[train]', or export it with --to "
                f"openvino or onnx where torch is"
            ) from error
        raise MissingExtraError(package, "runtime") from error
    return module.open_runtime
