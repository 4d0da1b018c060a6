"""Captures without labels to verdicts on disk: maps, pictures and one JSON line each."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal

import numpy as np

from afrd.datasets import CaptureSet, read_ahead, verify
from afrd.errors import RunError
from afrd.evaluation.visual import contact_sheet, mean_light, overlay, write_map_png16, write_picture
from afrd.files import atomic_path
from afrd.inspector import Inspection, Inspector

MapFormat = Literal["png16", "npy"]


def predict(
    inspector: Inspector,
    captures: CaptureSet,
    out: str | Path,
    *,
    map_format: MapFormat = "png16",
    overwrite: bool = False,
) -> Iterator[tuple[Inspection, dict[str, Any]]]:
    """Inspect each capture and write, into `out`, `<id>_map.png` or `.npy`, `<id>_overlay.png` and `<id>_sheet.png`.

    Yields, as they come, the inspection and its JSON line: `id, verdict ("good" or "anomalous"), score, threshold,
    light_weights {light: mean over levels}, peak [x, y] in pixels of the capture, map, overlay, sheet` (file names).
    Raises, before the first answer, DatasetError for a damaged file and RunError where `out` has answers for one of the
    captures already, unless `overwrite`.
    """
    out = Path(out)
    existing = [r.id for r in captures.records if (out / f"{r.id}_overlay.png").exists()]
    if existing and not overwrite:
        raise RunError(
            f"{out}: holds an answer for capture {existing[0]} already; choose another --out, or pass --overwrite"
        )
    verify(captures)
    return _answers(inspector, captures, out, map_format)


def _answers(
    inspector: Inspector, captures: CaptureSet, out: Path, map_format: MapFormat
) -> Iterator[tuple[Inspection, dict[str, Any]]]:
    for capture in read_ahead(captures):
        inspection = inspector.inspect_capture(capture)
        files = {"map": f"{capture.id}_map.{'png' if map_format == 'png16' else 'npy'}"}
        files |= {name: f"{capture.id}_{name}.png" for name in ("sheet", "overlay")}
        if map_format == "png16":
            write_map_png16(out / files["map"], inspection.anomaly_map, threshold=inspection.threshold)
        else:
            with atomic_path(out / files["map"]) as temporary:
                np.save(temporary, inspection.anomaly_map)
        write_picture(out / files["sheet"], contact_sheet(capture, inspection))
        picture = overlay(mean_light(capture.images), inspection.anomaly_map, inspection.threshold)
        write_picture(out / files["overlay"], picture)
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
