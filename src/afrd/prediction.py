"""Captures without labels to verdicts on disk: maps, pictures and one JSON line each."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from afrd.datasets import CaptureSet, read_ahead, verify
from afrd.errors import RunError
from afrd.evaluation.visual import contact_sheet, mean_light, overlay, write_picture
from afrd.files import atomic_path
from afrd.inspector import Inspection, Inspector
from afrd.map_png import write_map_png16

MapFormat = Literal["png16", "npy"]


def predict(
    inspector: Inspector,
    captures: CaptureSet,
    out: str | Path,
    *,
    map_format: MapFormat = "png16",
    overwrite: bool = False,
    missing: Sequence[str] = (),
) -> Iterator[tuple[Inspection, dict[str, Any]]]:
    """Inspect each capture and write, into `out`, `<id>_map.png` or `.npy`, `<id>_overlay.png` and `<id>_sheet.png`.

    Yields, as they come, the inspection and its JSON line: `id, verdict ("good", "anomalous" or "light fault"),
    would_be (under a light fault what the score says, else null), score, threshold, light_weights {light: mean over
    levels}, shown_by (light with the most evidence; null for a good part and where the fusion cannot tell),
    light_evidence {light: share} or null, light_faults [words], rig_notes [words], left_out [lights], peak [x, y] in
    pixels of the capture, map, overlay, sheet` (file names).
    missing: names of lights that are out of order.
    Raises, before the first answer, DatasetError for a damaged file, ModelError for a light that cannot be missing, and
    RunError where `out` has answers for one of the captures already, unless `overwrite`.
    """
    out = Path(out)
    existing = [r.id for r in captures.records if (out / f"{r.id}_overlay.png").exists()]
    if existing and not overwrite:
        raise RunError(
            f"{out}: holds an answer for capture {existing[0]} already; choose another --out, or pass --overwrite"
        )
    inspector.missing_lights(missing)
    verify(captures)
    return _answers(inspector, captures, out, map_format, missing)


def _answers(
    inspector: Inspector, captures: CaptureSet, out: Path, map_format: MapFormat, missing: Sequence[str]
) -> Iterator[tuple[Inspection, dict[str, Any]]]:
    for capture in read_ahead(captures):
        inspection = inspector.inspect_capture(capture, missing)
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
    evidence = inspection.light_evidence
    shown = None if evidence is None or inspection.verdict != "anomalous" else lights[int(evidence.argmax())]
    return {
        "id": inspection.id,
        "verdict": inspection.verdict,
        "would_be": inspection.would_be,
        "score": inspection.score,
        "threshold": inspection.threshold,
        "light_weights": _by_light(lights, inspection.light_weights.mean(0)),
        "shown_by": shown,
        "light_evidence": None if evidence is None else _by_light(lights, evidence),
        "light_faults": list(inspection.light_notes),
        "rig_notes": list(inspection.rig_notes),
        "left_out": [lights[k] for k in inspection.left_out],
        "peak": [int(x), int(y)],
    }


def _by_light(lights: tuple[str, ...], values: np.ndarray) -> dict[str, float]:
    return {name: round(float(value), 6) for name, value in zip(lights, values, strict=True)}
