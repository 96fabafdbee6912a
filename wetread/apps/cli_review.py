"""The options of what is done to a report once it is drafted: review, diff, reports, audit."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from typing import Any

Make = Callable[[str, str, str], argparse.ArgumentParser]
"""Makes a command of a name, the module that runs it, and a line of help."""

REPORT = "report.json, its folder, or the id of a report in the store"


def add_commands(make: Make, common: Callable[[Any], None]) -> None:
    """Add the commands.

    Args:
        make: Makes one.
        common: Adds the options that every command has.
    """
    _review(make("review", "commands_review", "accept, edit, reject and sign a draft"), common)
    _diff(make("diff", "commands_diff", "show what a person changed, word by word"), common)
    _reports(make("reports", "commands_reports", "list the reports in the store, or show one"), common)
    _audit(make("audit", "commands_audit", "show and verify the log of who did what"), common)


def _store(command: Any, common: Callable[[Any], None]) -> None:
    command.add_argument(
        "--store", metavar="WHERE", help="file or postgresql:// URL of the store (WETREAD_STORE, .wetread/store.db)"
    )
    common(command)


def _review(command: Any, common: Callable[[Any], None]) -> None:
    command.add_argument("report", metavar="REPORT", help=f"{REPORT}; questions are asked where no option says what")
    command.add_argument("--by", metavar="NAME", help="your name; that of --sign, or WETREAD_READER, by default")
    done = command.add_argument_group("statements and AI results")
    done.add_argument("--accept", metavar="IDS", action="append", default=[], help="S1,S2, or all")
    done.add_argument("--reject", metavar="IDS", action="append", default=[], help="S3,S4")
    done.add_argument("--edit", metavar="ID=TEXT", action="append", default=[], help='S4="The heart is enlarged."')
    done.add_argument(
        "--add", metavar="PLACE=TEXT", action="append", default=[], help="a system, impression or recommendation"
    )
    done.add_argument("--fill", metavar="FIELD=VALUE", action="append", default=[], help="a form field")
    done.add_argument("--verdict", metavar="ID=VERDICT", action="append", default=[], help="E2=accept, amend or reject")
    done.add_argument(
        "--told",
        metavar="RECORD",
        action="append",
        default=[],
        help='who was told of a critical result: "pneumothorax; to=...; by=...; at=2026-01-31T14:05+01:00; how=..."',
    )
    ends = command.add_argument_group(
        "what becomes of it (it stays in review by default)"
    ).add_mutually_exclusive_group()
    ends.add_argument("--preliminary", action="store_true", help="release it as read, not signed")
    ends.add_argument("--sign", metavar="NAME", help="sign it: final, or amended where it was signed before")
    ends.add_argument("--correct", metavar="NAME", help="sign the correction of an error in a signed report")
    ends.add_argument("--addendum", metavar="TEXT", help="add a signed text to a signed report, which stays as it is")
    ends.add_argument("--cancel", metavar="REASON", help="give up a report that is not signed")
    ends.add_argument("--entered-in-error", metavar="REASON", help="withdraw a report")
    command.add_argument("--override", metavar="REASON", help="sign in spite of unresolved errors")
    command.add_argument("--study", metavar="PATH", action="append", default=[], help="the study, for its pictures")
    command.add_argument("--json", action="store_true", help="print the new version as JSON")
    _store(command, common)


def _diff(command: Any, common: Callable[[Any], None]) -> None:
    command.add_argument("first", metavar="A", help=f"{REPORT}; ID@1 is its first version")
    command.add_argument("second", metavar="B", help="the same; the version after A where left out", nargs="?")
    command.add_argument("--json", action="store_true", help="print it as JSON")
    _store(command, common)


def _reports(command: Any, common: Callable[[Any], None]) -> None:
    command.add_argument("report", metavar="REPORT", nargs="?", help="an id, ID@2 for a version: show that report")
    command.add_argument("--verify", action="store_true", help="check hashes, links, signatures and audit entries")
    command.add_argument("--limit", metavar="N", type=int, help="list so many, newest first")
    command.add_argument("--json", action="store_true", help="print it as JSON")
    _store(command, common)


def _audit(command: Any, common: Callable[[Any], None]) -> None:
    actions = command.add_subparsers(title="actions", metavar="ACTION", required=True, dest="action")
    verify = actions.add_parser("verify", help="follow the chain: finds what was changed, removed or moved")
    verify.add_argument("--anchor", metavar="ANCHOR", help="what `head` printed earlier: finds a cut-off end too")
    log = actions.add_parser("log", help="print the entries")
    log.add_argument("--last", metavar="N", type=int, help="the last N")
    head = actions.add_parser("head", help="print the anchor to keep elsewhere")
    for action in (verify, log):
        action.add_argument("--json", action="store_true", help="print it as JSON")
    for action in (verify, log, head):
        action.add_argument("--debug", action="store_true", help="show where an error happened")
        _store(action, common)
