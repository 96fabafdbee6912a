"""Alembic's environment: migrations run within the transaction that `wetread.store.schema` began."""

from alembic import context

from wetread.store.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
