"""What a capture tells of the rig that took it, whatever the part: brightness, colour, sharpness, noise, JPEG, pixels.

Arithmetic with numpy and OpenCV alone, so that it runs wherever an artefact runs. Knows no training and no limits.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from afrd.imaging.cells import CELLS, weighted_median
from afrd.imaging.dead_pixels import standing_out

BLOCK = 8  # pixels, of JPEG; also of the places that noise is measured at
QUIET = 0.25  # of the blocks, those with the least detail, are where noise is measured; sharpness where there is most
SAMPLED = 256  # detail is measured on tiles that cover an area of this side, at most
TILE = 64
BLOCKS = 128  # that JPEG is measured in, at most; noise in half as many
_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # of RGB, what a JPEG codes finest
_FLOOR = 0.03 / 255  # noise below it, of full scale, is none; so that a covariance has an inverse
_ROUNDING = 0.05 / 255  # what rounding leaves of a JPEG's missing detail, of full scale


@dataclass(frozen=True)
class RigMeasurement:
    """Of one capture under N lights; fractions are of full scale.

    grey, red, blue: [N, 64], mean of 8 × 8 cells. noise: [N], standard deviation that neither the light's own smooth
    course nor the other lights and channels explain, in the quiet places. sharpness: [N], log ratio of squared
    differences between neighbours to those two pixels apart. blocks: [N], log ratio of fine detail in blocks of 8 × 8
    pixels from the corner to that in blocks half a block farther: 0 without JPEG, below with it. spot: by how much one
    pixel is above all its neighbours under every light, or below by more than half, as a dead one is; spot_at: x, y.
    """

    grey: np.ndarray
    red: np.ndarray
    blue: np.ndarray
    noise: np.ndarray
    sharpness: np.ndarray
    blocks: np.ndarray
    spot: float
    spot_at: tuple[int, int]


def measure_rig(images: np.ndarray) -> RigMeasurement:
    """images: [N, C, H, W], uint8 or uint16, RGB or grey, at least 8 × 8 pixels."""
    full = float(np.iinfo(images.dtype).max)
    cells = _cells(images) / full
    tiles = _tiles(images).astype(np.float32) / np.float32(full)  # [T, N, C, h, w]
    spot, at = _spot(images)
    grey = tiles.mean(2)
    return RigMeasurement(
        grey=cells.mean(1),
        red=cells[:, 0],
        blue=cells[:, -1],
        noise=_noise(tiles, grey),
        sharpness=_sharpness(grey),
        blocks=_blocks(tiles),
        spot=spot / full,
        spot_at=at,
    )


def _cells(images: np.ndarray) -> np.ndarray:
    """[N, C, 64]; of large images every so many rows and columns."""
    step = max(1, min(images.shape[2:]) // (SAMPLED // 2))
    sums = images[..., ::step, ::step]
    edges = [np.linspace(0, size, CELLS + 1).astype(int) for size in sums.shape[2:]]
    for axis in (3, 2):
        sums = np.add.reduceat(sums, edges[axis - 2][:-1], axis, dtype=np.float64)
    return (sums / np.outer(*(np.diff(edge) for edge in edges))).reshape(*images.shape[:2], CELLS**2)


def _tiles(images: np.ndarray) -> np.ndarray:
    """[T, N, C, h, w]: the images whole, or tiles of 64 pixels spread over them, that begin where a JPEG block does."""
    height, width = images.shape[2:]
    if height * width <= SAMPLED**2 or min(height, width) < TILE:
        return images[None]
    share = SAMPLED / np.sqrt(height * width)
    starts = [
        np.unique(np.linspace(0, size - TILE, max(1, round(share * size / TILE))).astype(int) // BLOCK * BLOCK)
        for size in (height, width)
    ]
    return np.stack([images[..., y : y + TILE, x : x + TILE] for y in starts[0] for x in starts[1]])


def _curvature(values: np.ndarray) -> np.ndarray:
    """Second differences in both directions, [..., H - 2, W - 2]; white noise keeps its standard deviation."""
    rows = values[..., 2:, :] - 2 * values[..., 1:-1, :] + values[..., :-2, :]
    return (rows[..., 2:] - 2 * rows[..., 1:-1] + rows[..., :-2]) / 6


def _noise(tiles: np.ndarray, grey: np.ndarray) -> np.ndarray:
    """Texture is common to lights and channels, noise is not: what is left of one given all the others."""
    lights = tiles.shape[1]
    coloured = any(not np.array_equal(tiles[:, :, 0], tiles[:, :, k]) for k in range(1, tiles.shape[2]))
    energy = _curvature(grey.mean(1)) ** 2  # [T, h, w]
    side = min(BLOCK, *energy.shape[1:])
    rows, columns = (size // side for size in energy.shape[1:])
    blocks = energy[:, : rows * side, : columns * side].reshape(-1, rows, side, columns, side).mean((2, 4))
    places = np.argwhere(blocks <= np.quantile(blocks, QUIET))
    places = places[:: -(-2 * len(places) // BLOCKS)]
    channels = tiles if coloured else tiles[:, :, :1]
    quiet = np.stack([channels[t, :, :, side * y :, side * x :][..., : side + 2, : side + 2] for t, y, x in places])
    values = _curvature(quiet).transpose(1, 2, 0, 3, 4).reshape(lights * channels.shape[2], -1).astype(np.float64)
    covariance = values @ values.T / values.shape[1] + _FLOOR**2 * np.eye(len(values))
    unexplained = 1 / np.diag(np.linalg.inv(covariance))
    return np.sqrt(unexplained.reshape(lights, -1).mean(1))


def _sharpness(grey: np.ndarray) -> np.ndarray:
    """A median over the places of most contrast, so that the edges of one defect do not make it."""
    near, far = _roughness(grey, 1), _roughness(grey, 2)
    weights = np.minimum(far, np.quantile(far, 1 - QUIET, axis=1, keepdims=True))
    return weighted_median(np.log(near / far), weights)


def _roughness(grey: np.ndarray, distance: int) -> np.ndarray:
    """Mean square of differences so many pixels apart, in blocks, [N, blocks]."""
    height, width = (size - 2 for size in grey.shape[2:])
    energy = grey[..., distance : distance + height, :width] - grey[..., :height, :width]
    energy *= energy
    right = grey[..., :height, distance : distance + width] - grey[..., :height, :width]
    energy += right * right
    side = min(BLOCK, height, width)
    rows, columns = height // side, width // side
    bands = energy[..., : rows * side, : columns * side].reshape(*energy.shape[:2], rows, side, -1).sum(3)
    blocks = bands.reshape(*bands.shape[:3], columns, side).sum(-1) / side**2
    return blocks.swapaxes(0, 1).reshape(energy.shape[1], -1) + _FLOOR**2


def _blocks(tiles: np.ndarray) -> np.ndarray:
    weights = _LUMA if tiles.shape[2] == 3 else np.ones(1, np.float32)
    y = np.einsum("c,tnchw->tnhw", weights, tiles)
    if min(y.shape[2:]) < 2 * BLOCK:
        return np.zeros(y.shape[1])
    half = BLOCK // 2
    return _fine_detail(y) - _fine_detail(y[..., half:, half:])


def _fine_detail(y: np.ndarray) -> np.ndarray:
    """Mean log magnitude of the upper half of the cosine transform's frequencies, [N]."""
    height, width = (size // BLOCK for size in y.shape[2:])
    step = max(1, round((height * width * len(y) / BLOCKS) ** 0.5))
    blocks = y[..., : height * BLOCK, : width * BLOCK].reshape(*y.shape[:2], height, BLOCK, width, BLOCK)
    blocks = blocks.transpose(0, 1, 2, 4, 3, 5)[:, :, ::step, ::step]
    fine = _FINE @ blocks @ _FINE.T
    return np.log(np.abs(fine) + _ROUNDING).mean((0, 2, 3, 4, 5))


def _spot(images: np.ndarray) -> tuple[float, tuple[int, int]]:
    """By how much a pixel is above all its eight neighbours under every light, or below by more than half; x, y."""
    apart, channels = standing_out(images), images.shape[1]
    inner = apart[1:-1].reshape(len(apart) - 2, -1)[:, channels:-channels]
    _, most, _, (column, y) = cv2.minMaxLoc(inner)
    return float(most), (column // channels + 1, y + 1)


def _cosines() -> np.ndarray:
    k = np.arange(BLOCK)
    basis = np.cos(np.pi * (2 * k + 1) * k[:, None] / (2 * BLOCK)) * np.sqrt(2 / BLOCK)
    return basis[BLOCK // 2 :].astype(np.float32)


_FINE = _cosines()
