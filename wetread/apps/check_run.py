"""The work of `wetread check`: files shown or told as JSON, and JSON lines as a stream."""

from __future__ import annotations

import gc
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import orjson

from wetread.apps.check_io import MAX_LINE_BYTES, bounded_lines, opened, read_input
from wetread.errors import InputError, WetreadError
from wetread.reports.checking import CheckResult, check
from wetread.reports.model import Issue

if TYPE_CHECKING:
    from wetread.study import Study

CLEAN, FOUND, BAD_INPUT = 0, 1, 2


def check_files(names: list[str], study: Study | None, *, as_json: bool) -> int:
    """Check files and show what was found; returns the exit code."""
    rows: list[dict[str, Any]] = []
    worst = CLEAN
    for number, name in enumerate(names):
        if number:
            gc.enable()
        try:
            report = read_input(name)
            result = check(report, study=study)
        except WetreadError as error:
            if len(names) == 1:
                raise
            # one bad file must not keep the others from being checked
            sys.stderr.write(f"{error.line()}\n")
            rows.append({"file": name, "error": {"code": error.code, "message": str(error)}})
            worst = BAD_INPUT
            continue
        if result.has_error:
            worst = max(worst, FOUND)
        if as_json:
            rows.append({"file": name, **as_row(result)})
        else:
            from wetread.apps.check_view import show
            from wetread.apps.console import console

            show(console(sys.stdout), name, report, result)
    if as_json:
        from wetread.apps.output import print_json

        print_json(rows)
    return worst


def check_lines(name: str, study: Study | None) -> int:
    """Check a stream of JSON lines; returns the exit code.

    One line out for each line in, written at once; memory does not grow with the number of lines.
    """
    worst = CLEAN
    out = sys.stdout.buffer
    with opened(name) as stream:
        for number, line in enumerate(bounded_lines(stream), start=1):
            if line is not None and not line.strip():
                continue
            row, code = _row(number, line, study)
            worst = max(worst, code)
            out.write(orjson.dumps(row) + b"\n")
            out.flush()
            gc.enable()
    return worst


def _row(number: int, line: bytes | None, study: Study | None) -> tuple[dict[str, Any], int]:
    id: Any = None
    try:
        if line is None:
            raise InputError(
                "WET-INPUT-LINE", f"Line {number} is longer than {MAX_LINE_BYTES} bytes.", "No report is that long."
            )
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise InputError("WET-INPUT-LINE", f"Line {number} is not JSON.", "Give one object a line.") from None
        if not isinstance(found, dict):
            raise InputError("WET-INPUT-LINE", f"Line {number} is no object.", 'Such as {"id": "1", "text": "..."}.')
        id = found.get("id") if isinstance(found.get("id"), str | int) else None
        if not isinstance(found.get("text"), str) and not isinstance(found.get("sections"), dict):
            raise InputError("WET-INPUT-LINE", f"Line {number} has neither text nor sections.", "Give one of them.")
        result = check(found, study=study)
    except InputError as error:
        return {"id": id, "error": {"code": error.code, "message": str(error)}}, BAD_INPUT
    row: dict[str, Any] = {"id": id, "issues": [_issue(issue) for issue in result]}
    if result.not_assessed:
        row["not_assessed"] = result.not_assessed
    return row, FOUND if result.has_error else CLEAN


def as_row(result: CheckResult) -> dict[str, Any]:
    """A result as plain data."""
    return {
        "issues": [_issue(issue) for issue in result],
        "left_out": list(result.left_out),
        "not_assessed": list(result.not_assessed),
    }


def _issue(issue: Issue) -> dict[str, Any]:
    return {
        "code": issue.code,
        "severity": issue.severity,
        "section": issue.where,
        "start": issue.start,
        "end": issue.end,
        "message": issue.message,
    }


def study_of(name: str) -> Study:
    """The study of a folder, for its order and priors."""
    from wetread.study_reading import read_study

    return read_study([Path(name)])
