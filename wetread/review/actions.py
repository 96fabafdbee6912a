"""What a reader may ask for, one value each."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from wetread.reports.model import Communication
from wetread.reports.reviewed import VerdictWord
from wetread.values import Value
from wetread.vocabulary import Side


class Accept(Value):
    """A statement stands as it is."""

    do: Literal["accept"] = "accept"
    statement: str


class Edit(Value):
    """A statement gets other words. Slots, `{E4.cardiothoracic_ratio}`, are filled as in a draft."""

    do: Literal["edit"] = "edit"
    statement: str
    text: str


class Reject(Value):
    """A statement goes. Its words stay in the record."""

    do: Literal["reject"] = "reject"
    statement: str
    reason: str | None = None


class Add(Value):
    """A statement of the reader's own, under a system by key or title, in the `impression` or a `recommendation`."""

    do: Literal["add"] = "add"
    place: str
    text: str


class Fill(Value):
    """A form field gets a value."""

    do: Literal["fill"] = "fill"
    field: str
    value: str


class Judge(Value):
    """The reader's verdict on one AI result."""

    do: Literal["judge"] = "judge"
    evidence: str
    verdict: VerdictWord
    note: str | None = None


class Tell(Value):
    """Who was told of a critical result. A part left out stays as it was."""

    do: Literal["tell"] = "tell"
    finding: str
    side: Side | None = None
    record: Communication


Action = Annotated[Accept | Edit | Reject | Add | Fill | Judge | Tell, Field(discriminator="do")]
