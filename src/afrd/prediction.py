"""Captures without labels to verdicts on disk: maps, pictures and one JSON line each."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from afrd.datasets import CaptureSet
from afrd.errors import RunError
from afrd.evaluation.visual import contact_sheet, overlay, write_map_png16, write_picture
from afrd.files import atomic_path
from afrd.inspector import Inspection, Inspector
from afrd.training.features import read_ahead

MapFormat = Literal["png16", "npy"]


def predict(
    inspector: Inspector,
    captures: CaptureSet,
    out: Path,
    *,
    map_format: MapFormat = "png16",
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[tuple[Inspection, dict[str, Any]]]:
    """Inspect each capture and write, into `out`, `<id>_map.png` or `.npy`, `<id>_overlay.png` and `<id>_sheet.png`.

    Yields, as they come, the inspection and its JSON line: `id, verdict ("good" or "anomalous"), score, threshold,
    light_weights {light: mean over levels}, peak [x, y] in pixels of the capture, map, overlay, sheet` (file names).
    Raises RunError where `out` has answers for one of the captures: they are not overwritten.
    """
    existing = [r.id for r in captures.records if (out / f"{r.id}_overlay.png").exists()]
    if existing:
        raise RunError(f"{out}: holds an answer for capture {existing[0]} already; choose another --out")
    for i, capture in enumerate(read_ahead(captures)):
        inspection = inspector.inspect_capture(capture)
        files = {"map": f"{capture.id}_map.{'png' if map_format == 'png16' else 'npy'}"}
        files |= {name: f"{capture.id}_{name}.png" for name in ("sheet", "overlay")}
        if map_format == "png16":
            write_map_png16(out / files["map"], inspection.anomaly_map, threshold=inspection.threshold)
        else:
            with atomic_path(out / files["map"]) as temporary:
                np.save(temporary, inspection.anomaly_map)
        write_picture(out / files["sheet"], contact_sheet(capture, inspection))
        mean = np.rint(capture.images.mean(0)).astype(capture.images.dtype)
        write_picture(out / files["overlay"], overlay(mean, inspection.anomaly_map, inspection.threshold))
        if progress:
            progress(i + 1, len(captures))
        yield inspection, describe(inspection, captures.lights.names) | files


def describe(inspection: Inspection, lights: tuple[str, ...]) -> dict[str, Any]:
    """An inspection as JSON values, without its map."""
    y, x = np.unravel_index(int(inspection.anomaly_map.argmax()), inspection.anomaly_map.shape)
    weights = inspection.light_weights.mean(0)
    return {
        "id": inspection.id,
        "verdict": "anomalous" if inspection.anomalous else "good",
        "score": inspection.score,
        "threshold": inspection.threshold,
        "light_weights": {name: round(float(w), 6) for name, w in zip(lights, weights, strict=True)},
        "peak": [int(x), int(y)],
    }


def write_jsonl(path: Path, lines: list[dict[str, Any]]) -> None:
    """One JSON object a line, whole or not at all."""
    with atomic_path(path) as temporary:
        temporary.write_text("".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines), encoding="utf-8")
