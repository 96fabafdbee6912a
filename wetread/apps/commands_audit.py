"""`wetread audit`: the log of who did what, and whether it is whole."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.apps.output import print_json
from wetread.apps.stores import needed, opened_store
from wetread.apps.terminal import console, note
from wetread.apps.wiring import settings_for

if TYPE_CHECKING:
    from wetread.store import Store


def run(options: argparse.Namespace) -> int:
    """Run the command; exit code 1 where `verify` finds something wrong."""
    workspace = Path(options.workspace)
    with opened_store(options.store, settings_for(workspace), workspace) as found:
        store = needed(found)
        match options.action:
            case "verify":
                return _verify(store, options)
            case "log":
                return _log(store, options)
            case _:
                console(sys.stdout).print(store.audit.head(), soft_wrap=True)
                return 0


def _verify(store: Store, options: argparse.Namespace) -> int:
    check = store.audit.verify(options.anchor)
    if options.json:
        print_json(check.model_dump())
        return 0 if check.whole else 1
    for problem in check.problems:
        note(problem, "bold red")
    out = console(sys.stdout)
    if not check.whole:
        out.print(f"{check.entries} entries: not as they were written.")
        return 1
    out.print(f"{check.entries} entries, whole. Head {check.head}", soft_wrap=True)
    if not check.anchored:
        note("That nothing was cut off or written anew with its head, only an anchor kept elsewhere shows: --anchor.")
    return 0


def _log(store: Store, options: argparse.Namespace) -> int:
    entries = store.audit.entries(last=options.last)
    if options.json:
        print_json([entry.model_dump() for entry in entries])
        return 0
    from rich.table import Table

    table = Table("Entry", "At (UTC)", "Who", "What", "On", "Version", box=None, pad_edge=False)
    for entry in entries:
        event = entry.event
        table.add_row(
            str(entry.number),
            entry.at[:19].replace("T", " "),
            f"{event.actor.kind} {event.actor.name}",
            event.action,
            event.subject,
            (event.version or "")[:12],
        )
    console(sys.stdout).print(table)
    return 0
