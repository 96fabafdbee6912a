"""The protocol's answers in words, made of what tools answered: each with the evidence that a person can look at.

Nothing is concluded: who said what is told, and what nobody spoke of is called that, never a "no".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wetread.agents.protocol_answers import Asked, text_of
from wetread.agents.protocol_phrasing import Said
from wetread.agents.protocol_wording import capital, claims, name_of
from wetread.reports.language import NORMAL, lexicon, sentences, system_of
from wetread.reports.model import Claim
from wetread.reports.plain import listed, plain
from wetread.reports.pointing import sides_meet
from wetread.tools.outside_text import CLOSE, OPEN
from wetread.vocabulary import Assertion

MAX_LINES = 12
"""Lines of one list."""

MAX_QUOTED = 300
"""Characters of a quoted sentence."""

NO_REPORT = 'There is no report yet. Say "read this" first.'
CANNOT_SIGN = (
    "I cannot sign or release anything: only a person does, in their own name. /review goes through the report, "
    "/sign signs it."
)
NO_PRIOR = "No earlier study is here, so nothing can be said of a change. Give one with /prior PATH."
STANDS = (
    'The report stands as it is; /report shows it. To have a fresh draft from the evidence, say "read it again". '
    'Else ask: "why S2", "drop the last sentence", "change S2 to ...", "is there a pneumothorax?".'
)
RULES = "I work by rules and cannot discuss that."
LONG = (
    "That is too long for me: I read requests of a line or two. An earlier report is given with /prior PATH; words "
    'for the report with: add to lungs: "...".'
)
WHICH_TO_EXPLAIN = 'Which statement? Say for example "why S2", or "explain E3"; /report shows the numbers.'
WHICH_TO_CHANGE = 'Which statement? Say for example "remove S5", or: change S2 to "..."; /report shows the numbers.'
WHERE_TO_ADD = 'Where? Say for example: add to lungs: "...", or: add to impression: "...".'

_COMMANDS = {
    "/undo": "/undo takes back the last change.",
    "/export": "/export writes the report in a format of your choice.",
    "/save": "/save keeps the report.",
    "/quit": "/quit ends the conversation; it can be resumed.",
    "/template": "/template NAME changes the template.",
    "/model": "/model NAME changes the chat model.",
    "/cost": "/cost shows what was spent.",
    "/review": "/review goes through the report, statement by statement.",
    "/prior": "/prior PATH adds an earlier study.",
    "/new": "/new begins another study.",
    "/cancel": "Ctrl-C stops what runs; /cancel too.",
    "/show": "/show image_1 shows the image, /show E3 what an evidence points at.",
}


def command(name: str) -> str:
    """Which command does what was asked."""
    return _COMMANDS[name]


def help_text(*, report: bool, prior: bool) -> str:
    """What can be asked, with examples that fit."""
    lines = ["You can say:"]
    if not report:
        lines.append('- "read this": all tools look, and a report is drafted')
    lines += [
        '- "measure the heart", "measure the areas of the lungs", "diameters of the masses"',
        '- "segment the heart and the left lung", "classify pneumonia", "find similar cases"',
        '- "is there a pneumothorax?", "do you see a nodule on the left?", "what did you find?"',
    ]
    if prior:
        lines.append('- "is the effusion new?", "any change since last time?"')
    if report:
        lines += [
            '- "why S2", "explain E3", "where does the ratio come from?"',
            '- "drop the last sentence", "remove S5", "change S2 to ...", "add to lungs: ...": you confirm each',
            '- "read it again": a fresh draft from the evidence',
        ]
    lines.append("I cannot sign (/sign does), nor open, delete or send anything. /help lists the commands.")
    return "\n".join(lines)


# what tools found


def failed(asked: Asked) -> str:
    """That a call came to nothing, and why."""
    message = plain(text_of(asked.answer.get("message"))).rstrip(".")
    why = f"{message or 'no reason is given'}."
    return f"{capital(why)}{_cited(asked)}"


def measured(asked: Asked) -> str:
    """What was measured, and what was not measurable, and why."""
    if not asked.ok:
        return failed(asked)
    lines = []
    for row in asked.rows("measurements"):
        note = text_of(row.get("note")).strip()
        aside = f" ({note})" if note else ""
        lines.append(f"{_name(row)}: {text_of(row.get('text'))}{aside}{_cited(asked)}")
    lines += [f"{_name(row)}: not measurable, {_reason(row)}" for row in asked.rows("not_measurable")]
    return _listed(lines)


def segmented(asked: Asked) -> str:
    """Which masks are usable, with their share of the picture and their side."""
    if not asked.ok:
        return failed(asked)
    lines = []
    for row in asked.rows("structures"):
        if row.get("status") == "ok":
            side = text_of(row.get("side"))
            where = f", on the patient's {side}" if side in ("left", "right") else ""
            lines.append(f"{_name(row)}: {row.get('area_percent')} % of the picture{where}{_cited(asked)}")
        else:
            lines.append(f"{_name(row)}: no usable mask, {_reason(row)}")
    return f"{_listed(lines)}\n/show {asked.evidence} shows the masks."


def classified(asked: Asked) -> str:
    """Probabilities, with what they come to."""
    if not asked.ok:
        return failed(asked)
    rows = sorted(asked.rows("findings"), key=lambda row: -_number(row.get("probability")))
    lines = [
        f"{capital(name_of(text_of(row.get('finding'))))}: {_number(row.get('probability')):.2f}, "
        f"{text_of(row.get('says'))}{_cited(asked)}"
        for row in rows
    ]
    return f"{_listed(lines, 40)}\nUncalibrated, and without a place or side."


def similar(asked: Asked) -> str:
    """The cases found; they are of other patients."""
    if not asked.ok:
        return failed(asked)
    lines = []
    for row in asked.rows("cases"):
        labels = [plain(one) for one in row.get("labels") or () if isinstance(one, str)]
        said = f': "{quoted(text_of(row.get("snippet")))}"' if row.get("snippet") else ""
        named = f", {listed(labels)}" if labels else ""
        lines.append(f"{plain(str(row.get('case')))}, similarity {row.get('similarity')}{named}{said}{_cited(asked)}")
    return f"{_listed(lines)}\nThese are other patients: context, no finding of this one."


def presence(wanted: Claim, findings: Iterable[Asked], classifications: Iterable[Asked]) -> str:
    """Who says what of a finding, on the side that is asked for and on others."""
    finding = wanted.finding or ""
    lines: list[str] = []
    elsewhere: list[str] = []
    for asked, text, said in rows_about(findings, finding, system_of(wanted)):
        line = f'{_assertion(said)}: "{quoted(text)}"{_cited(asked)}'
        (lines if sides_meet(said.side, wanted.side) else elsewhere).append(line)
    for asked in classifications:
        for row in asked.rows("findings"):
            if lexicon().related(text_of(row.get("finding")), finding):
                probability = _number(row.get("probability"))
                aside = ", which knows no side" if wanted.side else ""
                lines.append(
                    f"{name_of(text_of(row.get('finding')))} {text_of(row.get('says'))}, probability "
                    f"{probability:.2f}, by image classification{aside}{_cited(asked)}"
                )
    named = name_of(finding, wanted.side) if finding != NORMAL else f"a normal {_site(wanted)}"
    if not lines and not elsewhere:
        return f'No tool said anything about {named}. That is no "no".'
    parts = [f"Of {named} tools say:\n{_listed(lines)}"] if lines else [f"No tool said anything about {named}."]
    if elsewhere:
        parts.append(f"Elsewhere:\n{_listed(elsewhere)}")
    return "\n".join(parts)


def overview(findings: Iterable[Asked], classifications: Iterable[Asked]) -> str:
    """All that tools say is or may be there."""
    lines: dict[str, None] = {}
    for asked in findings:
        for row in asked.rows("findings"):
            there = [
                one for one in said_in(row) if one.assertion in (Assertion.PRESENT, Assertion.UNCERTAIN) and one.finding
            ]
            if any(one.finding != NORMAL for one in there):
                lines[f"{quoted(text_of(row.get('text')))}{_cited(asked)}"] = None
    for asked in classifications:
        for row in asked.rows("findings"):
            if row.get("says") == "present":
                name = capital(name_of(text_of(row.get("finding"))))
                lines[f"{name}, by image classification, probability {_number(row.get('probability')):.2f}"] = None
    return _listed(list(lines)) if lines else "No tool said that anything abnormal is there."


def changed(wanted: Sequence[Claim], findings: Sequence[Asked], contexts: Sequence[Asked]) -> str:
    """What was said of a change of some findings, or of any change where none is named."""
    named = list(dict.fromkeys((claim.finding, claim.side) for claim in wanted if claim.finding))
    if not named:
        lines = [
            f'{listed(sorted(found))}: "{quoted(text)}"{_cited(asked)}'
            for asked, text in _sentences(findings)
            if (found := {claim.change.value for claim in claims(text) if claim.change})
        ]
        said = f"Of change tools say:\n{_listed(lines)}" if lines else "No tool said anything of a change."
        return f"{said}{_prior_report(contexts)}"
    return "\n".join(_changed(claim, findings, contexts) for claim in wanted if claim.finding)


def _changed(wanted: Claim, findings: Sequence[Asked], contexts: Sequence[Asked]) -> str:
    finding = wanted.finding or ""
    name = name_of(finding, wanted.side)
    change: list[str] = []
    today: list[str] = []
    before: list[str] = []
    for asked, text, said in rows_about(findings, finding, system_of(wanted)):
        if not sides_meet(said.side, wanted.side):
            continue
        words = {claim.change.value for claim in claims(text) if claim.change and _about(claim, wanted)}
        if words:
            change.append(f'{listed(sorted(words))}: "{quoted(text)}"{_cited(asked)}')
        else:
            today.append(f'today: "{quoted(text)}"{_cited(asked)}')
    for asked in contexts:
        for _, _, text in sentences(_outside(asked.answer.get("prior_report"))):
            if any(_about(claim, wanted) for claim in claims(text)):
                before.append(f'the earlier report: "{quoted(text)}"{_cited(asked)}')
    if change:
        return f"Of a change of {name} tools say:\n{_listed([*change, *today, *before])}"
    nothing = f"Nothing was said about a change of {name}."
    if not today and not before:
        return nothing
    missing = "" if today else f"\nOf today no tool said anything about {name}."
    return f"{nothing} What there is to compare:\n{_listed([*today, *before])}{missing}"


def rows_about(findings: Iterable[Asked], finding: str, system: str | None) -> Iterable[tuple[Asked, str, Said]]:
    """The sentences of the findings model that speak of a finding, or call its whole system normal."""
    for asked in findings:
        for row in asked.rows("findings"):
            said = next(
                (
                    one
                    for one in said_in(row)
                    if one.finding
                    and (
                        lexicon().related(one.finding, finding)
                        if NORMAL not in (one.finding, finding)
                        else one.system is not None and one.system == system
                    )
                ),
                None,
            )
            if said is not None:
                yield asked, text_of(row.get("text")), said


def said_in(row: Mapping[str, Any]) -> list[Said]:
    """What one sentence of the findings model says, claim by claim."""
    return [Said.read(row), *(Said.read(one) for one in row.get("also") or () if isinstance(one, dict))]


# the report


def explained(asked: Asked) -> str:
    """An evidence chain as lines, what something was computed from behind it."""
    if "chain" not in asked.answer:
        return failed(asked)
    id = text_of(asked.answer.get("id"))
    lines = []
    if "text" in asked.answer:
        by = ", written by the reader" if asked.answer.get("by") == "reader" else ""
        lines.append(f'[{id}]{by}: "{quoted(text_of(asked.answer.get("text")))}"')
        if asked.answer.get("before"):
            lines.append(f'Drafted as: "{quoted(text_of(asked.answer.get("before")))}"')
        support = text_of(asked.answer.get("support"))
        if support and support != "grounded":
            lines.append(f"Its evidence does not bear it out: {support}.")
    if not asked.rows("chain"):
        lines.append("It stands on no evidence.")
    for link in asked.rows("chain"):
        lines += _link(link)
    missing = [one for one in asked.answer.get("missing") or () if isinstance(one, str)]
    if missing:
        lines.append(f"Not known: {listed(missing)}.")
    return "\n".join(lines)


def _link(link: Mapping[str, Any]) -> list[str]:
    uses = [one for one in link.get("uses") or () if isinstance(one, str)]
    inputs = [one for one in link.get("inputs") or () if isinstance(one, str)]
    origin = f", {text_of(link.get('origin'))}" if link.get("origin") != "code" else ""
    computed = f", from {listed(uses)}" if uses else f", from {listed(inputs)}" if inputs else ""
    lines = [f"- [{text_of(link.get('evidence'))}] {link.get('tool')} ({link.get('model')}{origin}){computed}"]
    if link.get("status") != "ok":
        lines[0] += f": {link.get('status')}, {text_of(link.get('reason')) or 'no reason given'}"
    says = [one for one in link.get("says") or () if isinstance(one, dict)]
    for one in says[:MAX_LINES]:
        place = text_of(one.get("side"))
        chance = one.get("probability")
        about = [text_of(one.get("assertion")), place, f"{chance:.2f}" if isinstance(chance, float) else ""]
        boxed = ", boxed" if one.get("box") else ""
        lines.append(f'    "{quoted(text_of(one.get("text")))}" ({", ".join(filter(None, about))}{boxed})')
    for one in link.get("measured") or ():
        if isinstance(one, dict):
            method = f" ({text_of(one.get('method'))})" if one.get("method") else ""
            lines.append(f"    {_name(one)}: {text_of(one.get('text'))}{method}")
    lines += [f"    Note: {plain(one)}" for one in link.get("warnings") or () if isinstance(one, str)]
    return lines


def decided(asked: Asked) -> str:
    """What became of a proposed change."""
    message = plain(text_of(asked.answer.get("message")))
    if asked.answer.get("accepted") is True:
        return message or "Done."
    if asked.answer.get("status") == "refused":
        return NO_REPORT if asked.answer.get("code") == "WET-TOOL-REPORT" else f"Not changed. {message}"
    return f"Left as it is. {message}".strip()


def shown(asked: Asked, *, issues: bool) -> str:
    """What the report comes to in a line, and the command that shows it."""
    statements, found = asked.rows("statements"), asked.rows("issues")
    if "statements" not in asked.answer:
        return NO_REPORT
    errors = sum(row.get("severity") == "error" for row in found)
    counted = f"{len(found)} issue{'' if len(found) == 1 else 's'}" + (f", {errors} to resolve" if errors else "")
    if not issues:
        return f"The report has {len(statements)} statements and {counted}. /report shows it, /issues its issues."
    lines = [
        f"{row.get('code')} at {row.get('where') or 'the report'}: {plain(str(row.get('message')))}" for row in found
    ]
    return f"The report has {counted}. /issues shows them.\n{_listed(lines)}" if found else "The report has no issues."


def which_of(statements: Sequence[Mapping[str, Any]]) -> str:
    """That several statements could be meant."""
    lines = [f'{row.get("id")}: "{quoted(text_of(row.get("text")))}"' for row in statements]
    first = statements[0].get("id")
    return f'Several statements could be meant. Say which, for example "{first}":\n{_listed(lines)}'


def not_assessed(asked: Asked) -> str:
    """What the report calls not assessed, and why."""
    reasons = asked.answer.get("not_assessed")
    if not isinstance(reasons, dict):
        return NO_REPORT if "statements" not in asked.answer else "The report calls everything assessed."
    return _listed(
        [f"{str(place).replace('_', ' ')}: not assessed. {plain(str(why))}" for place, why in reasons.items()]
    )


def quoted(text: str) -> str:
    """A sentence of a tool or from outside, as it is quoted to a person."""
    line = plain(text)
    return line if len(line) <= MAX_QUOTED else f"{line[:MAX_QUOTED].rstrip()} [cut]"


def _sentences(findings: Iterable[Asked]) -> Iterable[tuple[Asked, str]]:
    return ((asked, text_of(row.get("text"))) for asked in findings for row in asked.rows("findings"))


def _prior_report(contexts: Iterable[Asked]) -> str:
    there = [asked for asked in contexts if asked.answer.get("prior_report")]
    return f"\n/evidence {there[-1].evidence} shows the earlier report." if there else ""


def _outside(value: Any) -> str:
    return text_of(value).strip().removeprefix(OPEN).removesuffix(CLOSE)


def _about(claim: Claim, wanted: Claim) -> bool:
    return bool(
        claim.finding
        and wanted.finding
        and lexicon().related(claim.finding, wanted.finding)
        and sides_meet(claim.side, wanted.side)
    )


def _assertion(said: Said) -> str:
    side = f", {said.side.value}" if said.side else ""
    return f"{'normal' if said.finding == NORMAL else said.assertion.value}{side}"


def _site(claim: Claim) -> str:
    site = lexicon().anatomies.get(claim.anatomy or "")
    return site.name if site else "finding"


def _name(row: Mapping[str, Any]) -> str:
    return capital(text_of(row.get("name")).replace("_", " "))


def _reason(row: Mapping[str, Any]) -> str:
    return plain(text_of(row.get("reason"))).rstrip(".") + "."


def _number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _cited(asked: Asked) -> str:
    return f" [{asked.evidence}]" if asked.evidence else ""


def _listed(lines: Sequence[str], most: int = MAX_LINES) -> str:
    more = [f"- and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([*(f"- {line}" for line in lines[:most]), *more])
