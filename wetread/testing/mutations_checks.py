"""Injectors of the checks' own classes: side, consistency, repetition, sections and hedges."""

from __future__ import annotations

import re
from random import Random

from wetread.testing.mutation_base import (
    Mutation,
    findings,
    heading_start,
    impression,
    injector,
    insert,
    remove,
    replace,
    rewrite,
    speaking,
)
from wetread.testing.mutation_words import (
    DEVICES,
    FINDINGS,
    SIDE,
    Finding,
    asserts,
    denies,
    one_side,
    silent,
    swap_side,
)
from wetread.testing.mutations_rexerr import repeatable, sided_pairs
from wetread.testing.text_report import BODY, Edit, Sentence, TextReport

_ALL = {entry.name for entry in (*FINDINGS, *DEVICES)}


@injector("lat-1", "LAT-1")
def lat_1(report: TextReport, rng: Random) -> Mutation | None:
    """Names the other side for a finding or a device in the findings than in the impression."""
    found = sided_pairs(report, _ALL)
    if not found:
        return None
    name, _, _ = rng.choice(found)
    term = next(entry.term for entry in (*FINDINGS, *DEVICES) if entry.name == name)
    saying = [one for one in findings(report) if term.search(one.text) and SIDE.search(one.text)]
    edits = [Edit(one.field, one.start, one.end, swap_side(one.text)) for one in saying]
    return replace(report, "findings", edits[0], f"side of the {name} exchanged in the findings", *edits[1:])


@injector("lat-2", "LAT-2")
def lat_2(report: TextReport, rng: Random) -> Mutation | None:
    """Names, all through the report, the other side than the order does for the same thing."""
    for entry in rng.sample(FINDINGS, len(FINDINGS)) + rng.sample(DEVICES, len(DEVICES)):
        asked = _asked_side(report, entry.term)
        saying = [sentence for sentence in speaking(report) if entry.term.search(sentence.text)]
        sided = [sentence for sentence in saying if SIDE.search(sentence.text)]
        if asked is None or any(one_side(sentence.text) != asked for sentence in sided):
            continue
        if not any(asserts(sentence, entry.term) for sentence in sided):
            continue
        edits = [Edit(one.field, one.start, one.end, swap_side(one.text)) for one in sided]
        note = f"{entry.name} on the other side than in the order"
        return replace(report, sided[0].section, edits[0], note, *edits[1:])
    return None


def _asked_side(report: TextReport, term: re.Pattern[str]) -> str | None:
    """The one side on which the order or the indication speaks of the thing."""
    asked = [sentence.text for sentence in report.sentences("indication", "history", "exam")]
    asked += [text for text in (report.order.indication, report.order.exam) if text]
    named = {side for text in asked for side in _sides_before(text, term)}
    return named.pop() if len(named) == 1 else None


_ADJECTIVE = re.compile(r"\b(?P<side>left|right)(?:-sided| sided)?(?P<between>(?: [\w-]+){0,3}) $", re.IGNORECASE)


def _sides_before(text: str, term: re.Pattern[str]) -> set[str]:
    """The sides that stand as an adjective before the thing, with no other thing between."""
    found = set()
    for match in term.finditer(text):
        before = _ADJECTIVE.search(text[: match.start()])
        if before is None or re.search(r"\b(?:and|or|with|after|of|for|to|than|from|in|on)\b", before["between"]):
            continue
        if not any(entry.term.search(before["between"]) for entry in (*FINDINGS, *DEVICES)):
            found.add(before["side"].lower())
    return found


@injector("lat-4", "LAT-4")
def lat_4(report: TextReport, rng: Random) -> Mutation | None:
    """Takes the side of a finding that needs one out of every sentence on it."""
    for finding in rng.sample(
        [one for one in FINDINGS if one.sided and one.major], sum(f.sided and f.major for f in FINDINGS)
    ):
        saying = [sentence for sentence in speaking(report) if finding.term.search(sentence.text)]
        sided = [sentence for sentence in saying if one_side(sentence.text)]
        edits = [_without_side(sentence) for sentence in sided]
        plain = [sentence for sentence in sided if asserts(sentence, finding.term)]
        others = [sentence for sentence in saying if sentence not in sided and not denies(sentence, finding.term)]
        if not plain or others or any(edit is None for edit in edits):
            continue
        made = [edit for edit in edits if edit is not None]
        return replace(report, sided[0].section, made[0], f"side of the {finding.name} taken out", *made[1:])
    return None


_SIDE_NOUN = re.compile(
    r"\b(?:on|to|from) the (?:left|right)\b(?! +(?:side|lung|base|apex|hemi|upper|lower|mid|hil))", re.IGNORECASE
)
_SIDED_WORD = re.compile(r"\b(?:left|right)(?:-sided)?[ \n]+(?=\w)", re.IGNORECASE)


def _without_side(sentence: Sentence) -> Edit | None:
    """The sentence without its side words; None where one is no plain adjective before a noun."""
    new = _SIDED_WORD.sub("", sentence.text)
    if SIDE.search(new) or _SIDE_NOUN.search(sentence.text):
        return None
    new = re.sub(r"\ba (?=[aeiou])", "an ", new)
    return Edit(sentence.field, sentence.start, sentence.end, new[:1].upper() + new[1:])


@injector("con-1", "CON-1")
def con_1(report: TextReport, rng: Random) -> Mutation | None:
    """Denies in the findings what the impression asserts: every findings sentence on it is replaced by a denial."""
    found = []
    for finding in FINDINGS:
        saying = [sentence for sentence in findings(report) if finding.term.search(sentence.text)]
        if saying and all(asserts(one, finding.term) for one in saying):
            found += [(finding, saying) for one in impression(report) if asserts(one, finding.term)]
    if not found:
        return None
    finding, saying = rng.choice(found)
    gone = [Edit(one.field, one.start, one.end, "") for one in saying[1:]]
    return rewrite(report, saying[0], rng.choice(finding.denied), f"{finding.name} denied in the findings", *gone)


@injector("con-2", "CON-2")
def con_2(report: TextReport, rng: Random) -> Mutation | None:
    """Takes a finding of the impression out of the findings, with all that could stand for it."""
    for finding in rng.sample(FINDINGS, len(FINDINGS)):
        gone = [sentence for sentence in findings(report) if finding.term.search(sentence.text)]
        kept = [sentence for sentence in findings(report) if sentence not in gone]
        if (
            gone
            and kept
            and any(asserts(one, finding.term) for one in impression(report))
            and not any(finding.near.search(sentence.text) for sentence in kept)
        ):
            return remove(report, gone, f"{finding.name} taken out of the findings")
    return None


_NORMAL = {
    "lungs": (
        "The lungs are clear.",
        "Both lungs are clear.",
        "The lungs are normal.",
        "Lungs are clear.",
    ),
    "pleura": ("The pleural spaces are normal.", "The pleural spaces are clear.", "Normal pleural spaces."),
    "heart": ("Heart size is normal.", "The heart is normal in size.", "Normal heart size."),
    "bones": ("The bones are normal.", "The bony thorax is normal.", "Bones are normal."),
}


@injector("con-3", "CON-3")
def con_3(report: TextReport, rng: Random) -> Mutation | None:
    """Calls a system normal in the findings that hold an abnormality of it."""
    passage = report.passage("findings")
    found = [
        finding
        for finding in FINDINGS
        if finding.system in _NORMAL and any(asserts(one, finding.term) for one in findings(report))
    ]
    if passage is None or not found:
        return None
    finding = rng.choice(found)
    return insert(report, passage, rng.choice(_NORMAL[finding.system]), rng, f"normal beside {finding.name}")


@injector("con-4", "CON-4")
def con_4(report: TextReport, rng: Random) -> Mutation | None:
    """Loses a major finding of the findings from the impression."""
    found = []
    for finding in FINDINGS:
        if not finding.major or not any(asserts(one, finding.term) for one in findings(report)):
            continue
        gone = [one for one in impression(report) if finding.near.search(one.text)]
        if any(asserts(one, finding.term) for one in gone):
            found.append((finding, gone))
    if not found:
        return None
    finding, gone = rng.choice(found)
    note = f"{finding.name} lost from the impression"
    if len(gone) < len(impression(report)):
        return remove(report, gone, note)
    rest = [Edit(one.field, one.start, one.end, "") for one in gone[1:]]
    normal = rng.choice(
        ("No acute cardiopulmonary abnormality.", "No acute abnormality.", "No significant abnormality.")
    )
    return rewrite(report, gone[0], normal, note, *rest)


@injector("rep-1", "REP-1")
def rep_1(report: TextReport, rng: Random) -> Mutation | None:
    """Says a sentence a second time in other dress: with or without "There is", or its list turned round."""
    found = [
        (sentence, other)
        for sentence in speaking(report)
        if repeatable(sentence)
        for other in (_redressed(sentence.text),)
        if other is not None
    ]
    if not found:
        return None
    sentence, other = rng.choice(found)
    passage = next(
        passage
        for passage in report.passages()
        if passage.field == sentence.field and passage.start <= sentence.start < passage.end
    )
    return insert(report, passage, other, rng, "a sentence said again in other words")


_LIST = re.compile(
    r"^(?P<no>(?:There is )?no (?:evidence of )?)(?P<a>[a-z ]+?) or (?P<b>[a-z ]+?)(?P<end>\.?)$", re.IGNORECASE
)


def _redressed(text: str) -> str | None:
    if re.search(r"\b(?:is|are|was|were|has|have)\b", text) and not text.lower().startswith("there "):
        return None
    if match := _LIST.match(text):
        return f"{match['no']}{match['b']} or {match['a']}{match['end']}"
    if match := re.match(r"there (?:is|are) (?:an? )?(?P<rest>\w.*)", text, re.IGNORECASE | re.DOTALL):
        return match["rest"][:1].upper() + match["rest"][1:]
    if match := re.match(r"(?P<no>no) (?P<rest>[a-z ,]+\.?)$", text, re.IGNORECASE):
        return f"There is no {match['rest']}" if match["no"] != "NO" else f"THERE IS NO {match['rest']}"
    return None


@injector("sec-1", "SEC-1")
def sec_1(report: TextReport, rng: Random) -> Mutation | None:
    """Drops the findings or the impression, or leaves it empty."""
    present = [passage for passage in report.passages() if passage.section in ("findings", "impression")]
    if len(present) < 2 or len({passage.section for passage in present}) < len(present):
        return None
    passage = rng.choice(present)
    if report.sections is not None and rng.random() < 0.5:
        kept = {name: text for name, text in report.sections.items() if name != passage.section}
        made = report.model_copy(update={"sections": kept})
        return Mutation(made, passage.section, 0, 0, f"{passage.section} dropped")
    start = heading_start(report, passage) if rng.random() < 0.5 else passage.start
    edit = Edit(passage.field, start, passage.end, "")
    return replace(report, passage.section, edit, f"{passage.section} left empty or dropped")


@injector("sec-2", "SEC-2")
def sec_2(report: TextReport, rng: Random) -> Mutation | None:
    """Adds a section that no template knows."""
    if report.sections is None:
        return None
    name, text = rng.choice(
        (
            ("billing", "71046"),
            ("verdict", "Normal study."),
            ("summary_for_patient", "All is well."),
            ("notes2", "See above."),
        )
    )
    made = report.model_copy(update={"sections": {**report.sections, name: text}})
    return Mutation(made, name, 0, len(text), f"section {name} added")


_PLACEHOLDERS = ("[ ]", "___", "XXXX", "[side]", "[size] cm", "{finding}", "<insert>", "***")
_FILLABLE = re.compile(r"\b(?:left|right|small|moderate|large|mild|upper|lower|\d+(?:\.\d+)?)\b", re.IGNORECASE)


@injector("sec-3", "SEC-3")
def sec_3(report: TextReport, rng: Random) -> Mutation | None:
    """Leaves a placeholder of a template where a word or a number should stand."""
    found = [(one, match) for one in speaking(report) for match in _FILLABLE.finditer(one.text)]
    mark = rng.choice(_PLACEHOLDERS)
    if found:
        sentence, match = rng.choice(found)
        edit = Edit(sentence.field, sentence.start + match.start(), sentence.start + match.end(), mark)
        return replace(report, sentence.section, edit, f"{match.group()} left as {mark}")
    passage = report.passage("findings") or report.passage(BODY)
    if passage is None:
        return None
    return insert(report, passage, f"Heart size: {mark}.", rng, f"{mark} left")


@injector("unc-1", "UNC-1")
def unc_1(report: TextReport, rng: Random) -> Mutation | None:
    """Hedges with "cannot be excluded" and its kin."""
    passage = report.passage("impression") or report.passage("findings") or report.passage(BODY)
    free: list[Finding] = [finding for finding in FINDINGS if silent(report, finding.near)]
    if passage is None or not free:
        return None
    name = rng.choice(free).name
    hedge = rng.choice(
        (
            f"A small {name} cannot be excluded.",
            f"Cannot exclude {name}.",
            f"{name.capitalize()} cannot be ruled out.",
            f"Cannot rule out {name}.",
            f"Underlying {name} cannot entirely be excluded.",
            f"{name.capitalize()} is not excluded.",
        )
    )
    return insert(report, passage, hedge, rng, "a hedge that says nothing")
