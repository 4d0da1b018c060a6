"""Figures 4 and 5 of the paper from a comparison, and a sheet of the classes of a data set.

A colour means the same on every map of a method: its range comes from the threshold that held-out good parts have set,
never from the map that is drawn. Which captures are shown is a rule, not a choice, and stands below the picture.
"""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from afrd.capture import Capture
from afrd.comparison.job import ALL_LIGHTS, Job
from afrd.comparison.paper import FIXED_LIGHT
from afrd.comparison.results import Store
from afrd.datasets import categories as data_categories
from afrd.datasets import open_dataset
from afrd.errors import DatasetError, RunError
from afrd.evaluation.visual import colour_range, heat_map, mask_picture, mean_light, photo, write_picture

_PAPER, _INK, _QUIET = (255, 255, 255), (24, 26, 31), (104, 110, 122)
_TILE, _GAP, _LINE = 128, 6, 18
RULE = (
    "Of each class: of the defective captures that attention found, ranked by its score, the one in the middle "
    "(several: at even ranks); the miss with the lowest score where none is found or more are shown. Maps of a "
    "method share one scale, from 0 (dark) to twice its threshold from held-out good captures; the number is score / "
    "threshold."
)


@dataclass(frozen=True)
class Tile:
    """One picture of a sheet, [H, W, 3] uint8 with its label below; None leaves its place empty."""

    picture: np.ndarray | None
    label: str = ""


class _Class:
    """Results, maps and captures of one class and seed; read when they are asked for."""

    def __init__(self, store: Store, results: dict[Job, dict], data: Path, name: str, seed: int) -> None:
        self.store, self.results, self.name, self.seed = store, results, name, seed
        self._data, self._maps = data, {}
        self.attention = self.result("attention", ALL_LIGHTS)
        self.lights = self.attention["lights"]

    def job(self, method: str, light: str) -> Job:
        return Job(self.name, method, light, self.seed)

    def result(self, method: str, light: str) -> dict:
        """Raises RunError where the job is not done."""
        job = self.job(method, light)
        result = self.results.get(job)
        if result is None or result["status"] != "done":
            why = "has not been run" if result is None else f"failed: {result['error']}"
            raise RunError(f"{self.store.folder}: {job.id} {why}; run the comparison again, or name other classes")
        return result

    @cached_property
    def captures(self):
        split = self.attention["settings"]["split"]
        files = {"pattern": self.attention["settings"].get("pattern")}
        train = open_dataset(self._data, self.name, "train", **files)
        captures = open_dataset(self._data, self.name, split, **files).read_as(train.imaging)
        if captures.digest() != self.attention["data"]["digests"]["test"]:
            raise DatasetError(
                f"{self._data}: {self.name}/{split} does not hold the captures that were compared; give the data set "
                f"of {self.store.folder}"
            )
        return captures

    def map_tile(self, method: str, light: str, index: int, label: str) -> Tile:
        result = self.result(method, light)
        job = self.job(method, light)
        if job not in self._maps:
            self._maps[job] = self.store.read_maps(job)[1]
        limit, score = result["threshold"], result["captures"][index]["score"]
        picture = heat_map(self._maps[job][index].astype(np.float32), *colour_range(limit))
        return Tile(picture, f"{label}: {score / limit:.2f}")


def write_figures(
    folder: Path,
    data: Path,
    out: Path,
    *,
    categories: Sequence[str] | None = None,
    captures_per_class: int = 1,
    seed: int = 0,
) -> list[Path]:
    """Write `figure4.png` and `figure5.png` into `out`; returns them.

    folder: of the comparison; data: its data set. categories: classes to show; None is all that have a result.
    captures_per_class: see `RULE`. seed: of the runs that are shown.
    Raises RunError: a run or its maps are missing; DatasetError: `data` does not hold the captures that were compared.
    """
    if captures_per_class < 1:
        raise RunError(f"{captures_per_class} captures a class; expected 1 or more")
    store = Store(folder)
    results = store.read()
    names = list(categories) if categories is not None else sorted({job.category for job in results})
    if not names:
        raise RunError(f"{folder}: holds no results; run the comparison first")
    four, five = [], []
    for name in names:
        one = _Class(store, results, Path(data), name, seed)
        for index in chosen_captures(one.attention, captures_per_class):
            capture = one.captures[index]
            outcome = "found" if one.attention["captures"][index]["verdict"] == "anomalous" else "missed"
            label = f"{name} {capture.id}: {', '.join(capture.defects) or 'defective'}, {outcome}"
            four.append((label, _figure_4(one, capture, index)))
            five += [(label if i == 0 else "", tiles) for i, tiles in enumerate(_figure_5(one, capture, index))]
    if not four:
        raise RunError(f"{folder}: no defective capture in {', '.join(names)}; nothing to show")
    notes = f"{RULE} Seed {seed}."
    sheets = {
        Path(out) / "figure4.png": sheet("AFRD and single-light RD (figure 4)", four, notes),
        Path(out) / "figure5.png": sheet("RD under each light, and the fusions (figure 5)", five, notes),
    }
    for path, picture in sheets.items():
        write_picture(path, picture)
    return list(sheets)


def chosen_captures(result: dict, n: int) -> list[int]:
    """Indices of the captures to show, by `RULE`; fewer than n where there are fewer defective ones."""
    rows = [(row["score"], i, row["verdict"]) for i, row in enumerate(result["captures"]) if row["anomalous"]]
    found = [i for _, i, verdict in sorted(rows) if verdict == "anomalous"]
    missed = [i for _, i, verdict in sorted(rows) if verdict != "anomalous"]
    worst = missed[:1] if n > 1 or not found else []
    wanted = min(n - len(worst), len(found))
    return [found[(2 * k + 1) * len(found) // (2 * wanted)] for k in range(wanted)] + worst


def contact_sheet_classes(data: Path, out: Path) -> None:
    """Write one picture of a data set to the file `out`: its classes as rows, the lights as columns.

    Shown is the first training capture of each class. Raises DatasetError: no data set, or classes with other lights.
    """
    rows, lights = [], None
    for name in data_categories(data):
        captures = open_dataset(data, name, "train")
        lights = lights or captures.lights.names
        if captures.lights.names != lights:
            raise DatasetError(f"{data}: {name} has other lights than the class before; show data sets of one station")
        rows.append((name, [Tile(photo(image)) for image in captures[0].images]))
    write_picture(Path(out), sheet("", rows, "", heads=lights))


def sheet(
    title: str, rows: Sequence[tuple[str, Sequence[Tile]]], notes: str, *, heads: Sequence[str] = ()
) -> np.ndarray:
    """Rows of tiles as one picture, [height, width, 3] uint8.

    A row's label stands above it; an empty one stands nowhere. heads: of the columns; with them it stands at the left.
    """
    beside = bool(heads)
    text, small, large = (ImageFont.load_default(size=size) for size in (13, 12, 17))
    measure = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    left = _GAP + (round(max(measure.textlength(label, font=text) for label, _ in rows)) + _GAP if beside else 0)
    columns = max(len(tiles) for _, tiles in rows)
    width = left + columns * (_TILE + _GAP)
    lines = textwrap.wrap(notes, max(20, int(width / 6.4)))
    heights = [
        (_LINE if label and not beside else 0) + _TILE + (_LINE if any(t.label for t in tiles) else _GAP)
        for label, tiles in rows
    ]
    top = 2 * _LINE if title else _GAP
    canvas = Image.new("RGB", (width, top + (_LINE if heads else 0) + sum(heights) + len(lines) * _LINE + _GAP), _PAPER)
    draw = ImageDraw.Draw(canvas)
    draw.text((_GAP, _LINE), title, fill=_INK, font=large, anchor="lm")
    y = top + (_LINE if heads else 0)
    for i, head in enumerate(heads):
        draw.text((left + i * (_TILE + _GAP), top + _LINE / 2 - _GAP / 2), head, fill=_QUIET, font=text, anchor="lm")
    for (label, tiles), height in zip(rows, heights, strict=True):
        if beside:
            draw.text((_GAP, y + _TILE / 2), label, fill=_INK, font=text, anchor="lm")
        elif label:
            draw.text((left, y + _LINE / 2), label, fill=_INK, font=text, anchor="lm")
        above = _LINE if label and not beside else 0
        for i, tile in enumerate(tiles):
            x = left + i * (_TILE + _GAP)
            if tile.picture is not None:
                canvas.paste(Image.fromarray(_square(tile.picture)), (x, y + above))
            draw.text((x, y + above + _TILE + _LINE / 2), tile.label, fill=_QUIET, font=small, anchor="lm")
        y += height
    for line in lines:
        draw.text((_GAP, y + _LINE / 2), line, fill=_QUIET, font=small, anchor="lm")
        y += _LINE
    return np.asarray(canvas)


def _figure_4(one: _Class, capture: Capture, index: int) -> list[Tile]:
    light = min(FIXED_LIGHT, len(one.lights) - 1)
    return [
        Tile(photo(capture.images[light]), f"L{light + 1}"),
        _mask(capture),
        one.map_tile("rd", str(light), index, f"RD L{light + 1}"),
        one.map_tile("mean", ALL_LIGHTS, index, "mean"),
        one.map_tile("attention", ALL_LIGHTS, index, "attention"),
    ]


def _figure_5(one: _Class, capture: Capture, index: int) -> tuple[list[Tile], list[Tile]]:
    """The lights above their maps; at the right the mask and the mean of the lights above the maps of the fusions."""
    lights = [
        Tile(photo(image), f"L{i + 1}: {name}")
        for i, (image, name) in enumerate(zip(capture.images, one.lights, strict=True))
    ]
    maps = [one.map_tile("rd", str(i), index, f"RD L{i + 1}") for i in range(len(one.lights))]
    fusions = [one.map_tile(name, ALL_LIGHTS, index, name) for name in ("mean", "attention")]
    return [*lights, _mask(capture), Tile(photo(mean_light(capture.images)), "mean of the lights")], [*maps, *fusions]


def _mask(capture: Capture) -> Tile:
    return Tile(None, "no mask") if capture.mask is None else Tile(mask_picture(capture.mask), "mask")


def _square(picture: np.ndarray) -> np.ndarray:
    """[H, W, 3] → [TILE, TILE, 3], whole, in proportion, centred on paper."""
    scale = _TILE / max(picture.shape[:2])
    height, width = (max(1, round(side * scale)) for side in picture.shape[:2])
    inner = cv2.resize(picture, (width, height), interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    square = np.full((_TILE, _TILE, 3), _PAPER, np.uint8)
    top, left = (_TILE - height) // 2, (_TILE - width) // 2
    square[top : top + height, left : left + width] = inner
    return square
