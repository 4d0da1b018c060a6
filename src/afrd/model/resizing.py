"""`afrd.imaging.resizing` in torch, for tensors and for graphs: two products, in linear light."""

import torch
from torch import Tensor

from afrd.imaging.resizing import along


def matrices(before: tuple[int, int], after: int) -> tuple[Tensor, Tensor]:
    """[after, height] and [width, after], which bring images of `before` to a square."""
    rows, columns = (torch.from_numpy(along(size, after).copy()) for size in before)
    return rows, columns.T.contiguous()


def resize(images: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """images: [..., H, W], sRGB in [0, 1], floating point. rows, columns: from `matrices`."""
    light = torch.where(images <= 0.04045, images / 12.92, ((images.clamp(min=0.04045) + 0.055) / 1.055) ** 2.4)
    light = rows @ light @ columns
    return torch.where(light <= 0.0031308, 12.92 * light, 1.055 * light.clamp(min=0.0031308) ** (1 / 2.4) - 0.055)
