"""The one form in which every check sees a report: lines with their claims, and what is known beside the text.

A drafted `Report` and a plain clinical text are both turned into a `Document`, so that one pure function serves both.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Literal

from wetread.evidence import Evidence
from wetread.reports.language import BODY, claims
from wetread.reports.model import Claim, Issue, Report, Severity, Statement
from wetread.vocabulary import Assertion, Side

if TYPE_CHECKING:
    from wetread.study import Study

INPUTS = ("exam", "indication", "history", "technique")
"""Sections that come from the order or the header and not from the reader."""

BOTH = "findings and impression"
"""Among `Document.headings`: one heading stands over both."""

_SHOWN = frozenset({Assertion.PRESENT, Assertion.UNCERTAIN})
_NONE = ("", "none", "none available", "not given", "not available", "nil", "n/a", "na", "unavailable", "-")
_NONE_WORDS = ("none", "no ", "nil", "not available", "not given", "n/a", "unavailable", "without comparison")

_WORDS = re.compile(r"\w+")

known_claims = lru_cache(maxsize=8192)(claims)
"""`claims`, remembered: reports repeat their sentences."""


@dataclass(frozen=True, slots=True)
class Order:
    """What is known beside the text.

    Attributes:
        age: In years.
        sex: F, M or O.
        side: The side that the order names.
        exam: What was ordered.
        indication: Why.
        study_date: When the study was made.
        prior_dates: Dates of the earlier studies at hand; None where nobody says.
    """

    age: int | None = None
    sex: Literal["F", "M", "O"] | None = None
    side: Side | None = None
    exam: str | None = None
    indication: str | None = None
    study_date: date | None = None
    prior_dates: tuple[date, ...] | None = None


@dataclass(frozen=True, slots=True)
class Hints:
    """What stands in every text of ASCII letters in which a pattern finds something: one of these at least.

    Attributes:
        words: Whole words in lower case, separated from others by what is no letter, digit or underscore.
        parts: Parts of words, and signs, in lower case.
    """

    words: frozenset[str] = frozenset()
    parts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Line:
    """A sentence of a clinical text, or a statement of a drafted report.

    Attributes:
        section: What it belongs to: findings, impression, indication, ..., or `body`.
        where: What an issue names as its place: a section, a system or a statement's id.
        start: Offset of `text` in the text that offsets of issues count in.
        text: Its words.
        statement: The statement of a drafted report.
    """

    section: str
    where: str
    start: int
    text: str
    statement: Statement | None = None

    @cached_property
    def claims(self) -> tuple[Claim, ...]:
        """What it asserts. Offsets are into `text`."""
        return self.statement.claims if self.statement is not None else known_claims(self.text)

    @cached_property
    def _lower(self) -> tuple[str, frozenset[str]] | None:
        """The text and its words in lower case; None with letters beyond ASCII, which patterns may take for others."""
        if not self.text.isascii():
            return None
        lower = self.text.lower()
        return lower, frozenset(_WORDS.findall(lower))

    def may_hold(self, hints: Hints) -> bool:
        """Whether a pattern can find anything here. Most lines hold none of its words, and are spared the pattern."""
        if self._lower is None:
            return True
        lower, words = self._lower
        return not hints.words.isdisjoint(words) or any(map(lower.__contains__, hints.parts))

    def issue(
        self,
        code: str,
        severity: Severity,
        message: str,
        start: int = 0,
        end: int | None = None,
        evidence: Sequence[str] = (),
    ) -> Issue:
        """An issue about `text[start:end]`, by default about all of it."""
        stop = len(self.text) if end is None else end
        return Issue(
            code=code,
            severity=severity,
            message=message,
            where=self.where,
            start=self.start + start,
            end=self.start + stop,
            evidence=tuple(evidence),
        )

    def about(self, code: str, severity: Severity, message: str, claim: Claim, evidence: Sequence[str] = ()) -> Issue:
        """An issue about the words of a claim."""
        return self.issue(code, severity, message, claim.start, claim.end, evidence)


@dataclass(frozen=True)
class Document:
    """A report as checks see it.

    Attributes:
        lines: All lines in reading order.
        passages: The same text uncut, a passage for each run under one heading.
        headings: Sections that the text has, empty ones included.
        unknown: Names of fields that no template knows, with their length.
        order: What is known beside the text.
        told_prior: Whether an earlier study was among the inputs; None where nobody says.
        today: The day that is not the future.
        report: The drafted report; None for a clinical text.
        study: The study, where it is at hand.
        has_ledger: Whether the report has its evidence.
    """

    lines: tuple[Line, ...]
    passages: tuple[Line, ...] = ()
    headings: frozenset[str] = frozenset()
    unknown: Mapping[str, int] = field(default_factory=dict)
    order: Order = Order()
    told_prior: bool | None = None
    today: date = date.max
    report: Report | None = None
    study: Study | None = None
    has_ledger: bool = False

    @property
    def drafted(self) -> bool:
        """Whether it is a drafted report, of which more can be asked than of a clinical text."""
        return self.report is not None

    @cached_property
    def findings(self) -> tuple[Line, ...]:
        """The lines of the findings; where no heading says findings, those under no heading."""
        found = tuple(line for line in self.lines if line.section == "findings")
        return found or tuple(line for line in self.lines if line.section == BODY)

    @cached_property
    def impression(self) -> tuple[Line, ...]:
        return tuple(line for line in self.lines if line.section == "impression")

    @cached_property
    def spoken(self) -> tuple[Line, ...]:
        """The lines that assert something about the patient: findings and impression."""
        return self.findings + self.impression

    def section(self, *names: str) -> tuple[Line, ...]:
        """The lines of the named sections."""
        return tuple(line for line in self.lines if line.section in names)

    @cached_property
    def ledger(self) -> Mapping[str, Evidence]:
        """The report's evidence by id."""
        return {evidence.id: evidence for evidence in self.report.evidence} if self.report is not None else {}

    @cached_property
    def has_prior(self) -> bool | None:
        """Whether an earlier study was there to compare with: as told, else as the comparison section says."""
        if self.told_prior is not None:
            return self.told_prior
        if self.order.prior_dates:
            return True
        words = " ".join(one.text for one in self.passages if one.section == "comparison").strip().lower().rstrip(". ")
        if words:
            return not (words in _NONE or (words.startswith(_NONE_WORDS) and not any(c.isdigit() for c in words)))
        return None


def pairs(lines: Sequence[Line], *assertions: Assertion) -> Iterator[tuple[Line, Claim]]:
    """All claims with a finding and one of these assertions (by default present or uncertain), each with its line."""
    wanted = assertions or _SHOWN
    for line in lines:
        for claim in line.claims:
            if claim.finding is not None and claim.assertion in wanted:
                yield line, claim


def distinct(found: Iterable[tuple[Line, Claim]]) -> list[tuple[Line, Claim]]:
    """The first of the claims that say the same: there are few ways to say something, however long a text is."""
    first: dict[tuple[object, ...], tuple[Line, Claim]] = {}
    for line, claim in found:
        key = (claim.finding, claim.side, claim.anatomy, claim.assertion, claim.change, claim.qualifiers)
        first.setdefault(key, (line, claim))
    return list(first.values())


def from_report(
    report: Report, study: Study | None = None, *, ledger: bool = True, today: date | None = None
) -> Document:
    """A drafted report as a document."""
    lines = [Line(section.name, section.name, 0, section.text) for section in report.sections if section.text]
    lines += [
        Line("findings", statement.id, 0, statement.text, statement)
        for system in report.findings
        for statement in system.statements
    ]
    lines += [Line("impression", statement.id, 0, statement.text, statement) for statement in report.impression]
    lines += [
        Line("recommendation", statement.id, 0, statement.text, statement) for statement in report.recommendations
    ]
    return Document(
        lines=tuple(lines),
        passages=tuple(lines),
        headings=frozenset({*(section.name for section in report.sections), "findings", "impression"}),
        order=_order(report, study),
        told_prior=_told_prior(report, study),
        today=today or report.created.date(),
        report=report,
        study=study,
        has_ledger=ledger,
    )


def _order(report: Report, study: Study | None) -> Order:
    sections = {section.name: section.text for section in report.sections if section.source != "code"}
    current = [image.acquired for image in report.images if image.role == "current" and image.acquired]
    if study is not None:
        dates = [image.acquired for image in study.priors] + (
            [study.prior_report.acquired] if study.prior_report else []
        )
    else:
        dates = [image.acquired for image in report.images if image.role == "prior"]
    known = tuple(day for day in dates if day is not None)
    return Order(
        age=report.age_years if report.age_years is not None else (study.age_years if study else None),
        sex=report.sex or (study.sex if study else None),
        exam=sections.get("exam"),
        indication=sections.get("indication"),
        study_date=(study.acquired if study else None) or max(current, default=None),
        prior_dates=known if study is not None and len(known) == len(dates) else known or None,
    )


def _told_prior(report: Report, study: Study | None) -> bool | None:
    if study is not None:
        return study.has_comparison
    return True if any(image.role == "prior" for image in report.images) else None
