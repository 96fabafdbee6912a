"""What commands leave behind: the report on stdout, its files in a folder."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetread.apps.terminal import console
from wetread.errors import InputError, ReadingError

if TYPE_CHECKING:
    from wetread.reports.model import Report
    from wetread.session import Session


def print_json(data: Any) -> None:
    """Plain data as JSON on stdout, in ASCII, so that any terminal and any pipe can take it."""
    import json

    sys.stdout.write(json.dumps(data, indent=2, ensure_ascii=True) + "\n")


def show_report(report: Report, *, as_json: bool) -> None:
    """A report on stdout: as a person reads it, or as JSON."""
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    from wetread.reports.render import to_terminal

    console(sys.stdout).print(to_terminal(report))


def check_folder(folder: Path) -> None:
    """See that files can be written into a folder, which need not be there yet; to be asked before work is paid for.

    Raises:
        InputError: `WET-INPUT-OUT`, they cannot.
    """
    there = next(parent for parent in (folder.absolute(), *folder.absolute().parents) if parent.exists())
    why = None
    if not there.is_dir():
        why = f"{there.name} is no folder"
    elif not os.access(there, os.W_OK | os.X_OK):
        why = "its rights do not allow it"
    if why is not None:
        raise InputError("WET-INPUT-OUT", f"{folder} cannot be written ({why}).", "Name another folder.")


async def write_files(session: Session, folder: Path, workspace: Path | None = None) -> list[str]:
    """Write a session's report and pictures into a folder; returns the names of the files.

    Raises:
        InputError: `WET-INPUT-OUT`, the folder cannot be written to.
    """
    from wetread.reports.render import write_report

    paths = await asyncio.to_thread(
        write_report,
        session.result(),
        artifacts=session.artifacts,
        bank=session.images,
        folder=folder,
        workspace=workspace,
    )
    return [path.name for path in paths]


def nothing_assessed(report: Report) -> ReadingError:
    """Why a report assesses nothing. It holds what the order says all the same, and fields for a person to fill."""
    code, message = "WET-READING-NOTHING", "Nothing could be assessed"
    if all(evidence.tool == "study_context" for evidence in report.evidence):
        hint = "A person can fill in the report; --template names another template."
        if report.incomplete:  # it ended before its time: the template is not to blame
            return ReadingError(code, f"{message}: no tool had looked at the images when the turn ended.", hint)
        return ReadingError(code, f"{message}: no tool of template {report.template} looked at the images.", hint)
    return ReadingError(
        code,
        f"{message}: every tool failed or abstained, as the report says.",
        "`wetread doctor` tells what is configured and reachable.",
    )
