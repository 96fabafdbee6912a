"""The file of a case library: opening it, knowing it for one, and SQLite's errors as ours."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from wetread.errors import InputError

FORMAT = 1
"""Version of the tables, SQLite `user_version`."""

_APPLICATION = 0x77657472
_TABLES = """
CREATE TABLE cases (
    model TEXT NOT NULL,
    version TEXT NOT NULL,
    recipe TEXT NOT NULL,
    id TEXT NOT NULL,
    patient TEXT NOT NULL,
    image TEXT NOT NULL,
    modality TEXT NOT NULL,
    view TEXT NOT NULL,
    labels TEXT NOT NULL,
    snippet TEXT NOT NULL,
    dimensions INTEGER NOT NULL,
    vector BLOB NOT NULL,
    PRIMARY KEY (model, version, recipe, id)
) WITHOUT ROWID
"""


def connect(path: Path, read_only: bool) -> sqlite3.Connection:
    """A connection in autocommit mode, for use under a lock.

    Raises:
        sqlite3.Error: as SQLite.
    """
    if not read_only:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    # `immutable` keeps SQLite from writing lock and log files; a log that is not yet merged would be overlooked by it.
    log = path.with_name(path.name + "-wal")
    how = "mode=ro" if log.exists() and log.stat().st_size else "immutable=1"
    return sqlite3.connect(f"{path.resolve().as_uri()}?{how}", uri=True, isolation_level=None, check_same_thread=False)


def prepare(connection: sqlite3.Connection, path: Path, read_only: bool) -> None:
    """Make an empty file a case library, and refuse one that is something else.

    Raises:
        InputError: `WET-INPUT-LIBRARY-CORRUPT`.
        sqlite3.Error: as SQLite.
    """
    if not read_only and _is_empty(connection):
        connection.execute("PRAGMA journal_mode = WAL")
        # All at once: neither a crash nor another process that does the same leaves half a library.
        connection.execute("BEGIN IMMEDIATE")
        if _is_empty(connection):
            connection.execute(_TABLES)
            connection.execute(f"PRAGMA application_id = {_APPLICATION}")
            connection.execute(f"PRAGMA user_version = {FORMAT}")
        connection.execute("COMMIT")
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    version = connection.execute("PRAGMA user_version").fetchone()[0]
    if application != _APPLICATION:
        raise InputError(
            "WET-INPUT-LIBRARY-CORRUPT", f"{path} is no case library.", "Name a file made by `wetread index add`."
        )
    if version != FORMAT:
        raise InputError(
            "WET-INPUT-LIBRARY-CORRUPT",
            f"The case library {path} has format {version}, this version of wetread reads {FORMAT}.",
            "Make it anew with `wetread index add`.",
        )


def _is_empty(connection: sqlite3.Connection) -> bool:
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    return bool(tables == 0 and connection.execute("PRAGMA application_id").fetchone()[0] == 0)


def corrupt(path: Path) -> InputError:
    """The error for a file that is damaged."""
    return InputError(
        "WET-INPUT-LIBRARY-CORRUPT", f"The case library {path} is damaged.", "Make it anew, or take it from a backup."
    )


@contextmanager
def reporting(path: Path) -> Iterator[None]:
    """SQLite's errors as ours."""
    try:
        yield
    except sqlite3.OperationalError as error:
        # "unable to open", "locked", "readonly", "disk full": what SQLite says here names no data.
        raise InputError(
            "WET-INPUT-LIBRARY", f"The case library {path} cannot be used: {error}.", "Check the file and its folder."
        ) from error
    except sqlite3.DatabaseError as error:
        raise corrupt(path) from error
