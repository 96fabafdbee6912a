"""The options of `wetread export` and `wetread push`. Light: it is imported for every command."""

from __future__ import annotations

import argparse
from collections.abc import Callable


def add_commands(command: Callable[[str, str, str], argparse.ArgumentParser], workspace: Callable[..., None]) -> None:
    """Add both commands.

    Args:
        command: Makes a command from its name, its module and its help.
        workspace: Adds the option `--workspace` to a command.
    """
    export = command("export", "commands_export", "write a report in other formats")
    _report(export, needed=False)
    export.add_argument(
        "--to",
        metavar="FORMATS",
        required=True,
        help="json, md, html, mrrt, fhir, hl7v2, ...: one or several with commas; all; or list, which lists them",
    )
    export.add_argument("--out", metavar="DIR", help="folder for the files; that of the report by default")
    _study(export, "for formats with pictures and DICOM formats")
    export.add_argument(
        "--allow-http", action="store_true", help="fetch the study over plain http, which others can read"
    )
    export.add_argument("--patient-id", metavar="ID", help="patient identifier for hl7v2: 123, or 123^AUTHORITY")
    export.add_argument("--patient-name", metavar="NAME", help="patient name for hl7v2: FAMILY^GIVEN")
    _identity(export)
    workspace(export)

    push = command("push", "commands_push", "send a report to another system")
    push.add_argument(
        "protocol",
        choices=("fhir", "dicomweb", "dicom"),
        metavar="PROTOCOL",
        help="fhir: a FHIR R4 server; dicomweb: an archive by STOW-RS; dicom: a DICOM node by C-STORE",
    )
    push.add_argument(
        "url",
        metavar="URL",
        help="fhir, dicomweb: base URL, credentials from WETREAD_FHIR_TOKEN, WETREAD_DICOMWEB_*; dicom: HOST:PORT",
    )
    _report(push)
    _identity(push)
    push.add_argument(
        "--to", metavar="FORMATS", help="dicomweb, dicom: dicom-sr,dicom-seg,dicom-gsps,dicom-pdf (all four by default)"
    )
    _study(push, "needed for dicomweb and dicom")
    push.add_argument("--aet", metavar="TITLE", help="dicom: application entity title of the node")
    push.add_argument("--calling", metavar="TITLE", help="dicom: our own title; WETREAD by default")
    push.add_argument("--allow-http", action="store_true", help="send over plain http, which others can read")
    push.add_argument("--json", action="store_true", help="print the outcome as JSON")
    workspace(push)


def _report(command: argparse.ArgumentParser, *, needed: bool = True) -> None:
    nargs = None if needed else "?"
    about = "report.json, its folder, or the id of a report in the store"
    command.add_argument("report", metavar="REPORT", nargs=nargs, help=about)
    command.add_argument(
        "--store", metavar="WHERE", help="the store, which has the masks too (WETREAD_STORE, .wetread/store.db)"
    )
    command.add_argument("--by", metavar="NAME", help="your name, for the audit log of the store (WETREAD_READER)")


def _study(command: argparse.ArgumentParser, why: str) -> None:
    command.add_argument("--study", metavar="STUDY", help=f"the study that was read, as for `wetread read`: {why}")
    command.add_argument("--view", choices=("PA", "AP", "frontal", "lateral"), help="as given to `wetread read`")
    command.add_argument(
        "--prior", metavar="PATH", action="append", default=[], help="as given to `wetread read`; may be repeated"
    )


def _identity(command: argparse.ArgumentParser) -> None:
    command.add_argument("--patient", metavar="REFERENCE", help="the patient on the FHIR server: Patient/123")
    command.add_argument("--accession", metavar="NUMBER", help="accession number of the exam")
    command.add_argument("--study-uid", metavar="UID", help="Study Instance UID of the exam")
