"""`wetread review`: a person reads a draft, and the next version of the report is made of what they say."""

from __future__ import annotations

import argparse
import os
import secrets
import sys
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from wetread.apps.output import show_report
from wetread.apps.review_options import actions_from
from wetread.apps.stores import Found, find_report, opened_store, version_file
from wetread.apps.terminal import note
from wetread.apps.wiring import settings_for
from wetread.errors import ConfigError, InputError, ReviewError, StoreError

if TYPE_CHECKING:
    from wetread.apps.review_walk import Answers
    from wetread.reports.model import Report
    from wetread.reports.template import ReportTemplate
    from wetread.review.conclude import Outcome
    from wetread.store import Store
    from wetread.study import Study

_WHAT = (
    *("accept", "reject", "edit", "add", "fill", "verdict", "told"),
    *("preliminary", "sign", "correct", "addendum", "cancel", "entered_in_error"),
)
"""Options that say what to do; where none is given, the reader is asked."""


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli_review` for its options."""
    workspace = Path(options.workspace)
    settings = settings_for(workspace)
    named = bool(options.store or settings.store)
    with opened_store(options.store, settings, workspace, create=named) as store:
        found = find_report(options.report, store)
        _check_latest(found, store)
        if not any(getattr(options, name) for name in _WHAT):
            if not sys.stdin.isatty():
                raise InputError(
                    "WET-INPUT-OPTION",
                    "There is nobody to ask here, and no option says what to do.",
                    "Give --accept, --edit, --sign and their like; see `wetread review --help`.",
                )
            from wetread.apps.review_dialog import ask

            reader = options.by or settings.reader
            by, answers = ask(found.report, reader, partial(_answered, found.report, options, workspace))
            version = _answered(found.report, options, workspace, by, answers)
        else:
            version = _next(found.report, options, workspace, settings.reader)
        places = _keep(version, found, store, options, named=named)
    show_report(version, as_json=options.json)
    note(f"Version {version.version}, {version.status}: {', '.join(places)}")
    return 0


def _next(report: Report, options: argparse.Namespace, workspace: Path, reader: str | None) -> Report:
    """The next version, as the options say; by `reader` where they name nobody."""
    from wetread.review import append, conclude, withdraw

    by = options.sign or options.correct or options.by
    if options.by and by != options.by:
        raise ReviewError("WET-REVIEW-NAME", "--by names another person than the one who signs.", "Leave --by out.")
    by = by or reader
    if not by:
        raise ReviewError("WET-REVIEW-NAME", "A review needs your name.", "Give --by, or set WETREAD_READER.")
    at = datetime.now(UTC)
    actions = actions_from(options, report)
    whole = {"addendum": options.addendum, "cancelled": options.cancel, "entered-in-error": options.entered_in_error}
    for what, text in whole.items():
        if text is None:
            continue
        if actions or options.override:
            raise ReviewError("WET-REVIEW-NOTHING", "That stands for itself.", "Give it without other changes.")
        if what == "addendum":
            return append(report, text, by=by, at=at)
        return withdraw(report, "cancelled" if what == "cancelled" else "entered-in-error", text, by=by, at=at)
    outcome: Outcome = "keep"
    if options.preliminary:
        outcome = "preliminary"
    elif options.sign:
        outcome = "sign"
    elif options.correct:
        outcome = "correct"
    return conclude(
        report,
        by=by,
        at=at,
        actions=actions,
        outcome=outcome,
        override=options.override,
        study=_study(options),
        template=_template(report, workspace),
    )


def _answered(report: Report, options: argparse.Namespace, workspace: Path, by: str, answers: Answers) -> Report:
    """The next version, as the reader said when asked."""
    from wetread.review import conclude

    return conclude(
        report,
        by=by,
        at=datetime.now(UTC),
        actions=answers.actions,
        outcome=answers.outcome,
        override=answers.override,
        study=_study(options),
        template=_template(report, workspace),
    )


def _template(report: Report, workspace: Path) -> ReportTemplate | None:
    from wetread.reports.template import load_template

    try:
        return load_template(report.template, workspace)
    except ConfigError as error:
        if error.code != "WET-CONFIG-TEMPLATE":
            raise
        note(f"The template {report.template} is not here: its form fields cannot be filled.")
        return None


def _study(options: argparse.Namespace) -> Study | None:
    if not options.study:
        return None
    from wetread.study_reading import read_study

    return read_study([Path(path) for path in options.study])


def _check_latest(found: Found, store: Store | None) -> None:
    """Refuse to work on a version that has been replaced."""
    following = found.report.version + 1
    if found.path is not None and version_file(found.path, following).exists():
        raise ReviewError(
            "WET-REVIEW-REPLACED",
            f"{found.path.name} has been replaced by {version_file(found.path, following).name}.",
            "Review the latest version; naming the folder finds it.",
        )
    if store is not None and found.path is None:
        latest = store.reports.versions(found.report.sha256)[-1]
        if latest.sha256 != found.report.sha256:
            raise ReviewError(
                "WET-REVIEW-REPLACED",
                f"Version {found.report.version} has been replaced by version {latest.version}.",
                "Review the latest version: name the report by its id alone.",
            )


def _keep(version: Report, found: Found, store: Store | None, options: argparse.Namespace, *, named: bool) -> list[str]:
    """Put the version into the store and beside the file that it comes from; returns where it is.

    The store of the workspace that nobody named takes only what it knows already.
    """
    places = []
    if store is not None and (found.path is None or named or _knows(store, found.report)):
        if found.path is not None:
            _keep_earlier(found.path, found.report.version, store)
            store.reports.put(found.report, source=found.source)
        entry = store.reports.put(version)
        places.append(f"{entry.id}@{entry.version} in {store.name}")
    if found.path is not None:
        path = version_file(found.path, version.version)
        _write(version, path, store, options)
        places.append(str(path))
    return places


def _keep_earlier(path: Path, version: int, store: Store) -> None:
    """Put the versions before one into the store, as far as they lie beside it."""
    from wetread.reports.reading import read_report

    for number in range(1, version):
        earlier = path.with_name("report.json") if number == 1 else version_file(path, number)
        if earlier.is_file():
            store.reports.put(read_report(earlier), source=earlier.read_bytes())


def _knows(store: Store, report: Report) -> bool:
    try:
        store.reports.entry(report.sha256)
    except StoreError:
        return False
    return True


def _write(version: Report, path: Path, store: Store | None, options: argparse.Namespace) -> None:
    """Write `report-v<n>.json` and its renderings. The JSON last: where it is, the version is."""
    from wetread.imaging.bank import ImageBank
    from wetread.reports.export import export
    from wetread.reports.render import to_json

    study = _study(options)
    bank = ImageBank(study) if study is not None else None
    artifacts = store.artifacts.load(version) if store is not None else None
    contents: dict[Path, bytes] = {}
    for to in ("md", "html"):
        (file,) = export(version, to, study=study, bank=bank, artifacts=artifacts, workspace=Path(options.workspace))
        contents[path.with_suffix(f".{to}")] = file.data
    contents[path] = to_json(version)
    try:
        for place, data in contents.items():
            _write_whole(place, data, replace=place is not path)
    except FileExistsError:
        raise ReviewError(
            "WET-REVIEW-REPLACED", f"{path} is there already: somebody was faster.", "Review that version."
        ) from None
    except OSError as error:
        kept = " The store has the version." if store is not None else ""
        raise InputError(
            "WET-INPUT-OUT", f"{path.parent} cannot be written ({error.strerror}).{kept}", "Check its rights and space."
        ) from None


def _write_whole(path: Path, data: bytes, *, replace: bool) -> None:
    """A file that is whole or not there; one that is there is kept, unless it may be replaced."""
    part = path.with_name(f".{path.name}.{secrets.token_hex(6)}.part")
    try:
        with part.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if replace:
            os.replace(part, path)
        else:
            os.link(part, path)
    finally:
        part.unlink(missing_ok=True)
