"""Draw captures, anomaly maps and verdicts.

Colours mean the same on every capture: their range comes from the threshold, which good parts have set, never from the
map that is drawn. A map that is dark all over is a good part; stretching each map to its own maximum would hide that.
Knows no model and no report.
"""

from pathlib import Path

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from afrd.capture import Capture
from afrd.errors import ModelError
from afrd.files import atomic_path
from afrd.inspection import Inspection

COLOUR_MAP = "inferno"  # perceptually uniform, dark where nothing is wrong, readable without colour vision

LARGE = 1_000_000  # pixels, from which a picture is written fast rather than small

_PAPER, _INK, _QUIET, _GOOD, _BAD = (255, 255, 255), (24, 26, 31), (104, 110, 122), (26, 127, 75), (196, 43, 43)


def colour_range(threshold: float) -> tuple[float, float]:
    """(low, high) for `heat_map`: from a perfect reproduction to twice the threshold, which is the middle colour.

    Raises ModelError on a threshold that is not a positive number.
    """
    if not np.isfinite(threshold) or threshold <= 0:
        raise ModelError(f"threshold is {threshold}; a positive number was expected: set it from held-out good parts")
    return 0.0, 2.0 * threshold


def photo(image: np.ndarray) -> np.ndarray:
    """[3, H, W] or grey [1, H, W], uint8 or uint16, one light of a capture, as [H, W, 3] uint8."""
    if image.dtype == np.uint16:
        image = ((image.astype(np.uint32) + 128) // 257).astype(np.uint8)
    return np.ascontiguousarray(np.broadcast_to(image, (3, *image.shape[1:])).transpose(1, 2, 0))


def mean_light(images: np.ndarray) -> np.ndarray:
    """[N, C, H, W] images of a capture as one [C, H, W], their mean, in the same type."""
    return np.rint(images.mean(axis=0)).astype(images.dtype)


def heat_map(anomaly_map: np.ndarray, low: float, high: float) -> np.ndarray:
    """[H, W] map as [H, W, 3] uint8 RGB; values outside low to high take the end colours."""
    shade = np.clip((np.asarray(anomaly_map, dtype=np.float32) - low) / (high - low), 0, 1)
    table = matplotlib.colormaps[COLOUR_MAP](np.arange(256), bytes=True)[:, :3]
    return table[np.rint(shade * 255).astype(np.uint8)]


def overlay(image: np.ndarray, anomaly_map: np.ndarray, threshold: float) -> np.ndarray:
    """The map over one light: [C, H, W] and [H, W] give [H, W, 3] uint8 RGB.

    Clear up to half the threshold, opaque towards it; a white line on black encloses what lies above the threshold.
    """
    grey = cv2.cvtColor(photo(image), cv2.COLOR_RGB2GRAY)[..., None].astype(np.float32)
    opacity = 0.75 * np.clip(2 * anomaly_map / threshold - 1, 0, 1)[..., None]
    mixed = (1 - opacity) * grey + opacity * heat_map(anomaly_map, *colour_range(threshold))
    drawn = np.rint(mixed).astype(np.uint8)
    return outline(drawn, anomaly_map > threshold, (255, 255, 255))


def outline(image: np.ndarray, inside: np.ndarray, colour: tuple[int, int, int]) -> np.ndarray:
    """A copy of [H, W, 3] uint8 with the border of [H, W] bool regions, dark beneath so that it shows anywhere."""
    drawn = image.copy()
    contours, _ = cv2.findContours(inside.astype(np.uint8), cv2.RETR_LIST, cv2.CHAIN_APPROX_NONE)
    line = max(1, max(inside.shape) // 320)
    cv2.drawContours(drawn, contours, -1, (0, 0, 0), 3 * line, cv2.LINE_AA)
    cv2.drawContours(drawn, contours, -1, colour, line, cv2.LINE_AA)
    return drawn


def mask_picture(mask: np.ndarray) -> np.ndarray:
    """[H, W] bool as [H, W, 3] uint8, white on black."""
    return np.repeat(np.where(mask, 255, 0).astype(np.uint8)[..., None], 3, axis=-1)


def write_picture(path: Path, image: np.ndarray) -> None:
    """Write [H, W, 3] uint8 as PNG."""
    with atomic_path(path) as temporary:
        small = image.shape[0] * image.shape[1] < LARGE
        Image.fromarray(image).save(temporary, format="PNG", **({"optimize": True} if small else {"compress_level": 1}))


def contact_sheet(capture: Capture, inspection: Inspection, *, tile: int = 192) -> np.ndarray:
    """One picture of a capture and its verdict, [height, width, 3] uint8.

    Left the N lights in two rows, each with its name and its evidence, or, where the fusion has none, its weight
    averaged over the levels; the light that shows a defect most is framed. Right, twice as large, the mask where known,
    the anomaly map, and the map over the mean of the lights. tile: side of a light in pixels.
    """
    lights = [photo(image) for image in capture.images]
    evidence = inspection.light_evidence
    word, weights = ("weight", inspection.light_weights.mean(axis=0)) if evidence is None else ("evidence", evidence)
    shown_by = int(weights.argmax()) if evidence is not None and inspection.verdict == "anomalous" else None

    gap, caption, head = round(tile / 16), round(tile / 8), round(tile / 3.5)
    columns = -(-len(lights) // 2)
    side = 2 * tile + gap + caption  # of a result, so that it ends level with two rows of lights
    # Enlarged before they are drawn, so that contours are smooth.
    larger = [round(n * side / max(capture.size)) for n in capture.size[::-1]]
    anomaly_map = cv2.resize(inspection.anomaly_map, larger)
    mean = np.stack([cv2.resize(channel, larger) for channel in mean_light(capture.images)])
    results = [
        ("anomaly map", heat_map(anomaly_map, *colour_range(inspection.threshold))),
        ("map on the mean light", overlay(mean, anomaly_map, inspection.threshold)),
    ]
    if capture.mask is not None:
        results.insert(0, ("mask", mask_picture(capture.mask)))
    left = columns * (tile + gap)
    width = gap + left + gap + len(results) * (side + gap)
    sheet = Image.new("RGB", (width, head + 2 * (tile + caption + gap)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    text = ImageFont.load_default(size=caption * 0.6)

    verdict, colour = inspection.verdict, _GOOD if inspection.verdict == "good" else _BAD
    title = ImageFont.load_default(size=caption * 0.8)
    x, y = gap, head * 0.55
    for part, ink in (
        (f"{capture.id}  ", _INK),
        (f"{verdict}  ", colour),
        (f"score {inspection.score:.3g}, threshold {inspection.threshold:.3g}", _QUIET),
    ):
        draw.text((x, y), part, fill=ink, font=title, anchor="lm")
        x += draw.textlength(part, font=title)
    for i, (light, name) in enumerate(zip(lights, capture.lights.names, strict=True)):
        x, y = gap + (i % columns) * (tile + gap), head + (i // columns) * (tile + caption + gap)
        sheet.paste(_fitted(light, tile), (x, y))
        if i == shown_by:
            draw.rectangle((x - 3, y - 3, x + tile + 2, y + tile + 2), outline=_BAD, width=3)
        weight = "left out" if i in inspection.left_out else f"{word} {weights[i]:.2f}"
        label = _shortened(draw, name, text, tile - draw.textlength(f" {weight}", font=text))
        draw.text((x, y + tile + caption / 2), label, fill=_INK, font=text, anchor="lm")
        draw.text((x + tile, y + tile + caption / 2), weight, fill=_QUIET, font=text, anchor="rm")
    for i, (name, picture) in enumerate(results):
        x = gap + left + gap + i * (side + gap)
        sheet.paste(_fitted(picture, side), (x, head))
        draw.text((x, head + side + caption / 2), name, fill=_INK, font=text, anchor="lm")
    return np.asarray(sheet)


def _fitted(picture: np.ndarray, side: int) -> Image.Image:
    """The picture in a square, whole, its proportions kept."""
    scale = side / max(picture.shape[:2])
    size = [max(1, round(n * scale)) for n in picture.shape[1::-1]]
    inner = Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS)
    square = Image.new("RGB", (side, side), _PAPER)
    square.paste(inner, ((side - size[0]) // 2, (side - size[1]) // 2))
    return square


def _shortened(draw: ImageDraw.ImageDraw, name: str, font: ImageFont.FreeTypeFont, width: float) -> str:
    if draw.textlength(name, font=font) <= width:
        return name
    while name and draw.textlength(name + "…", font=font) > width:
        name = name[:-1]
    return name + "…"
