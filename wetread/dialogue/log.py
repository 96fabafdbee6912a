"""The journal of a dialogue: what happened is on the disk before anybody is told of it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from wetread.artifacts import ArtifactStore
from wetread.events import ToolFinished
from wetread.store import Store
from wetread.store.journal import JournalEntry


class SessionLog:
    """Writes one session's journal, in order, in a thread of its own.

    Args:
        store: Where to.
        session: The session's id.
        number: The number of the next entry.
    """

    def __init__(self, store: Store, session: str, *, number: int = 1) -> None:
        self._store = store
        self.session = session
        self._number = number
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="wetread-log")
        self._lock = asyncio.Lock()

    async def keep(self, entries: Sequence[JournalEntry], artifacts: ArtifactStore) -> None:
        """Write entries; when this returns they are on the disk, with the artifacts of their evidence.

        A caller that is cancelled leaves the writing to its end.

        Raises:
            StoreError: they could not be written, none of them.
        """
        if entries:
            async with self._lock:
                work = asyncio.get_running_loop().run_in_executor(self._writer, self._write, tuple(entries), artifacts)
                try:
                    await asyncio.shield(work)
                except asyncio.CancelledError:
                    await asyncio.wait({work})
                    raise

    def close(self) -> None:
        """Wait for what is being written."""
        self._writer.shutdown()

    def _write(self, entries: Sequence[JournalEntry], artifacts: ArtifactStore) -> None:
        known = []
        for entry in entries:
            evidence = entry.evidence if isinstance(entry, ToolFinished) else None
            for handle in evidence.artifacts if evidence is not None else ():
                artifact, data = artifacts.describe(handle), artifacts.get(handle)
                if artifact is not None and data is not None:
                    self._store.artifacts.write(data)
                    known.append(artifact)
        self._number = self._store.sessions.append(self.session, entries, number=self._number, artifacts=known)
