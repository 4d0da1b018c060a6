"""What a capture tells of the rig that took it, whatever the part: brightness, colour, sharpness, noise, JPEG, pixels.

Arithmetic with numpy and OpenCV alone, so that it runs wherever an artefact runs. Knows no training and no limits.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from afrd.imaging.cells import channel_means, weighted_median
from afrd.imaging.dead_pixels import standing_out

BLOCK = 8  # pixels, of JPEG; also of the places that noise is measured at
QUIET = 0.25  # of the blocks, those with the least detail, are where noise is measured; sharpness where there is most
SAMPLED = 256  # detail is measured on tiles that cover an area of this side, at most
TILE = 64
LEAST_BLOCKS = 8  # of a region of interest, below which everything is measured
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


def measure_rig(
    images: np.ndarray, inside: np.ndarray | None = None, cells: np.ndarray | None = None
) -> RigMeasurement:
    """images: [N, C, H, W], uint8 or uint16, RGB or grey, at least 8 × 8 pixels.

    inside: [H, W] bool, the region of interest as this capture has it, within which noise, sharpness and JPEG are
    measured: what was filled beyond has neither, and a border that is sharp under any blur. None, or so little of it
    that it holds no block of 8 × 8 pixels: everywhere. cells: `channel_means` of the images before they were filled,
    which brightness and colour are of: what lies around a part is the steadiest there is. None: of these.
    """
    full = float(np.iinfo(images.dtype).max)
    cells = (channel_means(images) if cells is None else cells) / full
    corners, side = _corners(images.shape[2:], inside)
    tiles = _cut(images, corners, side).astype(np.float32) / np.float32(full)  # [T, N, C, h, w]
    seen = np.ones((len(tiles), *tiles.shape[3:]), bool) if inside is None else _cut(inside, corners, side)
    spot, at = _spot(images)
    grey = tiles.mean(2)
    return RigMeasurement(
        grey=cells.mean(1),
        red=cells[:, 0],
        blue=cells[:, -1],
        noise=_noise(tiles, grey, seen),
        sharpness=_sharpness(grey, seen),
        blocks=_blocks(tiles, seen),
        spot=spot / full,
        spot_at=at,
    )


def measurable(inside: np.ndarray) -> bool:
    """Whether a region is large enough for `measure_rig` to go by what it shows alone, also where it moves a little.

    inside: [H, W] bool.
    """
    inner = cv2.erode(inside.astype(np.uint8), np.ones((BLOCK + 1, BLOCK + 1), np.uint8), borderValue=0) > 0
    corners, side = _corners(inside.shape, inside)
    return int(_whole(_cut(inner, corners, side), BLOCK, 2).sum()) >= LEAST_BLOCKS


def _corners(size: tuple[int, ...], inside: np.ndarray | None) -> tuple[list[tuple[int, int]], tuple[int, int]]:
    """y, x of the tiles, and their height and width: all of a small picture, or tiles of 64 pixels spread over it.

    They begin where a JPEG block does. inside: then those that show much of it.
    """
    height, width = size
    if height * width <= SAMPLED**2 or min(height, width) < TILE:
        return [(0, 0)], (height, width)
    if inside is None:
        share = SAMPLED / np.sqrt(height * width)
        ys, xs = (
            np.unique(np.linspace(0, length - TILE, max(1, round(share * length / TILE))).astype(int) // BLOCK * BLOCK)
            for length in size
        )
        return [(int(y), int(x)) for y in ys for x in xs], (TILE, TILE)
    rows, columns = height // TILE, width // TILE
    shown = inside[: rows * TILE, : columns * TILE].reshape(rows, TILE, columns, TILE).mean((1, 3))
    places = np.argwhere(shown >= shown.max() / 2)
    some = np.linspace(0, len(places) - 1, min(len(places), (SAMPLED // TILE) ** 2)).round().astype(int)
    return [(int(y) * TILE, int(x) * TILE) for y, x in places[some]], (TILE, TILE)


def _cut(values: np.ndarray, corners: Sequence[tuple[int, int]], side: tuple[int, int]) -> np.ndarray:
    """[T, ..., h, w]."""
    return np.stack([values[..., y : y + side[0], x : x + side[1]] for y, x in corners])


def _whole(seen: np.ndarray, side: int, reach: int = 0) -> np.ndarray:
    """[T, rows, columns] bool: the blocks of this side that are seen, and so many pixels beyond them."""
    windows = np.lib.stride_tricks.sliding_window_view(seen, (side + reach, side + reach), (1, 2))
    return windows[:, ::side, ::side].all((-1, -2))


def _or_all(whole: np.ndarray) -> np.ndarray:
    return whole if whole.any() else np.ones_like(whole)


def _curvature(values: np.ndarray) -> np.ndarray:
    """Second differences in both directions, [..., H - 2, W - 2]; white noise keeps its standard deviation."""
    rows = values[..., 2:, :] - 2 * values[..., 1:-1, :] + values[..., :-2, :]
    return (rows[..., 2:] - 2 * rows[..., 1:-1] + rows[..., :-2]) / 6


def _noise(tiles: np.ndarray, grey: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Texture is common to lights and channels, noise is not: what is left of one given all the others."""
    lights = tiles.shape[1]
    coloured = any(not np.array_equal(tiles[:, :, 0], tiles[:, :, k]) for k in range(1, tiles.shape[2]))
    energy = _curvature(grey.mean(1)) ** 2  # [T, h, w]
    side = min(BLOCK, *energy.shape[1:])
    rows, columns = (size // side for size in energy.shape[1:])
    blocks = energy[:, : rows * side, : columns * side].reshape(-1, rows, side, columns, side).mean((2, 4))
    whole = _or_all(_whole(seen, side, 2))
    places = np.argwhere(whole & (blocks <= np.quantile(blocks[whole], QUIET)))
    places = places[:: -(-2 * len(places) // BLOCKS)]
    channels = tiles if coloured else tiles[:, :, :1]
    quiet = np.stack([channels[t, :, :, side * y :, side * x :][..., : side + 2, : side + 2] for t, y, x in places])
    values = _curvature(quiet).transpose(1, 2, 0, 3, 4).reshape(lights * channels.shape[2], -1).astype(np.float64)
    covariance = values @ values.T / values.shape[1] + _FLOOR**2 * np.eye(len(values))
    unexplained = 1 / np.diag(np.linalg.inv(covariance))
    return np.sqrt(unexplained.reshape(lights, -1).mean(1))


def _sharpness(grey: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """A median over the places of most contrast, so that the edges of one defect do not make it."""
    whole = _or_all(_whole(seen, min(BLOCK, *(size - 2 for size in seen.shape[1:])), 2)).ravel()
    near, far = (_roughness(grey, distance)[:, whole] for distance in (1, 2))
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


def _blocks(tiles: np.ndarray, seen: np.ndarray) -> np.ndarray:
    weights = _LUMA if tiles.shape[2] == 3 else np.ones(1, np.float32)
    y = np.einsum("c,tnchw->tnhw", weights, tiles)
    if min(y.shape[2:]) < 2 * BLOCK:
        return np.zeros(y.shape[1])
    half = BLOCK // 2
    return _fine_detail(y, seen) - _fine_detail(y[..., half:, half:], seen[:, half:, half:])


def _fine_detail(y: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """Mean log magnitude of the upper half of the cosine transform's frequencies, [N]."""
    height, width = (size // BLOCK for size in y.shape[2:])
    whole = _or_all(_whole(seen, BLOCK))
    step = max(1, round((whole.sum() / BLOCKS) ** 0.5))
    if not whole[:, ::step, ::step].any():
        step = 1
    blocks = y[..., : height * BLOCK, : width * BLOCK].reshape(*y.shape[:2], height, BLOCK, width, BLOCK)
    blocks = blocks.transpose(0, 1, 2, 4, 3, 5)[:, :, ::step, ::step]
    fine = _FINE @ blocks @ _FINE.T
    detail = np.log(np.abs(fine) + _ROUNDING).swapaxes(0, 1)  # [N, T, rows, columns, 4, 4]
    return detail[:, whole[:, ::step, ::step]].mean((1, 2, 3))


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
