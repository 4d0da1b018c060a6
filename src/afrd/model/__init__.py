"""The network, stage by stage, in forward order: teacher, fusion, bottleneck, student, loss, anomaly map.

Beside it the joint Gaussian, which needs no student. Pure tensors: nothing here knows captures, data sets, devices or
the command line. `weights.py` alone reads files. Models are built from settings by `afrd.families.build_model`.
"""

from afrd.model.afrd import AFRD
from afrd.model.joint import JointGaussian
from afrd.model.multi_light import MultiLightModel, Prediction

__all__ = ["AFRD", "JointGaussian", "MultiLightModel", "Prediction"]
