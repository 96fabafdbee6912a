"""Review by a person: decisions on statements, verdicts on AI results, signing, and what was changed.

Pure functions over reports: each gives the next version and leaves the one it was given as it is. Nothing that an
agent can call imports this package; `tests/test_architecture.py` holds it.
"""

from __future__ import annotations

from wetread.review.actions import Accept, Action, Add, Edit, Fill, Judge, Reject, Tell
from wetread.review.conclude import append, blocking, conclude, withdraw
from wetread.review.diff import ReportDiff, diff_reports

__all__ = [
    "Accept",
    "Action",
    "Add",
    "Edit",
    "Fill",
    "Judge",
    "Reject",
    "ReportDiff",
    "Tell",
    "append",
    "blocking",
    "conclude",
    "diff_reports",
    "withdraw",
]
