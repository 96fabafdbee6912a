"""What a check is: a pure function over a report and its study that yields issues."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from wetread.evidence import Evidence
from wetread.reports.model import Issue, Report, Statement
from wetread.study import Study

Needs = Literal["evidence", "study"]


@dataclass(frozen=True, slots=True)
class Check:
    """One check.

    Attributes:
        code: Its stable code, such as `GRD-1`; the first three letters are its family.
        title: What it finds, in a few words.
        run: The function. `Study` is None where only a report's text is at hand.
        needs: What it cannot work without; `check_report` leaves it out where that is missing.
    """

    code: str
    title: str
    run: Callable[[Report, Study | None], Iterable[Issue]]
    needs: frozenset[Needs] = frozenset()

    @property
    def family(self) -> str:
        return self.code[:3]


def assertions(report: Report) -> Iterator[Statement]:
    """The statements that assert something about the patient: findings and impression."""
    for system in report.findings:
        yield from system.statements
    yield from report.impression


def ledger_of(report: Report) -> Mapping[str, Evidence]:
    """The report's evidence by id."""
    return {evidence.id: evidence for evidence in report.evidence}


def has_comparison(report: Report, study: Study | None) -> bool:
    """Whether an earlier study is among the inputs: by the study, else by the report's own images and comparison."""
    if study is not None:
        return study.has_comparison
    if any(image.role == "prior" for image in report.images):
        return True
    section = next((section for section in report.sections if section.name == "comparison"), None)
    return section is not None and section.text.strip().lower().rstrip(".") not in (
        "",
        "none",
        "none available",
        "not given",
    )
