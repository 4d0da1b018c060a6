"""Batch norms whose statistics are of the whole batch, whichever process has which capture.

torch has them for GPUs only (SyncBatchNorm); here they are sums over all processes, on any device. So several processes
take the step that one takes, up to rounding.
"""

import torch
from torch import Tensor, distributed, nn


class _SumOverProcesses(torch.autograd.Function):
    @staticmethod
    def forward(ctx, own: Tensor) -> Tensor:
        total = own.clone()
        distributed.all_reduce(total)
        return total

    @staticmethod
    def backward(ctx, of_total: Tensor) -> Tensor:
        total = of_total.contiguous().clone()
        distributed.all_reduce(total)
        return total


class SynchronisedBatchNorm(nn.BatchNorm2d):
    """In training mode, and with several processes; else an nn.BatchNorm2d, whose state it has.

    share: of what a capture counts, as which this process's captures count; less than one where others have them, too.
    """

    share = 1.0

    @torch.compiler.disable
    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        x = input.float() if input.dtype.itemsize < 4 else input  # statistics in at least single precision
        count = x.new_tensor([self.share * x.numel() / self.num_features])
        total = _SumOverProcesses.apply(torch.cat([self.share * x.sum((0, 2, 3)), count]))
        n = total[-1].detach()
        if n <= 1:
            raise ValueError(f"a batch norm needs more than one value of each channel, not {tuple(input.shape)}")
        mean = total[:-1] / n
        x = x - mean[:, None, None]
        variance = _SumOverProcesses.apply(self.share * x.square().sum((0, 2, 3))) / n
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(mean, self.momentum)
            self.running_var.lerp_(variance * n / (n - 1), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return (x * scale[:, None, None] + self.bias[:, None, None]).to(input.dtype)


def synchronise(model: nn.Module) -> list[SynchronisedBatchNorm]:
    """Every batch norm that is trained, in place: parameters, buffers and names stay. Returns them."""
    norms = [m for m in model.modules() if type(m) is nn.BatchNorm2d and m.weight.requires_grad]
    for norm in norms:
        norm.__class__ = SynchronisedBatchNorm
    return norms
