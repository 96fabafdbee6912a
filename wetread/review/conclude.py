"""From one version of a report to the next: kept in review, released, signed, amended, appended to, withdrawn."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Literal

from wetread.errors import ReviewError
from wetread.reports.checks import check_report, left_out
from wetread.reports.form import unfilled
from wetread.reports.model import Issue, Report, ReportStatus
from wetread.reports.plain import plain
from wetread.reports.reviewed import (
    Addendum,
    Override,
    Review,
    Signature,
    SignedStatus,
    Verdict,
    VerdictWord,
    Withdrawal,
)
from wetread.reports.states import SIGNED, check_move
from wetread.reports.template import ReportTemplate
from wetread.review.actions import Action
from wetread.review.revise import revise
from wetread.study import Study
from wetread.vocabulary import Origin

Outcome = Literal["keep", "preliminary", "sign", "correct"]

MAX_NAME = 120

_NOT_PERSONS = frozenset({"protocol", "wetread", "reader", "agent", "orchestrator", "reviewer", "assistant", "system"})
_NO_REJECTION_HELPS = frozenset({"GRD-1", "NUM-1"})


def conclude(
    report: Report,
    *,
    by: str,
    at: datetime,
    actions: Iterable[Action] = (),
    outcome: Outcome = "keep",
    override: str | None = None,
    study: Study | None = None,
    template: ReportTemplate | None = None,
    reader: str | None = None,
) -> Report:
    """The next version of a report, with a reader's actions done and what follows from them derived and checked anew.

    Args:
        report: The latest version.
        by: The reader's name. It stands on the report.
        at: The time, with a zone.
        actions: What the reader did; see `revise`.
        outcome: `keep` leaves the status as it is; `preliminary` releases a verified early result; `sign` makes the
            report final, or `amended` where it was signed before; `correct` makes a signed one `corrected`. Signing
            accepts every statement that still stands.
        override: Why the reader signs in spite of what blocks.
        study: For the checks that need one; without it, what they said before stays.
        template, reader: See `revise`.

    Returns:
        The version, sealed, linked by `replaces`. The one given is left as it is.

    Raises:
        ReviewError: besides those of `revise`: `WET-REVIEW-NAME`, no person's name; `WET-REVIEW-NOTHING`, nothing to
            do; `WET-REVIEW-SIGNED`, a change to a signed report must be signed; `WET-REVIEW-MOVE`, not from this
            status; `WET-REVIEW-BLOCKED`, issues stand against signing; `WET-REVIEW-CRITICAL`, a critical result has no
            complete record of communication; `WET-REVIEW-FIELD`, a field that must not be empty is.
    """
    actions = list(actions)
    by, at = person(by, report), _utc(at)
    status = _status_after(report, outcome)
    if not actions and (outcome == "keep" or report.status == status or report.status in SIGNED):
        raise ReviewError("WET-REVIEW-NOTHING", "There is nothing to do.", "Say what to change, or sign the draft.")
    revised = revise(report, actions, by=by, at=at, template=template, reader=reader)
    signing = status in SIGNED
    review = _with_verdicts(report, revised, by, at, signing=signing)
    revised = revised.model_copy(update={"issues": _checked(revised, report, study), "review": review})
    if signing:
        overrides = _overrides(revised, by, at, override)
        signature = Signature(by=by, at=at, status=_signed(status), version=report.version + 1)
        review = review.model_copy(
            update={
                "overrides": (*review.overrides, *overrides),
                "signatures": (*review.signatures, signature),
            }
        )
    elif override is not None:
        raise ReviewError("WET-REVIEW-NOTHING", "An override is for signing.", "Sign with it, or leave it out.")
    return _next(revised, report, status, review, by, at)


def append(report: Report, text: str, *, by: str, at: datetime) -> Report:
    """The next version of a signed report, with an addendum. Nothing that stands on it is rewritten.

    Raises:
        ReviewError: `WET-REVIEW-MOVE`, it is not signed; `WET-REVIEW-NAME`; `WET-REVIEW-TEXT`, the text is empty.
    """
    by, at = person(by, report), _utc(at)
    check_move(report.status, "appended")
    text = plain(text)
    if not text:
        raise ReviewError("WET-REVIEW-TEXT", "The addendum is empty.", "Write what is to be added.")
    review = report.review or Review()
    signature = Signature(by=by, at=at, status="appended", version=report.version + 1)
    review = review.model_copy(
        update={
            "addenda": (*review.addenda, Addendum(text=text, by=by, at=at)),
            "signatures": (*review.signatures, signature),
        }
    )
    return _next(report, report, "appended", review, by, at)


def withdraw(
    report: Report, status: Literal["cancelled", "entered-in-error"], reason: str, *, by: str, at: datetime
) -> Report:
    """The next version of a report, cancelled (before it was signed) or entered in error. Its content stays.

    Raises:
        ReviewError: `WET-REVIEW-MOVE`, `WET-REVIEW-NAME`; `WET-REVIEW-TEXT`, no reason is given.
    """
    by, at = person(by, report), _utc(at)
    check_move(report.status, status)
    reason = plain(reason)
    if not reason:
        raise ReviewError("WET-REVIEW-TEXT", "No reason is given.", "Say why.")
    review = (report.review or Review()).model_copy(update={"withdrawn": Withdrawal(reason=reason, by=by, at=at)})
    return _next(report, report, status, review, by, at)


def take_back(report: Report, earlier: Report, *, by: str, at: datetime) -> Report:
    """The next version of a report, which says again what an earlier one said; what lies between stays on record.

    Args:
        report: The latest version.
        earlier: The version to go back to, of the same report.

    Raises:
        ReviewError: `WET-REVIEW-SIGNED`, it is signed; `WET-REVIEW-MOVE`, the earlier one had another status;
            `WET-REVIEW-NAME`.
    """
    by, at = person(by, report), _utc(at)
    if report.status in SIGNED:
        raise ReviewError(
            "WET-REVIEW-SIGNED", f"The report is {report.status}: nothing is taken back.", "Sign a correction of it."
        )
    if report.status != earlier.status:
        raise ReviewError(
            "WET-REVIEW-MOVE", f"A report that is {report.status} does not become {earlier.status} again.", "Edit it."
        )
    return _next(earlier, report, report.status, earlier.review or Review(), by, at)


def blocking(report: Report) -> tuple[Issue, ...]:
    """What stands against signing: issues of severity error that nobody has signed over.

    An issue about evidence that a reader has rejected is resolved by that, unless a statement stands on nothing else.
    """
    review = report.review or Review()
    rejected = _rejected(review)
    return tuple(
        issue
        for issue in report.issues
        if issue.severity == "error"
        and not review.overridden(issue.code, issue.where, issue.message)
        and not (issue.evidence and rejected.issuperset(issue.evidence) and issue.code not in _NO_REJECTION_HELPS)
    )


def person(name: str, report: Report | None = None) -> str:
    """A person's name as the report holds it.

    Raises:
        ReviewError: `WET-REVIEW-NAME`, it is empty, too long, or the name of something that is no person.
    """
    shown = plain(name)
    taken = _NOT_PERSONS
    if report is not None:
        taken |= {report.language_model.casefold(), *(one.model.name.casefold() for one in report.evidence)}
        taken |= {one.tool.casefold() for one in report.evidence}
    if not any(c.isalpha() for c in shown) or len(shown) > MAX_NAME or shown.casefold() in taken:
        raise ReviewError(
            "WET-REVIEW-NAME", "A review and a signature need the name of a person.", "Give your full name."
        )
    return shown


def _status_after(report: Report, outcome: Outcome) -> ReportStatus:
    signed = report.status in SIGNED
    if signed and outcome in ("keep", "preliminary"):
        raise ReviewError(
            "WET-REVIEW-SIGNED",
            f"The report is {report.status}: a change to it must be signed.",
            "Sign the change, or append an addendum.",
        )
    status: ReportStatus
    match outcome:
        case "keep":
            status = report.status
        case "preliminary":
            status = "preliminary"
        case "sign":
            status = "amended" if signed else "final"
        case "correct":
            status = "corrected"
    check_move(report.status, status)
    return status


def _overrides(report: Report, by: str, at: datetime, reason: str | None) -> list[Override]:
    """What the signer signs over, after all else that signing needs is there."""
    untold = [one for one in report.critical if one.communication.missing]
    if untold:
        named = "; ".join(f"{one.name}: {', '.join(one.communication.missing)}" for one in untold)
        raise ReviewError(
            "WET-REVIEW-CRITICAL",
            f"The record of who was told of a critical result is not complete ({named}).",
            "Record to whom, by whom, when and how.",
        )
    empty = [field.title for field in unfilled(report) if field.unfilled == "prohibit"]
    if empty:
        raise ReviewError("WET-REVIEW-FIELD", f"Fields must be filled before signing: {', '.join(empty)}.")
    blocks = [(issue.code, issue.where, issue.message) for issue in blocking(report)]
    review = report.review or Review()
    if report.incomplete and not review.overridden("INCOMPLETE", None, report.incomplete):
        blocks.append(("INCOMPLETE", None, report.incomplete))
    why = plain(reason or "")
    blocks += _on_rejected(report, review)
    if blocks and not why:
        named = ", ".join(code + (f" at {where}" if where else "") for code, where, _ in blocks)
        raise ReviewError(
            "WET-REVIEW-BLOCKED",
            f"Not signed: {len(blocks)} unresolved ({named}).",
            "Resolve them, or override them with a reason.",
        )
    if reason is not None and not blocks:
        raise ReviewError("WET-REVIEW-NOTHING", "There is nothing to override.", "Sign without it.")
    return [
        Override(code=code, where=where, message=message, reason=why, by=by, at=at) for code, where, message in blocks
    ]


def _on_rejected(report: Report, review: Review) -> list[tuple[str, str | None, str]]:
    """Statements that stand on AI results alone which the reader has rejected."""
    rejected = _rejected(review)
    found: list[tuple[str, str | None, str]] = []
    for statement in report.statements():
        if statement.evidence and rejected.issuperset(statement.evidence):
            message = f"It stands on {', '.join(statement.evidence)} alone, which the reader rejected."
            if not review.overridden("REJECTED", statement.id, message):
                found.append(("REJECTED", statement.id, message))
    return found


def _checked(revised: Report, before: Report, study: Study | None) -> tuple[Issue, ...]:
    found = check_report(revised, study)
    not_run = set(left_out(study))
    there = {one.id: one.text for one in revised.statements()}
    was = {one.id: one.text for one in before.statements()}
    kept: list[Issue] = []
    for issue in before.issues:
        if issue.code not in not_run or (issue.where in was and issue.where not in there):
            continue
        edited = issue.where in was and was[issue.where] != there[issue.where]
        kept.append(issue.model_copy(update={"start": None, "end": None}) if edited else issue)
    return (*found, *kept)


def _with_verdicts(before: Report, revised: Report, by: str, at: datetime, *, signing: bool) -> Review:
    """The review, with the verdicts that follow from what was done with the statements that cite an AI result."""
    review = revised.review or Review()
    derived: list[Verdict] = []
    for evidence in before.evidence:
        if evidence.origin in (Origin.PERSON, Origin.CODE):
            continue
        last = review.verdict(evidence.id)
        done = _done_with([one.id for one in before.statements() if evidence.id in one.evidence], review, signing)
        if done is None or (last is not None and (last.stated or _is(last, done))):
            continue
        derived.append(Verdict(evidence=evidence.id, verdict=done, by=by, at=at, stated=False))
    return review.model_copy(update={"verdicts": (*review.verdicts, *derived)})


def follows(report: Report, review: Review, evidence: str) -> VerdictWord | None:
    """The verdict on an AI result that follows from what was done with the statements that cite it; None before all
    of them were decided on."""
    return _done_with([one.id for one in report.statements() if evidence in one.evidence], review, signing=False)


def _done_with(statements: Sequence[str], review: Review, signing: bool) -> VerdictWord | None:
    actions = {id: decision.action if (decision := review.decision(id)) else None for id in statements}
    if not actions or (not signing and None in actions.values()):
        return None
    kept = {action in ("accepted", "added", None) for action in actions.values()}
    if kept == {True}:
        return "accept"
    return "reject" if set(actions.values()) == {"rejected"} else "amend"


def _rejected(review: Review) -> set[str]:
    """The evidence that a reader said they reject."""
    last = {one.evidence: one for one in review.verdicts}
    return {id for id, verdict in last.items() if verdict.stated and _is(verdict, "reject")}


def _is(verdict: Verdict, word: VerdictWord) -> bool:
    return verdict.verdict == word


def _signed(status: ReportStatus) -> SignedStatus:
    assert status in ("final", "amended", "corrected", "appended")
    return status


def _disclosure(status: ReportStatus, review: Review, by: str) -> str:
    match status:
        case "cancelled":
            return "Cancelled before it was signed. Not to be used."
        case "entered-in-error":
            return "Entered in error. Not to be used."
        case "preliminary":
            return f"AI-assisted preliminary report, read by {by}, not signed."
        case "final" | "amended" | "corrected" | "appended":
            signed = [one for one in review.signatures if one.status != "appended"]
            said = f"Drafted with AI assistance. {_by('Reviewed and signed', signed[-1])}" if signed else ""
            if status == "appended":
                said += f"; {_by('addendum', review.signatures[-1])}"
            return f"{said}."
    return f"AI-assisted draft, in review by {by}, not signed."


def _by(what: str, signature: Signature) -> str:
    return f"{what} by {signature.by}, {signature.at:%Y-%m-%d %H:%M} UTC"


def _next(content: Report, before: Report, status: ReportStatus, review: Review, by: str, at: datetime) -> Report:
    return content.model_copy(
        update={
            "version": before.version + 1,
            "replaces": before.sha256,
            "status": status,
            "created": at,
            "disclosure": _disclosure(status, review, by),
            "review": review.model_copy(update={"by": by}),
        }
    ).sealed()


def _utc(at: datetime) -> datetime:
    if at.tzinfo is None:
        raise ValueError("the time needs a zone")
    return at.astimezone(UTC)
