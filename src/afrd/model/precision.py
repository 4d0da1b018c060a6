"""Single precision is single precision on every device.

TF32 rounds the factors of a product to 10 bits, which moves scores some fifty times as far as thresholds allow
(`afrd.training.threshold.ROUNDING`); torch uses it in convolutions on CUDA unless it is told not to.
"""

import torch


def pin_float32() -> None:
    """No TF32 in this process, in products or convolutions."""
    torch.set_float32_matmul_precision("highest")
    torch.backends.cudnn.allow_tf32 = False
