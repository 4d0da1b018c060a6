"""The network, stage by stage, in forward order: teacher, fusion, bottleneck, student, loss, anomaly map.

Pure tensors: nothing here knows captures, data sets, devices or the command line. `weights.py` alone reads files.
"""

from afrd.model.afrd import AFRD, Prediction

__all__ = ["AFRD", "Prediction"]
