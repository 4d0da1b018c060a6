"""Multi-light captures and models inside anomalib's Engine, and anomalib's models as a family here (docs/anomalib.md).

    datamodule = LightsDataModule("captures", "Confetto")
    Engine().train(MultiLight("joint"), datamodule=datamodule)

Needs the extra "baselines".
"""

from afrd.errors import MissingExtraError

try:
    import anomalib  # noqa: F401
except ImportError as error:
    raise MissingExtraError("anomalib", "baselines") from error

from afrd.integrations.anomalib.data import LightsBatch, LightsDataModule, LightsDataset, LightsItem
from afrd.integrations.anomalib.module import MultiLight
from afrd.integrations.anomalib.threshold import StatedThreshold

__all__ = ["LightsBatch", "LightsDataModule", "LightsDataset", "LightsItem", "MultiLight", "StatedThreshold"]
