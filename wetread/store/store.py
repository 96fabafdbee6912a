"""The store as a whole: where it is, and how a draft with all that belongs to it is kept at once."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

from wetread.artifacts import ArtifactStore
from wetread.config import STORE_FILE
from wetread.errors import StoreError
from wetread.store import reports as _reports
from wetread.store import sessions as _sessions
from wetread.store.artifacts import ArtifactShelf, enter
from wetread.store.audit import Audit
from wetread.store.engine import Database
from wetread.store.reports import Entry, Reports
from wetread.store.schema import prepare
from wetread.store.sessions import Sessions

if TYPE_CHECKING:
    from wetread.events import Event
    from wetread.reports.model import Report


class Store:
    """Reports, sessions, evidence, artifacts and the audit log. A context manager; methods block.

    Use `Store.open`.
    """

    def __init__(self, database: Database, artifacts: Path) -> None:
        self._database = database
        self.name = database.name
        """Where it is, to be shown to people."""
        self.read_only = database.read_only
        self.reports = Reports(database)
        self.sessions = Sessions(database)
        self.artifacts = ArtifactShelf(database, artifacts)
        self.audit = Audit(database)

    @classmethod
    def open(cls, where: str | Path, *, create: bool = True, artifacts: Path | None = None) -> Store:
        """Open a store.

        Args:
            where: A SQLite file, or `postgresql://user:password@host/name`.
            create: Whether to make it where there is none.
            artifacts: Folder of the artifacts' bytes; beside the file by default, `.wetread/artifacts` for PostgreSQL.

        Raises:
            StoreError: `WET-STORE-NONE`, there is none and none is to be made; `WET-STORE-NEWER`, a newer wetread made
                it; `WET-STORE-URL`, `-EXTRA`, `-OPEN`, `-READONLY`, `-DAMAGED`, `-FULL`, `-BUSY`, `-IO`.
        """
        database = Database(where)
        try:
            if database.path is not None:
                _make_folder(database.path, create=create)
            prepare(database, create=create)
        except BaseException:
            database.close()
            raise
        folder = artifacts or (database.path.parent if database.path else STORE_FILE.parent) / "artifacts"
        store = cls(database, folder)
        if not database.read_only:
            store.artifacts.sweep()
        return store

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the database."""
        self._database.close()

    def keep(self, report: Report, *, events: Iterable[Event] = (), artifacts: ArtifactStore | None = None) -> Entry:
        """Keep a draft with its session, its evidence and its artifacts: all of it or nothing.

        When this returns, it is on the disk. Keeping the same report again changes nothing.

        Args:
            report: The first version of a report.
            events: What happened in the session that drafted it.
            artifacts: Its masks and pictures.

        Raises:
            InputError, ReviewError, StoreError: see `Reports.put`.
        """
        kept = artifacts.all() if artifacts is not None else ()
        for artifact in kept:
            data = artifacts.get(artifact.handle) if artifacts is not None else None
            if data is not None:
                self.artifacts.write(data)
        with self._database.writing() as connection:
            known = _reports.known(connection, report.sha256)
            if known is not None:
                return known
            for artifact in kept:
                enter(connection, artifact)
            session = _sessions.insert(connection, report, events)
            return _reports.insert(connection, report, session)


def _make_folder(path: Path, *, create: bool) -> None:
    if path.exists():
        return
    if not create:
        raise StoreError("WET-STORE-NONE", f"There is no store at {path}.", "Check the path.")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StoreError(
            "WET-STORE-OPEN", f"{path.parent} cannot be made ({error.strerror}).", "Name another place."
        ) from None
