"""Run by Alembic. The connection comes from `afrd.station.database`, in whose transaction everything happens."""

from alembic import context

from afrd.station.tables import Base

context.configure(
    connection=context.config.attributes["connection"], target_metadata=Base.metadata, render_as_batch=True
)
context.run_migrations()
