"""`wetread diff`: what differs between two versions of a report, word by word."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.apps.output import print_json
from wetread.apps.stores import Found, find_report, opened_store, version_file
from wetread.apps.terminal import console
from wetread.apps.wiring import settings_for
from wetread.errors import InputError

if TYPE_CHECKING:
    from wetread.store import Store


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli_review` for its options."""
    from wetread.review.diff import diff_reports, to_terminal

    workspace = Path(options.workspace)
    with opened_store(options.store, settings_for(workspace), workspace) as store:
        first = find_report(options.first, store)
        second = find_report(options.second, store) if options.second else _after(first, store)
    found = diff_reports(first.report, second.report)
    if options.json:
        print_json(found.model_dump(mode="json"))
    else:
        console(sys.stdout).print(to_terminal(found))
    return 0


def _after(first: Found, store: Store | None) -> Found:
    """The version after one."""
    following = first.report.version + 1
    if first.path is not None:
        path = version_file(first.path, following)
        if path.exists():
            return find_report(str(path), store)
    elif store is not None:
        entries = store.reports.versions(first.report.sha256)
        later = next((entry for entry in entries if entry.replaces == first.report.sha256), None)
        if later is not None:
            return find_report(later.sha256, store)
    raise InputError(
        "WET-INPUT-REPORT-FILE", f"There is no version {following} to compare with.", "Name the other report too."
    )
