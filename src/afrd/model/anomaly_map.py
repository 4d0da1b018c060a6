"""From teacher and student levels to an anomaly map, and from a map to a score. Both are defined here and only here."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, cosine_similarity, interpolate, pad

from afrd.errors import ModelError

SIGMA_AT_256 = 4.0


class AnomalyMap(nn.Module):
    """Sum over levels of the cosine distance, bilinearly enlarged, then smoothed: as in Reverse Distillation.

    image_size: of the model, pixels; the Gaussian's σ is 4 at 256 and grows in proportion.
    """

    def __init__(self, image_size: int) -> None:
        super().__init__()
        self.image_size = image_size
        sigma = SIGMA_AT_256 * image_size / 256
        radius = int(4 * sigma + 0.5)  # scipy.ndimage's default extent
        x = torch.arange(-radius, radius + 1, dtype=torch.float32)
        kernel = torch.exp(-0.5 * (x / sigma) ** 2)
        self.register_buffer("kernel", kernel / kernel.sum(), persistent=False)

    def forward(self, target: Sequence[Tensor], student: Sequence[Tensor]) -> Tensor:
        """target, student: [B, C, h, w] each. Returns [B, H, W] at the model's size, 0 (same) to 2 × levels."""
        size = (self.image_size, self.image_size)
        total = sum(
            interpolate(1 - cosine_similarity(t, s, dim=1).unsqueeze(1), size, mode="bilinear", align_corners=True)
            for t, s in zip(target, student, strict=True)
        )
        return self.smooth(total).squeeze(1).clamp(min=0)  # rounding can leave -1e-7 where nothing differs

    def smooth(self, maps: Tensor) -> Tensor:
        """maps: [B, 1, H, W]. Gaussian as two one-dimensional convolutions; borders are mirrored."""
        r = self.kernel.numel() // 2
        maps = pad(maps, (r, r, r, r), mode="reflect")
        return conv2d(conv2d(maps, self.kernel.view(1, 1, -1, 1)), self.kernel.view(1, 1, 1, -1))


def score(anomaly_map: Tensor, top_share: float = 0.0) -> Tensor:
    """How anomalous a capture is. anomaly_map: [B, H, W]; returns [B].

    top_share: 0 for the maximum; otherwise the mean of that share of the highest pixels (0.001 is the top 0.1 %).
    """
    if not 0 <= top_share <= 1:
        raise ModelError(f"top share {top_share}: expected 0 (the maximum) to 1 (the mean of the map)")
    flat = anomaly_map.flatten(1)
    k = max(1, round(top_share * flat.shape[1]))
    return flat.topk(k, dim=1).values.mean(1) if k > 1 else flat.amax(1)
