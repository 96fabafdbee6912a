"""`wetread push fhir URL REPORT`: sends a report to a FHIR server."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from wetread.apps.commands_export import identity_from
from wetread.apps.fhir_push import push
from wetread.apps.output import print_json
from wetread.apps.stores import find_report, log_delivery, opened_store, reader_name
from wetread.apps.terminal import note
from wetread.apps.wiring import settings_for
from wetread.reports.export import export

TOKEN_VARIABLE = "WETREAD_FHIR_TOKEN"


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli` for its options and exit codes."""
    workspace = Path(options.workspace)
    identity = identity_from(options)
    by = reader_name(options.by)
    settings = settings_for(workspace)
    with opened_store(options.store, settings, workspace) as store:
        report = find_report(options.report, store).report
    (bundle,) = export(report, "fhir", workspace=workspace, identity=identity)
    token = os.environ.get(TOKEN_VARIABLE) or None
    result = asyncio.run(push(bundle.data, options.url, token=token, allow_http=options.allow_http))
    with opened_store(options.store, settings, workspace) as store:
        log_delivery(store, report, "report.sent", {"fhir": 1}, command="wetread push", by=by)
    if options.json:
        print_json(result.model_dump())
    tries = f" after {result.attempts} attempts" if result.attempts > 1 else ""
    line = f"Sent{tries}: {result.created} resources made, {result.already} already there. {result.note}"
    note(line.strip())
    return 0
