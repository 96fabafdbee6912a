"""INJ: text from outside that reads like an instruction to a system.

Such text is data, whatever it says: nothing acts on it. The check tells the reader that somebody wrote it.
"""

from __future__ import annotations

from collections.abc import Iterator

from wetread.reports.checks.base import Check
from wetread.reports.checks.document import Document
from wetread.reports.instructions import instructions
from wetread.reports.model import Issue


def instruction(doc: Document) -> Iterator[Issue]:
    """INJ-1: something in an input, or in a text that is checked, reads like an instruction to a system."""
    for line in doc.passages:
        if line.statement is not None:
            continue
        for start, end in instructions(line.text):
            message = "This reads like an instruction to a system. Nothing acts on it; find out who wrote it, and why."
            yield line.issue("INJ-1", "warning", message, start, end)


CHECKS = (Check("INJ-1", "Instruction-like text", instruction),)
