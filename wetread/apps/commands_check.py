"""`wetread check`: every check over reports, from files or as a stream of JSON lines.

Exit codes: 0 no issue of severity error, 1 at least one, 2 something that could not be read as a report.
"""

from __future__ import annotations

import argparse
import gc
import os


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli` for its options."""
    # A single call is over in a third of a second, most of it spent on importing. A collector that goes again and again
    # through objects that stay, and a search of all installed packages for plugins of pydantic, would double that.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    gc.disable()
    try:
        from wetread.apps.check_run import check_files, check_lines, study_of
        from wetread.errors import InputError

        if bool(options.file) == bool(options.jsonl):
            raise InputError("WET-INPUT-OPTION", "Give files, or --jsonl.", "See `wetread check --help`.")
        study = study_of(options.study) if options.study else None
        if options.jsonl:
            return check_lines(options.jsonl, study)
        return check_files(options.file, study, as_json=options.json)
    finally:
        gc.enable()
