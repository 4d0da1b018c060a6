"""What models say beside the one that judges; which is in shadow, what each learned from; the rig by its monitor."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "opinions",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("capture", sa.Integer, sa.ForeignKey("captures.number", ondelete="CASCADE"), nullable=False),
        sa.Column("model", sa.String(128), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("verdict", sa.String(16), nullable=False),
        sa.Column("score", sa.Double, nullable=False),
        sa.Column("threshold", sa.Double, nullable=False),
        sa.UniqueConstraint("capture", "model"),
    )
    op.create_index("opinions_by_model", "opinions", ["model"])
    op.drop_column("captures", "light_figures")  # in place: a table made anew would take the reviews with it
    op.add_column("captures", sa.Column("rig_deviations", sa.JSON))
    op.add_column("captures", sa.Column("shifts", sa.JSON))
    op.add_column("models", sa.Column("shadow", sa.Boolean, nullable=False, server_default=sa.false()))
    op.add_column("models", sa.Column("snapshot", sa.String(64)))
