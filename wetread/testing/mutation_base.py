"""What an injector is, what it gives, and the few ways in which injectors write into a report."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

from wetread.testing.text_report import BODY, Edit, Passage, Sentence, TextReport, sentences


class Mutation(NamedTuple):
    """A report with one error planted in it."""

    report: TextReport
    section: str
    start: int
    end: int
    """The error's place in the mutated field; empty where text was taken away or the order was changed."""
    note: str
    """What was done, in a sentence."""


Apply = Callable[[TextReport, Random], Mutation | None]


@dataclass(frozen=True)
class Injector:
    """One class of error.

    Args:
        name: Name of the class.
        claims: Codes of the checks that must catch it; empty where no check of a text alone can.
        rexerr: The class of ReXErr that it belongs to, or None for a class of a check's own.
        about: What it does.
        apply: Pure: the same report and generator state give the same mutation; None where it cannot apply.
    """

    name: str
    claims: frozenset[str]
    rexerr: str | None
    about: str
    apply: Apply


REGISTRY: dict[str, Injector] = {}
"""All injectors by name, in the order of their modules."""


def injector(name: str, *claims: str, rexerr: str | None = None) -> Callable[[Apply], Apply]:
    """Register a function as the injector of a class."""

    def register(apply: Apply) -> Apply:
        about = " ".join((apply.__doc__ or "").split())
        REGISTRY[name] = Injector(name, frozenset(claims), rexerr, about, apply)
        return apply

    return register


def replace(report: TextReport, section: str, edit: Edit, note: str, *others: Edit) -> Mutation:
    """The mutation that makes an edit, and others that belong to it; the place is that of the first."""
    shift = sum(
        len(other.new) - (other.end - other.start)
        for other in others
        if other.field == edit.field and other.start < edit.start
    )
    start = edit.start + shift
    return Mutation(report.edited([edit, *others]), section, start, start + len(edit.new), note)


def rewrite(report: TextReport, sentence: Sentence, new: str, note: str, *others: Edit) -> Mutation:
    """Replace a sentence, in the letter case of the old one."""
    new = in_style(new, sentence.text)
    return replace(report, sentence.section, Edit(sentence.field, sentence.start, sentence.end, new), note, *others)


def in_style(new: str, old: str) -> str:
    """A sentence in the style of another one: all capitals, and with a stop at the end or without."""
    letters = re.sub(r"[^A-Za-z]", "", old)
    if len(letters) > 6 and letters.isupper():
        new = new.upper()
    if old.rstrip()[-1:].isalnum() and new.endswith("."):
        new = new[:-1]
    return new


def insert(report: TextReport, passage: Passage, sentence: str, rng: Random, note: str) -> Mutation:
    """Put a sentence into a passage, at a random place; at the end, with the next number, of a numbered list."""
    at, lead, trail = _gap(passage, rng)
    new = in_style(sentence, passage.text)
    if not trail and not new.endswith((".", "?")) and passage.text.rstrip().endswith("."):
        new += "."
    text = lead + new + trail
    edited = report.edited([Edit(passage.field, at, at, text)])
    return Mutation(edited, passage.section, at + len(lead), at + len(lead) + len(new), note)


def _gap(passage: Passage, rng: Random) -> tuple[int, str, str]:
    """Where a sentence may go, with what must stand before and behind it."""
    stop = "" if passage.text.rstrip()[-1:] in ".!?:;" else "."
    if numbers := re.findall(r"(?:^|\n|\s)(\(?)(\d{1,2})([.)])(?=\s)", passage.text):
        opening, number, closing = numbers[-1]
        apart = "\n" if "\n" in passage.text else " "
        return passage.end, f"{'' if apart == chr(10) else stop}{apart}{opening}{int(number) + 1}{closing} ", ""
    bullet = re.findall(r"(?:^|\n)([-*•] +)", passage.text)
    if bullet:
        return passage.end, f"\n{bullet[-1]}", ""
    cut = sentences(passage)
    ends = [index for index, sentence in enumerate(cut[:-1]) if sentence.text.endswith(".")]
    if ends and rng.random() < 0.5:
        index = rng.choice(ends)
        between = passage.text[cut[index].end - passage.start : cut[index + 1].start - passage.start]
        apart = "\n" if "\n" in between else " "
        return cut[index].end, apart, ""
    lines = [line for line in passage.text.splitlines() if line.strip()]
    apart = "\n" if len(lines) > 1 and len(lines) >= len(cut) else f"{stop} "
    return passage.end, apart, ""


def remove(report: TextReport, gone: list[Sentence], note: str) -> Mutation:
    """Take sentences away, each with its number or bullet and the gap behind it."""
    ends = {(one.field, one.section): one.end for one in report.passages()}
    edits = []
    for sentence in gone:
        text = report.fields()[sentence.field]
        start, end = sentence.start, sentence.end
        if number := re.search(r"[ \t]*(?:\(?\d{1,2}[.)]|[-*•])[ \t]+$", text[:start]):
            start = number.start()
        gap = re.match(r"[ \t]*\n?", text[end:])
        if sentence.end < ends[sentence.field, sentence.section]:
            end += gap.end() if gap else 0
        else:
            start = len(text[:start].rstrip(" \t"))
        edits.append(Edit(sentence.field, start, end, ""))
    first = min(edits, key=lambda edit: edit.start)
    return Mutation(report.edited(edits), gone[0].section, first.start, first.start, note)


def heading_start(report: TextReport, passage: Passage) -> int:
    """Where the heading of a passage starts: behind the passage before it."""
    before = [other.end for other in report.passages() if other.field == passage.field and other.end <= passage.start]
    return max(before, default=0)


def findings(report: TextReport) -> list[Sentence]:
    """The sentences of the findings; those of a text without headings are left alone."""
    return report.sentences("findings")


def impression(report: TextReport) -> list[Sentence]:
    """The sentences of the impression."""
    return report.sentences("impression")


def speaking(report: TextReport) -> list[Sentence]:
    """The sentences in which the reader speaks: findings, impression, recommendation, and what stands under no heading
    where no findings have one."""
    found = report.sentences("findings", "impression", "recommendation", "communication")
    if report.passage("findings") is None:
        found = report.sentences(BODY) + found
    return found


def place(report: TextReport) -> Passage | None:
    """Where a sentence about the picture belongs: the findings, or a text without headings."""
    return report.passage("findings") or report.passage(BODY)


def compares(report: TextReport) -> bool:
    """Whether an earlier study was among the inputs, as far as the report tells."""
    if report.has_prior is not None:
        return report.has_prior
    passage = report.passage("comparison")
    return passage is not None and not re.match(r"(?:none|no |not |nil|n/a|unavailable)", passage.text, re.IGNORECASE)
