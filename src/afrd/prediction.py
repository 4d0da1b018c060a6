"""Captures without labels to verdicts on disk: maps, pictures and one JSON line each."""

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Literal

import numpy as np

from afrd.capture import Capture
from afrd.datasets import CaptureSet, read_ahead
from afrd.errors import DatasetError, RunError
from afrd.evaluation.parts import require_views
from afrd.evaluation.visual import LARGE, contact_sheet, mean_light, overlay, write_picture
from afrd.files import LONGEST_NAME, atomic_path, remove_left_over, require_folder_target
from afrd.inspection import Inspection
from afrd.inspector import Inspector
from afrd.map_png import fitting_scale, write_map_png16

MapFormat = Literal["png16", "npy"]

BEHIND = 2  # captures whose files may still be being written


def predict(
    inspector: Inspector,
    captures: CaptureSet,
    out: str | Path,
    *,
    map_format: MapFormat = "png16",
    overwrite: bool = False,
    missing: Sequence[str] = (),
    pictures: bool = True,
) -> Iterator[tuple[Inspection, dict[str, Any]]]:
    """Inspect each capture and write, into `out`, `<id>_map.png` or `.npy`, `<id>_overlay.png` and `<id>_sheet.png`.

    Each capture is decoded once; its files are written after its verdict, while the next one is inspected, and are all
    there when the last answer has been taken. pictures: False leaves overlay and sheet out.
    Yields, as they come, the inspection and its JSON line: `id, verdict ("good", "anomalous" or "light fault"),
    would_be (under a light fault what the score says, else null), score, threshold, light_weights {light: mean over
    levels}, shown_by (light with the most evidence; null for a good part and where the fusion cannot tell),
    light_evidence {light: share} or null, light_faults [words], rig_notes [words], left_out [lights], peak [x, y] in
    pixels of the capture, map, overlay, sheet` (file names; null without pictures).
    overwrite: of a capture that has an answer already, all its files make way for the new one's. missing: names of
    lights that are out of order. What a killed process left half-written in `out` is removed.
    Raises, before the first answer, ModelError for a light that cannot be missing, RunError where `out` cannot be
    written to, or has answers for one of the captures already, unless `overwrite`, and DatasetError for an id too long
    for the name of a file, or captures that are no views where the model judges parts from views; DatasetError for a
    damaged file when its turn comes.
    """
    out = Path(out)
    require_folder_target(out)
    suffix = "png" if map_format == "png16" else "npy"
    _require_short([record.id for record in captures.records], _names(suffix)[: None if pictures else 1])
    existing = [r.id for r in captures.records if any(path.exists() for path in _every(out, r.id))]
    if existing and not overwrite:
        raise RunError(
            f"{out}: holds an answer for capture {existing[0]} already; choose another --out, or pass --overwrite"
        )
    require_views(captures, inspector.card.views)
    inspector.missing_lights(missing)
    remove_left_over(out)
    return _answers(inspector, captures, out, suffix, missing, pictures)


def _answers(
    inspector: Inspector, captures: CaptureSet, out: Path, suffix: str, missing: Sequence[str], pictures: bool
) -> Iterator[tuple[Inspection, dict[str, Any]]]:
    map_name, *picture_names = _names(suffix)
    waiting: deque[Future[None]] = deque()
    with ThreadPoolExecutor(1) as writer:
        for capture in read_ahead(captures):
            inspection = inspector.inspect_capture(capture, missing)
            files: dict[str, str | None] = {"map": f"{capture.id}_{map_name}"}
            files |= {Path(n).stem: f"{capture.id}_{n}" if pictures else None for n in picture_names}
            named = {k: out / n for k, n in files.items() if n}
            for left in (path for path in _every(out, capture.id) if path not in named.values()):
                left.unlink(missing_ok=True)  # of the former answer; the others are written over
            waiting.append(writer.submit(_write, capture, inspection, named))
            yield inspection, as_json(inspection, captures.lights.names) | files
            while len(waiting) > BEHIND:
                waiting.popleft().result()
        for written in waiting:
            written.result()


def _require_short(ids: Sequence[str], endings: Sequence[str]) -> None:
    ending = max(endings, key=len)
    for id in ids:
        if (length := len(os.fsencode(f"{id}_{ending}"))) > LONGEST_NAME:
            raise DatasetError(
                f"capture {id}: its name is too long for the file <id>_{ending}, {length} bytes where {LONGEST_NAME} "
                f"are the most; rename it"
            )


def _names(suffix: str) -> tuple[str, str, str]:
    """What is written of a capture, behind its id and an underscore."""
    return f"map.{suffix}", "sheet.png", "overlay.png"


def _every(out: Path, id: str) -> list[Path]:
    """All files of a capture that there may be, in whatever format."""
    return [out / f"{id}_{name}" for name in dict.fromkeys((*_names("png"), *_names("npy")))]


def _write(capture: Capture, inspection: Inspection, files: dict[str, Path]) -> None:
    if files["map"].suffix == ".png":
        fast = inspection.anomaly_map.size > LARGE
        found = inspection.anomaly_map
        write_map_png16(files["map"], found, fitting_scale(found), threshold=inspection.threshold, fast=fast)
    else:
        with atomic_path(files["map"]) as temporary:
            np.save(temporary, inspection.anomaly_map)
    if "sheet" in files:
        write_picture(files["sheet"], contact_sheet(capture, inspection))
        picture = overlay(mean_light(capture.images), inspection.anomaly_map, inspection.threshold)
        write_picture(files["overlay"], picture)


def as_json(inspection: Inspection, lights: tuple[str, ...]) -> dict[str, Any]:
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
