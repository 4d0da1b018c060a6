"""Indexes for the newest captures, those of a model, and those that wait for a person: pages of 100,000 parts."""

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.create_index("captures_newest", "captures", ["station", "number"])
    op.create_index("captures_by_model", "captures", ["station", "model", "number"])
    op.create_index("captures_to_review", "captures", ["station", "state", "label", "verdict", "number"])
