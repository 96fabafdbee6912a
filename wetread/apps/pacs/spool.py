"""What a listening node took in, by study, on disk: nothing that was acknowledged is lost, whenever the process ends.

    incoming/KEY/            instances of a study that is still coming
    ready/TIME-KEY/          a study that is complete, to be drafted
    failed/TIME-KEY/         one that could not be drafted or whose results could not be sent; a person decides
    kept/TIME-KEY/           one that was drafted, where they are to be kept
    sending/TIME-KEY/        the results of one that is drafted, until they have arrived
    done/TIME-KEY/           what is being removed, or not whole yet

KEY is a one-way key of the Study Instance UID. The folders can be entered by their owner alone. A file has its name
when it is whole; moving between the folders is a rename.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from wetread.errors import PacsError
from wetread.imaging.header import one_way
from wetread.study_files import MAX_FILES

MAX_STUDIES = 200
"""Studies that may be coming or waiting at a time."""
MAX_SPOOL_BYTES = 10_000_000_000
MIN_FREE_BYTES = 500_000_000
"""Room on the disk that is never used up."""

_PATIENT = ".patient.json"
_PART = ".part"
INCOMING, READY, FAILED, KEPT, SENDING, DONE = "incoming", "ready", "failed", "kept", "sending", "done"


class Full(Exception):
    """There is no room, for this instance or for now."""


class OtherPatient(Exception):
    """An instance names another patient than the study that it says it belongs to."""


@dataclass(frozen=True, slots=True)
class Instance:
    """One received instance.

    Attributes:
        study, instance: UIDs.
        patient: One-way keys by which two patients differ, `{"patient": ..., "birth": ..., "name": ...}`.
        data: The whole file (PS3.10).
    """

    study: str = field(repr=False)
    instance: str = field(repr=False)
    patient: dict[str, str] = field(repr=False)
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class ReadyStudy:
    """A study that is complete."""

    name: str
    folder: Path
    instances: int


@dataclass
class _Coming:
    """A study that is still coming."""

    last: float
    files: int
    open: set[Hashable] = field(default_factory=set)


class Spool:
    """The folder. Its methods may be called from any thread.

    Args:
        folder: Made if it is not there.
        quiet_s: How long nothing may have come, after the associations that brought a study ended, until it counts as
            complete.
        max_bytes: Of all that is coming, waiting or failed.
        clock: Seconds that only go up.

    Raises:
        PacsError: `WET-PACS-SPOOL`, it cannot be used, or another process uses it.
    """

    def __init__(
        self,
        folder: Path,
        *,
        quiet_s: float,
        max_bytes: int = MAX_SPOOL_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.folder = folder
        self._quiet_s = quiet_s
        self._max_bytes = max_bytes
        self._clock = clock
        self._lock = threading.Lock()
        self._coming: dict[str, _Coming] = {}
        try:
            for name in ("", INCOMING, READY, FAILED, KEPT, SENDING, DONE):
                (folder / name).mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chmod(folder, 0o700)
            self._alone = _hold(folder / ".lock")
            self._bytes = self._take_stock()
        except OSError as error:
            raise PacsError(
                "WET-PACS-SPOOL", f"{folder} cannot be used ({error.strerror}).", "Name another folder with --spool."
            ) from None

    def close(self) -> None:
        """Leave the folder to another process."""
        self._alone.close()

    def _take_stock(self) -> int:
        """What an earlier process left: parts and what is done are removed, what was coming begins to be quiet now."""
        size = 0
        for folder in (self.folder / DONE).iterdir():
            shutil.rmtree(folder)
        for folder in (self.folder / SENDING).iterdir():
            if not (self.folder / READY / folder.name).exists():
                shutil.rmtree(folder)
        for path in self.folder.rglob("*"):
            if path.name.endswith(_PART):
                path.unlink()
            elif path.is_file() and path.relative_to(self.folder).parts[0] not in (KEPT, SENDING):
                size += path.stat().st_size
        for folder in (self.folder / INCOMING).iterdir():
            count = sum(1 for _ in folder.glob("*.dcm"))
            if count:
                self._coming[folder.name] = _Coming(self._clock(), count)
            else:
                shutil.rmtree(folder)
        return size

    def add(self, instance: Instance, association: Hashable) -> None:
        """Take in an instance: once this returns it is on disk.

        Args:
            instance: What came.
            association: Over which association.

        Raises:
            Full: one of the limits is reached.
            OtherPatient: nothing was taken in.
            OSError: it cannot be written.
        """
        key = one_way("study", instance.study)[:16]
        folder = self.folder / INCOMING / key
        with self._lock:
            coming = self._coming.get(key)
            self._check_room(coming, len(instance.data))
            folder.mkdir(mode=0o700, exist_ok=True)
            _check_patient(folder / _PATIENT, instance.patient)
            if coming is None:
                coming = self._coming[key] = _Coming(self._clock(), 0)
            coming.open.add(association)  # from here on the folder stays where it is
            self._bytes += len(instance.data)
        path = folder / f"{one_way('instance', instance.instance)[:32]}.dcm"
        try:
            before = path.stat().st_size if path.exists() else None
            _write(path, instance.data)
        except BaseException:
            with self._lock:
                self._bytes -= len(instance.data)
            raise
        with self._lock:
            coming.last = self._clock()
            if before is None:
                coming.files += 1
            else:
                self._bytes -= before

    def _check_room(self, coming: _Coming | None, size: int) -> None:
        if coming is None and len(self._coming) + len(self._listed(READY)) >= MAX_STUDIES:
            raise Full("studies")
        if coming is not None and coming.files >= MAX_FILES:
            raise Full("instances")
        if self._bytes + size > self._max_bytes or shutil.disk_usage(self.folder).free - size < MIN_FREE_BYTES:
            raise Full("bytes")

    def ended(self, association: Hashable) -> None:
        """An association has ended, in whatever way."""
        with self._lock:
            for coming in self._coming.values():
                if association in coming.open:
                    coming.open.discard(association)
                    coming.last = self._clock()

    def complete(self) -> list[str]:
        """Set aside the studies that are complete; returns their names."""
        moved = []
        with self._lock:
            now = self._clock()
            for key, coming in list(self._coming.items()):
                if coming.open or now - coming.last < self._quiet_s:
                    continue
                del self._coming[key]
                folder = self.folder / INCOMING / key
                if not coming.files:  # nothing of it could be written
                    shutil.rmtree(folder, ignore_errors=True)
                    continue
                name = f"{datetime.now(UTC):%Y%m%d-%H%M%S-%f}-{key}"
                folder.rename(self.folder / READY / name)
                moved.append(name)
        return moved

    def next(self) -> ReadyStudy | None:
        """The study that has waited longest; None where none waits."""
        waiting = self._listed(READY)
        if not waiting:
            return None
        folder = self.folder / READY / waiting[0]
        return ReadyStudy(waiting[0], folder, sum(1 for _ in folder.glob("*.dcm")))

    def waiting(self) -> tuple[int, int]:
        """How many studies are coming, and how many wait."""
        with self._lock:
            return len(self._coming), len(self._listed(READY))

    def keep_results(self, study: ReadyStudy, files: Mapping[str, bytes]) -> None:
        """Keep what is to be sent of a study, by name, until it is drafted or has failed.

        Raises:
            OSError: it cannot be written.
        """
        part = self.folder / DONE / f"{study.name}{_PART}"
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(mode=0o700)
        for name, data in files.items():
            _write(part / name, data)
        part.rename(self.folder / SENDING / study.name)

    def results(self, study: ReadyStudy) -> list[Path]:
        """What was kept of a study to be sent; empty for one that is not drafted yet."""
        return sorted((self.folder / SENDING / study.name).glob("*"))

    def _forget_results(self, study: ReadyStudy) -> None:
        with contextlib.suppress(FileNotFoundError):
            shutil.rmtree((self.folder / SENDING / study.name).rename(self.folder / DONE / f"{study.name}{_PART}"))

    def drafted(self, study: ReadyStudy, *, keep: bool) -> None:
        """A study is done with: its files are removed, or kept."""
        size = _size(study.folder)
        # in one step: what a killed process had begun to remove must not be drafted again, let alone half of it
        there = study.folder.rename(self.folder / (KEPT if keep else DONE) / study.name)
        if not keep:
            shutil.rmtree(there)
        self._forget_results(study)
        with self._lock:
            self._bytes -= size

    def failed(self, study: ReadyStudy) -> Path:
        """A study that could not be done is set aside; returns where."""
        there = self.folder / FAILED / study.name
        study.folder.rename(there)
        self._forget_results(study)
        return there

    def _listed(self, name: str) -> list[str]:
        return sorted(path.name for path in (self.folder / name).iterdir() if path.is_dir())


def _check_patient(path: Path, patient: dict[str, str]) -> None:
    """The first instance says whose study it is; one that says another is refused, whatever it lacks."""
    known: dict[str, str] = {}
    if path.exists():
        known = json.loads(path.read_bytes())
        kinds = ["patient", "birth"]
        if "patient" not in known or "patient" not in patient:
            kinds.append("name")  # spelled differently now and then, so it decides only where there is no number
        if any(kind in known and kind in patient and known[kind] != patient[kind] for kind in kinds):
            raise OtherPatient
    if patient.keys() - known.keys():
        _write(path, json.dumps({**patient, **known}).encode())


def _write(path: Path, data: bytes) -> None:
    """Write a file whole or not at all, and onto the disk."""
    part = path.with_name(f".{path.name}.{threading.get_ident()}{_PART}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(part, path)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _hold(path: Path) -> BinaryIO:
    file = path.open("ab")
    try:
        import fcntl
    except ImportError:
        return file
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        raise PacsError(
            "WET-PACS-SPOOL", f"Another `wetread listen` uses {path.parent}.", "Name another folder with --spool."
        ) from None
    return file
