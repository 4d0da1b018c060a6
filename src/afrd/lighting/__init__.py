"""Which lights a part needs: every subset of a station's lights, judged by the joint model, trained once."""

from afrd.lighting.result import LightStudy, Subset
from afrd.lighting.study import light_study

__all__ = ["LightStudy", "Subset", "light_study"]
