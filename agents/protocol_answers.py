"""What the tools answered, read from the conversation: all that the protocol knows of a study."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from wetread.agents.chat import ChatMessage
from wetread.agents.facts import read_facts
from wetread.agents.transcript import CUT_SHORT, calls

SUBMIT = "submit_report"


@dataclass(frozen=True, slots=True)
class Asked:
    """One tool call and its answer. `evidence` is empty where it made none."""

    tool: str
    arguments: Mapping[str, Any]
    answer: Mapping[str, Any]

    @property
    def evidence(self) -> str:
        return text_of(self.answer.get("evidence"))

    @property
    def ok(self) -> bool:
        return bool(self.evidence) and self.answer.get("status") == "ok"

    def rows(self, name: str) -> list[Mapping[str, Any]]:
        """A list of objects in the answer; empty where there is none."""
        found = self.answer.get(name)
        return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


@dataclass(frozen=True, slots=True)
class Reading:
    """A reading as its conversation shows it.

    Attributes:
        facts: The study facts of the message that began it.
        asked: Tool calls that have an answer, in order; those cut short are not among them.
        drafts: Submitted drafts and what came back, in order.
        since: Messages behind the facts.
    """

    facts: Mapping[str, Any]
    asked: Sequence[Asked]
    drafts: Sequence[Asked]
    since: Sequence[ChatMessage] = field(repr=False)

    @property
    def images(self) -> list[Mapping[str, Any]]:
        return [image for image in self.facts["images"] if isinstance(image, dict)]

    @property
    def compares(self) -> bool:
        """Whether anything of an earlier study is among the inputs."""
        context = self.facts.get("context")
        prior_report = isinstance(context, list) and "prior_report" in context
        return prior_report or any(image.get("role") == "prior" for image in self.images)

    def image(self, role: str) -> Mapping[str, Any] | None:
        """The image that a protocol's `frontal`, `lateral` or `prior` means: PA before AP before the other frontals."""
        wanted = "prior" if role == "prior" else "current"
        images = [image for image in self.images if image.get("role") == wanted]
        if role == "lateral":
            return next((image for image in images if image.get("view") == "lateral"), None)
        order = ["PA", "AP", "frontal"]
        frontals = [image for image in images if image.get("view") in order]
        return min(frontals, key=lambda image: order.index(image["view"]), default=None)

    def by_tool(self, tool: str) -> Iterator[Asked]:
        """The calls of a tool that came to a result."""
        return (one for one in self.asked if one.tool == tool and one.ok)

    @property
    def accepted(self) -> bool:
        """Whether the last draft was accepted."""
        return bool(self.drafts) and self.drafts[-1].answer.get("accepted") is True


def read_conversation(messages: Sequence[ChatMessage]) -> Reading | None:
    """The reading in a conversation; None where no message has study facts."""
    for place in range(len(messages) - 1, -1, -1):
        message = messages[place]
        facts = read_facts(message.text) if message.role == "user" else None
        if facts is not None:
            since = messages[place + 1 :]
            made = [
                Asked(use.name, data_of(use.arguments), data_of(result.text))
                for use, result in calls(since)
                if result.text != CUT_SHORT
            ]
            return Reading(
                facts=facts,
                asked=[one for one in made if one.tool != SUBMIT],
                drafts=[one for one in made if one.tool == SUBMIT],
                since=since,
            )
    return None


def data_of(text: str) -> Mapping[str, Any]:
    """A JSON object's data; empty for any other text."""
    try:
        data = orjson.loads(text)
    except orjson.JSONDecodeError:
        return {}
    return data if isinstance(data, dict) else {}


def text_of(value: Any) -> str:
    """A value if it is a text, else the empty one."""
    return value if isinstance(value, str) else ""
