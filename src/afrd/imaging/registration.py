"""By how much the pictures of one capture are shifted against each other, to a small part of a pixel.

What a light does to a surface must not be taken for motion. So relief, which is bright on the side of the light, has
little say: compared are fine details of the logarithm of brightness, of the same energy everywhere, where a light
agrees with the mean of the others; under strong relief it does not. First the strength of gradients, which changes
little with the light, brings all lights to within a pixel. Each light is compared with the mean of all others and not
with a single one, since two opposite lights may show nothing alike. One shift a light is all that is estimated, so
that nothing in a picture, no defect and no shading, can be moved by itself.

Shifts are x, y in pixels, by which a light's picture lies right of and below where all lights lie on average.
OpenCV's ECC (Evangelidis and Psarakis 2008) does the comparing.
"""

import cv2
import numpy as np

FINEST, COARSE = 1.0, 2.0  # standard deviations of the details that are compared: between these two
AROUND, AGREEING = 8.0, 6.0  # pixels, over which energy and agreement are averaged
KEPT = 0.5  # of the picture, where a light agrees most with the others
ROUNDS, SETTLED = 4, 0.01  # until no shift changes by more than this
WINDOW = 512  # pixels; of larger pictures the middle is compared, which fixes a shift as well
SMALLEST = 8  # pixels of a side, below which nothing can be compared
LEAST = 0.2  # correlation, below which a picture shows nothing that the others show


def estimate_shifts(images: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """images: [N, C, H, W], uint8 or uint16.

    Returns shifts [N, 2], zero on average, and how well each light then agrees with the others, [N], as a correlation;
    0 where it cannot be compared.
    """
    n = len(images)
    if n == 1 or min(images.shape[2:]) < SMALLEST:
        return np.zeros((n, 2)), np.full(n, float(n == 1))
    logs = [np.log(_grey(image) + 0.02) for image in images]
    edges = [_edges(log) for log in logs]
    shifts, _ = _refine(edges, _whole_pixels(edges), rounds=2, everywhere=True)
    return _refine([_details(log) for log in logs], shifts, ROUNDS)


def move_back(images: np.ndarray, shifts: np.ndarray) -> np.ndarray:
    """[N, C, H, W] with the shifts undone; what comes in from outside repeats the border."""
    moved = np.empty_like(images)
    for light, into, shift in zip(images, moved, shifts, strict=True):
        for channel, target in zip(light, into, strict=True):
            target[...] = _shifted(np.ascontiguousarray(channel), shift, cv2.INTER_CUBIC, cv2.BORDER_REPLICATE)
    return moved


def _grey(image: np.ndarray) -> np.ndarray:
    """The middle of [C, H, W], as [h, w] float32 in [0, 1]."""
    height, width = image.shape[1:]
    y, x = max(0, (height - WINDOW) // 2), max(0, (width - WINDOW) // 2)
    part = image[:, y : y + WINDOW, x : x + WINDOW]
    return part.mean(0, dtype=np.float32) / np.iinfo(image.dtype).max


def _edges(log: np.ndarray) -> np.ndarray:
    smooth = cv2.GaussianBlur(log, (0, 0), FINEST)
    strength = np.hypot(cv2.Scharr(smooth, cv2.CV_32F, 1, 0), cv2.Scharr(smooth, cv2.CV_32F, 0, 1))
    return strength / (strength + np.percentile(strength, 90) + 1e-6)


def _details(log: np.ndarray) -> np.ndarray:
    band = cv2.GaussianBlur(log, (0, 0), FINEST) - cv2.GaussianBlur(log, (0, 0), COARSE)
    return band / (np.sqrt(cv2.GaussianBlur(band * band, (0, 0), AROUND)) + 0.01)


def _refine(
    pictures: list[np.ndarray], shifts: np.ndarray, rounds: int, everywhere: bool = False
) -> tuple[np.ndarray, np.ndarray]:
    """Shifts, right to within some pixels, made exact. everywhere: not only where a light agrees with the rest."""
    n = len(pictures)
    agreement = np.ones(n)
    for _ in range(rounds):
        moved = [_shifted(picture, shift) for picture, shift in zip(pictures, shifts, strict=True)]
        total = np.sum(moved, 0)
        found = shifts.copy()
        for k in range(n):
            others = (total - moved[k]) / (n - 1)
            where = None if everywhere else _agreeing(moved[k], others)
            found[k], agreement[k] = _compared(pictures[k], others, shifts[k], where)
        found -= found.mean(0)
        settled = np.abs(found - shifts).max() < SETTLED
        shifts = found
        if settled:
            break
    return shifts, agreement


def _whole_pixels(pictures: list[np.ndarray]) -> np.ndarray:
    """[N, 2] shifts to a pixel: one light after the other is laid on those before, the one that fits best first."""
    window = cv2.createHanningWindow(pictures[0].shape[::-1], cv2.CV_32F)
    spectra = [np.fft.rfft2((picture - picture.mean()) * window) for picture in pictures]
    spectra = [spectrum / np.linalg.norm(spectrum) for spectrum in spectra]
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


def _agreeing(moved: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Where they do, as a mask: the half of the picture with the highest local correlation."""

    def around(product: np.ndarray) -> np.ndarray:
        return cv2.GaussianBlur(product, (0, 0), AGREEING)

    agreement = around(moved * others) / np.sqrt(around(moved**2) * around(others**2) + 1e-6)
    return (agreement > np.quantile(agreement, 1 - KEPT)).astype(np.uint8)


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
