"""Anomaly detection on parts photographed under several lights: Attention Fusion Reverse Distillation.

The names below are loaded when they are first used, so that `import afrd` and `afrd --help` are instant.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from afrd.capture import Capture, LightRig
    from afrd.datasets import CaptureSet, check_dataset, open_dataset, read_captures
    from afrd.evaluation import Evaluation, write_report
    from afrd.evaluation.evaluate import evaluate
    from afrd.families import TrainConfig
    from afrd.inspection import Inspection
    from afrd.inspector import Inspector
    from afrd.lighting import LightStudy, light_study
    from afrd.model import AFRD
    from afrd.prediction import predict
    from afrd.render import render_dataset
    from afrd.rig import RigMonitor
    from afrd.training import train

__version__ = "0.1.0"

__all__ = [
    "AFRD",
    "Capture",
    "CaptureSet",
    "Evaluation",
    "Inspection",
    "Inspector",
    "LightRig",
    "LightStudy",
    "RigMonitor",
    "TrainConfig",
    "check_dataset",
    "evaluate",
    "light_study",
    "open_dataset",
    "predict",
    "read_captures",
    "render_dataset",
    "train",
    "write_report",
]

_HOMES = {
    "capture": ("Capture", "LightRig"),
    "datasets": ("CaptureSet", "check_dataset", "open_dataset", "read_captures"),
    "evaluation": ("Evaluation", "evaluate", "write_report"),
    "inspection": ("Inspection",),
    "inspector": ("Inspector",),
    "lighting": ("LightStudy", "light_study"),
    "model": ("AFRD",),
    "prediction": ("predict",),
    "render": ("render_dataset",),
    "rig": ("RigMonitor",),
    "families": ("TrainConfig",),
    "training": ("train",),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME_OF:
        raise AttributeError(f"module 'afrd' has no attribute {name!r}")
    try:
        return getattr(import_module(f"afrd.{_HOME_OF[name]}"), name)
    except ModuleNotFoundError as error:
        from afrd.errors import MissingExtraError

        missing = MissingExtraError.of(error)
        if missing is None:
            raise
        raise missing from error
