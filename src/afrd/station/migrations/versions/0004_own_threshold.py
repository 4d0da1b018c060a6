"""The model's own threshold for each part, so that parts judged by different thresholds can be compared.

Of older parts it follows from what they were judged by and from the audit log: what a person had set at that time, and
the model's own on its card. Where these do not tell, it stays empty.
"""

from itertools import pairwise

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
_FARTHEST = 1e6  # times the model's own: what a person could set
_captures = sa.table(
    "captures", *map(sa.column, ("station", "model", "verdict", "judged_at", "threshold", "own_threshold"))
)
_models = sa.table("models", sa.column("station"), sa.column("name"), sa.column("card", sa.JSON))
_audit = sa.table(
    "audit", *map(sa.column, ("number", "station", "subject", "action", "at")), sa.column("detail", sa.JSON)
)


def upgrade() -> None:
    op.add_column("captures", sa.Column("own_threshold", sa.Double))
    database, of = op.get_bind(), _captures.c
    for station, model, card in database.execute(sa.select(_models.c.station, _models.c.name, _models.c.card)).all():
        changes = (
            sa.select(_audit.c.at, _audit.c.detail)
            .where(_audit.c.station == station, _audit.c.subject == model, _audit.c.action == "set threshold of")
            .order_by(_audit.c.number)
        )
        said = [(float("-inf"), None), *((at, detail.get("to")) for at, detail in database.execute(changes))]
        for (since, threshold), (until, _) in pairwise([*said, (float("inf"), None)]):
            if (factor := _own(card.get("threshold"), threshold)) is None:
                continue
            query = sa.update(_captures).where(of.station == station, of.model == model, of.threshold.is_not(None))
            if since > float("-inf"):
                query = query.where(of.judged_at >= since)
            if until < float("inf"):
                query = query.where(of.judged_at < until)
            database.execute(query.values(own_threshold=of.threshold * factor if factor != 1 else of.threshold))


def _own(card: float | None, threshold: float | None) -> float | None:
    """By what a threshold on record is multiplied; None: unknown. card: the model's; threshold: set by a person."""
    if threshold is None:
        return 1
    reachable = card is not None and 0 < card / _FARTHEST <= threshold <= card * _FARTHEST
    return card / threshold if reachable else None
