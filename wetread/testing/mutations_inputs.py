"""Injectors of the checks' own classes that turn on inputs: priors, numbers and communication."""

from __future__ import annotations

import re
from datetime import date, timedelta
from random import Random

from wetread.testing.mutation_base import (
    Mutation,
    compares,
    findings,
    heading_start,
    impression,
    in_style,
    injector,
    insert,
    place,
    remove,
    replace,
    rewrite,
    speaking,
)
from wetread.testing.mutation_words import CHANGE, COMMUNICATED, CRITICAL, FINDINGS, asserts
from wetread.testing.mutations_rexerr import communicated, measures
from wetread.testing.text_report import BODY, Edit, Passage, Sentence, TextReport

_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
DATE = re.compile(
    r"\b(?:\d{1,2}[ -](?:" + "|".join(month[:3] + "[a-z]*" for month in _MONTHS) + r")[ -,]+\d{4}"
    r"|(?:" + "|".join(month[:3] + "[a-z]*" for month in _MONTHS) + r") \d{1,2}, \d{4}"
    r"|\d{1,2}[/.]\d{1,2}[/.](?:\d{4}|\d{2})|\d{4}-\d{2}-\d{2})\b",
    re.IGNORECASE,
)
"""A date in one of its usual spellings."""


def _spelt(day: date, rng: Random) -> str:
    month = _MONTHS[day.month - 1]
    return rng.choice((f"{day.day} {month} {day.year}", f"{month} {day.day}, {day.year}"))


@injector("pri-1", "PRI-1")
def pri_1(report: TextReport, rng: Random) -> Mutation | None:
    """Speaks of a change where no earlier study was there to compare with."""
    if compares(report) or any(CHANGE.search(one.text) for one in report.sentences("comparison", *_SPOKEN)):
        return None
    found = [
        one
        for one in speaking(report)
        if one.text.endswith(".") and any(asserts(one, entry.term) for entry in FINDINGS)
    ]
    if found and rng.random() < 0.7:
        sentence = rng.choice(found)
        words = rng.choice(
            (
                ", unchanged from the prior study.",
                ", increased since the previous radiograph.",
                ", decreased in the interval.",
                ", stable.",
                ", slightly larger than before.",
                ", improved compared with the last film.",
            )
        )
        end = sentence.end - 1
        return replace(
            report, sentence.section, Edit(sentence.field, end, sentence.end, _in_case(words, sentence)), "a change"
        )
    passage = place(report)
    if passage is None:
        return None
    sentence_added = rng.choice(
        (
            "No interval change.",
            "Unchanged appearances since the previous radiograph.",
            "There has been interval improvement in aeration.",
            "Interval removal of the endotracheal tube.",
            "The cardiac silhouette is stable compared with the prior study.",
            "Lung volumes are lower than on the previous film.",
        )
    )
    return insert(report, passage, sentence_added, rng, "a change")


_SPOKEN = ("findings", "impression", "recommendation", BODY)


def _in_case(words: str, sentence: Sentence) -> str:
    return words.upper() if sentence.text.isupper() else words


@injector("pri-1-comparison", "PRI-1")
def pri_1_comparison(report: TextReport, rng: Random) -> Mutation | None:
    """Keeps the words of change and takes away what was compared with."""
    plain = re.compile(
        r"\b(?:unchanged|increased|decreased|improved|worsened|interval|larger|smaller|compared|again seen)\b",
        re.IGNORECASE,
    )
    passage = report.passage("comparison")
    if (
        passage is None
        or not compares(report)
        or not any(plain.search(one.text) for one in findings(report) + impression(report))
    ):
        return None
    none = rng.choice(("None available.", "None.", "No prior studies available."))
    update = {"has_prior": False, "order": report.order.model_copy(update={"prior_dates": ()})}
    made = report.model_copy(update=update)
    edit = Edit(passage.field, passage.start, passage.end, none.upper() if passage.text.isupper() else none)
    return replace(made, "comparison", edit, "the comparison taken away")


@injector("pri-2", "PRI-2")
def pri_2(report: TextReport, rng: Random) -> Mutation | None:
    """Compares with a study of a date that is not among the inputs."""
    passage = place(report)
    if passage is None:
        return None
    if compares(report) and not (report.order.prior_dates or _dated(report.passage("comparison"))):
        return None
    latest = report.order.study_date or date(2019, 6, 15)
    day = latest - timedelta(days=rng.randrange(200, 1200))
    sentence = rng.choice(
        (
            f"Comparison is made with the chest radiograph of {_spelt(day, rng)}.",
            f"Compared with the study dated {_spelt(day, rng)}, no relevant difference.",
            f"Appearances are as on the film of {_spelt(day, rng)}.",
        )
    )
    return insert(report, passage, sentence, rng, "a study of another date")


def _dated(passage: Passage | None) -> bool:
    return passage is not None and DATE.search(passage.text) is not None


@injector("pri-3", "PRI-3")
def pri_3(report: TextReport, rng: Random) -> Mutation | None:
    """Dates the earlier study into the future."""
    day = date(2090 + rng.randrange(8), rng.randrange(1, 13), rng.randrange(1, 29))
    passage = report.passage("comparison")
    if passage is not None and (match := DATE.search(passage.text)):
        edit = Edit(passage.field, passage.start + match.start(), passage.start + match.end(), _spelt(day, rng))
        return replace(report, "comparison", edit, "a comparison of the future")
    there = place(report)
    if there is None or not compares(report):
        return None
    spelt = _spelt(day, rng)
    if passage is not None:
        edit = Edit(passage.field, passage.start, passage.end, in_style(f"Chest radiograph of {spelt}.", passage.text))
        return replace(report, "comparison", edit, "a comparison of the future")
    return insert(report, there, f"Compared with the radiograph of {spelt}.", rng, "a comparison of the future")


@injector("num-1", "NUM-1")
def num_1(report: TextReport, rng: Random) -> Mutation | None:
    """Gives a finding of the impression a length that the findings do not hold."""
    found = [
        sentence
        for sentence in impression(report)
        if sentence.text.endswith(".")
        and not re.search(r"\d", sentence.text)
        and any(
            asserts(sentence, entry.term)
            for entry in FINDINGS
            if entry.name in ("nodule", "mass", "consolidation", "pneumothorax", "pleural effusion")
        )
    ]
    if not found or not findings(report):
        return None
    sentence = rng.choice(found)
    used = " ".join(report.fields().values())
    number = next(
        number for number in rng.sample(range(11, 60), 49) if str(number) not in used and f"{number / 10}" not in used
    )
    size = rng.choice((f", measuring {number} mm.", f", measuring {number / 10} cm.", f" of {number / 10} cm."))
    edit = Edit(sentence.field, sentence.end - 1, sentence.end, _in_case(size, sentence))
    return replace(report, "impression", edit, "a length from nowhere")


@injector("num-2", "NUM-1", "NUM-2")
def num_2(report: TextReport, rng: Random) -> Mutation | None:
    """Quotes a length of the findings in the impression with another unit."""
    given = {(match["number"], match["unit"].lower()[0]) for _, match in measures(findings(report))}
    found = [
        (sentence, match)
        for sentence, match in measures(impression(report))
        if (match["number"], match["unit"].lower()[0]) in given
        and (match["number"], "c" if match["unit"].lower()[0] == "m" else "m") not in given
    ]
    if not found:
        return None
    sentence, match = rng.choice(found)
    unit = match["unit"]
    new = {"m": "cm", "c": "mm"}[unit[0].lower()]
    edit = Edit(
        sentence.field,
        sentence.start + match.start("unit"),
        sentence.start + match.end("unit"),
        new.upper() if unit.isupper() else new,
    )
    return replace(report, "impression", edit, f"{unit} made {new}")


_RATIO = re.compile(r"\b0\.\d{1,2}\b")


@injector("num-3", "NUM-3")
def num_3(report: TextReport, rng: Random) -> Mutation | None:
    """States a measure that no chest can have."""
    ratio = [
        (sentence, match)
        for sentence in findings(report)
        if re.search(r"cardiothoracic|\bctr\b", sentence.text, re.IGNORECASE)
        for match in _RATIO.finditer(sentence.text)
    ]
    passage = place(report)
    if ratio:
        sentence, match = rng.choice(ratio)
        edit = Edit(
            sentence.field, sentence.start + match.start(), sentence.start + match.end(), f"1.{rng.randrange(12, 60)}"
        )
        return replace(report, "findings", edit, "a cardiothoracic ratio above one")
    lengths = [(one, match) for one, match in measures(findings(report)) if match["unit"].lower().startswith("c")]
    if lengths and rng.random() < 0.5:
        sentence, match = rng.choice(lengths)
        edit = Edit(
            sentence.field,
            sentence.start + match.start("number"),
            sentence.start + match.end("number"),
            str(rng.randrange(140, 900)),
        )
        return replace(report, "findings", edit, "a length beyond any chest")
    if passage is None:
        return None
    added = rng.choice(
        (
            f"The cardiothoracic ratio is 1.{rng.randrange(12, 60)}.",
            f"Cardiothoracic ratio {rng.randrange(105, 180)} %.",
            f"The aortic knuckle measures {rng.randrange(95, 300)} cm.",
        )
    )
    return insert(report, passage, added, rng, "a measure that no chest can have")


def _told(report: TextReport) -> list[Sentence]:
    return [
        one
        for one in report.sentences()
        if COMMUNICATED.search(one.text) and one.section not in ("indication", "history")
    ]


def _critical(report: TextReport) -> bool:
    return any(asserts(one, CRITICAL) for one in findings(report) + impression(report))


@injector("crt-1", "CRT-1")
def crt_1(report: TextReport, rng: Random) -> Mutation | None:
    """Takes away every word that somebody was told of a critical finding."""
    told = _told(report)
    if not told or not _critical(report) or any(CRITICAL.search(one.text) and asserts(one, CRITICAL) for one in told):
        return None
    if report.sections is not None and any(len(report.sections[one.field].strip()) == len(one.text) for one in told):
        kept = {name: text for name, text in report.sections.items() if name not in {one.field for one in told}}
        if len({one.field for one in told}) == 1 and told[0].field not in ("findings", "impression"):
            made = report.model_copy(update={"sections": kept})
            return Mutation(made, told[0].section, 0, 0, "the communication taken away")
        return None
    own = report.passage("communication")
    rest = [one for one in told if one.section != "communication"]
    if own is None:
        return remove(report, rest, "the communication taken away")
    if rest:
        return None
    edit = Edit(own.field, heading_start(report, own), own.end, "")
    return replace(report, "communication", edit, "the communication taken away")


@injector("crt-1-added", "CRT-1")
def crt_1_added(report: TextReport, rng: Random) -> Mutation | None:
    """Adds a critical finding to findings and impression alike, of which nobody has been told."""
    one, other = report.passage("findings"), report.passage("impression")
    free = [
        finding
        for finding in FINDINGS
        if finding.name in ("pneumoperitoneum", "pneumomediastinum", "pneumothorax")
        and not any(finding.near.search(sentence.text) for sentence in report.sentences())
    ]
    if one is None or other is None or communicated(report) or not free:
        return None
    sentence = rng.choice(rng.choice(free).added)
    first = insert(report, one, sentence, rng, "a critical finding that nobody was told of")
    passage = first.report.passage("impression")
    if passage is None:
        return None
    second = insert(first.report, passage, sentence, rng, first.note)
    before = one.field == other.field and passage.start < first.start
    shift = len(second.report.fields()[one.field]) - len(first.report.fields()[one.field]) if before else 0
    return Mutation(second.report, "findings", first.start + shift, first.end + shift, first.note)


_CLOCK = re.compile(
    r",? ?(?:\b(?:at|by|around|timed)\b )?"
    r"\b(?:\d{1,2}[:.]\d{2}(?: ?(?:hours|hrs|h|am|pm|a\.m\.|p\.m\.))?|\d{4} ?h(?:ou)?rs)(?![\w:])"
    r"(?P<since>[ ,]+(?:on \d|(?:\w+[ -]){0,3}minutes?|(?:\w+ )?seconds|at the time|on reading|directly|immediately"
    r"|on the (?:same|day)|within)[^.;]*)?",
    re.IGNORECASE,
)
"""The hour of a communication, with what is said of how long after the discovery it was."""


@injector("crt-2", "CRT-2")
def crt_2(report: TextReport, rng: Random) -> Mutation | None:
    """Leaves a communication without its hour, or without whom and when."""
    told = [one for one in _told(report) if len(list(_CLOCK.finditer(one.text))) == 1]
    if len(told) != 1 or len(_told(report)) != 1 or not _critical(report):
        return None
    sentence = told[0]
    if rng.random() < 0.5:
        new = _CLOCK.sub("", sentence.text)
        edit = Edit(sentence.field, sentence.start, sentence.end, new)
        return replace(report, sentence.section, edit, "a communication without its hour")
    return rewrite(report, sentence, "Findings were communicated.", "a communication without whom and when")
