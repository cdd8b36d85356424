"""Empties an MLflow database while its server runs: once for every line on standard input, answered by "ok".

Usage: empty_store.py <SQLAlchemy URI>. What a fresh database has stays: the schema, the experiment "Default" and the
workspace "default".
"""

import sys

import sqlalchemy as sa

engine = sa.create_engine(sys.argv[1])
if engine.dialect.name == "sqlite":

    @sa.event.listens_for(engine, "connect")
    def _wait(connection, _record):
        connection.execute("PRAGMA busy_timeout = 20000")


metadata = sa.MetaData()
metadata.reflect(engine)
kept = {"alembic_version", "workspaces", "experiments"}
tables = [table for table in reversed(metadata.sorted_tables) if table.name not in kept]
experiments = metadata.tables["experiments"]

for _ in sys.stdin:
    with engine.begin() as connection:
        for table in tables:
            connection.execute(table.delete())
        connection.execute(experiments.delete().where(experiments.c.experiment_id != 0))
        connection.execute(experiments.update().values(name="Default", lifecycle_stage="active"))
    print("ok", flush=True)
