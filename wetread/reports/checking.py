"""`check`: every check over a drafted report, a clinical text, or its sections."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from wetread.errors import InputError
from wetread.reports.checks import check_document, left_out
from wetread.reports.checks.document import Document, Order, from_report
from wetread.reports.clinical import MOST_CHARACTERS, from_sections, from_text, order_of, read_order
from wetread.reports.model import Issue, Report

if TYPE_CHECKING:
    from wetread.study import Study

EMPTY = "The text is empty: nothing could be assessed."
LANGUAGE = "The text does not read as English: what it asserts could not be assessed."
NO_STATEMENT = "No statement about a chest was understood: what the text asserts could not be assessed."
NO_HEADINGS = "No heading tells findings from impression: whether they belong together could not be assessed."
LONG = f"Only the first {MOST_CHARACTERS:,} characters were checked."
TEXT_ALONE = "A text alone has no evidence ledger: the checks that need one were left out."

_WORD = re.compile(r"[^\W\d_]+")
_ENGLISH_WORDS = """
    the of and is are no in with there to a an for was or on at not without has have been be from which seen normal
    left right small clear lung lungs heart chest
"""
_ENGLISH = frozenset(_ENGLISH_WORDS.split())
_FEW_WORDS, _ENGLISH_SHARE = 8, 0.12
_SAMPLE = 2000


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What the checks say of one report. Iterating over it gives its issues.

    Attributes:
        issues: All issues in reading order. `where` is a section (a statement's id in a drafted report); `start` and
            `end` are offsets into the text that was given, or into that section where sections were given.
        left_out: Codes of the checks that could not run, wholly or in part, for want of evidence or a study.
        not_assessed: What could not be assessed, and why, as sentences.
    """

    issues: tuple[Issue, ...]
    left_out: tuple[str, ...] = ()
    not_assessed: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Issue]:
        return iter(self.issues)

    def __len__(self) -> int:
        return len(self.issues)

    @property
    def has_error(self) -> bool:
        return any(issue.severity == "error" for issue in self.issues)


def check(
    report: str | Report | Mapping[str, Any],
    *,
    order: Order | Mapping[str, Any] | None = None,
    has_prior: bool | None = None,
    study: Study | None = None,
    today: date | None = None,
) -> CheckResult:
    """Check a report.

    Args:
        report: A drafted `Report`; a plain text with or without headings; sections by name
            (`{"findings": ..., "impression": ...}`); or one object of the JSONL form (`{"id", "text" or "sections",
            "order", "has_prior"}`).
        order: What is known beside the text: age, sex, side, exam, indication, study_date, prior_dates.
        has_prior: Whether an earlier study was at hand; None where nobody knows.
        study: The study, from which order and priors are taken where they are not given.
        today: The day that is not the future; the real one by default.

    Raises:
        InputError: `WET-INPUT-REPORT` for what is none of these, `WET-INPUT-ORDER` for an order that is none.
    """
    if isinstance(report, Report):
        doc = from_report(report, study, today=today)
        return CheckResult(check_document(doc), left_out(study))
    if isinstance(report, Mapping) and ("text" in report or isinstance(report.get("sections"), Mapping)):
        order = order if order is not None else report.get("order")
        has_prior = has_prior if has_prior is not None else report.get("has_prior")
        report = report["text"] if "text" in report else report["sections"]
    if has_prior is not None and not isinstance(has_prior, bool):
        raise InputError("WET-INPUT-REPORT", "has_prior is neither true nor false.", "Mend it or leave it out.")
    known = _known(order, study)
    if isinstance(report, str):
        doc = from_text(report, order=known, has_prior=has_prior, today=today, study=study)
        return _result(doc, report, study)
    if isinstance(report, Mapping) and all(isinstance(text, str | None) for text in report.values()):
        sections = {str(name): text or "" for name, text in report.items()}
        doc = from_sections(sections, order=known, has_prior=has_prior, today=today, study=study)
        return _result(doc, "\n".join(sections.values()), study)
    raise InputError("WET-INPUT-REPORT", "This is no report.", "Give a text, or sections whose values are texts.")


def _known(order: Order | Mapping[str, Any] | None, study: Study | None) -> Order:
    if isinstance(order, Order):
        return order
    if order is None:
        return order_of(study) if study is not None else Order()
    if not isinstance(order, Mapping):
        raise InputError("WET-INPUT-ORDER", "The order is no object.", 'Such as {"age": 54, "sex": "F"}.')
    return read_order(order)


def _result(doc: Document, text: str, study: Study | None) -> CheckResult:
    notes = tuple(_notes(doc, text))
    if notes and notes[0] == EMPTY:
        return CheckResult((), left_out(study, ledger=False), notes)
    return CheckResult(check_document(doc), left_out(study, ledger=False), notes)


def _notes(doc: Document, text: str) -> Iterator[str]:
    if not doc.lines and not text.strip():
        yield EMPTY
        return
    if len(text) > MOST_CHARACTERS:
        yield LONG
    if not any(line.claims for line in doc.spoken):
        words = [word.lower() for word in _WORD.findall(text[:_SAMPLE])]
        foreign = len(words) >= _FEW_WORDS and sum(w in _ENGLISH for w in words) < _ENGLISH_SHARE * len(words)
        yield LANGUAGE if foreign else NO_STATEMENT
    elif doc.headings.isdisjoint({"findings", "impression"}) and not doc.impression:
        yield NO_HEADINGS
