"""An index for captures that a light shows: pages of 100,000 parts."""

from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.create_index("captures_by_light", "captures", ["station", "shown_by", "number"])
