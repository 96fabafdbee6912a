"""Artifacts by hash on disk: written beside, synced, then renamed, so that a file is whole or not there."""

from __future__ import annotations

import errno
import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.artifacts import Artifact, ArtifactStore
from wetread.errors import StoreError
from wetread.store.tables import artifacts
from wetread.values import sha256_hex

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from wetread.reports.model import Report
    from wetread.store.engine import Database

_STALE_S = 24 * 3600.0


class ArtifactShelf:
    """The artifacts of one store: bytes in a folder, what is known of them in the database.

    Args:
        database: The store's database.
        folder: Where the bytes are: `<first two digits>/<sha256>`.
    """

    def __init__(self, database: Database, folder: Path) -> None:
        self._database = database
        self.folder = folder

    def get(self, handle: str) -> bytes | None:
        """The bytes of a handle; None where it was never kept.

        Raises:
            StoreError: `WET-STORE-DAMAGED`, the bytes are gone or are not what was kept; those of the database.
        """
        found = self.describe(handle)
        if found is None:
            return None
        try:
            data = self._path(found.sha256).read_bytes()
        except FileNotFoundError:
            data = b""
        except OSError as error:
            raise _failed(error) from None
        if sha256_hex(data) != found.sha256:
            raise StoreError(
                "WET-STORE-DAMAGED", f"The bytes of {handle} are gone or were changed.", "Restore the artifacts."
            )
        return data

    def describe(self, handle: str) -> Artifact | None:
        """What is known of an artifact, or None."""
        with self._database.reading() as connection:
            row = connection.execute(artifacts.select().where(artifacts.c.handle == handle)).first()
        return None if row is None else Artifact.model_validate(dict(row._mapping))

    def load(self, report: Report) -> ArtifactStore:
        """Those artifacts of a report that were kept, as renderings and exports take them. Errors as of `get`."""
        loaded = ArtifactStore()
        for handle in dict.fromkeys(handle for evidence in report.evidence for handle in evidence.artifacts):
            known = self.describe(handle)
            data = self.get(handle) if known is not None else None
            if known is not None and data is not None:
                loaded.put(handle.partition(":")[0], data, known.media_type, known.summary)
        return loaded

    def write(self, data: bytes) -> None:
        """Put bytes on the disk, where they are found by their hash. Nothing is done where they are there already.

        Raises:
            StoreError: `WET-STORE-FULL`, `WET-STORE-READONLY`, `WET-STORE-IO`; nothing half-written is left.
        """
        path = self._path(sha256_hex(data))
        part = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
        try:
            if path.exists() and path.stat().st_size == len(data):
                return
            path.parent.mkdir(parents=True, exist_ok=True)
            try:
                with part.open("xb") as file:
                    file.write(data)
                    file.flush()
                    os.fsync(file.fileno())
                os.replace(part, path)
                _sync_folder(path.parent)
                _sync_folder(self.folder)
            finally:
                part.unlink(missing_ok=True)
        except OSError as error:
            raise _failed(error) from None

    def sweep(self) -> None:
        """Remove what a killed writer left half-written more than a day ago."""
        for part in self.folder.glob("*/.*.part"):
            try:
                if time.time() - part.stat().st_mtime > _STALE_S:
                    part.unlink()
            except OSError:
                continue

    def _path(self, sha256: str) -> Path:
        return self.folder / sha256[:2] / sha256


def enter(connection: Connection, found: Artifact) -> None:
    """Enter what is known of an artifact whose bytes are on the disk, within a write transaction."""
    there = connection.execute(artifacts.select().where(artifacts.c.handle == found.handle)).first()
    if there is None:
        connection.execute(artifacts.insert().values(**found.model_dump()))


def _sync_folder(folder: Path) -> None:
    # a rename is on the disk when the folder is
    if os.name != "posix":
        return
    number = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _failed(error: OSError) -> StoreError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return StoreError(
            "WET-STORE-FULL",
            "No space is left where the artifacts are.",
            "Make room and repeat; nothing was half-written.",
        )
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return StoreError(
            "WET-STORE-READONLY", "The artifacts' folder cannot be written to.", "Check the rights of its folder."
        )
    return StoreError("WET-STORE-IO", f"The artifacts cannot be read or written ({error.strerror}).", "Check the disk.")
