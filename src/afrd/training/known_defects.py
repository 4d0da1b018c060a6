"""What training learns from defective captures that a user has: where the defects are, and how they look there."""

import warnings
from collections.abc import Sequence

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from afrd.datasets import CaptureSet, read_ahead
from afrd.imaging.resizing import resize
from afrd.model import JointGaussian
from afrd.model.defect_space import COVERED

PLACES = 4  # the most unusual ones of a capture without a mask


def known_offsets(model: JointGaussian, known: CaptureSet, highest: float, device: torch.device) -> list[Tensor]:
    """Vectors at the defects less the mean of good parts, [M, N · D] of each capture.

    model: fitted without them. highest: of the scores of held-out good parts. Where a capture has no mask, its defect
    is where the model finds it, above that score; a capture in which it finds none is left out, and named in a warning.
    """
    offsets, unfound = [], []
    for capture in read_ahead(known):
        masks = _mask_tiles(capture.mask, known) if capture.mask is not None else None
        found = []
        for number, images in enumerate(capture.tiles):
            levels = model.extract(torch.from_numpy(resize(images, (model.image_size,) * 2))[None].to(device))
            there = _marked(model, masks[number]) if masks else _most_unusual(model, levels, highest)
            if there.any():
                found.append((model.describe(levels)[0] - model.mean[:, None, None])[:, there.to(device)].T)
        if found:
            offsets.append(torch.cat(found))
        else:
            unfound.append(capture.id)
    if unfound:
        named = ", ".join(unfound[:3]) + (", …" if len(unfound) > 3 else "")
        warnings.warn(
            f"nothing is learned from {len(unfound)} of {len(known)} known defects ({named}): they score like good "
            f"parts; mark the defect in a mask",
            stacklevel=2,
        )
    return offsets


def _mask_tiles(mask: np.ndarray, known: CaptureSet) -> Sequence[np.ndarray]:
    tiling = known.imaging.tiling if known.imaging else None
    return tiling.cut(mask.astype(np.float32)) if tiling else [mask.astype(np.float32)]


def _marked(model: JointGaussian, mask: np.ndarray) -> Tensor:
    """[h, w] bool: places that are covered, or the one that is covered most."""
    size = model.image_size
    cover = torch.from_numpy(cv2.resize(mask, (size, size), interpolation=cv2.INTER_AREA))[None, None]
    share = avg_pool2d(model.within(cover.to(model.mean)), model.stride)[0, 0].cpu()
    return share >= min(COVERED, float(share.max())) if share.any() else share > 0


def _most_unusual(model: JointGaussian, levels: Sequence[Tensor], highest: float) -> Tensor:
    """[h, w] bool: the most unusual places above `highest`."""
    places = avg_pool2d(model.judge(levels).anomaly_map[:, None], model.stride)[0, 0].cpu()
    least = places.flatten().topk(PLACES).values[-1]
    return (places >= least) & (places > highest)
