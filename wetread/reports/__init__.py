"""Reports: what is drafted, checked and shown. `check` and `CheckResult` are imported when they are asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wetread.reports.checking import CheckResult, check

__all__ = ["CheckResult", "check"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from wetread.reports import checking

        return getattr(checking, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
