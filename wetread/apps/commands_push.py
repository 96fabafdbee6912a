"""`wetread push fhir|dicomweb|dicom`: sends a report to another system."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from wetread.apps.commands_export import formats_of, identity_from, source_of
from wetread.apps.output import print_json
from wetread.apps.stores import find_report, log_delivery, opened_store, reader_name
from wetread.apps.terminal import note
from wetread.apps.wiring import settings_for
from wetread.errors import InputError
from wetread.reports.export import export

TOKEN_VARIABLE = "WETREAD_FHIR_TOKEN"


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli` for its options and exit codes."""
    if options.protocol == "fhir":
        if options.to is not None or options.study is not None or options.aet is not None:
            raise InputError("WET-INPUT-OPTION", "--to, --study and --aet are not for fhir.", "Leave them out.")
        return _fhir(options)
    return _archive(options)


def _fhir(options: argparse.Namespace) -> int:
    from wetread.apps.fhir_push import push

    workspace = Path(options.workspace)
    identity = identity_from(options)
    settings = settings_for(workspace)
    by = reader_name(options.by, settings)
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


def _archive(options: argparse.Namespace) -> int:
    """Make the DICOM objects of a report, all of them, and send them."""
    from wetread.apps.pacs.destination import destination
    from wetread.apps.pacs.results import FORMATS, objects_of, stored_by_format

    workspace = Path(options.workspace)
    settings = settings_for(workspace)
    by = reader_name(options.by, settings)
    to = destination(
        options.protocol, options.url, called=options.aet, calling=options.calling, allow_http=options.allow_http
    )
    formats = formats_of(options.to) if options.to else list(FORMATS)
    if others := [name for name in formats if name not in FORMATS]:
        raise InputError(
            "WET-INPUT-OPTION", f"An archive takes no {', '.join(others)}.", f"It takes: {', '.join(FORMATS)}."
        )
    with opened_store(options.store, settings, workspace) as store:
        report = find_report(options.report, store).report
        artifacts = store.artifacts.load(report) if store is not None else None
    with source_of(options, settings, artifacts, identity_from(options)) as source:
        objects, empty = objects_of(report, source, formats)
    for line in empty:
        note(f"Left out {line}", "yellow")
    result = to.send(objects, settings.dicomweb)
    if result.stored:
        counts = stored_by_format(objects, result)
        with opened_store(options.store, settings, workspace) as store:
            log_delivery(store, report, "report.sent", counts, command="wetread push", by=by)
    if options.json:
        print_json(result.model_dump(mode="json"))
    for one in result.objects:
        if one.outcome == "warning":
            note(f"{one.name}: {one.reason}", "yellow")
    result.check()
    note(f"Stored at {result.to}: {', '.join(one.name for one in result.objects)}.")
    return 0
