"""What renderings say of a review: who wrote which words, who signed, what was overridden, verdicts, addenda."""

from __future__ import annotations

from datetime import datetime

from wetread.reports.model import Report
from wetread.reports.reviewed import Review

REVIEW, ADDENDA = "Review", "Addenda"
"""Headings."""

_VERDICTS = {"accept": "accepted", "amend": "amended", "reject": "rejected"}


def written_by(report: Report, statement: str) -> str:
    """`edited by Ada Example`, for words that a person wrote; empty for those as drafted."""
    review = report.review or Review()
    done = next((d for d in reversed(review.decisions) if d.statement == statement and d.action != "accepted"), None)
    return f"{done.action} by {done.by}" if done is not None else ""


def addenda(report: Report) -> tuple[str, ...]:
    """Each addendum with who added it and when, oldest first."""
    return tuple(f"{one.text} ({one.by}, {_time(one.at)})" for one in (report.review or Review()).addenda)


def review_lines(report: Report) -> tuple[str, ...]:
    """What people did, a sentence each: signatures, what was signed over, what was rejected, verdicts on AI results."""
    review = report.review or Review()
    lines = [f"Signed as {one.status} by {one.by}, {_time(one.at)}." for one in review.signatures]
    lines += [
        f"Signed over {one.code}{f' at {one.where}' if one.where else ''} by {one.by}: {one.reason}"
        for one in review.overrides
    ]
    for one in review.decisions:
        if one.action == "rejected":
            why = f" Reason: {one.reason}" if one.reason else ""
            lines.append(f"{one.statement} was rejected by {one.by}: \u201c{one.before}\u201d{why}")
    for evidence in report.evidence:
        verdict = review.verdict(evidence.id)
        if verdict is not None:
            note = f": {verdict.note}" if verdict.note else ""
            stated = "" if verdict.stated else ", as its statements were"
            lines.append(f"{evidence.id} was {_VERDICTS[verdict.verdict]} by {verdict.by}{stated}{note}.")
    if review.withdrawn is not None:
        gone = review.withdrawn
        lines.append(f"Made {report.status} by {gone.by}, {_time(gone.at)}. Reason: {gone.reason}")
    return tuple(lines)


def _time(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
