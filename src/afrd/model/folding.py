"""Batch norms folded into the convolutions before them, for inference: one pass over the activations less for each.

Which convolution a batch norm follows is not read from the modules' names or order, which every backbone has its own
way with, but seen while a small image passes: a pair is a convolution whose output goes into a batch norm and nowhere
else. What is not such a pair stays as it is. Knows no files.
"""

import copy
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from weakref import WeakKeyDictionary

import torch
from timm.layers import BatchNormAct2d
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_weights
from torch.overrides import TorchFunctionMode

from afrd.model.multi_light import SIZE_STEP, MultiLightModel
from afrd.model.teacher import Teacher

_FOLDED: WeakKeyDictionary[Teacher, Teacher] = WeakKeyDictionary()


def fold_batch_norms(model: MultiLightModel) -> MultiLightModel:
    """In place; returns the model, in eval mode. It computes the same up to rounding, and must not be trained any more.

    Its state has other tensors afterwards: digests and checkpoints are of the model before.
    """
    model.eval().requires_grad_(False)
    # the smallest image of which every level has a pixel; what is folded does not depend on the size
    image = torch.zeros(1, 1, 3, SIZE_STEP, SIZE_STEP, device=model.teacher.mean.device)
    _fold(model.teacher, lambda: model.teacher(image))
    levels = [level[:, 0] for level in model.teacher(image)]
    _fold(model, lambda: model.beyond_teacher(levels))
    return model


def folded_teacher(teacher: Teacher) -> Teacher:
    """A copy of its own that computes the same up to rounding, in a quarter less time; itself without batch norms.

    Made once for a teacher and a device. The teacher stays what it is: digests and checkpoints are of it.
    """
    device = teacher.mean.device
    if not any(isinstance(module, nn.BatchNorm2d) for module in teacher.modules()):
        return teacher
    folded = _FOLDED.get(teacher)
    if folded is None or folded.mean.device != device:
        folded = copy.deepcopy(teacher).cpu().requires_grad_(False)  # in double precision, which not every device has
        image = torch.zeros(1, 1, 3, SIZE_STEP, SIZE_STEP)
        _fold(folded, lambda: folded(image))
        _FOLDED[teacher] = folded = folded.to(device)
    return folded


def reading(model: MultiLightModel) -> MultiLightModel:
    """The model with `folded_teacher` in the teacher's place, all else shared: training reads captures by it."""
    reader = copy.copy(model)
    reader._modules = dict(model._modules) | {"teacher": folded_teacher(model.teacher)}
    return reader


@torch.no_grad()
def _fold(module: nn.Module, run: Callable[[], Iterable[Tensor]]) -> None:
    """Every pair that `run`, a forward pass through (parts of) the module, meets."""
    with _Calls() as calls:
        calls.used(run())
    convolutions = _by_tensor(module, nn.Conv2d | nn.ConvTranspose2d, "weight")
    norms = _by_tensor(module, nn.BatchNorm2d, "running_mean")
    names = {norm: name for name, norm in module.named_modules()}
    for weight, mean in calls.pairs():
        convolution, norm = convolutions.get(weight), norms.get(mean)
        if convolution is None or (isinstance(convolution, nn.ConvTranspose2d) and convolution.groups > 1):
            continue
        if norm is None or (activation := _activation(norm)) is None:
            continue
        _fuse(convolution, norm)
        parent, _, child = names[norm].rpartition(".")
        setattr(module.get_submodule(parent), child, activation)


def _activation(norm: nn.BatchNorm2d) -> nn.Module | None:
    """What a batch norm does beside normalising; None where that is not known, or it has no fixed statistics."""
    if norm.running_mean is None:
        return None
    if type(norm) is nn.BatchNorm2d:
        return nn.Identity()
    return nn.Sequential(norm.drop, norm.act) if type(norm) is BatchNormAct2d else None


def _fuse(convolution: nn.Conv2d | nn.ConvTranspose2d, norm: nn.BatchNorm2d) -> None:
    """In double precision, so that nothing but the result is rounded."""
    weight, bias = fuse_conv_bn_weights(
        convolution.weight.double(),
        None if convolution.bias is None else convolution.bias.double(),
        norm.running_mean.double(),
        norm.running_var.double(),
        norm.eps,
        None if norm.weight is None else norm.weight.double(),
        None if norm.bias is None else norm.bias.double(),
        transpose=isinstance(convolution, nn.ConvTranspose2d),
    )
    convolution.weight.copy_(weight)  # into the memory that is there, which lies channels last
    convolution.bias = nn.Parameter(bias.to(convolution.weight), requires_grad=False)


def _by_tensor(module: nn.Module, kind: type, name: str) -> dict[int, nn.Module]:
    """Modules of a kind by the identity of the tensor of that name; without those that share it."""
    found = [(id(getattr(m, name)), m) for m in module.modules() if isinstance(m, kind)]
    owners = Counter(tensor for tensor, _ in found)
    return {tensor: m for tensor, m in found if owners[tensor] == 1}


@dataclass
class _Output:
    """Of a convolution. value: kept, so that its identity stays its own. mean: of the batch norm it goes into."""

    value: Tensor
    weight: int
    mean: int | None = None
    uses: int = 0


class _Calls(TorchFunctionMode):
    """Calls of torch's functions while it is active: what becomes of the outputs of convolutions."""

    def __init__(self) -> None:
        super().__init__()
        self._outputs: dict[int, _Output] = {}
        self._normed: Counter[int] = Counter()

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        if not isinstance(result, Tensor | tuple | list):  # a question about a tensor is no use of it
            return result
        name = getattr(func, "__name__", "")
        self.used([*args, *kwargs.values()])
        if name in ("conv2d", "conv_transpose2d"):
            self._outputs[id(result)] = _Output(result, id(args[1]))
        elif name == "batch_norm":
            mean = id(args[1])
            self._normed[mean] += 1
            if output := self._outputs.get(id(args[0])):
                output.mean = mean
        return result

    def used(self, values: Iterable[object]) -> None:
        """Each of them, or in a list of them, that is the output of a convolution."""
        for value in values:
            if isinstance(value, list | tuple):
                self.used(value)
            elif output := self._outputs.get(id(value)):
                output.uses += 1

    def pairs(self) -> list[tuple[int, int]]:
        """Identities of a convolution's weight and a batch norm's running mean, both met once and only together."""
        convolved = Counter(output.weight for output in self._outputs.values())
        return [
            (output.weight, output.mean)
            for output in self._outputs.values()
            if output.mean and output.uses == 1 and convolved[output.weight] == self._normed[output.mean] == 1
        ]
