"""The states of a report and the moves between them: FHIR R4B DiagnosticReport.status, in one table.

A draft that nobody has read is `partial`; `preliminary` is a verified early result; `final` and what follows it are
signed by a named person. Nothing leads back from signed to unsigned.
"""

from __future__ import annotations

from collections.abc import Mapping

from wetread.errors import ReviewError
from wetread.reports.model import Report, ReportStatus

_UNSIGNED: frozenset[ReportStatus] = frozenset({"partial", "preliminary", "final", "cancelled", "entered-in-error"})
_CHANGES: frozenset[ReportStatus] = frozenset({"amended", "corrected", "appended", "entered-in-error"})

MOVES: Mapping[ReportStatus, frozenset[ReportStatus]] = {
    "registered": _UNSIGNED,
    "partial": _UNSIGNED,
    "preliminary": _UNSIGNED - {"partial"},
    "final": _CHANGES,
    "amended": _CHANGES,
    "corrected": _CHANGES,
    "appended": _CHANGES,
    "cancelled": frozenset({"entered-in-error"}),
    "entered-in-error": frozenset(),
}
"""From each status, those that the next version may have."""

SIGNED: frozenset[ReportStatus] = frozenset({"final", "amended", "corrected", "appended"})
"""Statuses that only a named person's signature leads to."""


def check_move(before: ReportStatus, after: ReportStatus) -> None:
    """Refuse a move that the table does not have.

    Raises:
        ReviewError: `WET-REVIEW-MOVE`.
    """
    if after not in MOVES[before]:
        allowed = ", ".join(sorted(MOVES[before])) or "nothing"
        raise ReviewError(
            "WET-REVIEW-MOVE", f"A report that is {before} cannot become {after}.", f"From {before} to: {allowed}."
        )


def check_first(report: Report) -> None:
    """Refuse what cannot be the first version of a report.

    Raises:
        ReviewError: `WET-REVIEW-VERSION`, it says that it replaces another; `WET-REVIEW-UNSIGNED`, it says that it is
            signed, and no signature for it stands on it.
    """
    if report.version != 1 or report.replaces is not None:
        raise ReviewError(
            "WET-REVIEW-VERSION",
            f"This is version {report.version} of a report whose earlier versions are not there.",
            "Put the earlier versions in first, oldest first.",
        )
    _check_signature(report)


def check_successor(before: Report, after: Report) -> None:
    """Refuse what cannot be the version after another: wrong number, wrong link, a move not allowed, no signature.

    Raises:
        ReviewError: `WET-REVIEW-VERSION`, `WET-REVIEW-MOVE` or `WET-REVIEW-UNSIGNED`.
    """
    if after.version != before.version + 1 or after.replaces != before.sha256:
        raise ReviewError(
            "WET-REVIEW-VERSION",
            f"Version {after.version} does not follow on version {before.version} of the report.",
            "Make it from the latest version.",
        )
    check_move(before.status, after.status)
    _check_signature(after)
    earlier = before.review.signatures if before.review else ()
    kept = after.review.signatures[: len(earlier)] if after.review else ()
    if kept != earlier:
        raise ReviewError(
            "WET-REVIEW-UNSIGNED", "A signature of an earlier version is missing.", "Make it from the latest version."
        )


def _check_signature(report: Report) -> None:
    signature = report.review.signature if report.review else None
    if report.status not in SIGNED:
        return
    if signature is None or (signature.status, signature.version) != (report.status, report.version):
        raise ReviewError(
            "WET-REVIEW-UNSIGNED",
            f"Version {report.version} says that it is {report.status}, and nobody signed it.",
            "Only a named person's signature makes a report final.",
        )
