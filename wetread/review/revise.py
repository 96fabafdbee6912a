"""A reader's actions applied to a report: statements, fields and critical-result records change, code derives the rest.

What a person writes is parsed like a draft's text and stands on evidence of its own: the ledger gets one entry of
origin `person` for each review, which says what the reader saw. So every statement still names its evidence, and the
same checks run over it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Literal

from wetread.errors import ReviewError
from wetread.evidence import Evidence, ModelVersion, Observation
from wetread.reports.critical import SECTION as CRITICAL_SECTION
from wetread.reports.critical import built_in, communicated, critical_results, critical_section
from wetread.reports.form import fill_in
from wetread.reports.grounding import figures, opposing
from wetread.reports.language import claims as claims_of
from wetread.reports.language import system_of
from wetread.reports.model import Report, Section, Statement, SystemFindings
from wetread.reports.plain import plain, sentence
from wetread.reports.pointing import regions_of
from wetread.reports.reviewed import Action as Done
from wetread.reports.reviewed import Decision, Review, Verdict
from wetread.reports.slots import NOT_MEASURED, fill
from wetread.reports.systems import system_findings
from wetread.reports.template import ReportTemplate, SystemSpec
from wetread.review.actions import Accept, Action, Add, Edit, Fill, Judge, Reject, Tell
from wetread.vocabulary import Origin

READER = "reader"
"""The tool name of what a person saw."""

ALL_REJECTED = "What was drafted about it was rejected in review."

Place = Literal["findings", "impression", "recommendation"]


def revise(
    report: Report,
    actions: Iterable[Action],
    *,
    by: str,
    at: datetime,
    template: ReportTemplate | None = None,
    reader: str | None = None,
) -> Report:
    """The report with a reader's actions done, its version, status and issues untouched, not sealed.

    Args:
        report: The version to start from.
        actions: In any order; each statement, evidence and field may be named once.
        by: Who did them.
        at: When.
        template: The report's template: form fields can only be filled with it, and without it the built-in list says
            what is critical.
        reader: The id of the evidence that says what the reader saw; the one after the report's last by default.

    Raises:
        ReviewError: `WET-REVIEW-STATEMENT`, `-EVIDENCE`, `-PLACE`, `-FIELD`, `-CRITICAL`: there is no such thing, or
            it cannot take this; `WET-REVIEW-TWICE`; `WET-REVIEW-TEXT`, an empty text or a slot of nothing measured.
    """
    desk = Desk(report, by, at, reader)
    told: list[Tell] = []
    fields: dict[str, str] = {}
    for action in actions:
        desk.once(action)
        match action:
            case Accept():
                desk.accept(action)
            case Edit():
                desk.edit(action)
            case Reject():
                desk.reject(action)
            case Add():
                desk.add(action)
            case Judge():
                desk.judge(action)
            case Fill():
                fields[action.field] = action.value
            case Tell():
                told.append(action)
    revised = desk.report(template)
    if fields:
        revised = filled(revised, fields, template)
    return with_critical(revised, told, template)


class Desk:
    """The statements of a report while a reader works on them.

    Args:
        report: The version to start from.
        by, at, reader: See `revise`; not needed where nothing new is written.
    """

    def __init__(self, report: Report, by: str = "", at: datetime | None = None, reader: str | None = None) -> None:
        self._report = report
        self._by = by
        self._at = at or report.created
        self._ledger = {evidence.id: evidence for evidence in report.evidence}
        self._reader = reader or f"E{max((int(id[1:]) for id in self._ledger), default=0) + 1}"
        self._statements: dict[str, Statement] = {one.id: one for one in report.statements()}
        decided = report.review.decisions if report.review else ()
        self._last = max((int(id[1:]) for id in chain(self._statements, (d.statement for d in decided))), default=0)
        self._decisions: list[Decision] = []
        self._verdicts: list[Verdict] = []
        self._written: list[str] = []
        self._restored: set[str] = set()
        self._reasons: dict[str, str] = {}
        self._seen: set[tuple[str, ...]] = set()

    def once(self, action: Action) -> None:
        match action:
            case Add():
                return
            case Accept() | Edit() | Reject():
                key: tuple[str, ...] = ("statement", action.statement)
            case Judge():
                key = ("evidence", action.evidence)
            case Fill():
                key = ("field", action.field)
            case Tell():
                key = ("critical result", action.finding, action.side or "")
        if key in self._seen:
            raise ReviewError("WET-REVIEW-TWICE", f"The {key[0]} {key[1]} is named twice.", "Say one thing about it.")
        self._seen.add(key)

    def accept(self, action: Accept) -> None:
        self._decide(self._statement(action.statement), "accepted")

    def reject(self, action: Reject) -> None:
        statement = self._statement(action.statement)
        self._decide(statement, "rejected", before=statement.text, reason=action.reason)
        self.remove(statement.id, self._decisions[-1].reason)

    def edit(self, action: Edit) -> None:
        old = self._statement(action.statement)
        new = self._write(old.id, old.section, old.system, action.text, old)
        if new.text == old.text:
            self._decide(old, "accepted")
            return
        self._statements[old.id] = new
        self._decide(new, "edited", before=old.text)
        self._written.append(old.id)

    def add(self, action: Add) -> None:
        section, system = self._place(action.place)
        statement = self._write(self.new_id(), section, system, action.text, None)
        self._statements[statement.id] = statement
        self._decide(statement, "added")
        self._written.append(statement.id)

    def remove(self, id: str, reason: str | None) -> None:
        """Take a statement out; why, where it is known."""
        del self._statements[id]
        if reason:
            self._reasons[id] = reason

    def restore(self, statement: Statement, id: str | None = None) -> str:
        """Put a statement in that a person wrote earlier, for the one of that id or as another; returns its id."""
        id = id or self.new_id()
        self._statements[id] = statement.model_copy(update={"id": id})
        self._restored.add(id)
        return id

    def new_id(self) -> str:
        """An id that no statement has had."""
        self._last += 1
        return f"S{self._last}"

    def judge(self, action: Judge) -> None:
        evidence = self._ledger.get(action.evidence)
        if evidence is None or evidence.origin is Origin.PERSON:
            results = ", ".join(id for id, one in self._ledger.items() if one.origin is not Origin.PERSON)
            raise ReviewError(
                "WET-REVIEW-EVIDENCE", f"There is no AI result {_short(action.evidence)}.", f"There are: {results}."
            )
        note = plain(action.note) if action.note else None
        self._verdicts.append(
            Verdict(evidence=evidence.id, verdict=action.verdict, by=self._by, at=self._at, note=note)
        )

    def report(self, template: ReportTemplate | None) -> Report:
        """The report with what was done, everything that follows from the statements derived anew."""
        ledger = self._with_reader()
        systems = self._systems(ledger, template)
        impression = self._of("impression")
        before = self._report.review or Review()
        review = before.model_copy(
            update={
                "decisions": (*before.decisions, *self._decisions),
                "verdicts": (*before.verdicts, *self._verdicts),
            }
        )
        return self._report.model_copy(
            update={
                "findings": systems,
                "impression": impression,
                "recommendations": self._of("recommendation"),
                "grounding": figures(systems, impression, ledger),
                "evidence": tuple(ledger),
                "review": review,
            }
        )

    def _statement(self, id: str) -> Statement:
        found = self._statements.get(id)
        if found is None:
            there = ", ".join(self._statements) or "none"
            raise ReviewError("WET-REVIEW-STATEMENT", f"There is no statement {_short(id)}.", f"There are: {there}.")
        return found

    def _decide(self, statement: Statement, action: Done, before: str | None = None, reason: str | None = None) -> None:
        self._decisions.append(
            Decision(
                statement=statement.id,
                action=action,
                by=self._by,
                at=self._at,
                before=before,
                reason=plain(reason) if reason else None,
            )
        )

    def _place(self, place: str) -> tuple[Place, str | None]:
        wanted = _key(place)
        if wanted == "impression":
            return "impression", None
        if wanted in ("recommendation", "recommendations"):
            return "recommendation", None
        for system in self._report.findings:
            if wanted in (system.system, _key(system.title)):
                return "findings", system.system
        there = ", ".join([*(system.system for system in self._report.findings), "impression", "recommendation"])
        raise ReviewError("WET-REVIEW-PLACE", f"The report has no place {_short(place)}.", f"There are: {there}.")

    def _write(self, id: str, section: Place, system: str | None, text: str, old: Statement | None) -> Statement:
        filled = fill(sentence(text), self._ledger.get)
        if not filled.text:
            raise ReviewError("WET-REVIEW-TEXT", f"The text for {id} is empty.", "Reject a statement to remove it.")
        if NOT_MEASURED in filled.text:
            raise ReviewError("WET-REVIEW-TEXT", f"A slot in the text for {id} names nothing that was measured.")
        claims = tuple(claims_of(filled.text))
        former = [self._ledger[one] for one in (old.evidence if old else ()) if one in self._ledger]
        # what says the opposite of the reader's words is not behind them
        kept = [one for one in former if not any(opposing(claim, one) for claim in claims)]
        cited = tuple(dict.fromkeys([*(one.id for one in kept), *filled.evidence, self._reader]))
        regions = old.regions if old else ()
        labels = [region.label.lower() for region in regions if region.label]
        measured = [m for m in (old.measurements if old else ()) if m.text in filled.text]
        return Statement(
            id=id,
            section=section,
            system=system,
            text=filled.text,
            evidence=cited,
            claims=claims,
            measurements=tuple(dict.fromkeys([*filled.measurements, *measured])),
            regions=regions_of(filled.text, claims, system, kept, labels),
        )

    def _with_reader(self) -> list[Evidence]:
        written = [self._statements[id] for id in self._written]
        if not written:
            return list(self._ledger.values())
        seen = Evidence(
            id=self._reader,
            tool=READER,
            model=ModelVersion(name=READER),
            origin=Origin.PERSON,
            status="ok",
            summary=f"{len(written)} statement{'s' if len(written) > 1 else ''} written by {self._by}",
            observations=tuple(chain.from_iterable(observations_of(one) for one in written)),
        )
        return [*self._ledger.values(), seen]

    def _of(self, section: Place) -> tuple[Statement, ...]:
        return tuple(one for one in self._statements.values() if one.section == section)

    def _systems(self, evidence: Sequence[Evidence], template: ReportTemplate | None) -> tuple[SystemFindings, ...]:
        ledger = {one.id: one for one in evidence}
        findings = self._of("findings")
        made = []
        for old in self._report.findings:
            spec = (template.system(old.system) if template else None) or SystemSpec(
                key=old.system, title=old.title, required=old.required
            )
            own = [one for one in findings if one.system == old.system]
            others = [one for one in findings if one.system != old.system]
            written = any(one.id in self._written or one.id in self._restored for one in own)
            given = old.reason_from in ("draft", "person") and not written
            new = system_findings(spec, own, others, old.reason if given else None, ledger)
            if new.status == old.status == "not_assessed" and tuple(own) == old.statements:
                new = old
            elif new.status == "not_assessed" and not own and old.statements:
                why = " ".join(self._reasons[id] for id in _ids(old) if id in self._reasons)
                new = new.model_copy(update={"reason": why or ALL_REJECTED, "reason_from": "person"})
            made.append(new)
        return tuple(made)


def _ids(system: SystemFindings) -> list[str]:
    """The ids of a system's statements."""
    return [one.id for one in system.statements]


def observations_of(statement: Statement) -> list[Observation]:
    """What a statement that a person wrote says they saw."""
    return [
        Observation(
            text=statement.text,
            finding=claim.finding,
            system=system_of(claim) or statement.system,
            assertion=claim.assertion,
            side=claim.side,
            anatomy=claim.anatomy,
            change=claim.change,
        )
        for claim in statement.claims
    ] or [Observation(text=statement.text, system=statement.system)]


def filled(report: Report, fields: dict[str, str], template: ReportTemplate | None) -> Report:
    """The report with form fields filled by a person.

    Raises:
        ReviewError: `WET-REVIEW-FIELD`.
    """
    if template is None:
        raise ReviewError("WET-REVIEW-FIELD", f"The template {report.template} of this report is not there.")
    try:
        return report.model_copy(update={"fields": fill_in(report, template.fields, fields).fields})
    except ValueError as error:
        raise ReviewError("WET-REVIEW-FIELD", str(error)) from None


def with_critical(
    report: Report, told: Iterable[Tell] = (), template: ReportTemplate | None = None, before: Report | None = None
) -> Report:
    """The report with its critical results found anew; what was recorded of those that stay is kept.

    Args:
        report: The version.
        told: What is recorded now.
        template: Says what is critical; without it the built-in list does.
        before: Where earlier records stand; on the report itself by default.
    """
    rules = template.critical if template else built_in()
    known = {(one.finding, one.side): one for one in (before or report).critical}
    results = tuple(
        new
        if (old := known.get((new.finding, new.side))) is None
        else new.model_copy(update={"found": old.found, "communication": old.communication})
        for new in critical_results(report.statements(), rules, found=report.created)
    )
    report = report.model_copy(update={"critical": results})
    for tell in told:
        try:
            results = communicated(report, tell.finding, tell.record, side=tell.side).critical
        except ValueError as error:
            there = ", ".join(dict.fromkeys(one.finding for one in results)) or "none"
            hint = f"There are: {there}."
            raise ReviewError("WET-REVIEW-CRITICAL", f"{str(error)[:1].upper()}{str(error)[1:]}.", hint) from None
        report = report.model_copy(update={"critical": results})
    return report.model_copy(update={"sections": _sections(report)})


def _sections(report: Report) -> tuple[Section, ...]:
    others = [section for section in report.sections if section.name != CRITICAL_SECTION]
    if not report.critical:
        return tuple(others)
    at = next((n for n, section in enumerate(report.sections) if section.name == CRITICAL_SECTION), len(others))
    return (*others[:at], critical_section(report.critical), *others[at:])


def _key(text: str) -> str:
    return "_".join("".join(c if c.isalnum() else " " for c in text.lower()).split())


def _short(text: str) -> str:
    return plain(text)[:40]
