"""Pictures as OpenCV takes them: [H, W, C], which is how decoders leave them in memory."""

import numpy as np


def interleaved(image: np.ndarray) -> np.ndarray:
    """[C, H, W] as [H, W, C], or [H, W] for C = 1. A view where it lies so in memory, else a copy."""
    if len(image) == 1:
        return _rows(image[0])
    return _rows(image.transpose(1, 2, 0))


def planar(picture: np.ndarray) -> np.ndarray:
    """[H, W, C] or [H, W] as a view [C, H, W]."""
    return picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)


def as_decoded(images: np.ndarray) -> np.ndarray:
    """[N, C, H, W], in memory as decoders leave pictures, so that nothing after copies them again."""
    if images.shape[1] == 1 or not images.flags.c_contiguous:
        return images
    return np.stack([planar(interleaved(image)) for image in images])


def _rows(picture: np.ndarray) -> np.ndarray:
    """As it is where each row lies in one piece, whatever lies between rows."""
    within = (picture.shape[2] * picture.itemsize, picture.itemsize) if picture.ndim == 3 else (picture.itemsize,)
    return picture if picture.strides[1:] == within and picture.strides[0] > 0 else np.ascontiguousarray(picture)
