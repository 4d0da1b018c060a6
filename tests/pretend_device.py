"""A CUDA or MPS device on a machine without one: tensors there refuse what they would refuse on a real one.

They may not meet tensors of the processor, are no numpy arrays, and on MPS there is no double precision. What they hold
is computed by the processor.
"""

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves, tree_map

_MAY_MEET = {Tensor.copy_, Tensor.__getitem__, Tensor.__setitem__}  # from one device to another; indices


class There(Tensor):
    """A tensor on the pretended device."""

    def __deepcopy__(self, memo):
        return self.as_subclass(Tensor).clone().as_subclass(There)


class PretendDevice(TorchFunctionMode):
    """kind: "cuda" or "mps". In its block, `.to(device)` and `.cpu()` move tensors there and back."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self.device = torch.device(kind)

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        first = args[0] if args else None
        there = isinstance(first, There)
        if func == Tensor.device.__get__:  # made anew at every look
            return self.device if there else func(first)
        if func == Tensor.is_cuda.__get__:
            return there and self.device.type == "cuda"
        if func is Tensor.pin_memory:
            return first
        if func is Tensor.cpu:
            return first.as_subclass(Tensor)
        if func is Tensor.numpy and there:
            raise TypeError(f"can't convert {self.device.type} device type tensor to numpy")
        if func is Tensor.to:
            return self._moved(first, *args[1:], **kwargs)
        tensors = [value for value in tree_leaves((args, kwargs)) if isinstance(value, Tensor)]
        apart = [t for t in tensors if not isinstance(t, There | torch.nn.Parameter) and t.dim()]
        if apart and any(isinstance(t, There) for t in tensors) and func not in _MAY_MEET:
            raise RuntimeError(f"Expected all tensors to be on the same device, but found {self.device.type} and cpu")
        device = kwargs.get("device")
        if device is not None:
            kwargs["device"] = "cpu"
        answer = func(*args, **kwargs)
        if device is not None:
            return self._placed(answer, device)
        self._require_possible(answer)
        return answer

    def _moved(self, tensor, *args, **kwargs):
        targets = [*args, *kwargs.values()]
        device = next((self.device if isinstance(t, There) else "cpu" for t in targets if isinstance(t, Tensor)), None)
        device = next((t for t in targets if isinstance(t, torch.device | str)), device)
        dtypes = [t.dtype if isinstance(t, Tensor) else t for t in targets if isinstance(t, Tensor | torch.dtype)]
        dtype = dtypes[0] if dtypes else None
        moved = tensor.as_subclass(Tensor) if dtype is None else tensor.as_subclass(Tensor).to(dtype)
        if device is None:
            device = self.device if isinstance(tensor, There) else "cpu"
        return self._placed(moved, device)

    def _placed(self, tensor, device):
        placed = tensor.as_subclass(There if torch.device(device).type == self.device.type else Tensor)
        self._require_possible(placed)
        return placed

    def _require_possible(self, answer) -> None:
        def check(value):
            if isinstance(value, There) and value.dtype == torch.float64 and self.device.type == "mps":
                raise TypeError("Cannot convert a MPS Tensor to float64 dtype")

        with torch._C.DisableTorchFunctionSubclass():
            tree_map(check, answer)
