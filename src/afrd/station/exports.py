"""Records out of the station: as CSV, as Parquet, and as a folder that `afrd train` and `afrd evaluate` read."""

import csv
import io
import json
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import cv2
import numpy as np
import yaml
from sqlalchemy import Engine, select
from sqlalchemy.orm import Session, selectinload

from afrd.card import ModelCard
from afrd.errors import AfrdError
from afrd.station.history import Filter, History
from afrd.station.pictures import as_png
from afrd.station.records import iso, not_to_learn_from, summary
from afrd.station.tables import AuditRow, CaptureRow

_BATCH = 1000
_NAMES = "id taken_at verdict score threshold shown_by label model source seconds late note light_notes"
_COLUMNS = tuple(_NAMES.split())
_ROI = "roi.png"
_FOLLOWS = (
    "region of interest: it follows the part, from where that lay in a picture that is not here; draw it anew on the "
    "first good part, and write roi and align: part into lights.yaml"
)
_GOOD, _DEFECT = "good", "defect"  # folders


def rows(engine: Engine, history: History, wanted: Filter) -> Iterator[CaptureRow]:
    """All that are wanted, newest first, a batch at a time in memory."""
    with Session(engine) as session:
        query = history.query(wanted).options(selectinload(CaptureRow.reviews)).order_by(CaptureRow.number.desc())
        yield from session.scalars(query.execution_options(yield_per=_BATCH))


def audit_as_csv(engine: Engine, station: str) -> Iterator[str]:
    """All of the audit log, oldest first; times as ISO 8601, details as JSON."""
    with Session(engine) as session:
        query = select(AuditRow).where(AuditRow.station == station).order_by(AuditRow.number)
        found = session.scalars(query.execution_options(yield_per=_BATCH))
        lines = ((iso(row.at), row.by, row.action, row.subject, json.dumps(row.detail)) for row in found)
        yield from _csv(("at", "by", "action", "subject", "detail"), lines)


def as_csv(found: Iterator[CaptureRow]) -> Iterator[str]:
    """Lines with a head. Text that a spreadsheet would take for a formula is quoted with an apostrophe."""
    return _csv(_COLUMNS, (_values(row).values() for row in found))


def _csv(head: Iterable[str], rows: Iterable[Iterable[Any]]) -> Iterator[str]:
    line = io.StringIO()
    writer = csv.writer(line)
    writer.writerow(head)
    for row in rows:
        writer.writerow([_cell(value) for value in row])
        if line.tell() > 65536:
            yield line.getvalue()
            line.seek(0)
            line.truncate()
    yield line.getvalue()


def as_parquet(found: Iterator[CaptureRow]) -> Iterator[bytes]:
    """One file; times as text, ISO 8601."""
    import pyarrow
    from pyarrow import parquet

    text, number = pyarrow.string(), pyarrow.float64()
    kinds = {"score": number, "threshold": number, "seconds": number, "late": pyarrow.bool_()}
    schema = pyarrow.schema([(name, kinds.get(name, text)) for name in _COLUMNS])
    with TemporaryFile() as file:
        with parquet.ParquetWriter(file, schema) as writer:
            batch: list[dict[str, Any]] = []
            for row in found:
                batch.append(_values(row))
                if len(batch) == _BATCH:
                    writer.write_table(pyarrow.Table.from_pylist(batch, schema))
                    batch = []
            writer.write_table(pyarrow.Table.from_pylist(batch, schema))
        file.seek(0)
        while chunk := file.read(1 << 20):
            yield chunk


def as_folder(found: Iterator[CaptureRow], card: ModelCard, root: Path, most: int) -> Iterator[bytes]:
    """A ZIP of `train/good/<id>/<light>.png` for parts said to be good, `test/<defect type>/<id>/…` for defects.

    One good part in five, by its id, goes into `test/good` instead, so that there is something to evaluate on. The
    newest `most` that were reviewed and whose images are stored; masks that were brushed lie in `masks/`. `lights.yaml`
    says what the model of `card` was told of lights and pixels, `roi.png` where it looks. Parts that cannot be read,
    or are not to be learned from, are named in `left-out.txt`, and so is a region that follows the part: `align: part`
    would take it to lie as in the first part here, and it lay as in the first one of the training before.
    """
    with TemporaryFile(dir=root) as file:
        region = card.imaging and card.imaging.region
        follows = card.imaging and card.imaging.alignment
        gone = [_FOLLOWS] if follows else []
        with zipfile.ZipFile(file, "w", zipfile.ZIP_STORED) as archive:
            archive.writestr("lights.yaml", yaml.safe_dump(_lights_file(card), sort_keys=False))
            if region and not follows:
                mask = region.inside.astype(np.uint8) * 255
                archive.writestr(_ROI, cv2.imencode(".png", mask)[1].tobytes())
            count = 0
            for row in found:
                if row.label is None or row.folder is None:
                    continue
                if why := not_to_learn_from(row):
                    gone.append(f"{row.id}: {why}")
                    continue
                newest = row.reviews[-1]
                defect = _defect_folder(newest.defect_type or _DEFECT)
                label = f"test/{defect}" if row.label == "defect" else _good_split(row.id)
                try:
                    files = {
                        f"{label}/{row.id}/{light}.png": as_png(root / row.folder / name)
                        for light, name in row.files.items()
                    }
                    if row.label == "defect" and newest.mask:
                        files[f"masks/{defect}/{row.id}.png"] = (root / row.folder / newest.mask).read_bytes()
                except (OSError, AfrdError) as error:
                    gone.append(f"{row.id}: {error}")
                    continue
                for name, content in files.items():
                    archive.writestr(name, content)
                count += 1
                if count == most:
                    break
            if gone:
                archive.writestr("left-out.txt", "\n".join((*gone, "")))
        file.seek(0)
        while chunk := file.read(1 << 20):
            yield chunk


def _lights_file(card: ModelCard) -> dict[str, Any]:
    """What `lights.yaml` said when the model was trained; what pixels mean and the region as they came out."""
    lights = [{"name": name} for name in card.lights.names]
    for key, values in (
        ("direction", card.lights.directions),
        ("distance", card.lights.distances),
        ("weight", card.lights.weights),
        ("trigger", card.lights.triggers),
    ):
        for light, value in zip(lights, values or (), strict=False):
            if value is not None:
                light[key] = list(value) if key == "direction" else value
    imaging = {name: value for name, value in (card.config.get("imaging") or {}).items() if value is not None}
    imaging.pop("roi", None)
    if card.imaging:
        imaging |= card.imaging.pixels.model_dump(exclude_defaults=True)
        if card.imaging.alignment:
            imaging.pop("align", None)
        elif card.imaging.region:
            imaging["roi"] = _ROI
    return {"lights": lights} | ({"imaging": imaging} if imaging else {})


def _values(row: CaptureRow) -> dict[str, Any]:
    values = summary(row)
    values["light_notes"] = "; ".join(row.light_notes)
    return {name: values[name] for name in _COLUMNS}


def _cell(value: Any) -> Any:
    return f"'{value}" if isinstance(value, str) and value[:1] in tuple("=+-@\t\r") else value


def _good_split(id: str) -> str:
    return "test/good" if zlib.crc32(id.encode()) % 5 == 0 else "train/good"


def named_as_good(defect_type: str) -> bool:
    """Whether its folder would be that of the good parts; case makes no difference, as on some disks."""
    return _plain(defect_type).casefold() == _GOOD


def _defect_folder(defect_type: str) -> str:
    """Never that of the good parts, whatever is on record."""
    return _DEFECT if named_as_good(defect_type) else _plain(defect_type)


def _plain(name: str) -> str:
    """As a folder's name."""
    return re.sub(r"[^\w-]+", "_", name).strip("_") or _DEFECT
