"""`propose_edit`: a change of the report on the reader's behalf. The reader decides, and it is theirs."""

from __future__ import annotations

from pydantic import Field

from wetread.errors import ToolError
from wetread.evidence import ModelVersion
from wetread.reports.model import Report
from wetread.reports.plain import plain
from wetread.tools.arguments import shown
from wetread.tools.base import Arguments, Outcome, Reading, Tool
from wetread.tools.person import Change, Proposal, no_person, report_in_hand
from wetread.vocabulary import Origin

_SECTIONS = {"impression": "impression", "recommendation": "recommendation", "recommendations": "recommendation"}


class ProposeEditArguments(Arguments):
    """One change. `edit` takes statement and text, `reject` statement, `add` place and text."""

    do: Change
    statement: str | None = Field(default=None, max_length=40)
    place: str | None = Field(default=None, max_length=60)
    text: str | None = Field(default=None, max_length=2000)


class ProposeEdit(Tool[ProposeEditArguments]):
    """Asks the reader whether the report shall change so; what they accept is done as their own edit."""

    name = "propose_edit"
    card = (
        "Change the report as the reader wished; they confirm it. edit: statement, text; reject: statement; "
        "add: place (a system, impression, recommendation), text."
    )
    arguments = ProposeEditArguments
    deadline_s = None
    makes_evidence = False

    def resolve(self, arguments: ProposeEditArguments, reading: Reading) -> ProposeEditArguments:
        report = report_in_hand(reading.report)
        if arguments.do == "add":
            return ProposeEditArguments(do="add", place=_place(report, arguments.place), text=_text(arguments))
        statement = _statement(report, arguments.statement)
        if arguments.do == "reject":
            return ProposeEditArguments(do="reject", statement=statement)
        return ProposeEditArguments(do="edit", statement=statement, text=_text(arguments))

    def precheck(self, arguments: ProposeEditArguments, reading: Reading) -> None:
        if reading.person is None:
            raise no_person()

    async def run(self, arguments: ProposeEditArguments, reading: Reading) -> Outcome:
        assert reading.person is not None
        proposal = Proposal(**arguments.model_dump())
        decided = await reading.person.propose(proposal)
        return Outcome(
            for_model={"accepted": decided.accepted, "message": decided.message},
            summary=decided.message,
            model=ModelVersion(name="wetread dialogue", version="1"),
            origin=Origin.CODE,
        )


def _statement(report: Report, id: str | None) -> str:
    if id is None:
        raise ToolError("WET-TOOL-ARGUMENTS", "'statement' is missing.")
    wanted = id.strip().strip("[]").upper()
    ids = [one.id for one in report.statements()]
    if wanted not in ids:
        raise ToolError("WET-TOOL-ID", f"There is no statement {shown(id)}.", f"There are: {', '.join(ids) or 'none'}.")
    return wanted


def _place(report: Report, place: str | None) -> str:
    if place is None:
        raise ToolError("WET-TOOL-ARGUMENTS", "'place' is missing.")
    wanted = " ".join(place.lower().replace("_", " ").split())
    if wanted in _SECTIONS:
        return _SECTIONS[wanted]
    systems = {one.title.lower(): one.system for one in report.findings}
    systems |= {one.system.replace("_", " "): one.system for one in report.findings}
    if wanted not in systems:
        there = ", ".join([*(one.system for one in report.findings), "impression", "recommendation"])
        raise ToolError("WET-TOOL-ARGUMENTS", f"The report has no place {shown(place)}.", f"There are: {there}.")
    return systems[wanted]


def _text(arguments: ProposeEditArguments) -> str:
    text = plain(arguments.text or "")
    if not text:
        raise ToolError("WET-TOOL-ARGUMENTS", "'text' is missing.")
    return text
