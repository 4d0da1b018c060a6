"""The families of models, each in a file: settings, capabilities, how it is built and fitted.

Everything else asks `family_of` or the model's card, and knows no family by name. Nothing here imports torch until a
model is built.
"""

from afrd.families.anomalib import Anomalib
from afrd.families.config import TrainConfig
from afrd.families.distillation import Distillation
from afrd.families.family import Family, HeldOutScores, Job
from afrd.families.joint import Joint
from afrd.families.nearest import Nearest
from afrd.families.registry import AUTO, FAMILIES, able_to, family_of, offered, register

__all__ = [
    "AUTO",
    "FAMILIES",
    "Family",
    "HeldOutScores",
    "Job",
    "TrainConfig",
    "able_to",
    "build_model",
    "family_of",
    "offered",
    "register",
]

register(Joint())
register(Nearest())
register(Distillation())
register(Anomalib())


def build_model(config: TrainConfig, lights: int, teacher=None):
    """The MultiLightModel of a config, not fitted. teacher: one that is there already; None loads the config's.

    Raises ModelError, WeightsError.
    """
    from afrd.model.teacher import Teacher

    teacher = teacher or Teacher.load(config.teacher, config.teacher_weights)
    return family_of(config.fusion).build(config, teacher, lights)
