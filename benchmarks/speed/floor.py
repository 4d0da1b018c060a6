"""The least a model could take: its arithmetic at the machine's matrix peak, and its bare convolutions.

`flop`: of convolutions and matrix products, a multiplication and an addition counting as two. `bare`: the same
convolutions and products with the same weights, one after the other on inputs that are there already, without batch
norms, activations, sums, resizing, fusion and maps. An input is made once for each shape, so it may come from a cache
that the real one would have left: the figure is a floor.
"""

import torch
from benchmarks.speed.measure import Call
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from afrd.model import MultiLightModel

_ATEN = torch.ops.aten
_PRODUCTS = {_ATEN.convolution.default, _ATEN.mm.default, _ATEN.addmm.default, _ATEN.bmm.default}


def random_images(model: MultiLightModel, batch: int) -> Tensor:
    """[B, N, 3, S, S] uint8: what is on them takes no time."""
    shape = (batch, model.lights, 3, model.image_size, model.image_size)
    return torch.randint(0, 256, shape, dtype=torch.uint8, device=model.teacher.mean.device)


def flop(model: nn.Module, *inputs: Tensor) -> int:
    """Of one call; on the meta device nothing is computed."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        model(*inputs)
    return counter.get_total_flops()


class _Products(TorchDispatchMode):
    """Records every convolution and matrix product. calls: operator, arguments."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple] = []
        self._inputs: dict[tuple, Tensor] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if func in _PRODUCTS:
            self.calls.append((func, [self._stored(x) if isinstance(x, Tensor) else x for x in args]))
        return func(*args, **(kwargs or {}))

    def _stored(self, x: Tensor) -> Tensor:
        """Weights are what they are; of everything else one of each shape and layout is kept."""
        if isinstance(x, nn.Parameter):
            return x.detach()
        return self._inputs.setdefault((x.shape, x.stride()), torch.empty_like(x).normal_())


def bare(model: MultiLightModel, images: Tensor) -> Call:
    """The model's convolutions and products alone, ready to be called."""
    with torch.no_grad(), _Products() as products:
        model(images)
    calls = []
    for func, args in products.calls:
        if func is _ATEN.convolution.default:
            args[2] = None  # the bias, which folding has put there
        calls.append((func, args))

    @torch.inference_mode()
    def run() -> None:
        for func, args in calls:
            func(*args)

    return run
