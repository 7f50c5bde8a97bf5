"""What Alembic runs around a migration: on the connection that `run` has opened, in its one transaction."""

from __future__ import annotations

from alembic import context

from vms.app.migrations.schema import whole_schema

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=whole_schema(),
    compare_type=True,
    render_as_batch=True,
)
with context.begin_transaction():
    context.run_migrations()
