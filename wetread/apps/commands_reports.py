"""`wetread reports`: what is in the store."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.apps.output import print_json, show_report
from wetread.apps.stores import needed, opened_store
from wetread.apps.terminal import console, note
from wetread.apps.wiring import settings_for

if TYPE_CHECKING:
    from wetread.store import Store


def run(options: argparse.Namespace) -> int:
    """Run the command; exit code 1 where `--verify` finds something wrong."""
    workspace = Path(options.workspace)
    with opened_store(options.store, settings_for(workspace), workspace) as found:
        store = needed(found)
        if options.verify:
            return _verify(store, options)
        if options.report:
            show_report(store.reports.get(options.report), as_json=options.json)
            return 0
        return _list(store, options)


def _list(store: Store, options: argparse.Namespace) -> int:
    from rich.table import Table

    entries = store.reports.latest(limit=options.limit)
    if options.json:
        print_json([entry.model_dump() for entry in entries])
        return 0
    table = Table("Report", "Version", "Status", "Made (UTC)", "Exam", box=None, pad_edge=False)
    for entry in entries:
        table.add_row(entry.id, str(entry.version), entry.status, entry.created[:16].replace("T", " "), entry.title)
    console(sys.stdout).print(table)
    return 0


def _verify(store: Store, options: argparse.Namespace) -> int:
    names = [options.report] if options.report else [entry.id for entry in store.reports.latest()]
    found = {name: problems for name in names if (problems := store.reports.verify(name))}
    if options.json:
        print_json({"verified": len(names), "problems": found})
    for name, problems in found.items():
        for problem in problems:
            note(f"{name}: {problem}", "bold red")
    if not options.json:
        console(sys.stdout).print(f"{len(names)} verified, {len(found)} not as they were kept.")
    return 1 if found else 0
