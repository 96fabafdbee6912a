"""One turn of a dialogue as the protocol sees it: what was said, what was called since, what is known from before.

Whoever answers a request asks for what it needs; what has no answer yet is noted, and called before anything is said.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wetread.agents.chat import ChatMessage, ToolSpec
from wetread.agents.facts import OPENING, read_facts
from wetread.agents.protocol_answers import SUBMIT, Asked, Reading, data_of
from wetread.agents.protocol_planning import PlannedCall, planned_call
from wetread.agents.protocol_requests import Request
from wetread.agents.transcript import calls
from wetread.reports.template import ReportTemplate
from wetread.values import canonical_json

_EVIDENCE_TOOLS = frozenset({"study_context", "report_findings", "segment", "measure", "classify", "find_similar"})
_FRONTAL = ("PA", "AP", "frontal")
_SECTIONS = {
    "impression": "impression",
    "conclusion": "impression",
    "recommendation": "recommendation",
    "recommendations": "recommendation",
}
_ALIASES = {
    "lines_and_tubes": ("tubes", "tube", "lines", "devices", "catheters"),
    "mediastinum_and_hila": ("mediastinum", "hila", "hilum"),
    "upper_abdomen": ("abdomen",),
    "soft_tissues": ("soft tissue", "chest wall"),
}
_MENTIONED = re.compile(r"\[([SE][1-9]\d{0,4})\]")
_NAMED = re.compile(r"(?<!\w)([sSeE][1-9]\d{0,4})(?!\w)")
_LOOKED_AT = 2_000
"""Characters of an earlier message in which a statement's id is looked for."""


@dataclass(slots=True)
class Turn:
    """One turn: the person's last message, and what was done about it so far.

    Attributes:
        said: What the person said.
        messages: The whole conversation.
        before: The conversation before that.
        reading: What the conversation comes to since the study's facts were told.
        made: Calls of this turn with their answers, whatever they are.
        planned: Calls that have no answer yet.
    """

    said: str
    messages: Sequence[ChatMessage]
    before: Sequence[ChatMessage]
    reading: Reading
    template: ReportTemplate
    tools: Mapping[str, ToolSpec]
    made: Sequence[Asked]
    planned: dict[tuple[str, bytes], PlannedCall] = field(default_factory=dict)

    @classmethod
    def of(
        cls, messages: Sequence[ChatMessage], reading: Reading, template: ReportTemplate, tools: Sequence[ToolSpec]
    ) -> Turn:
        last = max(place for place, message in enumerate(messages) if message.role == "user")
        said = messages[last].text
        if read_facts(said) is not None:
            said = said[: said.rfind(OPENING)]
        made = [Asked(use.name, data_of(use.arguments), data_of(result.text)) for use, result in calls(messages[last:])]
        return cls(said, messages, messages[:last], reading, template, {tool.name: tool for tool in tools}, made)

    def submitted(self) -> list[Asked]:
        """The drafts of this turn."""
        return [one for one in self.made if one.tool == SUBMIT]

    @property
    def places(self) -> dict[str, str]:
        """Where a statement can be put, as a person may call it."""
        named = dict(_SECTIONS)
        for system in self.template.systems:
            names = {system.key.replace("_", " "), system.title.lower()}
            names |= {name.removesuffix("s") for name in names if " " not in name}
            names |= set(_ALIASES.get(system.key, ()))
            named.update(dict.fromkeys(names, system.key))
        return named

    def places_in(self, words: str) -> list[str]:
        """The systems that words name, by key."""
        found = [key for name, key in self.places.items() if re.search(rf"\b{re.escape(name)}\b", words)]
        return [key for key in dict.fromkeys(found) if self.template.system(key) is not None]

    def need(self, tool: str, arguments: dict[str, Any]) -> Asked | None:
        """The answer of a call, of this turn or, of evidence, of an earlier one; None where it is asked for now."""
        if tool not in self.tools:
            return Asked(tool, arguments, {"status": "refused", "message": f"The tool {tool} is not here."})
        key = canonical_json(arguments)
        mine = [one for one in self.made if one.tool == tool and canonical_json(dict(one.arguments)) == key]
        if mine:
            return mine[-1]
        if tool in _EVIDENCE_TOOLS:
            for one in reversed(list(self.reading.by_tool(tool))):
                if canonical_json(dict(one.arguments)) == key:
                    return one
        self.plan(tool, arguments)
        return None

    def plan(self, tool: str, arguments: dict[str, Any]) -> None:
        """Have a call made before anything is said."""
        self.planned.setdefault((tool, canonical_json(arguments)), (tool, arguments))

    def protocol_call(self, tool: str, prior: str | None = None) -> PlannedCall | None:
        """The call of a tool as the template's protocol has it."""
        also = self.prior_argument(prior)
        found = (
            planned_call(one, self.reading, also)
            for calls in self.template.protocol
            for one in calls
            if one.tool == tool
        )
        return next((call for call in found if call is not None), None)

    def findings(self, prior: str | None = None) -> Asked | None:
        """What the findings model said, compared with a prior if one is named; None while it is being asked."""
        also = self.prior_argument(prior).get("report_findings", {})
        return self.need(*(self.protocol_call("report_findings", prior) or ("report_findings", dict(also))))

    def image(self, request: Request) -> dict[str, Any]:
        """The image that a request is about, as an argument: the one named, else today's frontal one."""
        frontal = self.reading.image("frontal")
        handle = next(iter(request.images), frontal["handle"] if frontal else None)
        return {"image": handle} if handle else {}

    def priors(self) -> list[Mapping[str, Any]]:
        """The frontal images of earlier studies."""
        return [one for one in self.reading.images if one.get("role") == "prior" and one.get("view") in _FRONTAL]

    @property
    def takes_prior(self) -> bool:
        """Whether the findings model can be told which prior is meant."""
        spec = self.tools.get("report_findings")
        return spec is not None and "prior" in spec.parameters.get("properties", {})

    def prior_argument(self, wanted: str | None = None) -> dict[str, dict[str, Any]]:
        """The prior that the person chose, as an argument of `report_findings`, unless it is the first one anyway."""
        chosen = wanted
        if chosen is None:
            for use, result in calls(self.messages):
                if use.name == "ask_person" and data_of(use.arguments).get("about") == "prior":
                    chosen = data_of(result.text).get("answer") or chosen
        first = self.reading.image("prior")
        known = chosen in {image.get("handle") for image in self.priors()}
        if not known or first is None or first.get("handle") == chosen or not self.takes_prior:
            return {}
        return {"report_findings": {"prior": chosen}}

    def last_mentioned(self) -> list[str]:
        """The statement or evidence that was spoken of last, by the person or in an answer."""
        for message in reversed(self.before):
            if message.role == "assistant" and (found := _MENTIONED.findall(message.text)):
                # the first one of an answer is what it was about
                return [found[0]]
            if message.role == "user" and (found := _NAMED.findall(message.text[:_LOOKED_AT])):
                return [found[-1].upper()]
        return []
