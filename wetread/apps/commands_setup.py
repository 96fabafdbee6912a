"""`wetread simulate` and `wetread doctor`: something to call, and whether it can be called."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.apps.output import print_json
from wetread.apps.terminal import console, note

if TYPE_CHECKING:
    from wetread.apps.doctor import Row

_STYLES = {"ok": "green", "warning": "yellow", "missing": "yellow", "error": "bold red"}


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli` for its options and exit codes."""
    return _simulate(options) if options.command == "simulate" else _doctor(options)


def _simulate(options: argparse.Namespace) -> int:
    from wetread.apps.simulate import client_variables, parse_latency, serve

    def ready(url: str) -> None:
        note(
            f"Simulated endpoints and a chat model at {url}. Their answers mean nothing about a patient.", "bold yellow"
        )
        for name, value in client_variables(url).items():
            sys.stdout.write(f"export {name}={value}\n")
        sys.stdout.flush()

    serve(
        options.host,
        options.port,
        seed=options.seed,
        latency=parse_latency(options.latency, options.cold_start),
        faults=options.fault,
        key=options.key,
        limits=options.limits,
        on_ready=ready,
    )
    return 0


def _doctor(options: argparse.Namespace) -> int:
    from wetread.apps.doctor import examine

    rows = asyncio.run(examine(Path(options.workspace)))
    if options.json:
        print_json([row.model_dump() for row in rows])
    else:
        _show(rows)
    return 2 if any(row.state == "error" for row in rows) else 0


def _show(rows: tuple[Row, ...]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table("Looked at", "", "Found", "What to do", box=None, pad_edge=False)
    topic = ""
    for row in sorted(rows, key=lambda row: row.topic):
        if row.topic != topic:
            topic = row.topic
            table.add_row(Text(topic.capitalize(), style="bold"))
        table.add_row(f"  {row.name}", Text(row.state, style=_STYLES[row.state]), row.detail, row.advice)
    console(sys.stdout).print(table)
