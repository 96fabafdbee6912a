"""The journal of a dialogue: what happened is on the disk before anybody is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from wetread.artifacts import ArtifactStore
from wetread.errors import StoreError
from wetread.events import CriticalResultFound, DraftSubmitted, ReportReady, ToolFinished
from wetread.reports.model import Report
from wetread.store import Store
from wetread.store.journal import JournalEntry, TakenBack

_OF_A_REPORT = (ReportReady, TakenBack, DraftSubmitted, CriticalResultFound)


class SessionLog:
    """Writes one session's journal, in order, in a thread of its own.

    What could not be written is written before what comes next. Not so a version of the report: nobody has seen it,
    so nobody goes on from it.

    Args:
        store: Where to.
        session: The session's id.
        number: The number of the next entry.
    """

    def __init__(self, store: Store, session: str, *, number: int = 1) -> None:
        self._store = store
        self.session = session
        self._number = number
        self._left: list[JournalEntry] = []
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="wetread-log")
        self._lock = asyncio.Lock()

    async def keep(self, entries: Sequence[JournalEntry], artifacts: ArtifactStore) -> None:
        """Write entries, after what was left; when this returns they are on the disk, with the artifacts of their
        evidence.

        A caller that is cancelled leaves the writing to its end.

        Raises:
            StoreError: they could not be written, none of them.
        """
        async with self._lock:
            if not entries and not self._left:
                return
            self._left += entries
            work = asyncio.get_running_loop().run_in_executor(self._writer, self._write, artifacts)
            try:
                await asyncio.shield(work)
            except asyncio.CancelledError:
                await asyncio.wait({work})
                if not work.cancelled():
                    work.exception()
                raise

    async def newer(self, report: Report) -> list[Report]:
        """The versions that others have made of a report since, oldest first.

        Raises:
            StoreError: the store cannot be read.
        """
        return await asyncio.to_thread(self._newer, report)

    async def close(self) -> None:
        """Wait for what is being written."""
        async with self._lock:
            await asyncio.to_thread(self._writer.shutdown)

    def _newer(self, report: Report) -> list[Report]:
        try:
            entries = self._store.reports.versions(report.sha256)
        except StoreError as error:
            if error.code == "WET-STORE-UNKNOWN":
                return []
            raise
        return [self._store.reports.get(one.sha256) for one in entries if one.version > report.version]

    def _write(self, artifacts: ArtifactStore) -> None:
        entries = tuple(self._left)
        known = []
        try:
            for entry in entries:
                evidence = entry.evidence if isinstance(entry, ToolFinished) else None
                for handle in evidence.artifacts if evidence is not None else ():
                    artifact, data = artifacts.describe(handle), artifacts.get(handle)
                    if artifact is not None and data is not None:
                        self._store.artifacts.write(data)
                        known.append(artifact)
            self._number = self._store.sessions.append(self.session, entries, number=self._number, artifacts=known)
        except BaseException:
            self._left = [one for one in entries if not isinstance(one, _OF_A_REPORT)]
            raise
        self._left = []
