"""The protocol's answers in words, made of what tools answered: each with the evidence that a person can look at.

Nothing is concluded: who said what is told, and what nobody spoke of is called that, never a "no".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from wetread.agents.protocol_answers import Asked, text_of
from wetread.agents.protocol_wording import capital, name_of
from wetread.reports.plain import listed, plain

MAX_LINES = 12
"""Lines of one list."""

MAX_QUOTED = 300
"""Characters of a quoted sentence."""

NO_REPORT = 'There is no report yet. Say "read this" first.'
CANNOT_SIGN = (
    "I cannot sign or release anything: only a person does, in their own name. /review goes through the report, "
    "/sign signs it."
)
PRELIMINARY = (
    "I cannot sign or release anything: only a person does, in their own name. /sign preliminary releases the report "
    "as read, not signed; /review goes through it before."
)
NO_PRIOR = "No earlier study is here, so nothing can be said of a change. Give one with /prior PATH."
STANDS = (
    'The report stands as it is; /report shows it. To have a fresh draft from the evidence, say "read it again". '
    'Else ask: "why S2", "drop the last sentence", "change S2 to ...", "is there a pneumothorax?".'
)
RULES = "I work by rules and cannot discuss that."
ENGLISH = "I read requests in English only, and cannot tell what that asks for."
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


def examples(*, report: bool, prior: bool) -> str:
    """The same in a line."""
    asked = ['"measure the heart"', '"segment the lungs"', '"is there a pneumothorax?"']
    asked += ['"is the effusion new?"'] if prior else []
    asked += ['"why S2"', '"remove S5"', '"read it again"'] if report else []
    first = [] if report else ['"read this"']
    return f'You can say {", ".join([*first, *asked])}; "help" lists all. I cannot sign, open, delete or send anything.'


# what tools found


def failed(asked: Asked) -> str:
    """That a call came to nothing, and why."""
    message = plain(text_of(asked.answer.get("message"))).rstrip(".")
    why = f"{message or 'no reason is given'}."
    return f"{capital(why)}{cited(asked)}"


def measured(asked: Asked) -> str:
    """What was measured, and what was not measurable, and why."""
    if not asked.ok:
        return failed(asked)
    lines = []
    for row in asked.rows("measurements"):
        note = text_of(row.get("note")).strip()
        aside = f" ({note})" if note else ""
        lines.append(f"{_name(row)}: {text_of(row.get('text'))}{aside}{cited(asked)}")
    lines += [f"{_name(row)}: not measurable, {_reason(row)}" for row in asked.rows("not_measurable")]
    return in_lines(lines)


def segmented(asked: Asked) -> str:
    """Which masks are usable, with their share of the picture and their side."""
    if not asked.ok:
        return failed(asked)
    lines = []
    for row in asked.rows("structures"):
        if row.get("status") == "ok":
            side = text_of(row.get("side"))
            where = f", on the patient's {side}" if side in ("left", "right") else ""
            lines.append(f"{_name(row)}: {row.get('area_percent')} % of the picture{where}{cited(asked)}")
        else:
            lines.append(f"{_name(row)}: no usable mask, {_reason(row)}")
    return f"{in_lines(lines)}\n/show {asked.evidence} shows the masks."


def classified(asked: Asked) -> str:
    """Probabilities, with what they come to."""
    if not asked.ok:
        return failed(asked)
    rows = sorted(asked.rows("findings"), key=lambda row: -number(row.get("probability")))
    lines = [
        f"{capital(name_of(text_of(row.get('finding'))))}: {number(row.get('probability')):.2f}, "
        f"{text_of(row.get('says'))}{cited(asked)}"
        for row in rows
    ]
    return f"{in_lines(lines, 40)}\nUncalibrated, and without a place or side."


def similar(asked: Asked) -> str:
    """The cases found; they are of other patients."""
    if not asked.ok:
        return failed(asked)
    lines = []
    for row in asked.rows("cases"):
        labels = [plain(one) for one in row.get("labels") or () if isinstance(one, str)]
        said = f': "{quoted(text_of(row.get("snippet")))}"' if row.get("snippet") else ""
        named = f", {listed(labels)}" if labels else ""
        lines.append(f"{plain(str(row.get('case')))}, similarity {row.get('similarity')}{named}{said}{cited(asked)}")
    return f"{in_lines(lines)}\nThese are other patients: context, no finding of this one."


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
    model = plain(text_of(link.get("model")))
    lines = [f"- [{text_of(link.get('evidence'))}] {text_of(link.get('tool'))} ({model}{origin}){computed}"]
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
    return f"The report has {counted}. /issues shows them.\n{in_lines(lines)}" if found else "The report has no issues."


def which_of(statements: Sequence[Mapping[str, Any]]) -> str:
    """That several statements could be meant."""
    lines = [f'{row.get("id")}: "{quoted(text_of(row.get("text")))}"' for row in statements]
    first = statements[0].get("id")
    return f'Several statements could be meant. Say which, for example "{first}":\n{in_lines(lines)}'


def not_assessed(asked: Asked, systems: Sequence[str]) -> str:
    """What the report calls not assessed, of some systems or of all, and why."""
    if "statements" not in asked.answer:
        return NO_REPORT
    reasons = asked.answer.get("not_assessed")
    reasons = reasons if isinstance(reasons, dict) else {}
    reasons = {place: why for place, why in reasons.items() if not systems or place in systems}
    if not reasons:
        return "The report does not call that not assessed." if systems else "The report calls everything assessed."
    return in_lines(
        [f"{str(place).replace('_', ' ')}: not assessed. {plain(str(why))}" for place, why in reasons.items()]
    )


def quoted(text: str) -> str:
    """A sentence of a tool or from outside, as it is quoted to a person."""
    line = plain(text)
    return line if len(line) <= MAX_QUOTED else f"{line[:MAX_QUOTED].rstrip()} [cut]"


def _name(row: Mapping[str, Any]) -> str:
    # the share of the picture is told as such, behind the number
    return capital(text_of(row.get("name")).removesuffix("_percent").replace("_", " "))


def _reason(row: Mapping[str, Any]) -> str:
    return plain(text_of(row.get("reason"))).rstrip(".") + "."


def number(value: Any) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def cited(asked: Asked) -> str:
    return f" [{asked.evidence}]" if asked.evidence else ""


def in_lines(lines: Sequence[str], most: int = MAX_LINES) -> str:
    more = [f"- and {len(lines) - most} more"] if len(lines) > most else []
    return "\n".join([*(f"- {line}" for line in lines[:most]), *more])
