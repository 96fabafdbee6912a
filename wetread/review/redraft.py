"""A draft made anew, after a person has changed the one before: their words stand, and what they took out stays out.

An agent's new draft replaces the old one as the next version of the same report. Each correction is done again, by its
author and with its time, at the statement that says the same as the one it was made to; where there is none, the
person's words are added.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from itertools import groupby

from wetread.errors import ToolError
from wetread.reports.language import claims as claims_of
from wetread.reports.model import Report, Statement
from wetread.reports.reviewed import Decision, Review
from wetread.reports.template import ReportTemplate
from wetread.review.actions import Accept, Action, Add, Edit, Fill, Reject
from wetread.review.revise import revise
from wetread.values import Value


class Redraft(Value):
    """The next version, neither checked nor sealed, and what of the new draft gave way to a person's words."""

    report: Report
    kept: tuple[str, ...] = ()
    """One sentence each."""


def follow_on(draft: Report, latest: Report, *, template: ReportTemplate | None, reserve: Callable[[], str]) -> Redraft:
    """Make of a new draft the version that follows on the latest.

    Args:
        draft: As `compose` gives it.
        latest: The version that it replaces.
        template: The report's template, for form fields and what is critical.
        reserve: Gives the id for the evidence that says what a reader saw.

    Raises:
        ToolError: `WET-TOOL-REPORT-READ`: a person has released or signed the latest version; no draft replaces it.
    """
    if latest.status != "partial":
        raise ToolError(
            "WET-TOOL-REPORT-READ",
            f"The report is {latest.status}: a person answers for it, and no new draft replaces it.",
            "Propose single changes instead.",
        )
    known = {(one.finding, one.side): one for one in latest.critical}
    report = draft.model_copy(
        update={
            "version": latest.version + 1,
            "replaces": latest.sha256,
            "critical": tuple(
                one
                if (old := known.get((one.finding, one.side))) is None
                else one.model_copy(update={"found": old.found, "communication": old.communication})
                for one in draft.critical
            ),
        }
    )
    review = latest.review
    if review is None:
        return Redraft(report=report)
    there = {one.id for one in report.evidence}
    verdicts = tuple(one for one in review.verdicts if one.evidence in there)
    report = report.model_copy(update={"review": Review(verdicts=verdicts)})
    kept: list[str] = []
    for (by, at), decisions in groupby(_last(review), key=lambda one: (one.by, one.at)):
        report = _again(report, latest, list(decisions), by, at, template, reserve, kept)
    filled = [Fill(field=one.name, value=one.value) for one in latest.fields if one.source == "person" and one.value]
    # the sections follow from what is critical, whatever was corrected
    report = revise(report, filled, by=review.by or "reader", at=latest.created, template=template, reader=reserve())
    return Redraft(report=report, kept=tuple(kept))


def _last(review: Review) -> Iterator[Decision]:
    """The last decision on each statement, oldest first."""
    last = {one.statement: one for one in review.decisions}
    return (one for one in review.decisions if last[one.statement] is one)


def _again(
    report: Report,
    latest: Report,
    decisions: list[Decision],
    by: str,
    at: datetime,
    template: ReportTemplate | None,
    reserve: Callable[[], str],
    kept: list[str],
) -> Report:
    """What one person did at one time, done again."""
    was = {one.id: one for one in latest.statements()}
    free = {one.id: one for one in report.statements()}
    actions: list[Action] = []
    adopted: list[Decision] = []
    for decision in decisions:
        old = was.get(decision.statement)
        wordings = _wordings(latest, decision)
        match = _match(free, old, decision, wordings)
        if match is not None:
            del free[match.id]
        if decision.action == "rejected":
            if match is not None:
                actions.append(Reject(statement=match.id, reason=decision.reason))
                kept.append(f"Left out again, as {by} decided: {match.text}")
        elif old is None:
            continue
        elif decision.action == "accepted":
            if match is not None and _same(match.text, old.text):
                actions.append(Accept(statement=match.id))
        elif match is None:
            actions.append(Add(place=old.system or old.section, text=old.text))
            kept.append(f"Kept, as {by} wrote it: {old.text}")
        elif _same(match.text, old.text):
            adopted.append(decision.model_copy(update={"statement": match.id}))
        else:
            actions.append(Edit(statement=match.id, text=old.text))
            if not any(_same(match.text, wording) for wording in wordings):
                kept.append(f"{match.id} reads as {by} wrote it, not as drafted anew: {match.text}")
    if actions:
        report = revise(report, actions, by=by, at=at, template=template, reader=reserve())
    review = report.review or Review()
    return report.model_copy(update={"review": review.model_copy(update={"decisions": (*review.decisions, *adopted)})})


def _wordings(latest: Report, decision: Decision) -> list[str]:
    """How the statement of a decision has read before people changed it."""
    decisions = latest.review.decisions if latest.review else ()
    return [one.before for one in decisions if one.statement == decision.statement and one.before]


def _match(
    free: dict[str, Statement], old: Statement | None, decision: Decision, wordings: list[str]
) -> Statement | None:
    """The new statement that says what the corrected one said: in the same words, else about the same findings."""
    texts = [*wordings, *([old.text] if old is not None else [])]
    for statement in free.values():
        if (old is None or statement.section == old.section) and any(_same(statement.text, text) for text in texts):
            return statement
    if decision.action == "accepted":
        return None
    # what was taken out stays out where the same is said again; the opposite of it is something else
    exactly = decision.action == "rejected"
    wanted = [key for key in (_about(text, exactly) for text in texts) if key]
    for statement in free.values():
        alike = old is None or (statement.section, statement.system) == (old.section, old.system)
        if alike and _about(statement.text, exactly) in wanted:
            return statement
    return None


def _same(one: str, other: str) -> bool:
    return one.strip(" .").casefold() == other.strip(" .").casefold()


def _about(text: str, exactly: bool) -> frozenset[tuple[str | None, ...]]:
    """What a sentence is about: its findings and where; with side and assertion too where it is taken exactly."""
    return frozenset(
        (claim.finding, claim.anatomy, *((claim.side, claim.assertion) if exactly else ()))
        for claim in claims_of(text)
        if claim.finding
    )
