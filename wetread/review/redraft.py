"""A draft made anew, after a person has changed the one before: their words stand, and what they took out stays out.

An agent's new draft replaces the old one as the next version of the same report. What a person wrote comes in as it is,
with its evidence, its author and its time, in the place of the statement that says the same or is about the same; what
they took out is taken out where it is said again. Their decisions stay on record through any number of drafts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from wetread.errors import ReviewError, ToolError
from wetread.evidence import Evidence, ModelVersion
from wetread.reports.grounding import opposing
from wetread.reports.language import claims as claims_of
from wetread.reports.model import Report, Statement, SystemFindings
from wetread.reports.reviewed import Decision, Review, Verdict
from wetread.reports.template import ReportTemplate
from wetread.review.conclude import follows
from wetread.review.revise import READER, Desk, filled, observations_of, with_critical
from wetread.values import Value
from wetread.vocabulary import Origin


class Redraft(Value):
    """The next version, neither checked nor sealed, and what of the new draft gave way to a person's words."""

    report: Report
    kept: tuple[str, ...] = ()
    """One sentence each."""


def follow_on(
    draft: Report,
    latest: Report,
    *,
    template: ReportTemplate | None,
    reserve: Callable[[], str],
    earlier: Iterable[Report] = (),
) -> Redraft:
    """Make of a new draft the version that follows on the latest.

    Args:
        draft: As `compose` gives it.
        latest: The version that it replaces.
        template: The report's template, for form fields and what is critical.
        reserve: Gives an id for evidence of what a reader saw, where the draft's evidence has taken its own.
        earlier: Versions before the latest: they tell where something stood that a person took out.

    Raises:
        ToolError: `WET-TOOL-REPORT-READ`: a person has released or signed the latest version; no draft replaces it.
    """
    if latest.status != "partial":
        raise ToolError(
            "WET-TOOL-REPORT-READ",
            f"The report is {latest.status}: a person answers for it, and no new draft replaces it.",
            "Propose single changes instead.",
        )
    report = draft.model_copy(update={"version": latest.version + 1, "replaces": latest.sha256})
    kept: list[str] = []
    review = latest.review
    if review is not None:
        report, latest = _with_evidence(report, latest, reserve)
        report = _Redrafting(report, latest, list(earlier), kept).done(template)
        report = _fields(report, latest, template, kept)
    report = with_critical(report, template=template, before=latest)
    if review is not None:
        report = report.model_copy(update={"review": _with_verdicts(report, review)})
    return Redraft(report=report, kept=tuple(kept))


class _Redrafting:
    """The statements of a new draft, while what a person did with those before is done with them."""

    def __init__(self, report: Report, latest: Report, earlier: list[Report], kept: list[str]) -> None:
        there = {system.system for system in report.findings}
        held = {one.system for one in _persons(latest)}
        # a system that another template does not have is kept at the end, as in a draft
        lost = [one for one in latest.findings if one.system in held and one.system not in there]
        more: list[SystemFindings] = [one.model_copy(update={"statements": ()}) for one in lost]
        self._report = report.model_copy(update={"findings": (*report.findings, *more), "review": None})
        self._latest = latest
        self._earlier = [*earlier, latest]
        self._kept = kept
        self._desk = Desk(self._report)
        self._free = {one.id: one for one in report.statements()}
        self._ids: dict[str, str] = {}
        """What the statements with decisions are called now."""

    def done(self, template: ReportTemplate | None) -> Report:
        review = self._latest.review or Review()
        histories: dict[str, list[Decision]] = {}
        for decision in review.decisions:
            histories.setdefault(decision.statement, []).append(decision)
        standing = {one.id: one for one in self._latest.statements()}
        written = [one.id for one in _persons(self._latest)]
        # words first: what is said in the words that a person left or wrote is meant by no other decision
        for id in written:
            self._put(standing[id], self._in_words(standing[id], histories[id]), histories[id])
        for id in written:
            if id not in self._ids:
                self._put(standing[id], self._about(standing[id], histories[id]), histories[id], last=True)
        for id, history in histories.items():
            if id in standing and id not in self._ids:
                self._accepted(standing[id], history)
            elif id not in standing:
                self._rejected(id, history)
        self._tell_opposed(standing[id] for id in written)
        report = self._desk.report(template)
        decisions = tuple(
            one.model_copy(update={"statement": self._ids[one.statement]})
            for one in review.decisions
            if one.statement in self._ids
        )
        return report.model_copy(update={"review": Review(decisions=decisions)})

    def _put(self, old: Statement, match: Statement | None, history: list[Decision], *, last: bool = False) -> None:
        """A person's statement, in the place of the one that it answers to."""
        if match is None and not last:
            return
        by = _author(history)
        if match is None:
            self._ids[old.id] = self._desk.restore(old)
            self._kept.append(f"Kept, as {by} wrote it: {old.text}")
            return
        del self._free[match.id]
        self._ids[old.id] = self._desk.restore(old, match.id)
        if not any(_same(match.text, text) for text in (old.text, *_befores(history))):
            self._kept.append(f"{match.id} reads as {by} wrote it, not as drafted anew: {match.text}")
        elif not _same(match.text, old.text):
            self._kept.append(f"{match.id} reads as {by} wrote it, not as it was drafted before.")

    def _accepted(self, old: Statement, history: list[Decision]) -> None:
        """An accepted statement is a decision on its words: it goes on where they do."""
        match = self._in_words(old, history)
        if match is None:
            self._kept.append(f"No longer as {history[-1].by} accepted it: {old.text}")
            return
        del self._free[match.id]
        self._ids[old.id] = match.id

    def _rejected(self, id: str, history: list[Decision]) -> None:
        """What was taken out stays out where the same is said again; the opposite of it is something else."""
        texts, decision = _befores(history), history[-1]
        place = self._place_of(decision)
        said = {_claims(text, exactly=True) for text in texts} - {frozenset()}
        for statement in list(self._free.values()):
            if place is not None and (statement.section, statement.system) != place:
                continue
            claims = _claims(statement.text, exactly=True)
            if any(_same(statement.text, text) for text in texts) or claims in said:
                del self._free[statement.id]
                self._desk.remove(statement.id, decision.reason)
                self._kept.append(f"Left out again, as {decision.by} decided: {statement.text}")
            elif any(one < claims for one in said):
                self._kept.append(f"{statement.id} says again, among other things, what {decision.by} took out.")
        # a number of its own: the draft has taken the old one for something else
        self._ids[id] = self._desk.new_id()

    def _tell_opposed(self, persons: Iterable[Statement]) -> None:
        for old in persons:
            seen = Evidence(
                id="E1",
                tool=READER,
                model=ModelVersion(name=READER),
                origin=Origin.PERSON,
                status="ok",
                observations=tuple(observations_of(old)),
            )
            for statement in self._free.values():
                if any(opposing(claim, seen) for claim in statement.claims):
                    self._kept.append(f"{statement.id} says otherwise than {self._ids[old.id]}, which a person wrote.")

    def _place_of(self, decision: Decision) -> tuple[str, str | None] | None:
        """Where a statement stood when it was taken out; None where no version tells."""
        for before, after in zip(self._earlier, self._earlier[1:], strict=False):
            made = next((one for one in _decisions(after) if _is(one, decision)), None)
            if made is not None and not any(_is(one, decision) for one in _decisions(before)):
                stood = (one for one in before.statements() if one.id == made.statement)
                return next(((one.section, one.system) for one in stood), None)
        return None

    def _in_words(self, old: Statement, history: list[Decision]) -> Statement | None:
        """The new statement in the same words, as they are or as they were before."""
        for text in (old.text, *reversed(_befores(history))):
            for statement in self._free.values():
                if statement.section == old.section and _same(statement.text, text):
                    return statement
        return None

    def _about(self, old: Statement, history: list[Decision]) -> Statement | None:
        """The new statement about the same findings: on the same side with the same word for it, else any."""
        texts = (old.text, *reversed(_befores(history)))
        for exactly in (True, False):
            wanted = [found for found in (_claims(text, exactly=exactly) for text in texts) if found]
            for statement in self._free.values():
                alike = (statement.section, statement.system) == (old.section, old.system)
                if alike and _claims(statement.text, exactly=exactly) in wanted:
                    return statement
        return None


def _persons(report: Report) -> list[Statement]:
    """The statements whose words are a person's."""
    review = report.review or Review()
    return [one for one in report.statements() if review.author(one.id) is not None]


def _with_evidence(report: Report, latest: Report, reserve: Callable[[], str]) -> tuple[Report, Report]:
    """Both reports, the new one with what persons saw that stands behind their words, under ids that mean one thing.

    Where something was found under the same id meanwhile, what the person saw gets another one.
    """
    own = {one.id: one for one in latest.evidence if one.origin is Origin.PERSON}
    wanted = list(dict.fromkeys(id for one in _persons(latest) for id in one.evidence))
    there = {one.id: one for one in report.evidence}
    renamed = {id: reserve() for id in wanted if id in own and id in there and there[id] != own[id]}
    if renamed:
        latest = latest.model_copy(update=_renamed(latest, renamed))
        own = {one.id: one for one in latest.evidence if one.origin is Origin.PERSON}
        wanted = [renamed.get(id, id) for id in wanted]
    had = {one.id: one for one in latest.evidence}
    there |= {id: had[id] for id in wanted if id in had and id not in there}
    cited = {*wanted, *(id for one in report.statements() for id in one.evidence)}
    # what a person saw and took back, or wrote anew, speaks no more
    evidence = [one for one in there.values() if one.origin is not Origin.PERSON or one.id in cited]
    return report.model_copy(update={"evidence": tuple(sorted(evidence, key=lambda one: int(one.id[1:])))}), latest


def _renamed(report: Report, ids: Mapping[str, str]) -> dict[str, object]:
    def of(statement: Statement) -> Statement:
        return statement.model_copy(update={"evidence": tuple(ids.get(id, id) for id in statement.evidence)})

    return {
        "evidence": tuple(one.model_copy(update={"id": ids.get(one.id, one.id)}) for one in report.evidence),
        "findings": tuple(
            one.model_copy(update={"statements": tuple(map(of, one.statements))}) for one in report.findings
        ),
        "impression": tuple(map(of, report.impression)),
        "recommendations": tuple(map(of, report.recommendations)),
    }


def _fields(report: Report, latest: Report, template: ReportTemplate | None, kept: list[str]) -> Report:
    """The report with the form fields that a person filled."""
    for field in latest.fields:
        if field.source != "person" or not field.value:
            continue
        now = next((one.value for one in report.fields if one.name == field.name), None)
        try:
            report = filled(report, {field.name: field.value}, template)
        except ReviewError:
            kept.append(f"{field.title} has no place any more; a person had entered: {field.value}")
            continue
        if now and not _same(now, field.value):
            kept.append(f"{field.title} stays as a person entered it, not as drafted anew: {now}")
    return report


def _with_verdicts(report: Report, before: Review) -> Review:
    """The review, with those verdicts on AI results that still hold: given by a person, or following as before."""
    review = report.review or Review()
    there = {one.id for one in report.evidence}

    def holds(verdict: Verdict) -> bool:
        if verdict.evidence not in there:
            return False
        # that all was accepted is said of what stood there; what was rejected or changed stays so
        return verdict.stated or verdict.verdict != "accept" or follows(report, review, verdict.evidence) == "accept"

    return review.model_copy(update={"verdicts": tuple(one for one in before.verdicts if holds(one))})


def _author(history: list[Decision]) -> str:
    return next(one.by for one in reversed(history) if one.action in ("edited", "added"))


def _befores(history: list[Decision]) -> list[str]:
    """How a statement has read before people changed it or took it out, oldest first."""
    return [one.before for one in history if one.before]


def _decisions(report: Report) -> tuple[Decision, ...]:
    return report.review.decisions if report.review is not None else ()


def _is(one: Decision, other: Decision) -> bool:
    """Whether two are the same decision, whatever its statement is called by now."""
    return one.model_copy(update={"statement": other.statement}) == other


def _same(one: str, other: str) -> bool:
    return one.strip(" .").casefold() == other.strip(" .").casefold()


def _claims(text: str, *, exactly: bool) -> frozenset[tuple[str | None, ...]]:
    """What a sentence is about: its findings and where; with side and assertion too where it is taken exactly."""
    return frozenset(
        (claim.finding, claim.anatomy, *((claim.side, claim.assertion) if exactly else ()))
        for claim in claims_of(text)
        if claim.finding
    )
