"""Uncompressed TIFF tiles, which OpenCV refuses in some sizes (8-bit ones of 16 and 48 px)."""

import io
import math

import numpy as np
import tifffile

_CHANNELS = {tifffile.PHOTOMETRIC.MINISBLACK: 1, tifffile.PHOTOMETRIC.RGB: 3}


def plain_tiles(tiff: bytes) -> np.ndarray | None:
    """[H, W] or [H, W, 3] RGB; None unless every tile is there in full, so that nothing damaged is taken for whole."""
    with tifffile.TiffFile(io.BytesIO(tiff)) as file:
        page = file.pages[0]
        channels, bits = _CHANNELS.get(page.photometric), page.bitspersample
        sizes = page.imagewidth, page.imagelength, page.tilewidth, page.tilelength
        as_is = (page.compression, page.predictor, page.fillorder, page.imagedepth) == (1, 1, 1, 1)
        if not as_is or bits not in (8, 16) or channels is None or channels != page.samplesperpixel:
            return None
        if not all(isinstance(size, int) and size > 0 for size in sizes):  # 0: strips
            return None
        width, height, across, down = sizes
        count = math.ceil(width / across) * math.ceil(height / down)
        size = across * down * channels * bits // 8
        if list(page.databytecounts) != [size] * count or len(page.dataoffsets) != count or 0 in page.dataoffsets:
            return None
        pixels = page.asarray(maxworkers=1)
    pixels = pixels.reshape((height, width, 3) if channels == 3 else (height, width))
    return pixels.astype(pixels.dtype.newbyteorder("="), copy=False)
