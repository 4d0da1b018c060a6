"""By how much the pictures of one capture are shifted against each other, to a small part of a pixel.

What a light does to a surface must not be taken for motion. So relief, which is bright on the side of the light, has
little say: compared are fine details of the logarithm of brightness, of the same energy everywhere, where a light
agrees with the mean of the others; under strong relief it does not. First the strength of gradients, which changes
little with the light, brings all lights to within a pixel. Each light is compared with the mean of all others and not
with a single one, since two opposite lights may show nothing alike. One shift a light is all that is estimated, so
that nothing in a picture, no defect and no shading, can be moved by itself. Where a region is given, what lies outside
of it has no say: a belt that stands still is sharper than the part that moves over it.

Shifts are x, y in pixels, by which a light's picture lies right of and below where all lights lie on average.
OpenCV's ECC (Evangelidis and Psarakis 2008) does the comparing.
"""

import math

import cv2
import numpy as np

FINEST, COARSE = 1.0, 2.0  # standard deviations of the details that are compared: between these two
AROUND, AGREEING = 8.0, 6.0  # pixels, over which energy and agreement are averaged
KEPT = 0.5  # of the picture, or of the region in it, where a light agrees most with the others
ROUNDS, SETTLED = 4, 0.01  # until no shift changes by more than this
WINDOW = 512  # pixels; of larger pictures the middle, or that of the region, is compared, which fixes a shift as well
SOFT = 8.0  # standard deviation in pixels of the region's edge, so that it is no detail that stands still
SMALLEST = 8  # pixels of a side, below which nothing can be compared
LEAST = 0.2  # correlation, below which a picture shows nothing that the others show


def estimate_shifts(images: np.ndarray, inside: np.ndarray | None = None) -> tuple[np.ndarray, np.ndarray]:
    """images: [N, C, H, W], uint8 or uint16. inside: [H, W] bool, where is compared; None: everywhere.

    Returns shifts [N, 2], zero on average, and how well each light then agrees with the others, [N], as a correlation;
    0 where it cannot be compared.
    """
    n = len(images)
    if n == 1 or min(images.shape[2:]) < SMALLEST:
        return np.zeros((n, 2)), np.full(n, float(n == 1))
    rows, columns = _window(images.shape[2:], inside)
    mask = None if inside is None else inside[rows, columns].astype(np.uint8)
    logs = [np.log(_grey(image[:, rows, columns]) + 0.02) for image in images]
    edges = [_edges(log, mask) for log in logs]
    shifts, _ = _refine(edges, _whole_pixels(edges, mask), 2, mask, everywhere=True)
    return _refine([_details(log) for log in logs], shifts, ROUNDS, mask)


def move_back(images: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """[N, C, H, W] with the shifts undone; what comes in from outside repeats the border."""
    moved = np.empty_like(images)
    for light, into, shift in zip(images, moved, shifts, strict=True):
        for channel, target in zip(light, into, strict=True):
            target[...] = _shifted(np.ascontiguousarray(channel), shift, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
    return moved


def _window(size: tuple[int, ...], inside: np.ndarray | None) -> tuple[slice, slice]:
    """Rows and columns that are compared: in the middle of the picture, or where most of the region lies."""
    if inside is None:
        return _around(size[0] / 2, size[0]), _around(size[1] / 2, size[1])
    held = np.flatnonzero(inside.any(1)), np.flatnonzero(inside.any(0))
    middle = [(float(places[0]) + float(places[-1]) + 1) / 2 for places in held]
    apart = [max(0.0, (places[-1] + 1 - places[0] - WINDOW) / 2) for places in held]
    steps = [np.linspace(-reach, reach, 1 + 2 * math.ceil(2 * reach / WINDOW)) for reach in apart]
    windows = [
        (abs(y) + abs(x), _around(middle[0] + y, size[0]), _around(middle[1] + x, size[1]))
        for y in steps[0]
        for x in steps[1]
    ]
    _, rows, columns = max(windows, key=lambda one: (np.count_nonzero(inside[one[1], one[2]]), -one[0]))
    return rows, columns


def _around(middle: float, length: int) -> slice:
    start = max(0, min(int(middle - WINDOW / 2), length - WINDOW))
    return slice(start, start + WINDOW)


def _grey(image: np.ndarray) -> np.ndarray:
    """[C, H, W] as [H, W] float32 in [0, 1]."""
    return image.mean(0, dtype=np.float32) / np.iinfo(image.dtype).max


def _edges(log: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    smooth = cv2.GaussianBlur(log, (0, 0), FINEST)
    strength = np.hypot(cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1))
    strong = np.percentile(strength if mask is None else strength[mask > 0], 90)
    return strength / (strength + strong + 1e-6)


def _details(log: np.ndarray) -> np.ndarray:
    band = cv2.GaussianBlur(log, (0, 0), FINEST) - cv2.GaussianBlur(log, (0, 0), COARSE)
    return band / (np.sqrt(cv2.GaussianBlur(band * band, (0, 0), AROUND)) + 0.01)


def _refine(
    pictures: list[np.ndarray], shifts: np.ndarray, rounds: int, mask: np.ndarray | None, everywhere: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Shifts, right to within some pixels, made exact. everywhere: not only where a light agrees with the rest.

    mask: 1 where is compared; None: all over.
    """
    n = len(pictures)
    agreement = np.ones(n)
    for _ in range(rounds):
        moved = [_shifted(picture, shift) for picture, shift in zip(pictures, shifts, strict=True)]
        total = np.sum(moved, 0)
        found = shifts.copy()
        for k in range(n):
            others = (total - moved[k]) / (n - 1)
            where = mask if everywhere else _agreeing(moved[k], others, mask)
            found[k], agreement[k] = _compared(pictures[k], others, shifts[k], where)
        found -= found.mean(0)
        settled = np.abs(found - shifts).max() < SETTLED
        shifts = found
        if settled:
            break
    return shifts, agreement


def _whole_pixels(pictures: list[np.ndarray], mask: np.ndarray | None) -> np.ndarray:
    """[N, 2] shifts to a pixel: one light after the other is laid on those before, the one that fits best first."""
    window = cv2.createHanningWindow(pictures[0].shape[::-1], cv2.CV_32F)
    levels = [picture.mean() if mask is None else picture[mask > 0].mean() for picture in pictures]
    if mask is not None:
        window = window * cv2.GaussianBlur(mask.astype(np.float32), (0, 0), SOFT)
    spectra = [np.fft.rfft2((picture - level) * window) for picture, level in zip(pictures, levels, strict=True)]
    spectra = [spectrum / (np.linalg.norm(spectrum) or 1.0) for spectrum in spectra]
    size = np.array(pictures[0].shape)
    shifts, left = np.zeros((len(pictures), 2)), set(range(len(pictures)))
    total = sum(spectra)
    first = max(left, key=lambda k: (spectra[k] * total.conj()).real.sum())
    left.remove(first)
    laid = spectra[first]
    while left:
        correlations = {k: np.fft.irfft2(spectra[k] * laid.conj(), pictures[0].shape) for k in sorted(left)}
        best = max(correlations, key=lambda k: correlations[k].max())
        peak = np.array(np.unravel_index(int(correlations[best].argmax()), size))
        y, x = np.where(peak > size / 2, peak - size, peak)
        shifts[best] = x, y
        laid = laid + spectra[best] * _turned(size, y, x)
        left.remove(best)
    return shifts - shifts.mean(0)


def _turned(size: np.ndarray, y: int, x: int) -> np.ndarray:
    """What takes a shift by whole pixels out of a spectrum."""
    rows, columns = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])[None]
    return np.exp(2j * np.pi * (rows * y + columns * x))


def _agreeing(moved: np.ndarray, others: np.ndarray, mask: np.ndarray | None) -> np.ndarray:
    """Where they do, as a mask: the half of the picture, or of the mask, with the highest local correlation."""

    def around(product: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(product, (0, 0), AGREEING)

    agreement = around(moved * others) / np.sqrt(around(moved**2) * around(others**2) + 1e-6)
    if mask is None:
        return (agreement > np.quantile(agreement, 1 - KEPT)).astype(np.uint8)
    return mask * (agreement > np.quantile(agreement[mask > 0], 1 - KEPT))


def _compared(
    picture: np.ndarray, others: np.ndarray, shift: np.ndarray, where: np.ndarray | None
) -> tuple[np.ndarray, float]:
    """The picture's shift against the others, from near it, and their correlation; 0 where they have none."""
    start = np.float32([[1, 0, -shift[0]], [0, 1, -shift[1]]])
    until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 30, 1e-3)
    try:
        agreement, found = cv2.findTransformECC(picture, others, start, cv2.MOTION_TRANSLATION, until, where, 1)
    except cv2.error:  # they have nothing in common
        return shift, 0.0
    return -found[:, 2].astype(float), float(agreement)


def _shifted(
    picture: np.ndarray, shift: np.ndarray, how: int = cv2.INTER_LINEAR, border: int = cv2.BORDER_REFLECT
) -> np.ndarray:
    """The picture with the shift undone."""
    matrix = np.float32([[1, 0, shift[0]], [0, 1, shift[1]]])
    return cv2.warpAffine(picture, matrix, picture.shape[::-1], flags=how | cv2.WARP_INVERSE_MAP, borderMode=border)
