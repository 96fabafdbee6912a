"""The protocol in a dialogue: a person's requests become tool calls, and what the tools answered becomes an answer.

It knows what a language model would know: the messages and the tools. Each step is made anew from them: what a request
needs and has no answer yet is called, all at once; when nothing is missing the answer is said.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wetread.agents import protocol_patterns as patterns
from wetread.agents import protocol_said as said
from wetread.agents import protocol_talk as talk
from wetread.agents.chat import ChatMessage, ToolSpec
from wetread.agents.protocol_answers import Asked, Reading, data_of, text_of
from wetread.agents.protocol_calls import classify_call, measure_call, segment_call, similar_call
from wetread.agents.protocol_corrections import added, changed, explained, shown, told
from wetread.agents.protocol_planning import PlannedCall, next_round
from wetread.agents.protocol_requests import Request, read_requests
from wetread.agents.protocol_turn import Turn
from wetread.agents.transcript import CUT_SHORT, calls
from wetread.reports.language import NORMAL, claims
from wetread.reports.model import Claim
from wetread.reports.template import ReportTemplate

ASK_INDICATION = "What is the indication: what is this study to answer?"
ASK_PRIOR = "Which earlier image is this study to be compared with?"


@dataclass(frozen=True, slots=True)
class Step:
    """What comes next: calls to make, or a draft to submit, or what to say; a draft may have words beside it."""

    calls: Sequence[PlannedCall] = ()
    text: str = ""
    draft: Reading | None = None
    """The reading to draft from: of what was asked what is of use, and the drafts of this turn."""


def next_step(
    messages: Sequence[ChatMessage], reading: Reading, template: ReportTemplate, tools: Sequence[ToolSpec]
) -> Step:
    """The next step of the turn that the messages show.

    Args:
        messages: The whole conversation.
        reading: What `read_conversation` makes of it.
        template: The template of the reading.
        tools: What can be called.
    """
    turn = Turn.of(messages, reading, template, tools)
    requests = read_requests(turn.said, turn.places)
    reads = [one for one in requests if one.kind in ("read", "redraft")]
    if not requests and not reading.drafts:
        reads = [Request("read", "")]
    again = any(one.kind == "redraft" for one in reads)
    stands = bool(reads) and not again and reading.accepted and not turn.submitted()
    answers = [_answer(turn, one) for one in requests if one.kind not in ("read", "redraft")]
    if stands:
        answers.insert(0, talk.STANDS)
    text = "\n\n".join(dict.fromkeys(answer for answer in answers if answer))
    if reads and not stands:
        return _read(turn, text)
    if turn.planned:
        return Step(calls=list(turn.planned.values()))
    return Step(text=text or _can(turn))


# the reading


def _read(turn: Turn, text: str) -> Step:
    asks = _questions(turn)
    if asks:
        return Step(calls=asks)
    kept = [one for one in turn.reading.asked if not _try_again(turn, one)]
    for call in next_round(replace(turn.reading, asked=kept), turn.template, turn.tools, turn.prior_argument()):
        turn.plan(*call)
    if turn.planned:
        return Step(calls=list(turn.planned.values()))
    drafts = turn.submitted()
    if drafts and "accepted" not in drafts[-1].answer:
        # the draft was refused as such: nothing can be mended
        return Step(text="\n\n".join(filter(None, [talk.failed(drafts[-1]), text])))
    useful = replace(turn.reading, asked=list(_of_use(turn)), drafts=drafts)
    return Step(text="" if drafts else text, draft=useful)


def _questions(turn: Turn) -> list[PlannedCall]:
    """What to ask the person before the tools are called, each once in a conversation."""
    if "ask_person" not in turn.tools:
        return []
    asked = {
        data_of(use.arguments).get("about")
        for use, result in calls(turn.messages)
        if use.name == "ask_person" and result.text != CUT_SHORT
    }
    context = turn.reading.facts.get("context")
    asks: list[PlannedCall] = []
    if "indication" not in asked and not (isinstance(context, list) and "indication" in context):
        asks.append(("ask_person", {"question": ASK_INDICATION, "about": "indication"}))
    # images of one day are one examination; where the day is not known each counts as its own
    days = {image.get("days_before", image.get("handle")) for image in turn.priors()}
    if "prior" not in asked and turn.takes_prior and len(days) > 1:
        asks.append(("ask_person", {"question": ASK_PRIOR, "about": "prior"}))
    return asks


def _try_again(turn: Turn, asked: Asked) -> bool:
    """Whether a call failed in an earlier turn: the endpoint may be back."""
    return asked.answer.get("status") == "failed" and asked not in turn.made


def _of_use(turn: Turn) -> Iterator[Asked]:
    """What a draft is made of: the findings model's answer with the prior that was chosen, else its last one; of each
    measurement the first."""
    findings = list(turn.reading.by_tool("report_findings"))
    wanted = turn.protocol_call("report_findings")
    chosen = next((one for one in findings if wanted and dict(one.arguments) == wanted[1]), None)
    kept = chosen or (findings[-1] if findings else None)
    measured: set[tuple[Any, str]] = set()
    for one in turn.reading.asked:
        if one.tool == "report_findings" and one.ok and one is not kept:
            continue
        if one.tool == "measure" and one.ok:
            image = one.arguments.get("image")
            rows = [row for row in one.rows("measurements") if (image, text_of(row.get("name"))) not in measured]
            measured |= {(image, text_of(row.get("name"))) for row in rows}
            yield replace(one, answer={**one.answer, "measurements": rows})
            continue
        yield one


# requests


def _answer(turn: Turn, request: Request) -> str:
    """What to say to a request; empty while something that it needs is being called."""
    handler = _HANDLERS.get(request.kind)
    if handler is not None:
        return handler(turn, request)
    match request.kind:
        case "sign":
            return talk.PRELIMINARY if patterns.PRELIMINARY.search(request.words) else talk.CANNOT_SIGN
        case "foreign":
            return f"{talk.ENGLISH} {_can(turn)}"
        case "command":
            return talk.command(request.command or "")
        case "long":
            return talk.LONG
        case "help":
            return talk.help_text(report=bool(turn.reading.drafts), prior=turn.reading.compares)
        case "thanks":
            return _can(turn)
    return f"{talk.RULES} {_can(turn)}"


def _can(turn: Turn) -> str:
    return talk.examples(report=bool(turn.reading.drafts), prior=turn.reading.compares)


def _measure(turn: Turn, request: Request) -> str:
    arguments, beside = measure_call(request, turn.image(request))
    if arguments is None:
        return beside
    if "diameters" in arguments["quantities"] and "structures" not in arguments:
        # diameters are those of the boxes that it draws
        turn.findings()
    return _told_by(turn, "measure", arguments, talk.measured, beside)


def _segment(turn: Turn, request: Request) -> str:
    arguments, beside = segment_call(request, turn.image(request))
    return beside if arguments is None else _told_by(turn, "segment", arguments, talk.segmented, beside)


def _classify(turn: Turn, request: Request) -> str:
    return _told_by(turn, "classify", classify_call(request, turn.image(request)), talk.classified)


def _similar(turn: Turn, request: Request) -> str:
    return _told_by(turn, "find_similar", similar_call(request, turn.image(request)), talk.similar)


def _compare(turn: Turn, request: Request) -> str:
    if not turn.reading.compares:
        return talk.NO_PRIOR
    priors = [image.get("handle") for image in turn.priors()]
    named = next((handle for handle in request.images if handle in priors), None)
    if request.images and named is None:
        return f"{request.images[0]} is no earlier frontal image of this study."
    context = turn.need("study_context", {})
    findings = turn.findings(named)
    if context is None or findings is None:
        return ""
    text = said.changed(_wanted(request), _ok([findings]), _ok([context]))
    return _with_failures(text, [findings, context])


def _presence(turn: Turn, request: Request) -> str:
    looked = _looked(turn)
    if looked is None:
        return ""
    findings, classified = looked
    told_of = [said.presence(claim, _ok(findings), _ok(classified)) for claim in _wanted(request)]
    return _with_failures("\n".join(dict.fromkeys(told_of)), [*findings, *classified])


def _overview(turn: Turn, request: Request) -> str:
    looked = _looked(turn)
    if looked is None:
        return ""
    findings, classified = looked
    systems = [system for system in map(turn.template.system, turn.places_in(request.words)) if system is not None]
    text = said.overview(_ok(findings), _ok(classified), {system.key: system.title for system in systems})
    return _with_failures(text, [*findings, *classified])


_HANDLERS: dict[str, Callable[[Turn, Request], str]] = {
    "measure": _measure,
    "segment": _segment,
    "classify": _classify,
    "similar": _similar,
    "compare": _compare,
    "presence": _presence,
    "overview": _overview,
    "explain": explained,
    "reject": changed,
    "edit": changed,
    "side": changed,
    "add": added,
    "told": told,
    "show": shown,
    "issues": shown,
}


def _looked(turn: Turn) -> tuple[list[Asked], list[Asked]] | None:
    """What findings model and classifier said; None while one is being asked."""
    findings = turn.findings()
    call = turn.protocol_call("classify")
    classified = turn.need(*call) if call else None
    if findings is None or (call and classified is None):
        return None
    # what was classified beside the template's list counts too
    more = [one for one in turn.reading.by_tool("classify") if one != classified]
    return [findings], [*([classified] if classified else []), *more]


def _wanted(request: Request) -> list[Claim]:
    """The findings that a request names, each once; that something is normal once for each site."""
    found: dict[tuple[object, ...], Claim] = {}
    for claim in claims(request.words):
        if claim.finding is not None:
            site = claim.anatomy if claim.finding == NORMAL else None
            found.setdefault((claim.finding, claim.side, site), claim)
    return list(found.values())


def _told_by(turn: Turn, tool: str, arguments: dict[str, Any], words: Callable[[Asked], str], beside: str = "") -> str:
    asked = turn.need(tool, arguments)
    return "" if asked is None else "\n".join(filter(None, [words(asked), beside]))


def _ok(asked: Sequence[Asked]) -> list[Asked]:
    return [one for one in asked if one.ok]


def _with_failures(text: str, asked: Sequence[Asked]) -> str:
    failures = [f"{one.tool}: {talk.failed(one)}" for one in asked if not one.ok]
    return "\n".join([text, *dict.fromkeys(failures)])
