"""What a version learned from, as a list that is written once: `snapshot.parquet` in its folder, one row a capture.

id, role, digest, defect_type, lights, files, mask, said_by, taken_at. role: "learned from", "held out" (sets the
threshold), or "known defect". digest: SHA-256 of light names and images, as on record. files: one a light, relative to
the station's data folder where they lie below it. Knows no database and no network.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from afrd.errors import StationError
from afrd.files import atomic_path
from afrd.station.intake import digest_of

if TYPE_CHECKING:
    import pyarrow  # imported where it is used: a station starts without it

SNAPSHOT_FILE = "snapshot.parquet"
LEARNED, HELD_OUT, DEFECT = "learned from", "held out", "known defect"


def with_digest(row: Mapping[str, Any], root: Path) -> dict[str, Any]:
    """The row with the digest of its files. Raises StationError: they are gone, or not those on record."""
    try:
        files = {light: (root / name).read_bytes() for light, name in zip(row["lights"], row["files"], strict=True)}
    except OSError as error:
        raise StationError(f"capture {row['id']}: {error.filename} cannot be read ({error.strerror})") from error
    digest = digest_of(files)
    if row.get("digest", digest) != digest:
        raise StationError(
            f"capture {row['id']}: its images are not those that were judged; restore them, or take its review back"
        )
    return {**row, "digest": digest}


def each_once(rows: Iterable[dict[str, Any]], note: Callable[[str], None]) -> list[dict[str, Any]]:
    """Without good parts of the digest of an earlier one, which `note` is told: sent twice, a part would be learned
    from and held out.
    """
    first: dict[str, str] = {}
    kept = []
    for row in rows:
        if row["role"] != DEFECT and (earlier := first.setdefault(row["digest"], row["id"])) != row["id"]:
            note(f"capture {row['id']}: the same pictures as {earlier}; they count once")
        else:
            kept.append(row)
    return kept


def write_snapshot(path: Path, rows: Sequence[Mapping[str, Any]]) -> str:
    """Whole or not there; returns the SHA-256 of the file, hex."""
    import pyarrow
    from pyarrow import parquet

    with atomic_path(path) as temporary:
        parquet.write_table(pyarrow.Table.from_pylist([dict(row) for row in rows], _schema()), temporary)
    return snapshot_digest(path)


def read_snapshot(path: Path) -> list[dict[str, Any]]:
    """Its rows. Raises StationError: damaged."""
    import pyarrow
    from pyarrow import parquet

    try:
        return parquet.read_table(path, schema=_schema()).to_pylist()
    except (OSError, pyarrow.ArrowInvalid) as error:
        raise StationError(f"{path}: cannot be read as a snapshot ({error}); restore it") from error


def snapshot_digest(path: Path) -> str:
    """SHA-256 of the file, hex."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def require_digest(path: Path, digest: str) -> None:
    """Raises StationError: the file is gone, or not the one that had this SHA-256, hex."""
    try:
        found = snapshot_digest(path)
    except OSError as error:
        raise StationError(f"{path}: cannot be read ({error.strerror}); restore it") from error
    if found != digest:
        raise StationError(f"{path}: was changed; restore it: its SHA-256 was {digest[:16]}…, now it is {found[:16]}…")


def _schema() -> "pyarrow.Schema":
    import pyarrow

    text, texts = pyarrow.string(), pyarrow.list_(pyarrow.string())
    kinds = {"lights": texts, "files": texts}
    names = ("id", "role", "digest", "defect_type", "lights", "files", "mask", "said_by", "taken_at")
    return pyarrow.schema([(name, kinds.get(name, text)) for name in names])
