"""`wetread export`: a report in other formats."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.apps.stores import find_report, log_delivery, opened_store, reader_name
from wetread.apps.terminal import console, note
from wetread.apps.wiring import settings_for
from wetread.errors import ExportError, InputError
from wetread.reports.export import FORMATS, ExportedFile, Identity, Source, export_from, write_files

if TYPE_CHECKING:
    from wetread.artifacts import ArtifactStore
    from wetread.config import Settings

LIST, ALL = "list", "all"
_FORMS = {
    "patient": "Write Patient/ and the id that the FHIR server gave, or that resource's whole URL.",
    "patient_id": "Write the identifier, and after a ^ its assigning authority if it has one.",
    "patient_name": "Write FAMILY^GIVEN.",
    "accession": "Up to 64 characters.",
    "study_uid": "Digits and dots, as in the DICOM header, up to 64 characters.",
}


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli` for its options and exit codes."""
    if options.to == LIST:
        return _list()
    if options.report is None:
        raise InputError("WET-INPUT-OPTION", "No report is named.", "Give a report.json, or the folder that has one.")
    wanted = formats_of(options.to)
    identity = identity_from(options)
    workspace = Path(options.workspace)
    settings = settings_for(workspace)
    by = reader_name(options.by, settings)
    with opened_store(options.store, settings, workspace) as store:
        found = find_report(options.report, store)
        artifacts = store.artifacts.load(found.report) if store is not None else None
    made: list[ExportedFile] = []
    counts: dict[str, int] = {}
    with source_of(options, settings, artifacts, identity) as source:
        for name in wanted:
            try:
                files = export_from(source, found.report, name)
                counts[name] = len(files)
                made += files
            except ExportError as error:
                # asked for by name, what cannot be made is an error; asked for all, the rest is wanted all the same
                if options.to != ALL:
                    raise
                note(f"Left out {name}: {error.line()}")
    folder = Path(options.out or (found.path.parent if found.path else "wetread-out"))
    names = [path.name for path in write_files(made, folder)]
    with opened_store(options.store, settings, workspace) as store:
        log_delivery(store, found.report, "report.exported", counts, command="wetread export", by=by)
    note(f"Written to {folder}: {', '.join(names)}")
    return 0


def identity_from(options: argparse.Namespace) -> Identity:
    """What the receiving system calls the patient and the exam, from a command's options.

    Raises:
        InputError: `WET-INPUT-OPTION`, one of them cannot be used. Its value is not repeated.
    """
    from pydantic import ValidationError

    given = {name: getattr(options, name, None) for name in Identity.model_fields}
    try:
        return Identity(**given)
    except ValidationError as error:
        field = str(error.errors(include_input=False, include_url=False)[0]["loc"][0])
        raise InputError("WET-INPUT-OPTION", f"--{field.replace('_', '-')} cannot be used.", _FORMS[field]) from None


@contextmanager
def source_of(
    options: argparse.Namespace, settings: Settings, artifacts: ArtifactStore | None, identity: Identity
) -> Iterator[Source]:
    """What an export may draw on, with the study where one is named; what is fetched for it lasts as long as the block.

    Raises:
        InputError, PacsError: the study cannot be read.
    """
    workspace = Path(options.workspace)
    if options.study is None:
        yield Source(artifacts=artifacts, workspace=workspace, identity=identity)
        return
    from wetread.apps.pacs.studies import local_study
    from wetread.imaging.bank import ImageBank
    from wetread.study_reading import read_study

    with local_study([options.study], options.prior, settings, allow_http=options.allow_http, tell=False) as named:
        study = read_study(named.paths, view=options.view, prior=named.prior)
        yield Source(study, ImageBank(study), artifacts, named.paths[0], workspace, identity)


def formats_of(text: str, option: str = "--to") -> list[str]:
    """The formats that a text with commas names.

    Raises:
        InputError: `WET-INPUT-OPTION`, there is no such format.
    """
    if text == ALL:
        return list(FORMATS)
    wanted = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    for name in wanted or [""]:
        if name not in FORMATS:
            known = f"There are: {', '.join(FORMATS)}."
            raise InputError("WET-INPUT-OPTION", f"{option}: there is no format {name[:40]!r}.", known)
    return wanted


def _list() -> int:
    from rich.table import Table

    table = Table("Format", "What it is", "Extra", box=None, pad_edge=False)
    for format in FORMATS.values():
        table.add_row(format.name, format.help, format.extra or "")
    console(sys.stdout).print(table)
    return 0
