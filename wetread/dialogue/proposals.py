"""A change that an agent proposes: how a person is asked about it, and the action that it becomes."""

from __future__ import annotations

from wetread.reports.model import Report
from wetread.review import Action, Add, Edit, Reject
from wetread.tools.person import Proposal

YES, NO = "yes", "no"


def wording(proposal: Proposal, report: Report) -> str:
    """A proposal as the person is asked about it."""
    text = next((one.text for one in report.statements() if one.id == proposal.statement), "")
    match proposal.do:
        case "reject":
            return f"Drop {proposal.statement}: {text}"
        case "edit":
            return f"Change {proposal.statement}: {text} → {proposal.text}"
        case "add":
            return f"Add under {proposal.place}: {proposal.text}"


def action(proposal: Proposal) -> Action:
    """What is done where the person accepts."""
    match proposal.do:
        case "reject":
            return Reject(statement=proposal.statement or "")
        case "edit":
            return Edit(statement=proposal.statement or "", text=proposal.text or "")
        case "add":
            return Add(place=proposal.place or "", text=proposal.text or "")
