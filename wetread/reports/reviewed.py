"""What people did with a report: decisions on statements, verdicts on AI results, overrides, signatures, addenda.

All of it stands on the report itself, so that whoever has the report has its history too. A version's record holds
what earlier versions had, in order. After IHE RAD AI Result Assessment: an AI result is accepted, amended or rejected.
"""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from wetread.values import Value

Action = Literal["accepted", "edited", "rejected", "added"]
VerdictWord = Literal["accept", "amend", "reject"]
SignedStatus = Literal["final", "amended", "corrected", "appended"]


class Decision(Value):
    """What a reader did with one statement."""

    statement: str
    """Its id. Ids are kept over versions: one that was rejected leaves a gap."""
    action: Action
    by: str
    at: datetime
    before: str | None = None
    """The text before an edit, or of what was rejected."""
    reason: str | None = None


class Verdict(Value):
    """A reader's verdict on one AI result."""

    evidence: str
    verdict: VerdictWord
    by: str
    at: datetime
    stated: bool = True
    """True where the reader gave it; False where it follows from what was done with the statements that cite it."""
    note: str | None = None


class Override(Value):
    """A blocking issue that a person signed over, and why."""

    code: str
    where: str | None = None
    message: str
    reason: str
    by: str
    at: datetime


class Signature(Value):
    """A named person took responsibility for this version."""

    by: str
    at: datetime
    status: SignedStatus
    version: int


class Addendum(Value):
    """Text added to a signed report, which it leaves as it stands."""

    text: str
    by: str
    at: datetime


class Withdrawal(Value):
    """Why a report was cancelled or entered in error."""

    reason: str
    by: str
    at: datetime


class Review(Value):
    """All that people did with a report, oldest first."""

    by: str = ""
    """Who made this version."""
    decisions: tuple[Decision, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    overrides: tuple[Override, ...] = ()
    signatures: tuple[Signature, ...] = ()
    addenda: tuple[Addendum, ...] = ()
    withdrawn: Withdrawal | None = None

    @property
    def signature(self) -> Signature | None:
        """The last signature."""
        return self.signatures[-1] if self.signatures else None

    def decision(self, statement: str) -> Decision | None:
        """The last thing done with a statement, or None."""
        return next((one for one in reversed(self.decisions) if one.statement == statement), None)

    def author(self, statement: str) -> str | None:
        """Who wrote a statement's words: the last who edited or added it; None where they are as drafted."""
        written = (one for one in reversed(self.decisions) if one.statement == statement)
        return next((one.by for one in written if one.action in ("edited", "added")), None)

    def verdict(self, evidence: str) -> Verdict | None:
        """The last verdict on an evidence, or None."""
        return next((one for one in reversed(self.verdicts) if one.evidence == evidence), None)

    def overridden(self, code: str, where: str | None, message: str) -> bool:
        """Whether an issue was signed over."""
        return any((one.code, one.where, one.message) == (code, where, message) for one in self.overrides)
