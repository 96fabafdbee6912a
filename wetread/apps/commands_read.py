"""`wetread read`: drafts the report of a study."""

from __future__ import annotations

import argparse
import asyncio
import re
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.apps.output import check_folder, nothing_assessed, show_report, write_files
from wetread.apps.pacs.place import is_address
from wetread.apps.pacs.studies import NamedStudy, folder_name, local_study
from wetread.apps.stores import check_store, keep_draft
from wetread.apps.terminal import Progress, note
from wetread.apps.wiring import open_session, settings_for

if TYPE_CHECKING:
    from wetread.config import Settings
    from wetread.events import Event
    from wetread.study import Study

SIMULATED = "SIMULATED: the answers are made up by wetread's simulator and mean nothing about a patient."


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli` for its options and exit codes."""
    workspace = Path(options.workspace)
    settings = settings_for(workspace, options.model)
    folder = Path(options.out) if options.out else Path("wetread-out") / _name(options.study[0])
    check_folder(folder)
    check_store(options.store, settings, workspace)
    with local_study(options.study, options.prior, settings, allow_http=options.allow_http) as named:
        return asyncio.run(_read(options, _study(options, named), settings, folder))


async def _read(options: argparse.Namespace, study: Study, settings: Settings, folder: Path) -> int:
    workspace = Path(options.workspace)
    happened: list[Event] = []
    async with open_session(
        study, settings, simulated=options.simulated, template=options.template, workspace=workspace
    ) as session:
        # a file that cannot be decoded is the person's to mend: say so before anything is called
        await session.images.load()
        if options.simulated:
            note(SIMULATED, "bold yellow")
        with Progress() as progress:
            async for event in session.send("Draft the report."):
                progress(event)
                happened.append(event)
        report = session.result()
        names = await write_files(session, folder, workspace)
        show_report(report, as_json=options.json)
        # what was paid for is told of, whatever becomes of the store
        try:
            kept = await asyncio.to_thread(keep_draft, options.store, settings, workspace, session, happened)
            if kept:
                note(f"Kept as {kept}")
        finally:
            note(f"Written to {folder}: {', '.join(names)}")
    if all(system.status == "not_assessed" for system in report.findings):
        raise nothing_assessed(report)
    return 0


def _study(options: argparse.Namespace, named: NamedStudy) -> Study:
    from wetread.study_reading import read_study

    return read_study(
        named.paths,
        indication=options.indication,
        history=options.history,
        view=options.view,
        prior=named.prior,
        prior_report=Path(options.prior_report) if options.prior_report else None,
    )


def _name(path: str) -> str:
    """A folder's name for the study at a path or an address."""
    if is_address(path):
        return folder_name(path)
    name = Path(path).resolve()
    return re.sub(r"[^\w.-]+", "-", name.stem if name.is_file() else name.name).strip(".-") or "study"
