"""Alembic's entry: runs the steps on the connection it is given, inside its transaction."""

from alembic import context

from its.store.models import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata)
context.run_migrations()
