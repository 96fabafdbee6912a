"""How tools reach the person who reads, if there is one at all: a port, and the values that cross it."""

from __future__ import annotations

from typing import Literal, Protocol

from wetread.errors import ToolError
from wetread.reports.model import Report
from wetread.values import Value

About = Literal["indication", "prior", "other"]
Change = Literal["edit", "reject", "add"]


class Proposal(Value):
    """A change of the report that an agent proposes on the reader's behalf."""

    do: Change
    statement: str | None = None
    """`S3`; for edit and reject."""
    place: str | None = None
    """A system's key, `impression` or `recommendation`; for add."""
    text: str | None = None
    """For edit and add."""


class Decided(Value):
    """What the person decided about a proposal."""

    accepted: bool
    message: str
    """A safe sentence for the agent, such as "The reader declined."; no names."""


class Person(Protocol):
    """The person who reads. While they are asked nothing is spent: the turn's clock stands still."""

    async def ask(self, question: str, *, options: tuple[str, ...] = (), about: About = "other") -> str | None:
        """Their answer, None where they skipped it.

        An answer about the indication becomes the study's, scrubbed and cut like any text from outside, before it is
        given back.

        Args:
            question: One line.
            options: Answers to choose from; another one may come.
            about: What the answer is used for.
        """
        ...

    async def propose(self, proposal: Proposal) -> Decided:
        """Have them decide on a change; done as their own tracked edit where they accept it."""
        ...


def report_in_hand(report: Report | None) -> Report:
    """The report that tools speak of.

    Raises:
        ToolError: `WET-TOOL-REPORT`: there is none yet.
    """
    if report is None:
        raise ToolError("WET-TOOL-REPORT", "There is no report yet.", "Draft one first.")
    return report


def no_person() -> ToolError:
    """The refusal where nobody is there to be asked."""
    return ToolError("WET-TOOL-PERSON", "Nobody is there to be asked.", "Go on with what tools say.")


def without_names(text: str, report: Report | None) -> str:
    """A text with the names of those who worked on the report replaced: a language model learns no person's name."""
    for name in _names(report):
        text = text.replace(name, "the reader")
    return text


def _names(report: Report | None) -> list[str]:
    if report is None:
        return []
    told = [name for one in report.critical for name in (one.communication.to, one.communication.by)]
    done: list[str] = []
    if (review := report.review) is not None:
        done = [review.by, *(one.by for one in review.decisions), *(one.by for one in review.verdicts)]
        done += [*(one.by for one in review.overrides), *(one.by for one in review.signatures)]
        done += [one.by for one in review.addenda]
    # the longest first, so that no part of a name is left behind
    return sorted({name for name in (*told, *done) if name and len(name) > 2}, key=len, reverse=True)
