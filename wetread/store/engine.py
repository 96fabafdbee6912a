"""The database: opened, its transactions, and its errors as errors of wetread.

SQLite runs in WAL with synchronous=FULL: a commit that returned is on the disk. A write transaction takes the lock at
its beginning (BEGIN IMMEDIATE), so that it cannot fail halfway for another's sake.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetread.errors import StoreError

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine
    from sqlalchemy.exc import DBAPIError

BUSY_MS = 15_000
"""How long a writer waits for another."""

_LOCK = 0x77657472
"""The advisory lock ("wetr") that writers hold on PostgreSQL: one at a time, as on SQLite."""

_FULL = "No space is left where the store is."
_SQLITE = {
    "SQLITE_FULL": ("WET-STORE-FULL", _FULL, "Make room and repeat; nothing was half-written."),
    # the index of the log, which is made beside the file, found no room
    "SQLITE_IOERR_SHMSIZE": ("WET-STORE-FULL", _FULL, "Make room and repeat; nothing was half-written."),
    "SQLITE_READONLY": ("WET-STORE-READONLY", "The store cannot be written to.", "Check the rights of its folder."),
    "SQLITE_CANTOPEN": ("WET-STORE-OPEN", "The store cannot be opened.", "Check the path and its rights."),
    "SQLITE_PERM": ("WET-STORE-OPEN", "The store cannot be opened.", "Check the path and its rights."),
    "SQLITE_BUSY": ("WET-STORE-BUSY", "Another process keeps the store locked.", "Repeat it in a moment."),
    "SQLITE_LOCKED": ("WET-STORE-BUSY", "Another process keeps the store locked.", "Repeat it in a moment."),
    "SQLITE_NOTADB": ("WET-STORE-DAMAGED", "The file is no store.", "Check the path, or restore a copy."),
    "SQLITE_CORRUPT": ("WET-STORE-DAMAGED", "The store's file is damaged.", "Restore a copy."),
    "SQLITE_IOERR": ("WET-STORE-IO", "The store's disk cannot be read or written.", "Check the disk and repeat."),
}
_POSTGRES = {
    "53100": _SQLITE["SQLITE_FULL"],
    "25006": _SQLITE["SQLITE_READONLY"],
    "42501": _SQLITE["SQLITE_READONLY"],
    "40001": _SQLITE["SQLITE_BUSY"],
    "40P01": _SQLITE["SQLITE_BUSY"],
    "55P03": _SQLITE["SQLITE_BUSY"],
}


class Database:
    """One database: a SQLite file, or PostgreSQL by URL.

    Args:
        where: A path, or a URL: `postgresql://user:password@host/name`, `sqlite:///path`.

    Raises:
        StoreError: `WET-STORE-URL`, it is no such URL; `WET-STORE-EXTRA`, the driver is not installed.
    """

    def __init__(self, where: str | Path) -> None:
        self.path: Path | None
        self.read_only = False
        url = str(where)
        if isinstance(where, str) and "://" in where and not where.startswith("sqlite:///"):
            self.path = None
            self.engine = _postgres(url)
        else:
            self.path = Path(url.removeprefix("sqlite:///"))
            self.read_only = _is_read_only(self.path)
            self.engine = _sqlite(self.path, read_only=self.read_only)

    @property
    def name(self) -> str:
        """The database as it is shown to people, without a password."""
        return str(self.path) if self.path else self.engine.url.render_as_string(hide_password=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that reads one state of the database.

        Raises:
            StoreError: what the database says, as an error of wetread.
        """
        from sqlalchemy.exc import DBAPIError

        try:
            with self.engine.connect() as connection:
                if self.path is None:
                    connection = connection.execution_options(isolation_level="REPEATABLE READ")
                with connection.begin():
                    yield connection
        except DBAPIError as error:
            raise _translated(error) from None

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that writes: when it has ended without an error, what it wrote is on the disk, all of it.

        Raises:
            StoreError: see `reading`; nothing was written.
        """
        from sqlalchemy.exc import DBAPIError

        if self.read_only:
            raise StoreError(*_SQLITE["SQLITE_READONLY"])
        try:
            with self.engine.connect() as connection:
                connection = connection.execution_options(wetread_writes=True)
                with connection.begin():
                    if self.path is None:
                        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_LOCK})")
                    yield connection
        except DBAPIError as error:
            raise _translated(error) from None

    def close(self) -> None:
        self.engine.dispose()


def _sqlite(path: Path, *, read_only: bool) -> Engine:
    import sqlite3

    from sqlalchemy import QueuePool, create_engine, event

    if read_only:
        # without a log beside it, the file is all there is; SQLite need not make the log's index in a folder it
        # cannot write to
        alone = not path.with_name(path.name + "-wal").exists()
        target = f"{path.absolute().as_uri()}?mode=ro{'&immutable=1' if alone else ''}"
    else:
        target = str(path)

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(target, uri=read_only, isolation_level=None, check_same_thread=False)

    engine = create_engine("sqlite://", creator=connect, poolclass=QueuePool)

    @event.listens_for(engine, "connect")
    def _set_up(connection: Any, record: Any) -> None:
        connection.execute(f"PRAGMA busy_timeout={BUSY_MS}")
        connection.execute("PRAGMA foreign_keys=ON")
        if not read_only:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def _begin(connection: Connection) -> None:
        writes = connection.get_execution_options().get("wetread_writes", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    return engine


def _postgres(url: str) -> Engine:
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import ArgumentError

    try:
        parsed = make_url(url)
    except ArgumentError:
        parsed = None
    if parsed is None or parsed.drivername not in ("postgresql", "postgres", "postgresql+psycopg"):
        raise StoreError(
            "WET-STORE-URL",
            "The store's URL is neither that of a SQLite file nor of PostgreSQL.",
            "Write a path, or postgresql://user:password@host/name.",
        )
    try:
        return create_engine(parsed.set(drivername="postgresql+psycopg"), pool_pre_ping=True)
    except ModuleNotFoundError:
        raise StoreError(
            "WET-STORE-EXTRA", "PostgreSQL needs a driver that is not installed.", "pip install 'wetread[postgres]'"
        ) from None


def _is_read_only(path: Path) -> bool:
    """Whether a file that is there cannot be written to. SQLite writes beside it too."""
    return path.exists() and not (os.access(path, os.W_OK) and os.access(path.parent, os.W_OK))


def _translated(error: DBAPIError) -> StoreError:
    """An error of the database without what it quotes: a statement's values may hold a report."""
    name = getattr(error.orig, "sqlite_errorname", None)
    if name is not None:
        for start, (code, message, hint) in _SQLITE.items():
            if name.startswith(start):
                return StoreError(code, message, hint)
        return StoreError("WET-STORE-DATABASE", f"The database refuses it ({name}).")
    state = getattr(error.orig, "sqlstate", None)
    if state in _POSTGRES:
        return StoreError(*_POSTGRES[state])
    if state is None or state.startswith(("08", "28", "3D", "57")):
        return StoreError(
            "WET-STORE-OPEN",
            "The database cannot be reached or refuses the login.",
            "Check the URL and that it is running; what was acknowledged is safe.",
        )
    return StoreError("WET-STORE-DATABASE", f"The database refuses it (SQLSTATE {state}).")
