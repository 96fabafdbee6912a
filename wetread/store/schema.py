"""Which version the tables have, and how they get the one that this wetread knows: by Alembic, where they differ."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from wetread.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from wetread.store.engine import Database

REVISIONS = ("0001",)
"""Every version of the tables, oldest first; each has its file in `migrations/versions`."""

MIGRATIONS = Path(__file__).parent / "migrations"


def prepare(database: Database, *, create: bool) -> None:
    """Bring the tables to the version that this wetread knows.

    Args:
        database: The database.
        create: Whether to make them where there are none.

    Raises:
        StoreError: `WET-STORE-NONE`, there is no store and none is to be made; `WET-STORE-NEWER`, a newer wetread made
            it; those of `Database.writing`.
    """
    with database.reading() as connection:
        found = _version(connection)
    if found == REVISIONS[-1]:
        return
    if found is None and not create:
        raise StoreError("WET-STORE-NONE", f"There is no store at {database.name}.", "Check the path or URL.")
    if found is not None:
        _known(found)
    with database.writing() as connection:
        # another process may have done it meanwhile
        if _version(connection) != REVISIONS[-1]:
            _upgrade(connection)


def _version(connection: Connection) -> str | None:
    from sqlalchemy import inspect

    if not inspect(connection).has_table("alembic_version"):
        return None
    row = connection.exec_driver_sql("SELECT version_num FROM alembic_version").first()
    return None if row is None else str(row[0])


def _known(version: str) -> None:
    if version not in REVISIONS:
        raise StoreError(
            "WET-STORE-NEWER", "A newer wetread made this store; this one cannot read it.", "Update wetread."
        )


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
