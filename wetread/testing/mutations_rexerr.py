"""Injectors of ReXErr's twelve classes of errors in chest radiograph reports.

Classes: Rao et al., ReXErr: Synthesizing Clinically Meaningful Errors in Diagnostic Radiology Reports (2025).
A class that can be planted where a text alone shows it and where it does not is split in two, so that the share which
no check of a text can claim is not hidden in the other.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random

from wetread.testing.mutation_base import Mutation, findings, impression, injector, insert, replace, rewrite, speaking
from wetread.testing.mutation_words import (
    BOTH,
    COMMUNICATED,
    DEVICES,
    FINDINGS,
    SEVERITY,
    SEVERITY_WORD,
    SIDE,
    Device,
    asserts,
    denies,
    like,
    one_side,
    silent,
    swap_side,
)
from wetread.testing.text_report import Edit, Sentence, TextReport

MEASURE = re.compile(
    r"(?<![\d./])(?P<number>\d{1,3}(?:\.\d)?)(?P<gap>[ -]?)(?P<unit>mm|cm|millimet(?:er|re)s?|centimet(?:er|re)s?)\b",
    re.IGNORECASE,
)
"""A length in a text."""

_TYPO_WORD = re.compile(r"\b[A-Za-z]{6,}\b")
_HOMOPHONES = {
    "pleural": "plural",
    "right": "write",
    "seen": "scene",
    "no": "know",
    "new": "knew",
    "there": "their",
    "heart": "hart",
    "base": "bass",
    "air": "heir",
    "site": "sight",
    "lesion": "legion",
    "vein": "vain",
    "great": "grate",
    "to": "two",
    "one": "won",
    "for": "four",
    "size": "sighs",
    "all": "awl",
    "or": "ore",
    "by": "buy",
}
_HOMOPHONE = re.compile(r"\b(?:" + "|".join(_HOMOPHONES) + r")\b", re.IGNORECASE)
_ZONES = {
    "upper": "lower",
    "lower": "upper",
    "apical": "basal",
    "basal": "apical",
    "basilar": "apical",
    "apex": "base",
    "base": "apex",
}
_ZONE = re.compile(r"\b(?:" + "|".join(_ZONES) + r")\b", re.IGNORECASE)


def device_free(report: TextReport, device: Device) -> bool:
    """Whether no sentence of a report, denials included, names a device of that kind."""
    return not any(device.term.search(passage.text) for passage in report.passages())


def pairs(report: TextReport) -> list[tuple[str, Sentence, Sentence]]:
    """Each finding or device that a findings sentence and an impression sentence both plainly assert."""
    terms = [(entry.name, entry.term) for entry in (*FINDINGS, *DEVICES)]
    return [
        (name, one, other)
        for name, term in terms
        for one in findings(report)
        if asserts(one, term)
        for other in impression(report)
        if asserts(other, term)
    ]


@injector("add-device", "CON-2", rexerr="Add Medical Device")
def add_device(report: TextReport, rng: Random) -> Mutation | None:
    """Puts a device into the impression that the report nowhere names."""
    passage = report.passage("impression")
    free = [device for device in DEVICES if device_free(report, device)]
    if passage is None or report.passage("findings") is None or not free:
        return None
    device = rng.choice(free)
    return insert(report, passage, rng.choice(device.added), rng, f"{device.name} added to the impression alone")


@injector("add-device-findings", rexerr="Add Medical Device")
def add_device_findings(report: TextReport, rng: Random) -> Mutation | None:
    """Puts a device into the findings that the report nowhere names: only the picture can tell."""
    passage = report.passage("findings")
    free = [device for device in DEVICES if device_free(report, device)]
    if passage is None or not free:
        return None
    device = rng.choice(free)
    return insert(report, passage, rng.choice(device.added), rng, f"{device.name} added to the findings alone")


@injector("false-prediction", "CON-1", "CON-2", rexerr="False Prediction")
def false_prediction(report: TextReport, rng: Random) -> Mutation | None:
    """Puts a finding into the impression that the findings deny or never mention."""
    passage = report.passage("impression")
    free = [finding for finding in FINDINGS if silent(report, finding.near)]
    if passage is None or report.passage("findings") is None or not free:
        return None
    finding = rng.choice(free)
    return insert(report, passage, rng.choice(finding.added), rng, f"{finding.name} added to the impression alone")


@injector("false-negation", "CON-1", rexerr="False Negation")
def false_negation(report: TextReport, rng: Random) -> Mutation | None:
    """Turns an impression sentence that asserts a finding of the findings into its denial."""
    found = [
        (finding, other)
        for finding in FINDINGS
        if any(asserts(one, finding.term) for one in findings(report))
        for other in impression(report)
        if asserts(other, finding.term) and not COMMUNICATED.search(other.text)
    ]
    if not found:
        return None
    finding, sentence = rng.choice(found)
    return rewrite(report, sentence, rng.choice(finding.denied), f"{finding.name} denied where it was asserted")


@injector("repetition", "REP-1", rexerr="Add Repetitions")
def repetition(report: TextReport, rng: Random) -> Mutation | None:
    """Says a sentence of the findings or of the impression a second time, word for word."""
    found = [sentence for sentence in speaking(report) if repeatable(sentence)]
    if not found:
        return None
    sentence = rng.choice(found)
    passage = next(
        passage
        for passage in report.passages()
        if passage.field == sentence.field and passage.start <= sentence.start < passage.end
    )
    return insert(report, passage, sentence.text, rng, "a sentence said twice")


def repeatable(sentence: Sentence) -> bool:
    """Whether a sentence says enough for its repetition to be an error."""
    words = re.findall(r"[A-Za-z]+", sentence.text)
    return sentence.section in ("findings", "impression", "body") and len(words) >= 3 and ":" not in sentence.text


@injector("contradiction", "CON-1", rexerr="Add Contradictions")
def contradiction(report: TextReport, rng: Random) -> Mutation | None:
    """Adds to the findings the opposite of what they say of a finding."""
    passage = report.passage("findings")
    if passage is None:
        return None
    found: list[str] = []
    for finding in FINDINGS:
        if any(asserts(sentence, finding.term) for sentence in findings(report)):
            found += finding.denied
        elif silent(report, finding.term) and any(denies(sentence, finding.term) for sentence in findings(report)):
            found += finding.added
    if not found:
        return None
    sentence = rng.choice(found)
    return insert(report, passage, sentence, rng, "the opposite of a sentence of the findings")


@injector("device-name", "CON-2", rexerr="Change Name of Device")
def device_name(report: TextReport, rng: Random) -> Mutation | None:
    """Calls a device of the findings by another device's name in the impression."""
    found = []
    for device in DEVICES:
        if not any(device.term.search(sentence.text) for sentence in findings(report)):
            continue
        free = [name for name in device.swaps if not _named(report, name)]
        found += [
            (device, free, sentence) for sentence in impression(report) if free and asserts(sentence, device.term)
        ]
    return _rename(report, rng, found)


@injector("device-name-findings", rexerr="Change Name of Device")
def device_name_findings(report: TextReport, rng: Random) -> Mutation | None:
    """Calls a device by another name in the only place that names it: only the picture can tell."""
    found = []
    for device in DEVICES:
        if any(device.term.search(passage.text) for passage in report.passages() if passage.section != "findings"):
            continue
        free = [name for name in device.swaps if not _named(report, name)]
        naming = [sentence for sentence in findings(report) if device.term.search(sentence.text)]
        if free and len(naming) == 1:
            found.append((device, free, naming[0]))
    return _rename(report, rng, found)


def _named(report: TextReport, name: str) -> bool:
    terms = [device.term for device in DEVICES if device.term.search(name)] or [
        re.compile(re.escape(name), re.IGNORECASE)
    ]
    return any(term.search(passage.text) for term in terms for passage in report.passages())


def _rename(report: TextReport, rng: Random, found: list[tuple[Device, list[str], Sentence]]) -> Mutation | None:
    if not found:
        return None
    device, free, sentence = rng.choice(found)
    match = device.term.search(sentence.text)
    if match is None:
        return None
    new = like(rng.choice(free), match.group() if sentence.text.isupper() or match.start() == 0 else "a")
    start = sentence.start + match.start()
    edit = Edit(sentence.field, start, start + len(match.group()), new)
    return replace(report, sentence.section, edit, f"{device.name} called {new}")


_TUBE_PLACES = (
    ("Endotracheal tube tip lies in the right main bronchus.", "endotracheal tube"),
    ("The endotracheal tube tip is in the right mainstem bronchus.", "endotracheal tube"),
    ("The nasogastric tube passes into the right lower lobe bronchus.", "nasogastric tube"),
    ("Nasogastric tube tip projects over the left lower lobe bronchus.", "nasogastric tube"),
)


@injector("device-position", "CRT-1", rexerr="Change Position of Device")
def device_position(report: TextReport, rng: Random) -> Mutation | None:
    """Puts the tip of an endotracheal or gastric tube into a bronchus, of which nobody has been told."""
    if communicated(report):
        return None
    found = [
        (sentence, place, device)
        for device in DEVICES
        for place, name in _TUBE_PLACES
        if name == device.name
        for sentence in findings(report)
        if asserts(sentence, device.term)
        and re.search(r"\b(?:tip|carina|stomach|gastric)\b", sentence.text, re.IGNORECASE)
    ]
    if not found:
        return None
    sentence, place, device = rng.choice(found)
    return rewrite(report, sentence, place, f"{device.name} put into the airway")


def communicated(report: TextReport) -> bool:
    """Whether a report tells of a communication anywhere."""
    return any(COMMUNICATED.search(passage.text) for passage in report.passages())


@injector("device-side", "LAT-1", rexerr="Change Position of Device")
def device_side(report: TextReport, rng: Random) -> Mutation | None:
    """Names the other side for a device in the impression than in the findings."""
    return _swap_in_impression(report, rng, {device.name for device in DEVICES})


@injector("location", "LAT-1", rexerr="Change Location")
def location(report: TextReport, rng: Random) -> Mutation | None:
    """Names the other side for a finding in the impression than in the findings."""
    return _swap_in_impression(report, rng, {finding.name for finding in FINDINGS})


def sided_pairs(report: TextReport, names: set[str]) -> list[tuple[str, Sentence, Sentence]]:
    """Pairs with one and the same side in both sections, where the findings give that thing no other side."""
    terms = {entry.name: entry.term for entry in (*FINDINGS, *DEVICES)}
    found = []
    for name, one, other in pairs(report):
        if name not in names or one_side(one.text) != one_side(other.text) or one_side(one.text) is None:
            continue
        speaking_of_it = [sentence for sentence in report.sentences() if terms[name].search(sentence.text)]
        mixed = any(len(_plain_sides(sentence.text)) > 1 or BOTH.search(sentence.text) for sentence in speaking_of_it)
        named = {side for sentence in speaking_of_it for side in _plain_sides(sentence.text)}
        if not mixed and len(named) == 1:
            found.append((name, one, other))
    return found


def _plain_sides(text: str) -> set[str]:
    return {match["side"].lower() for match in SIDE.finditer(text)}


def _swap_in_impression(report: TextReport, rng: Random, names: set[str]) -> Mutation | None:
    found = sided_pairs(report, names)
    if not found:
        return None
    name, _, sentence = rng.choice(found)
    edit = Edit(sentence.field, sentence.start, sentence.end, swap_side(sentence.text))
    return replace(report, sentence.section, edit, f"side of the {name} exchanged in the impression")


@injector("location-zone", rexerr="Change Location")
def location_zone(report: TextReport, rng: Random) -> Mutation | None:
    """Names another zone or lobe of the same side in the impression than in the findings."""
    found = []
    for name, one, other in pairs(report):
        zones = _ZONE.findall(other.text)
        if len(zones) == 1 and zones[0].lower() in one.text.lower():
            found.append((name, other))
    if not found:
        return None
    name, sentence = rng.choice(found)
    new = _ZONE.sub(lambda match: like(_ZONES[match.group().lower()], match.group()), sentence.text)
    edit = Edit(sentence.field, sentence.start, sentence.end, new)
    return replace(report, sentence.section, edit, f"zone of the {name} exchanged in the impression")


@injector("severity", rexerr="Change Severity")
def severity(report: TextReport, rng: Random) -> Mutation | None:
    """Gives a finding another severity in the impression than in the findings."""
    found = []
    for name, one, other in pairs(report):
        words = SEVERITY_WORD.findall(other.text)
        if len(words) == 1 and words[0].lower() in one.text.lower():
            found.append((name, other))
    if not found:
        return None
    name, sentence = rng.choice(found)
    new = SEVERITY_WORD.sub(lambda match: like(SEVERITY[match.group().lower()], match.group()), sentence.text)
    edit = Edit(sentence.field, sentence.start, sentence.end, new)
    return replace(report, sentence.section, edit, f"severity of the {name} exchanged in the impression")


def measures(sentences: list[Sentence]) -> list[tuple[Sentence, re.Match[str]]]:
    """All lengths that sentences give."""
    return [(sentence, match) for sentence in sentences for match in MEASURE.finditer(sentence.text)]


def other_number(number: str, rng: Random, taken: set[float]) -> str:
    """A number of the same form that is plainly another one, as large as a reader would believe."""
    digits = 1 if "." in number else 0
    value = float(number)
    choices = [value * factor for factor in (0.3, 0.5, 1.6, 1.8, 2.2)] + [value + step for step in (1, 2, 3)]
    for choice in rng.sample(choices, len(choices)):
        new = round(choice, digits)
        if new > 0 and new not in taken and abs(new - value) >= 0.2:
            return f"{new:.{digits}f}"
    return f"{value + 7:.{digits}f}"


def _millimetres(match: re.Match[str]) -> float:
    value = float(match["number"])
    return value * 10 if match["unit"].lower().startswith("c") else value


@injector("measurement", "NUM-1", rexerr="Change Measurement")
def measurement(report: TextReport, rng: Random) -> Mutation | None:
    """Changes a length in the impression that the findings give."""
    given = {_millimetres(match) for _, match in measures(findings(report))}
    found = [(sentence, match) for sentence, match in measures(impression(report)) if _millimetres(match) in given]
    return _change_number(report, rng, found)


@injector("measurement-findings", rexerr="Change Measurement")
def measurement_findings(report: TextReport, rng: Random) -> Mutation | None:
    """Changes a length that stands in the findings alone: only the picture can tell."""
    said = {_millimetres(match) for _, match in measures(impression(report))}
    found = [(sentence, match) for sentence, match in measures(findings(report)) if _millimetres(match) not in said]
    return _change_number(report, rng, found)


def _change_number(report: TextReport, rng: Random, found: list[tuple[Sentence, re.Match[str]]]) -> Mutation | None:
    if not found:
        return None
    sentence, match = rng.choice(found)
    taken = {float(number) for text in report.fields().values() for number in re.findall(r"\d+(?:\.\d+)?", text)}
    taken |= {value * 10 for value in taken} | {value / 10 for value in taken}
    new = other_number(match["number"], rng, taken)
    edit = Edit(sentence.field, sentence.start + match.start("number"), sentence.start + match.end("number"), new)
    return replace(report, sentence.section, edit, f"{match['number']} made {new}")


@injector("homophone", rexerr="Change to Homophone")
def homophone(report: TextReport, rng: Random) -> Mutation | None:
    """Writes a word as another one that sounds alike."""
    return _misspell(report, rng, _HOMOPHONE, lambda word: like(_HOMOPHONES[word.lower()], word))


@injector("typo", rexerr="Add Typo")
def typo(report: TextReport, rng: Random) -> Mutation | None:
    """Exchanges two neighbouring letters of a word."""

    def slip(word: str) -> str:
        places = [index for index in range(1, len(word) - 2) if word[index].lower() != word[index + 1].lower()]
        if not places:
            return word
        at = rng.choice(places)
        return word[:at] + word[at + 1] + word[at] + word[at + 2 :]

    return _misspell(report, rng, _TYPO_WORD, slip)


def _misspell(report: TextReport, rng: Random, pattern: re.Pattern[str], slip: Callable[[str], str]) -> Mutation | None:
    found = [(sentence, match) for sentence in speaking(report) for match in pattern.finditer(sentence.text)]
    if not found:
        return None
    sentence, match = rng.choice(found)
    new = slip(match.group())
    if new == match.group():
        return None
    edit = Edit(sentence.field, sentence.start + match.start(), sentence.start + match.end(), new)
    return replace(report, sentence.section, edit, f"{match.group()} written {new}")
