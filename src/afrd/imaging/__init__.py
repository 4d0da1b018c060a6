"""From the camera's pictures to what a model sees: one way for training, inspection, export, light check and report.

Described by `Imaging`, which travels in the model's card. Knows no network and no torch, so that it runs wherever an
artefact runs.
"""

from afrd.imaging.motion import Motion
from afrd.imaging.pixels import Pixels
from afrd.imaging.settings import Imaging, ImagingOptions

__all__ = ["Imaging", "ImagingOptions", "Motion", "Pixels"]
