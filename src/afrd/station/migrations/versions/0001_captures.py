"""Captures, reviews, models, audit log, outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "captures",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("station", sa.String(64), nullable=False),
        sa.Column("id", sa.String(64), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("source", sa.String(64), nullable=False),
        sa.Column("taken_at", sa.Double, nullable=False),
        sa.Column("judged_at", sa.Double),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("folder", sa.String(256)),
        sa.Column("files", sa.JSON, nullable=False),
        sa.Column("bytes", sa.BigInteger, nullable=False),
        sa.Column("verdict", sa.String(16)),
        sa.Column("score", sa.Double),
        sa.Column("threshold", sa.Double),
        sa.Column("shown_by", sa.String(64)),
        sa.Column("light_evidence", sa.JSON),
        sa.Column("light_notes", sa.JSON, nullable=False),
        sa.Column("light_figures", sa.JSON),
        sa.Column("model", sa.String(128)),
        sa.Column("seconds", sa.Double),
        sa.Column("inspection_seconds", sa.Double),
        sa.Column("late", sa.Boolean, nullable=False),
        sa.Column("note", sa.Text),
        sa.Column("label", sa.String(16)),
        sa.UniqueConstraint("station", "id"),
        sqlite_autoincrement=True,
    )
    op.create_index("captures_by_verdict", "captures", ["station", "verdict", "number"])
    op.create_index("captures_by_state", "captures", ["station", "state", "number"])
    op.create_index("captures_by_label", "captures", ["station", "label", "number"])
    op.create_index("captures_by_time", "captures", ["station", "taken_at"])
    op.create_table(
        "reviews",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("capture", sa.Integer, sa.ForeignKey("captures.number", ondelete="CASCADE"), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("label", sa.String(16), nullable=False),
        sa.Column("defect_type", sa.String(64)),
        sa.Column("mask", sa.String(64)),
    )
    op.create_index("ix_reviews_capture", "reviews", ["capture"])
    op.create_table(
        "models",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("station", sa.String(64), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("path", sa.Text, nullable=False),
        sa.Column("added_at", sa.Double, nullable=False),
        sa.Column("activated_at", sa.Double),
        sa.Column("threshold", sa.Double),
        sa.Column("card", sa.JSON, nullable=False),
        sa.UniqueConstraint("station", "name"),
    )
    op.create_table(
        "audit",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("station", sa.String(64), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("by", sa.String(64), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("subject", sa.String(128), nullable=False),
        sa.Column("detail", sa.JSON, nullable=False),
    )
    op.create_table(
        "outbox",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("station", sa.String(64), nullable=False),
        sa.Column("sink", sa.String(64), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("message", sa.JSON, nullable=False),
        sqlite_autoincrement=True,
    )
    op.create_index("outbox_by_sink", "outbox", ["station", "sink", "number"])


def downgrade() -> None:
    for table in ("outbox", "audit", "models", "reviews", "captures"):
        op.drop_table(table)
