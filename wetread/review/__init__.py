"""Review by a person: decisions on statements, verdicts on AI results, signing, and what was changed.

Pure functions over reports: each gives the next version and leaves the one it was given as it is. Nothing that an
agent can call imports this package; `tests/test_architecture.py` holds it.
"""

from __future__ import annotations

from wetread.review.actions import Accept, Action, Add, Edit, Fill, Judge, Reject, Tell
from wetread.review.conclude import append, blocking, conclude, take_back, withdraw
from wetread.review.diff import ReportDiff, diff_reports
from wetread.review.redraft import Redraft, follow_on

__all__ = [
    "Accept",
    "Action",
    "Add",
    "Edit",
    "Fill",
    "Judge",
    "Redraft",
    "Reject",
    "ReportDiff",
    "Tell",
    "append",
    "blocking",
    "conclude",
    "diff_reports",
    "follow_on",
    "take_back",
    "withdraw",
]
