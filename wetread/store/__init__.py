"""What outlives the process: reports in all their versions, sessions, evidence, artifacts, and the audit log."""

from __future__ import annotations

from wetread.store.store import Store

__all__ = ["Store"]
