"""The protocol in a dialogue: a person's requests become tool calls, and what the tools answered becomes an answer.

It knows what a language model would know: the messages and the tools. Each step is made anew from them: what a request
needs and has no answer yet is called, all at once; when nothing is missing the answer is said.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from wetread.agents import protocol_talk as talk
from wetread.agents.chat import ChatMessage, ToolSpec
from wetread.agents.facts import OPENING, read_facts
from wetread.agents.protocol_answers import SUBMIT, Asked, Reading, data_of
from wetread.agents.protocol_calls import classify_call, measure_call, segment_call
from wetread.agents.protocol_phrasing import same
from wetread.agents.protocol_planning import PlannedCall, next_round, planned_call
from wetread.agents.protocol_requests import Request, read_requests
from wetread.agents.protocol_wording import claims
from wetread.agents.transcript import CUT_SHORT, calls
from wetread.reports.language import system_of
from wetread.reports.model import Claim
from wetread.reports.template import ReportTemplate
from wetread.values import canonical_json

PERSON_TOOLS = frozenset({"ask_person", "current_report", "explain", "propose_edit"})
"""Where an agent has one of these it is in a dialogue."""

ASK_INDICATION = "What is the indication: what is this study to answer?"
ASK_PRIOR = "Which earlier image is this study to be compared with?"

_EVIDENCE_TOOLS = frozenset({"study_context", "report_findings", "segment", "measure", "classify", "find_similar"})
_SECTIONS = {
    "impression": "impression",
    "conclusion": "impression",
    "recommendation": "recommendation",
    "recommendations": "recommendation",
}
_MENTIONED = re.compile(r"\[([SE][1-9]\d{0,4})\]")
_NAMED = re.compile(r"(?<!\w)([sSeE][1-9]\d{0,4})(?!\w)")
_MEASURED = re.compile(r"\b(?:ratio|ctr|areas?|diameters?|measure\w*|number|percent\w*)\b")
_MISSING = re.compile(r"\bnot (?:assessed|measured|mentioned|there)\b|\bmissing\b")
_OFFERED = re.compile(r"\b(?:one|it|that|this|which)\b")


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next: calls to make, or a draft to submit, or what to say; a draft may have words beside it."""

    calls: Sequence[PlannedCall] = ()
    text: str = ""
    draft: Reading | None = None
    """The reading to draft from: what it asked that is of use, and the drafts of this turn."""


def in_dialogue(tools: Collection[str]) -> bool:
    """Whether there is a person to talk with."""
    return not PERSON_TOOLS.isdisjoint(tools)


def next_step(
    messages: Sequence[ChatMessage], reading: Reading, template: ReportTemplate, tools: Sequence[ToolSpec]
) -> Step:
    """The next step of the turn that the messages show.

    Args:
        messages: The whole conversation.
        reading: What `read_conversation` makes of them.
        template: The template of the reading.
        tools: What can be called.
    """
    return _Turn.of(messages, reading, template, tools).step()


@dataclass(slots=True)
class _Turn:
    """One turn: the person's last message, and what was done about it so far."""

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
    ) -> _Turn:
        last = max(place for place, message in enumerate(messages) if message.role == "user")
        said = messages[last].text
        if read_facts(said) is not None:
            said = said[: said.rfind(OPENING)]
        made = [Asked(use.name, data_of(use.arguments), data_of(result.text)) for use, result in calls(messages[last:])]
        return cls(said, messages, messages[:last], reading, template, {tool.name: tool for tool in tools}, made)

    def step(self) -> Step:
        requests = read_requests(self.said, self.places)
        reads = [one for one in requests if one.kind in ("read", "redraft")]
        drafted = bool(self.reading.drafts)
        if not requests and not drafted:
            reads = [Request("read", "")]
        again = any(one.kind == "redraft" for one in reads)
        stands = bool(reads) and not again and self.reading.accepted and not self._submitted()
        answers = [self._answer(one) for one in requests if one.kind not in ("read", "redraft")]
        if stands:
            answers.insert(0, talk.STANDS)
        text = "\n\n".join(dict.fromkeys(answer for answer in answers if answer))
        if reads and not stands:
            return self._read(text)
        if self.planned:
            return Step(calls=list(self.planned.values()))
        return Step(text=text or talk.help_text(report=drafted, prior=self.reading.compares))

    # the reading

    def _read(self, text: str) -> Step:
        asks = self._questions()
        if asks:
            return Step(calls=asks)
        mine = replace(self.reading, asked=[one for one in self.reading.asked if not self._try_again(one)])
        for call in next_round(mine, self.template, self.tools, self._prior_argument()):
            self._plan(*call)
        if self.planned:
            return Step(calls=list(self.planned.values()))
        useful = replace(self.reading, asked=list(self._of_use()), drafts=self._submitted())
        return Step(text="" if useful.drafts else text, draft=useful)

    def _questions(self) -> list[PlannedCall]:
        """What to ask the person before the tools are called, each once in a conversation."""
        if "ask_person" not in self.tools:
            return []
        asked = {
            data_of(use.arguments).get("about")
            for use, result in calls(self.messages)
            if use.name == "ask_person" and result.text != CUT_SHORT
        }
        context = self.reading.facts.get("context")
        asks: list[PlannedCall] = []
        if "indication" not in asked and not (isinstance(context, list) and "indication" in context):
            asks.append(("ask_person", {"question": ASK_INDICATION, "about": "indication"}))
        if "prior" not in asked and self._takes_prior() and len(self._prior_days()) > 1:
            asks.append(("ask_person", {"question": ASK_PRIOR, "about": "prior"}))
        return asks

    def _prior_days(self) -> set[Any]:
        """The days of the earlier frontal images; of each one whose day is not known, its handle instead."""
        return {image.get("days_before", image.get("handle")) for image in self._priors()}

    def _priors(self) -> list[Mapping[str, Any]]:
        frontal = ("PA", "AP", "frontal")
        return [one for one in self.reading.images if one.get("role") == "prior" and one.get("view") in frontal]

    def _takes_prior(self) -> bool:
        spec = self.tools.get("report_findings")
        return spec is not None and "prior" in spec.parameters.get("properties", {})

    def _prior_argument(self, wanted: str | None = None) -> dict[str, dict[str, Any]]:
        """The prior that the person chose, as an argument of `report_findings`, unless it is the first one anyway."""
        chosen = wanted
        if chosen is None:
            for use, result in calls(self.messages):
                if use.name == "ask_person" and data_of(use.arguments).get("about") == "prior":
                    chosen = data_of(result.text).get("answer") or chosen
        first = self.reading.image("prior")
        known = chosen in {image.get("handle") for image in self._priors()}
        if not known or first is None or first.get("handle") == chosen or not self._takes_prior():
            return {}
        return {"report_findings": {"prior": chosen}}

    def _submitted(self) -> list[Asked]:
        """The drafts of this turn."""
        return [one for one in self.made if one.tool == SUBMIT]

    def _try_again(self, asked: Asked) -> bool:
        """Whether a call failed in an earlier turn: the endpoint may be back."""
        return asked.answer.get("status") == "failed" and asked not in self.made

    def _of_use(self) -> Iterator[Asked]:
        """What a draft is made of: of the findings model the answer with the prior that was chosen, else its last one;
        of each measurement the first."""
        findings = list(self.reading.by_tool("report_findings"))
        wanted = self._planned("report_findings")
        chosen = next((one for one in findings if wanted and dict(one.arguments) == wanted[1]), None)
        kept = chosen or (findings[-1] if findings else None)
        measured: set[tuple[Any, str]] = set()
        for one in self.reading.asked:
            if one.tool == "report_findings" and one.ok and one is not kept:
                continue
            if one.tool == "measure" and one.ok:
                key = one.arguments.get("image")
                rows = [row for row in one.rows("measurements") if (key, str(row.get("name"))) not in measured]
                measured |= {(key, str(row.get("name"))) for row in rows}
                yield replace(one, answer={**one.answer, "measurements": rows})
                continue
            yield one

    # requests

    def _answer(self, request: Request) -> str:
        """What to say to a request; empty while something it needs is being called."""
        handlers: dict[str, Callable[[Request], str]] = {
            "measure": self._measure,
            "segment": self._segment,
            "classify": self._classify,
            "similar": self._similar,
            "compare": self._compare,
            "presence": self._presence,
            "overview": self._overview,
            "explain": self._explain,
            "reject": self._change,
            "edit": self._change,
            "side": self._change,
            "add": self._add,
            "told": self._told,
            "show": self._show,
            "issues": self._show,
        }
        handler = handlers.get(request.kind)
        if handler is not None:
            return handler(request)
        if request.kind == "sign":
            return talk.CANNOT_SIGN
        if request.kind == "command":
            return talk.command(request.command or "")
        if request.kind == "long":
            return talk.LONG
        can = talk.help_text(report=bool(self.reading.drafts), prior=self.reading.compares)
        return can if request.kind in ("help", "thanks") else f"{talk.RULES} {can}"

    def _measure(self, request: Request) -> str:
        arguments, unknown = measure_call(request, self._image(request, "measure"))
        if arguments is None:
            return unknown
        if "diameters" in arguments["quantities"] and "structures" not in arguments:
            self._findings()
        return self._told_by("measure", arguments, talk.measured, unknown)

    def _segment(self, request: Request) -> str:
        arguments, unknown = segment_call(request, self._image(request, "segment"))
        if arguments is None:
            return unknown
        return self._told_by("segment", arguments, talk.segmented, unknown)

    def _classify(self, request: Request) -> str:
        return self._told_by("classify", classify_call(request, self._image(request, "classify")), talk.classified)

    def _similar(self, request: Request) -> str:
        return self._told_by("find_similar", self._image(request, "find_similar"), talk.similar)

    def _compare(self, request: Request) -> str:
        if not self.reading.compares:
            return talk.NO_PRIOR
        named = [handle for handle in request.images if handle not in self._current()]
        if named and named[0] not in {image.get("handle") for image in self._priors()}:
            return f"{named[0]} is no earlier frontal image of this study."
        context = self._need("study_context", {})
        findings = self._findings(named[0] if named else None)
        if context is None or findings is None:
            return ""
        wanted = self._wanted(request)
        return self._with_failures(
            talk.changed(wanted, [one for one in findings if one.ok], [one for one in [context] if one.ok]),
            [*findings, context],
        )

    def _presence(self, request: Request) -> str:
        looked = self._looked()
        if looked is None:
            return ""
        findings, classified = looked
        wanted = self._wanted(request)
        if not wanted:
            return f"{talk.RULES} {talk.help_text(report=bool(self.reading.drafts), prior=self.reading.compares)}"
        said = [talk.presence(claim, _ok(findings), _ok(classified)) for claim in wanted]
        return self._with_failures("\n".join(dict.fromkeys(said)), [*findings, *classified])

    def _overview(self, request: Request) -> str:
        looked = self._looked()
        if looked is None:
            return ""
        findings, classified = looked
        return self._with_failures(talk.overview(_ok(findings), _ok(classified)), [*findings, *classified])

    def _explain(self, request: Request) -> str:
        ids = list(request.ids)
        if not ids and _MISSING.search(request.words):
            report = self._need("current_report", {})
            return "" if report is None else talk.not_assessed(report)
        if not ids and _MEASURED.search(request.words):
            ids = [one.evidence for one in self.reading.by_tool("measure")][-1:]
            if not ids:
                return 'Nothing was measured yet. Say "measure the heart".'
        if not ids and claims(request.words):
            matching = self._matching(request.words)
            if matching is None:
                return ""
            ids = [str(row.get("id")) for row in matching][:2]
            if not ids:
                return "The report has no statement about that. /report shows what it has."
        if not ids:
            ids = self._last_mentioned()
        if not ids:
            return talk.WHICH_TO_EXPLAIN
        chains = [self._need("explain", {"id": id}) for id in ids[:4]]
        return "\n".join(talk.explained(chain) for chain in chains if chain is not None)

    def _show(self, request: Request) -> str:
        report = self._need("current_report", {})
        return "" if report is None else talk.shown(report, issues=request.kind == "issues")

    def _told(self, request: Request) -> str:
        if request.statements:
            id = request.statements[0]
            return f'To change {id}, say: change {id} to "...", or: remove {id}.'
        system = next((system for claim in claims(request.words) if (system := system_of(claim))), None)
        place = system if system and self.template.system(system) else "impression"
        return f'If the report is to say so: add to {place.replace("_", " ")}: "...". You confirm it, and it is yours.'

    # changes of the report

    def _change(self, request: Request) -> str:
        """An edit, a rejection, or a side put right: proposed, never done."""
        if request.kind == "edit" and request.new is None:
            id = request.statements[0] if request.statements else "S2"
            return f'To what? Say: change {id} to "...".'
        ids = list(request.statements)
        looked_up = not ids or request.old is not None
        rows: list[Mapping[str, Any]] = []
        if looked_up:
            report = self._need("current_report", {})
            if report is None:
                return ""
            if "statements" not in report.answer:
                return talk.NO_REPORT
            rows = self._meant(request, report)
            if isinstance(problem := self._unclear(request, rows), str):
                return problem
            ids = [str(row.get("id")) for row in rows]
        texts = {str(row.get("id")): str(row.get("text")) for row in rows}
        said = []
        for id in dict.fromkeys(ids):
            arguments: dict[str, Any] = {"do": "reject" if request.kind == "reject" else "edit", "statement": id}
            if request.kind != "reject":
                arguments["text"] = self._new_text(request, texts.get(id, ""))
            said.append(self._need("propose_edit", arguments))
        return "\n".join(talk.decided(one) for one in said if one is not None)

    def _meant(self, request: Request, report: Asked) -> list[Mapping[str, Any]]:
        """The statements that a request means."""
        rows: list[Mapping[str, Any]] = report.rows("statements")
        if request.statements:
            rows = [row for row in rows if row.get("id") in request.statements]
        if request.place is not None:
            place = self.places.get(request.place, request.place)
            rows = [row for row in rows if row.get("in") == place]
        if request.ordinal is not None:
            return rows[request.ordinal : request.ordinal + 1 or None] if -len(rows) <= request.ordinal else []
        if request.about is not None and not request.statements:
            rows = _about(rows, request.about) or ([] if request.kind != "side" else self._mentioned_rows(rows))
        elif not request.statements:
            rows = self._mentioned_rows(rows)
        if request.old is not None:
            old = re.compile(rf"\b{re.escape(request.old)}\b", re.IGNORECASE)
            rows = [row for row in rows if old.search(str(row.get("text")))]
        return rows

    def _unclear(self, request: Request, rows: Sequence[Mapping[str, Any]]) -> str | None:
        if not rows:
            what = f'with "{request.old}" in it ' if request.old else ""
            return f"I find no such statement {what}in the report. {talk.WHICH_TO_CHANGE}"
        # a side that is wrong is wrong wherever it stands
        if len(rows) > 1 and request.kind != "side":
            return talk.which_of(rows)
        return None

    def _new_text(self, request: Request, text: str) -> str:
        if request.old is None:
            return request.new or ""
        old, new = re.compile(rf"\b{re.escape(request.old)}\b", re.IGNORECASE), request.new or ""
        return old.sub(lambda found: new.capitalize() if found[0][:1].isupper() else new, text)

    def _mentioned_rows(self, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        last = [id for id in self._last_mentioned() if id.startswith("S")]
        return [row for row in rows if row.get("id") in last]

    def _add(self, request: Request) -> str:
        if request.new is None:
            return talk.WHERE_TO_ADD
        place = self.places.get(request.place or "")
        if place is None:
            systems = {system_of(claim) for claim in claims(request.new)} - {None}
            place = next(iter(systems), None) if len(systems) == 1 else None
            if place is None or self.template.system(place) is None:
                return talk.WHERE_TO_ADD
        answer = self._need("propose_edit", {"do": "add", "place": place, "text": request.new})
        return "" if answer is None else talk.decided(answer)

    def _matching(self, words: str) -> list[Mapping[str, Any]] | None:
        """The report's statements about what words name; None while the report is being asked for."""
        report = self._need("current_report", {})
        return None if report is None else _about(report.rows("statements"), words)

    def _last_mentioned(self) -> list[str]:
        """The statement or evidence that was spoken of last, by the person or in an answer."""
        for message in reversed(self.before):
            if message.role == "assistant" and (found := _MENTIONED.findall(message.text)):
                # the first one of an answer is what it was about
                return [found[0]]
            if message.role == "user" and (found := _NAMED.findall(message.text[:2000])):
                return [found[-1].upper()]
        return []

    # calls

    @property
    def places(self) -> dict[str, str]:
        """Where a statement can be put, as a person may call it."""
        named = dict(_SECTIONS)
        for system in self.template.systems:
            names = {system.key.replace("_", " "), system.title.lower()}
            names |= {name.removesuffix("s") for name in names if " " not in name}
            named.update(dict.fromkeys(names, system.key))
        return named

    def _current(self) -> set[Any]:
        return {image.get("handle") for image in self.reading.images if image.get("role") == "current"}

    def _image(self, request: Request, tool: str) -> dict[str, Any]:
        named = next((handle for handle in request.images), None)
        frontal = self.reading.image("frontal")
        handle = named or (frontal["handle"] if frontal else None)
        return {"image": handle} if handle else {}

    def _planned(self, tool: str, prior: str | None = None) -> PlannedCall | None:
        """The call of a tool as the template's protocol has it."""
        also = self._prior_argument(prior)
        found = (
            planned_call(one, self.reading, also)
            for calls in self.template.protocol
            for one in calls
            if one.tool == tool
        )
        return next((call for call in found if call is not None), None)

    def _findings(self, prior: str | None = None) -> list[Asked] | None:
        """What the findings model said; None while it is being asked."""
        call = self._planned("report_findings", prior) or (
            "report_findings",
            {**self._prior_argument(prior).get("report_findings", {})},
        )
        asked = self._need(*call)
        return None if asked is None else [asked]

    def _looked(self) -> tuple[list[Asked], list[Asked]] | None:
        """What findings model and classifier said; None while one is being asked."""
        findings = self._findings()
        call = self._planned("classify")
        classified = self._need(*call) if call else None
        if findings is None or (call and classified is None):
            return None
        # what was classified beside the template's list counts too
        more = [one for one in self.reading.by_tool("classify") if one != classified]
        return findings, [*([classified] if classified else []), *more]

    def _wanted(self, request: Request) -> list[Claim]:
        found: dict[tuple[Any, ...], Claim] = {}
        for claim in claims(request.words):
            if claim.finding is not None:
                found.setdefault(
                    (claim.finding, claim.side, claim.anatomy if claim.finding == "normal" else None), claim
                )
        return list(found.values())

    def _told_by(self, tool: str, arguments: dict[str, Any], words: Callable[[Asked], str], beside: str = "") -> str:
        asked = self._need(tool, arguments)
        return "" if asked is None else "\n".join(filter(None, [words(asked), beside]))

    def _with_failures(self, text: str, asked: Sequence[Asked]) -> str:
        failures = [f"{one.tool}: {talk.failed(one)}" for one in asked if not one.ok]
        return "\n".join([text, *dict.fromkeys(failures)])

    def _need(self, tool: str, arguments: dict[str, Any]) -> Asked | None:
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
        self._plan(tool, arguments)
        return None

    def _plan(self, tool: str, arguments: dict[str, Any]) -> None:
        self.planned.setdefault((tool, canonical_json(arguments)), (tool, arguments))


def _ok(asked: Sequence[Asked]) -> list[Asked]:
    return [one for one in asked if one.ok]


def _about(rows: Sequence[Mapping[str, Any]], words: str) -> list[Mapping[str, Any]]:
    """The statements that speak of what words name: the same findings, else the same words."""
    wanted = {claim.finding for claim in claims(words) if claim.finding}
    if wanted:
        found = [
            row
            for row in rows
            if any(same(one.finding, name) for one in claims(str(row.get("text"))) if one.finding for name in wanted)
        ]
        if found:
            return found
    content = [word.removesuffix("s") for word in re.findall(r"[a-z]{4,}", words) if not _OFFERED.fullmatch(word)]
    return [row for row in rows if content and all(word in str(row.get("text")).lower() for word in content)]
