"""The store that a command works with, and reports by path or by id."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from wetread.apps.terminal import note
from wetread.errors import InputError, StoreError

if TYPE_CHECKING:
    from wetread.config import Settings
    from wetread.events import Event
    from wetread.reports.model import Report
    from wetread.session import Session
    from wetread.store import Store

_VERSION = re.compile(r"report-v([1-9][0-9]{0,5})\.json")


@dataclass(frozen=True)
class Found:
    """A report that a command was given: with the file it is from, or from the store."""

    report: Report
    path: Path | None = None
    source: bytes | None = None


def store_place(named: str | None, settings: Settings, workspace: Path) -> str | Path | None:
    """Where the store is: as named, as set, else that of the workspace where there is one; None for nowhere."""
    if named or settings.store:
        return named or settings.store
    from wetread.config import STORE_FILE

    path = workspace / STORE_FILE
    return path if path.exists() else None


@contextmanager
def opened_store(
    named: str | None, settings: Settings, workspace: Path, *, create: bool = False
) -> Iterator[Store | None]:
    """The store of a command; None where there is none and none is named.

    Raises:
        StoreError: it cannot be opened.
    """
    place = store_place(named, settings, workspace)
    if place is None:
        yield None
        return
    from wetread.config import STORE_FILE
    from wetread.store import Store

    remote = isinstance(place, str) and "://" in place and not place.startswith("sqlite:///")
    artifacts = (workspace / STORE_FILE).parent / "artifacts" if remote else None
    with Store.open(place, create=create, artifacts=artifacts) as store:
        yield store


def needed(store: Store | None) -> Store:
    """The store, where a command cannot do without one.

    Raises:
        StoreError: `WET-STORE-NONE`.
    """
    if store is None:
        raise StoreError(
            "WET-STORE-NONE",
            "There is no store here.",
            "`wetread read ... --store .wetread/store.db` makes one; or set WETREAD_STORE.",
        )
    return store


def find_report(name: str, store: Store | None) -> Found:
    """A report by file, by folder (its latest version there), or by its name in the store.

    Raises:
        InputError, StoreError: there is none, or it is not what was written.
    """
    from wetread.reports.reading import read_report

    path = Path(name)
    if path.is_dir():
        path = latest_file(path)
    if path.is_file():
        report = read_report(path)
        return Found(report, path, path.read_bytes())
    if store is not None and re.fullmatch(r"[0-9a-f]{4,64}(@[0-9]+)?", name.strip().lower()):
        return Found(store.reports.get(name))
    hint = "Give a report.json or its folder" + ("." if store is None else ", or an id that `wetread reports` lists.")
    raise InputError("WET-INPUT-REPORT-FILE", f"There is no report {name[:200]!r}.", hint)


def latest_file(folder: Path) -> Path:
    """The file of the latest version of the report in a folder."""
    versions = {int(match[1]): path for path in folder.iterdir() if (match := _VERSION.fullmatch(path.name))}
    return versions[max(versions)] if versions else folder / "report.json"


def version_file(path: Path, version: int) -> Path:
    """The file of another version, beside the file of one."""
    return path.with_name(f"report-v{version}.json")


def reader_name(given: str | None, settings: Settings) -> str | None:
    """A person's name as the audit log takes it: the given one, else that of the settings.

    Raises:
        InputError: `WET-INPUT-OPTION`, it is empty or too long.
    """
    from wetread.reports.plain import shown

    if given is None:
        return settings.reader
    name = shown(given)
    if not 1 <= len(name) <= 120:
        raise InputError("WET-INPUT-OPTION", "--by is no name.", "Write a name of up to 120 characters.")
    return name


def log_delivery(
    store: Store | None,
    report: Report,
    action: Literal["report.exported", "report.sent"],
    formats: Mapping[str, int],
    *,
    command: str,
    by: str | None = None,
) -> bool:
    """Put into the audit log that a report left the store: who, which version, in which formats; never to where.

    To be called when it has left. A report that is not in the store is not logged.

    Args:
        store: The store, if there is one.
        report: What left.
        action: `report.exported` to files, `report.sent` to another system.
        formats: Number of files or objects by format or protocol.
        command: Whose doing it is where no person is named, such as `wetread export`.
        by: The person's name, as told.

    Returns:
        Whether it stands in the log now.

    Raises:
        StoreError: it cannot be written; the report has left all the same, and to repeat is safe.
    """
    if store is None:
        return False
    try:
        entry = store.reports.entry(report.sha256)
    except StoreError as error:
        if error.code == "WET-STORE-UNKNOWN":
            return False
        raise
    from wetread.store.audit import Actor, AuditEvent

    actor = Actor(kind="person", name=by) if by else Actor(kind="system", name=command)
    try:
        store.audit.record(
            AuditEvent(actor=actor, action=action, subject=entry.id, version=entry.sha256, counts=dict(formats))
        )
    except StoreError as error:
        if error.code == "WET-STORE-READONLY":
            # whoever may only read the store may export all the same
            note("The store cannot be written to: its audit log does not say that this report left it.", "yellow")
            return False
        left = "The report has left and is not in the audit log."
        raise StoreError(error.code, f"{error.message} {left}", error.hint) from None
    return True


def check_store(named: str | None, settings: Settings, workspace: Path) -> None:
    """Open and close the store of a reading before anything is called, so that it does not fail after.

    Raises:
        StoreError: it cannot be opened, or not be written to.
    """
    with opened_store(named, settings, workspace, create=True) as store:
        if store is not None and store.read_only:
            raise StoreError(
                "WET-STORE-READONLY",
                f"The store {store.name} cannot be written to.",
                "Check the rights of its folder, or name another with --store.",
            )


def keep_draft(
    named: str | None, settings: Settings, workspace: Path, session: Session, events: Sequence[Event]
) -> str | None:
    """Keep a session's report in the store, where there is one; returns what to call it there, and where it is.

    Raises:
        StoreError: it cannot be kept.
    """
    with opened_store(named, settings, workspace, create=True) as store:
        if store is None:
            return None
        entry = store.keep(session.result(), events=events, artifacts=session.artifacts)
        return f"{entry.id} in {store.name}"
