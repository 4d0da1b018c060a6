"""How a part lies, against a reference part: turned and shifted, so that a region of interest can follow it.

The picture stays as it is and the region moves, so that nothing that is looked at is interpolated. Compared is the mean
of all lights, coarse: first at angles all around, wherever the two pictures fit best, then exactly, by OpenCV's ECC
(Evangelidis and Psarakis 2008). Where the part is not found everything is looked at: in doubt it is not good.
"""

import base64
from collections.abc import Iterable
from operator import itemgetter
from typing import Self

import cv2
import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from afrd.imaging.region import MovedRegion, Region

SIDE = 128  # pixels of the longer side, at which parts are compared
STEP, SECTOR = 15, 45  # degrees between the angles that are tried; of each sector the best is made exact
LEAST = 0.6  # correlation with the reference, below which a part is not found
MARGIN = 0.02  # of the region, that may lie farther outside of the picture than in training
SMOOTH = 2.0  # standard deviation in coarse pixels
OFFSET = 0.02  # of full scale, added before the logarithm


class Alignment(BaseModel):
    """reference: of the part that the region was drawn on, the coarse picture, as a PNG in base64.

    least_seen: share of the region within the picture, below which a part lies farther outside than any in training.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    reference: str = Field(repr=False)
    least_seen: float = Field(1 - MARGIN, ge=0)

    @classmethod
    def to(cls, images: np.ndarray) -> Self:
        """images: [N, C, H, W] of the reference part."""
        shades = np.clip(np.rint((_coarse(images) - np.log(OFFSET)) / -np.log(OFFSET) * 255), 0, 255).astype(np.uint8)
        return cls(reference=base64.b64encode(cv2.imencode(".png", shades)[1]).decode())

    def learned(self, region: Region, captures: Iterable[np.ndarray]) -> Self:
        """With `least_seen` as good captures, [N, C, H, W] each, have it; those without the part have no say."""
        moved = (self.follow(region, images) for images in captures)
        least = min((each.seen for each in moved if each), default=1.0)
        return self.model_copy(update={"least_seen": round(max(0.0, min(least, 1.0) - MARGIN), 4)})

    def follow(self, region: Region, images: np.ndarray) -> MovedRegion | None:
        """The region as this capture's part has it; None where the part is not found."""
        matrix = self.pose(images)
        return None if matrix is None else MovedRegion(region, matrix)

    def pose(self, images: np.ndarray) -> np.ndarray | None:
        """[2, 3], from pixels of the reference to those of this capture; None where its part is not found."""
        shades = cv2.imdecode(np.frombuffer(base64.b64decode(self.reference), np.uint8), cv2.IMREAD_GRAYSCALE)
        reference, found = (_outlined(picture) for picture in (shades.astype(np.float32), _coarse(images)))
        tried = (_exactly(reference, found, start) for start in _starts(reference, found))
        agreement, matrix = max(tried, key=itemgetter(0))
        if agreement < LEAST:
            return None
        scale = max(images.shape[-2:]) / max(reference.shape)
        matrix = matrix.astype(float)
        half = (scale - 1) / 2  # pixel centres: x in full pixels is scale · coarse + half
        matrix[:, 2] = scale * matrix[:, 2] + half - half * matrix[:, :2].sum(1)
        return matrix


def _coarse(images: np.ndarray) -> np.ndarray:
    """[h, w] float32, the logarithm of the mean over lights and channels."""
    size = images.shape[-2:]
    scale = min(1.0, SIDE / max(size))
    small = [
        cv2.resize(channel, [max(8, round(n * scale)) for n in size[::-1]], interpolation=cv2.INTER_AREA)
        for channel in images.reshape(-1, *size)
    ]
    return np.log(np.mean(small, 0, dtype=np.float32) / np.iinfo(images.dtype).max + OFFSET)


def _outlined(picture: np.ndarray) -> np.ndarray:
    """Of mean 0 and standard deviation 1, smooth, so that a part and not its texture is compared."""
    smooth = cv2.GaussianBlur(picture, (0, 0), SMOOTH)
    return (smooth - smooth.mean()) / max(float(smooth.std()), 1e-6)


def _turned(shape: tuple[int, ...], degrees: float) -> np.ndarray:
    return cv2.getRotationMatrix2D(((shape[1] - 1) / 2, (shape[0] - 1) / 2), degrees, 1.0)


def _starts(reference: np.ndarray, found: np.ndarray) -> list[np.ndarray]:
    """[2, 3] float32 each: of each sector the angle at which the reference fits best, and where."""
    size, tried = np.array(found.shape), []
    spectrum = np.fft.rfft2(found, 2 * size)
    for degrees in range(0, 360, STEP):
        matrix = _turned(reference.shape, degrees)
        turned = cv2.warpAffine(reference, matrix, reference.shape[::-1])
        fits = np.fft.irfft2(spectrum * np.fft.rfft2(turned, 2 * size).conj(), 2 * size)
        peak = np.array(np.unravel_index(int(fits.argmax()), fits.shape))
        y, x = np.where(peak >= size, peak - 2 * size, peak)
        matrix[:, 2] += x, y
        tried.append((float(fits.max() / np.linalg.norm(turned)), matrix.astype(np.float32)))
    sectors = (tried[i : i + SECTOR // STEP] for i in range(0, len(tried), SECTOR // STEP))
    return [max(sector, key=itemgetter(0))[1] for sector in sectors]


def _exactly(reference: np.ndarray, found: np.ndarray, start: np.ndarray) -> tuple[float, np.ndarray]:
    """Their correlation, and the matrix; 0 where they have nothing in common."""
    laid = cv2.warpAffine(reference, start, found.shape[::-1])  # OpenCV's ECC knows angles up to 90 degrees only
    until = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-5)
    unmoved = np.eye(2, 3, dtype=np.float32)
    try:
        agreement, matrix = cv2.findTransformECC(laid, found, unmoved, cv2.MOTION_EUCLIDEAN, until, None, 1)
    except cv2.error:
        return 0.0, start
    return agreement, matrix @ np.vstack([start, [0, 0, 1]])
