"""From a study in the spool to its report: drafted, kept, sent; then the study is done with, or set aside."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from wetread.apps.output import nothing_assessed, write_files
from wetread.apps.pacs.destination import Destination
from wetread.apps.pacs.results import Outgoing, objects_of, outgoing, stored_by_format
from wetread.apps.pacs.spool import ReadyStudy, Spool
from wetread.apps.stores import keep_draft, log_delivery, opened_store
from wetread.apps.wiring import open_session
from wetread.config import Settings
from wetread.errors import PacsError, WetreadError
from wetread.events import Event
from wetread.reports.export import Source
from wetread.reports.model import Report
from wetread.reports.reading import read_report
from wetread.session import Session
from wetread.study import Study
from wetread.study_reading import read_study
from wetread.vocabulary import View

PAUSE_S = 0.2
"""How often the spool is looked at."""


@dataclass(frozen=True, slots=True)
class Orders:
    """How studies are drafted, and what becomes of reports.

    Attributes:
        settings, workspace: As for every command.
        simulated, template: As for `wetread read`.
        view: Of the one radiograph of a study whose header names none.
        out: Folder in which each report gets one of its own.
        store: The store, as a command names it.
        send_to: Where results go.
        keep: Whether a study's files are kept once it is drafted.
    """

    settings: Settings
    workspace: Path
    simulated: bool
    template: str | None
    view: str | None
    out: Path
    store: str | None
    send_to: Destination | None
    keep: bool


async def work(spool: Spool, orders: Orders, tell: Callable[[str], None]) -> None:
    """Draft one study after the other, until cancelled. A study that is cancelled stays in the spool, complete."""
    while True:
        for name in await asyncio.to_thread(spool.complete):
            tell(f"{name}: complete.")
        study = await asyncio.to_thread(spool.next)
        if study is None:
            await asyncio.sleep(PAUSE_S)
        else:
            await _handle(study, spool, orders, tell)


async def _handle(study: ReadyStudy, spool: Spool, orders: Orders, tell: Callable[[str], None]) -> None:
    tell(f"{study.name}: drafting, {study.instances} instance{'s' if study.instances != 1 else ''}.")
    try:
        kept = await asyncio.to_thread(spool.results, study)
        if kept and orders.send_to is not None:
            await _go_on(kept, study, spool, orders, orders.send_to, tell)
        else:
            await _draft(study, spool, orders, tell)
    except WetreadError as error:
        why = error.line()  # names files by their folder in the spool, which identifies nobody
    except Exception as error:  # one study must not end the node; the text of the unforeseen may say what it must not
        why = f"WET-FAULT: a fault of wetread itself ({type(error).__name__})."
    else:
        return
    there = spool.failed(study)
    tell(f"{study.name}: {why} Its files are in {there}; `wetread read` takes that folder.")


async def _draft(study: ReadyStudy, spool: Spool, orders: Orders, tell: Callable[[str], None]) -> None:
    """Draft one study, and do with the report what is ordered.

    Raises:
        WetreadError: one of these failed.
    """
    read = await asyncio.to_thread(_read, study.folder, orders.view)
    async with open_session(
        read, orders.settings, simulated=orders.simulated, template=orders.template, workspace=orders.workspace
    ) as session:
        await session.images.load()
        happened = [event async for event in session.send("Draft the report.")]
        # a report that is there is brought to where it belongs: cut off here, the next start would draft another one
        finishing = asyncio.create_task(_finish(session, happened, study, spool, orders, tell))
        try:
            await asyncio.shield(finishing)
        except asyncio.CancelledError:
            await finishing
            raise


def _read(folder: Path, view: str | None) -> Study:
    """A study, whose one radiograph without a view has that view; what a header says stands."""
    read = read_study(folder)
    unknown = [image for image in read.images if image.is_radiograph and image.view is View.UNKNOWN]
    return read_study(folder, view=view) if view is not None and len(unknown) == 1 else read


async def _finish(
    session: Session,
    happened: Sequence[Event],
    study: ReadyStudy,
    spool: Spool,
    orders: Orders,
    tell: Callable[[str], None],
) -> None:
    """Write, keep and send the report of a study; then the study is done with."""
    report = session.result()
    folder = orders.out / study.name
    await write_files(session, folder, orders.workspace)
    done = [f"drafted, written to {folder}"]
    kept = await asyncio.to_thread(keep_draft, orders.store, orders.settings, orders.workspace, session, happened)
    if kept:
        done.append(f"kept as {kept}")
    if all(system.status == "not_assessed" for system in report.findings):
        raise nothing_assessed(report)
    if orders.send_to is not None:
        done.append(await asyncio.to_thread(_send, session, study, spool, orders, orders.send_to))
    await asyncio.to_thread(spool.drafted, study, keep=orders.keep)
    tell(f"{study.name}: {', '.join(done)}.")


async def _go_on(
    kept: Sequence[Path],
    study: ReadyStudy,
    spool: Spool,
    orders: Orders,
    to: Destination,
    tell: Callable[[str], None],
) -> None:
    """Send what was drafted before the process ended: another draft would have other UIDs, and be stored beside it."""
    report = await asyncio.to_thread(read_report, orders.out / study.name / "report.json")
    objects = [outgoing(file.name.partition("+")[0], file.name.partition("+")[2], file.read_bytes()) for file in kept]
    sent = await asyncio.to_thread(_deliver, report, objects, orders, to)
    await asyncio.to_thread(spool.drafted, study, keep=orders.keep)
    tell(f"{study.name}: drafted before, {sent}.")


def _send(session: Session, study: ReadyStudy, spool: Spool, orders: Orders, to: Destination) -> str:
    report = session.result()
    source = Source(session.study, session.images, session.artifacts, study.folder, orders.workspace)
    objects, _ = objects_of(report, source)
    try:
        spool.keep_results(study, {f"{one.format}+{one.name}": one.data for one in objects})
    except OSError as error:
        raise PacsError(
            "WET-PACS-SPOOL", f"The results cannot be kept until they are sent ({error.strerror}).", "Make room."
        ) from None
    return _deliver(report, objects, orders, to)


def _deliver(report: Report, objects: Sequence[Outgoing], orders: Orders, to: Destination) -> str:
    result = to.send(objects, orders.settings.dicomweb)
    if result.stored:
        counts = stored_by_format(objects, result)
        with opened_store(orders.store, orders.settings, orders.workspace) as store:
            log_delivery(store, report, "report.sent", counts, command="wetread listen")
    result.check()
    return f"{len(result.objects)} objects stored at {result.to}"
