"""What commands leave behind: the report on stdout, its files in a folder."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetread.apps.terminal import console

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
