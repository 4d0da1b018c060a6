"""The network, stage by stage, in forward order: teacher, fusion, bottleneck, student, loss, anomaly map.

Beside it the joint Gaussian, which needs no student. Pure tensors: nothing here knows captures, data sets, devices or
the command line. `weights.py` alone reads files.
"""

from pathlib import Path

from afrd.card import AUTO, JOINT, resolve_fusion
from afrd.errors import ModelError
from afrd.model.afrd import AFRD
from afrd.model.fusion import FUSIONS
from afrd.model.joint import JointGaussian
from afrd.model.multi_light import MultiLightModel, Prediction
from afrd.model.teacher import Teacher

__all__ = ["AFRD", "JointGaussian", "MultiLightModel", "Prediction", "build_model"]


def build_model(
    teacher: str | Teacher,
    teacher_weights: str | Path | None,
    lights: int,
    image_size: int,
    fusion: str,
    top_share: float = 0.0,
) -> MultiLightModel:
    """JointGaussian for "joint" and "auto", AFRD for every fusion of `afrd.model.fusion`.

    Arguments: see MultiLightModel. Raises ModelError, WeightsError.
    """
    if resolve_fusion(fusion) == JOINT:
        return JointGaussian(teacher, teacher_weights, lights, image_size, top_share)
    if fusion.partition(":")[0] not in {name.partition(":")[0] for name in FUSIONS}:
        raise ModelError(f"fusion {fusion!r}: unknown; choose one of {', '.join((AUTO, JOINT, *FUSIONS))}")
    return AFRD(teacher, teacher_weights, lights, image_size, fusion, top_share)
