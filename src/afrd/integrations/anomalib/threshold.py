"""anomalib's post-processor with a threshold from held-out good parts, at a stated false-alarm rate.

anomalib chooses the threshold that has the best F1 score on labelled validation captures, defects among them, and
scales scores by their least and largest. Here the threshold is the model's own, and a score s becomes s / (s + t): 0.5
at the threshold t, below 1 however high, so that no two bad parts come out equal.
"""

import torch
from anomalib.post_processing import PostProcessor
from lightning.pytorch import LightningModule, Trainer


class StatedThreshold(PostProcessor):
    """Takes `threshold` of the module it stands in; needs no labelled defects."""

    def on_validation_batch_end(self, *args, **kwargs) -> None:
        """Nothing is learned from validation."""

    def on_validation_epoch_end(self, trainer: Trainer, pl_module: LightningModule) -> None:
        """As above."""

    def use(self, threshold: float) -> None:
        """From now on; in checkpoints as well."""
        for buffer in (self._image_threshold, self._pixel_threshold):
            buffer.fill_(threshold)

    @staticmethod
    def _normalize(
        preds: torch.Tensor | None, norm_min: torch.Tensor, norm_max: torch.Tensor, threshold: torch.Tensor
    ) -> torch.Tensor | None:
        if preds is None or torch.isnan(threshold).item():
            return preds
        positive = preds.clamp(min=0)
        return positive / (positive + threshold)
