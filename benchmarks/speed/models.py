"""Models and exported artefacts to be timed. WRN50-2 has random weights and nothing is trained, as far as time goes.

What is timed is what a station calls: a runtime of `afrd.runtimes`, from uint8 images to map and score.
"""

import warnings
from pathlib import Path

import numpy as np
import torch
from benchmarks.speed.measure import progress

from afrd import __version__
from afrd.capture import Capture, LightRig
from afrd.card import Lights, ModelCard
from afrd.families import TrainConfig, build_model, family_of
from afrd.files import atomic_folder
from afrd.model import MultiLightModel
from afrd.model.folding import fold_batch_norms
from afrd.runtimes import SUFFIXES, ArtefactCard, Input, Precision, Runtime, Target
from afrd.runtimes.torch_runtime import TorchRuntime

LITE0, WRN50 = "efficientnet_lite0", "wide_resnet50_2"
VARIANTS: dict[str, tuple[Target, Precision]] = {
    "OpenVINO fp32": ("openvino", "fp32"),
    "ONNX Runtime fp32": ("onnx", "fp32"),
    "OpenVINO int8": ("openvino", "int8"),
}
EAGER = "eager"
_CALIBRATION = 10


def build(teacher: str, fusion: str, lights: int = 6, size: int = 256) -> MultiLightModel:
    """In eval mode, batch norms as trained; a joint model with as many directions as a fitted one."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # random weights are meant
        config = TrainConfig(
            fusion=fusion, teacher=teacher, teacher_weights=None if teacher == LITE0 else "random", image_size=size
        )
        model = build_model(config, lights).eval()
    if fusion == "joint":
        model.load_state_dict(model.state_dict() | {"defects.covariance": torch.eye(len(model.mean))})
    return model


def captures(number: int, lights: int = 6, size: int = 256) -> list[Capture]:
    """Good ones, of noise."""
    rig, rng = LightRig(tuple(f"light{i}" for i in range(lights))), np.random.default_rng(0)
    shape = (lights, 3, size, size)
    return [Capture(str(i), rng.integers(0, 256, shape, dtype=np.uint8), rig, False) for i in range(number)]


def variants(fusion: str) -> list[str]:
    """Which there are of a fusion: not every model has int8."""
    int8 = family_of(fusion).capabilities.int8
    return [EAGER, *(name for name, (_, precision) in VARIANTS.items() if int8 or precision != "int8")]


def _export(model: MultiLightModel, fusion: str, variant: str, folder: Path) -> None:
    from afrd.export.writing import write

    target, precision = VARIANTS[variant]
    size = model.image_size
    card = ArtefactCard(
        afrd_version=__version__,
        runtime=target,
        precision=precision,
        input=Input(height=size, width=size, dtype="uint8"),
        model=_card(model, fusion),
    )
    write(model, card, captures(_CALIBRATION, model.lights, size), folder / f"model{SUFFIXES[target]}")


def eager(model: MultiLightModel, fusion: str) -> Runtime:
    """The model as `Inspector.load` of a run computes it: batch norms are folded, in place."""
    return TorchRuntime(fold_batch_norms(model), _card(model, fusion), None, "cpu")


def artefact(folder: Path, teacher: str, fusion: str, variant: str) -> Path:
    return folder / teacher / fusion / variant.replace(" ", "-") / f"model{SUFFIXES[VARIANTS[variant][0]]}"


def export_missing(folder: Path, teacher: str, fusion: str, lights: int = 6, size: int = 256) -> dict[str, Path]:
    """Every variant of a fusion in `folder`; those that are there already stay."""
    found, model = {}, None
    for variant in variants(fusion)[1:]:
        path = artefact(folder, teacher, fusion, variant)
        if not path.is_file():
            progress(f"exporting {teacher}, {fusion}, {variant}")
            model = model or build(teacher, fusion, lights, size)
            with atomic_folder(path.parent) as temporary:
                _export(model, fusion, variant, temporary)
        found[variant] = path
    return found


def _card(model: MultiLightModel, fusion: str) -> ModelCard:
    """Of a model that nobody trained. Lights are not checked."""
    return ModelCard(
        afrd_version=__version__,
        category=None,
        captures=0,
        teacher=model.teacher.name,
        teacher_digest="",
        trained_digest="",
        fusion=fusion,
        capabilities=family_of(fusion).capabilities,
        lights=Lights(names=tuple(f"light{i}" for i in range(model.lights))),
        image_size=model.image_size,
        top_share=model.top_share,
        threshold=1.0,
        false_alarm_rate=0.05,
        false_alarm_bound=1.0,
        holdout=1,
        holdout_parts=1,
        config={},
    )
