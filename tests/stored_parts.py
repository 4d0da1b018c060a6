"""Parts on record with a file each, put there without a station."""

from sqlalchemy.orm import Session

from afrd.station.store import Store
from afrd.station.tables import CaptureRow

DAY = 86400
NOW = 100 * DAY


def put(store: Store, id: str, verdict: str | None, days_ago: float, label: str | None = None) -> None:
    """A record of 1 MB with one file."""
    at = NOW - days_ago * DAY
    folder = store.files.folder_for(id, at)
    (store.files.root / folder).mkdir(parents=True)
    (store.files.root / folder / "00.png").write_bytes(b"x")
    row = CaptureRow(
        station="station",
        id=id,
        state="judged" if verdict else "failed",
        source="http",
        taken_at=at,
        digest="",
        folder=folder,
        files={"top": "00.png"},
        bytes=1_000_000,
        light_notes=[],
        late=False,
        verdict=verdict,
        label=label,
    )
    with Session(store.engine) as session:
        session.add(row)
        session.commit()


def kept(store: Store) -> set[str]:
    """Ids whose images are there, by the records; the disk must agree."""
    with Session(store.engine) as session:
        rows = session.query(CaptureRow).all()
    with_images = {row.id for row in rows if row.folder}
    assert {path.parent.name for path in store.files.root.glob("captures/*/*/00.png")} == with_images
    return with_images
