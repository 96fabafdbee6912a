"""What the journal of a session holds: its events, its messages, and what they were said about.

A report stands in the journal by its hash; it is kept among the reports. Pieces of text that followed one another
without anything between stand as one.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from wetread.events import Event, TextDelta
from wetread.messages import ChatMessage
from wetread.values import Value


class Opened(Value):
    """A session was opened, anew or again: what it is read with from here on."""

    type: Literal["opened"] = "opened"
    template: str
    model: str
    modes: tuple[str, ...] = ()
    images: dict[str, str]
    """Handle of each image to the SHA-256 of its pixels as displayed: by which the study is known again."""
    context: dict[str, str] = Field(default_factory=dict)
    """SHA-256 of each text of the order and the priors."""


class Said(Value):
    """A message of the conversation."""

    type: Literal["said"] = "said"
    message: ChatMessage


class ReportKept(Value):
    """A version of the report was kept, under that hash."""

    type: Literal["report_kept"] = "report_kept"
    sha256: str
    version: int
    status: str


class TakenBack(Value):
    """The version kept just before says again what an earlier one said."""

    type: Literal["taken_back"] = "taken_back"
    sha256: str
    to: str
    """The hash of that earlier one."""


class Indicated(Value):
    """A person said what the exam is for, where the order does not."""

    type: Literal["indicated"] = "indicated"
    text: str


JournalEntry = Annotated[Event | Opened | Said | ReportKept | TakenBack | Indicated, Field(discriminator="type")]

NO_EVENTS = (Opened, Said, ReportKept, TakenBack, Indicated)
"""Entries that nobody is told of."""

JOURNAL: TypeAdapter[JournalEntry] = TypeAdapter(JournalEntry)
"""Reads and writes any entry as JSON."""


def joined(entries: Iterable[JournalEntry]) -> list[JournalEntry]:
    """The entries, pieces of one agent's text that follow one another as one."""
    kept: list[JournalEntry] = []
    for entry in entries:
        last = kept[-1] if kept else None
        if isinstance(entry, TextDelta) and isinstance(last, TextDelta) and last.agent == entry.agent:
            kept[-1] = last.model_copy(update={"text": last.text + entry.text})
        else:
            kept.append(entry)
    return kept
