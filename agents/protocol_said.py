"""Who said what of a finding: told from the tools' answers, with the evidence. Nothing is concluded from it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wetread.agents.protocol_answers import Asked, text_of
from wetread.agents.protocol_phrasing import Said
from wetread.agents.protocol_talk import cited, in_lines, number, quoted
from wetread.agents.protocol_wording import capital, name_of
from wetread.reports.language import NORMAL, claims, lexicon, sentences, system_of
from wetread.reports.model import Claim
from wetread.reports.plain import listed
from wetread.reports.pointing import sides_meet
from wetread.tools.outside_text import CLOSE, OPEN
from wetread.vocabulary import Assertion


def presence(wanted: Claim, findings: Iterable[Asked], classifications: Iterable[Asked]) -> str:
    """Who says what of a finding, on the side that is asked for and on others."""
    finding = wanted.finding or ""
    lines: list[str] = []
    elsewhere: list[str] = []
    boxed: list[str] = []
    for asked, row, said in rows_about(findings, finding, system_of(wanted)):
        line = f'{_assertion(said)}: "{quoted(text_of(row.get("text")))}"{cited(asked)}'
        boxed += [asked.evidence] if row.get("box") is True else []
        (lines if sides_meet(said.side, wanted.side) else elsewhere).append(line)
    for asked in classifications:
        for row in asked.rows("findings"):
            if lexicon().related(text_of(row.get("finding")), finding):
                probability = number(row.get("probability"))
                aside = ", which knows no side" if wanted.side else ""
                lines.append(
                    f"{name_of(text_of(row.get('finding')))} {text_of(row.get('says'))}, probability "
                    f"{probability:.2f}, by image classification{aside}{cited(asked)}"
                )
    named = name_of(finding, wanted.side) if finding != NORMAL else f"whether the {_site(wanted)} is normal"
    if not lines and not elsewhere:
        return f'No tool said anything about {named}. That is no "no".'
    parts = [f"Of {named} tools say:\n{in_lines(lines)}"] if lines else [f"No tool said anything about {named}."]
    if elsewhere:
        parts.append(f"Elsewhere:\n{in_lines(elsewhere)}")
    if boxed:
        parts.append(f"/show {boxed[0]} shows where.")
    return "\n".join(parts)


def overview(findings: Iterable[Asked], classifications: Iterable[Asked], systems: Mapping[str, str]) -> str:
    """All that tools say is or may be there, in some systems (key to title) or in all."""
    lines: dict[str, None] = {}
    for asked in findings:
        for row in asked.rows("findings"):
            told = [one for one in said_in(row) if one.finding and (not systems or one.system in systems)]
            there = [one for one in told if one.assertion in (Assertion.PRESENT, Assertion.UNCERTAIN)]
            # asked of one system, what is called normal or absent there is an answer too
            if told and (systems or any(one.finding != NORMAL for one in there)):
                lines[f"{quoted(text_of(row.get('text')))}{cited(asked)}"] = None
    for asked in classifications:
        for row in asked.rows("findings"):
            finding = text_of(row.get("finding"))
            if (row.get("says") == "present" or systems) and (not systems or system_of(finding) in systems):
                chance = f"probability {number(row.get('probability')):.2f}"
                said = f"{capital(name_of(finding))} {text_of(row.get('says'))}, by image classification, {chance}"
                lines[f"{said}{cited(asked)}"] = None
    if lines:
        return in_lines(list(lines))
    if systems:
        return f'No tool said anything about: {listed(list(systems.values()))}. That is no "normal".'
    return "No tool said that anything abnormal is there."


def changed(wanted: Sequence[Claim], findings: Sequence[Asked], contexts: Sequence[Asked]) -> str:
    """What was said of a change of some findings, or of any change where none is named."""
    named = list(dict.fromkeys((claim.finding, claim.side) for claim in wanted if claim.finding))
    if not named:
        lines = [
            f'{listed(sorted(found))}: "{quoted(text)}"{cited(asked)}'
            for asked, text in _sentences(findings)
            if (found := {claim.change.value for claim in claims(text) if claim.change})
        ]
        said = f"Of change tools say:\n{in_lines(lines)}" if lines else "No tool said anything of a change."
        return f"{said}{_prior_report(contexts)}"
    return "\n".join(_changed(claim, findings, contexts) for claim in wanted if claim.finding)


def _changed(wanted: Claim, findings: Sequence[Asked], contexts: Sequence[Asked]) -> str:
    finding = wanted.finding or ""
    name = name_of(finding, wanted.side)
    change: list[str] = []
    today: list[str] = []
    before: list[str] = []
    for asked, row, said in rows_about(findings, finding, system_of(wanted)):
        text = text_of(row.get("text"))
        if not sides_meet(said.side, wanted.side):
            continue
        words = {claim.change.value for claim in claims(text) if claim.change and _about(claim, wanted)}
        if words:
            change.append(f'{listed(sorted(words))}: "{quoted(text)}"{cited(asked)}')
        else:
            today.append(f'today: "{quoted(text)}"{cited(asked)}')
    for asked in contexts:
        for _, _, text in sentences(_outside(asked.answer.get("prior_report"))):
            if any(_about(claim, wanted) for claim in claims(text)):
                before.append(f'the earlier report: "{quoted(text)}"{cited(asked)}')
    if change:
        return f"Of a change of {name} tools say:\n{in_lines([*change, *today, *before])}"
    nothing = f"Nothing was said about a change of {name}."
    if not today and not before:
        return f"{nothing} No tool and no earlier report speaks of it."
    missing = "" if today else f"\nOf today no tool said anything about {name}."
    return f"{nothing} What there is to compare:\n{in_lines([*today, *before])}{missing}"


def rows_about(
    findings: Iterable[Asked], finding: str, system: str | None
) -> Iterable[tuple[Asked, Mapping[str, Any], Said]]:
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
                yield asked, row, said


def said_in(row: Mapping[str, Any]) -> list[Said]:
    """What one sentence of the findings model says, claim by claim."""
    return [Said.read(row), *(Said.read(one) for one in row.get("also") or () if isinstance(one, dict))]


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
