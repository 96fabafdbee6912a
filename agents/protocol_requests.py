"""What a person's message asks for, by rules: robust to politeness, case and slips, never guessing at what to change.

A message may hold several requests. Text that no rule knows is `other`: it is answered with what can be asked.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from wetread.agents import protocol_patterns as patterns
from wetread.agents.protocol_spelling import QUOTED, Spelled, spelled
from wetread.reports.language import claims

Kind = Literal[
    "read",
    "redraft",
    "measure",
    "segment",
    "classify",
    "similar",
    "compare",
    "presence",
    "overview",
    "explain",
    "reject",
    "edit",
    "add",
    "side",
    "told",
    "show",
    "issues",
    "sign",
    "command",
    "help",
    "thanks",
    "long",
    "foreign",
    "other",
]

MAX_CHARACTERS = 4_000
"""A longer message is a pasted text, and read for no requests."""

MAX_REQUESTS = 12


@dataclass(frozen=True, slots=True)
class Request:
    """One thing that is asked for.

    Attributes:
        words: The clause, in the form that rules read.
        ids: Statements and evidence that it names, `S3`, `E3`.
        images: Handles that it names.
        ordinal: Which statement, counted from 0, or from -1 backwards.
        count: How many from there, forwards, or backwards from the last.
        place: Where: a section or system in the person's words.
        about: What the statement that is meant speaks of.
        old, new: Words to replace, and the words to write, as the person wrote them.
        command: The command that does it.
    """

    kind: Kind
    words: str
    ids: tuple[str, ...] = ()
    images: tuple[str, ...] = ()
    ordinal: int | None = None
    count: int = 1
    place: str | None = None
    about: str | None = None
    old: str | None = None
    new: str | None = None
    command: str | None = None

    @property
    def statements(self) -> tuple[str, ...]:
        return tuple(id for id in self.ids if id.startswith("S"))


def read_requests(message: str, places: Collection[str]) -> list[Request]:
    """The requests of a message in order; none for an empty one.

    Args:
        message: What the person said.
        places: Names of the report's systems and sections, in small letters.
    """
    text = message.strip()
    if len(text) > MAX_CHARACTERS:
        return [Request("long", "")]
    whole = spelled(text)
    plain = QUOTED.sub("", text).lower()
    foreign = bool(patterns.FOREIGN.search(plain)) and not patterns.ENGLISH.search(plain)
    found: list[Request] = []
    closed = False
    for start, end, asks in _clauses(whole.text):
        clause = _Clause(whole, start, end, asks)
        request = clause.read(places)
        last = found[-1] if found else None
        if last is not None and last.new and not closed and clause.goes_on(request):
            # an unquoted text goes on with the next sentence
            stop = "." if whole.text[end : end + 1] == "." else ""
            found[-1] = replace(last, new=f"{last.new.rstrip('.')}. {whole.original(start, end).strip()}{stop}")
            continue
        closed = patterns.QUOTE.search(clause.words) is not None
        if request.kind in ("read", "redraft") and last is not None and patterns.FORBIDDEN.search(last.words):
            # "open that file and read it" asks for no reading of the study
            request = replace(request, kind="other")
        found.append(request)
        if len(found) == MAX_REQUESTS:
            break
    if foreign and not any(one.new for one in found):
        # what is to be written may be in any language
        return [Request("foreign", whole.text)]
    return [one for one in found if one.kind != "thanks"] or found[:1]


def _clauses(text: str) -> Iterator[tuple[int, int, bool]]:
    """Start, end and whether it ends with a question mark, of each clause with its politeness cut off."""
    at, something = 0, False
    kept: int | None = None
    for border in [*patterns.BORDER.finditer(text), None]:
        end = border.start() if border else len(text)
        lead = patterns.LEAD.match(text, at, end)
        start = lead.end() if lead else at
        while end > start and text[end - 1] in " \t,.:;!":
            end -= 1
        bare = patterns.TAIL.search(text[max(start, end - 40) : end])
        if bare:
            end -= len(bare[0])
        if start < end and border and not border[1] and patterns.IDS_ALONE.fullmatch(text, start, end):
            # "S2 and S5 should go": its ids belong to what follows
            kept = start if kept is None else kept
        elif start < end:
            yield start if kept is None else kept, end, bool(border and border[1] and "?" in border[1])
            something, kept = True, None
        at = border.end() if border else end
    if not something and text.strip():
        # nothing but politeness
        yield 0, len(text.rstrip(" \t\n.!?")), False


_COUNTS = {"two": 2, "three": 3, "four": 4, "2": 2, "3": 3, "4": 4}
_WORDS_FOR = {"first": 0, "second": 1, "third": 2, "fourth": 3, "fifth": 4, "last": -1, "final": -1}


@dataclass(frozen=True, slots=True)
class _Clause:
    whole: Spelled
    start: int
    end: int
    asks: bool

    @property
    def words(self) -> str:
        return self.whole.text[self.start : self.end]

    def goes_on(self, request: Request) -> bool:
        """Whether the clause can be the next sentence of a text that is to be written."""
        asks = self.asks or bool(patterns.QUESTION.match(self.words))
        return request.kind in ("told", "other") or (request.kind == "presence" and not asks)

    def read(self, places: Collection[str]) -> Request:
        words = self.words
        ids = tuple(dict.fromkeys(found.replace(" ", "").upper() for found in patterns.ID.findall(words)))
        images = tuple(f"image_{number}" for number in patterns.IMAGE.findall(words))
        bare = Request("other", words, ids=ids, images=images)
        return (
            self._correction(bare, places)
            or self._refused(bare)
            or self._sentence(bare)
            or self._looks(bare, places)
            or (replace(bare, kind="told") if bare.statements or self._claims() else bare)
        )

    def _claims(self) -> bool:
        return bool(claims(self.words)) and not patterns.FORBIDDEN.search(self.words)

    # corrections: what is to be written is taken as it was written

    def _correction(self, bare: Request, places: Collection[str]) -> Request | None:
        words = self.words
        if (verb := patterns.REJECT.search(words)) is not None:
            what = words[verb.end() :] if verb.start() == 0 else words[: verb.start()]
            if (target := self._target(bare, what, places)) is not None:
                return replace(target, kind="reject")
        if (adding := self._add(bare, places)) is not None:
            return adding
        sides = patterns.SIDES.search(words)
        if sides is not None and not patterns.QUOTE.search(words):
            new, old = (sides[1], sides[2]) if sides[1] else (sides[4] or sides[6], sides[3] or sides[5])
            if new != old:
                about = f"{words[: sides.start()]} {words[sides.end() :]}"
                return replace(bare, kind="side", old=old, new=new, about=about)
        return self._edit(bare, places)

    def _add(self, bare: Request, places: Collection[str]) -> Request | None:
        verb = patterns.ADD.match(self.words)
        if verb is None:
            return None
        rest = self.words[verb.end() :]
        named = "|".join(sorted(map(re.escape, places), key=len, reverse=True))
        to = r"(?:to|under|in|into|at|for)\s+(?:the\s+)?"
        before = re.match(
            rf"\s*(?:(?:a|an|another|one|this|the)\s+)?(?:{patterns.ITEM}|text|words?)?\s*{to}(?P<place>{named})(?:\s+section)?(?:\s*[:,-]+|\s+that\b|\b)\s*",
            rest,
        )
        if before is not None:
            new = self._written(verb.end() + before.end())
            return replace(bare, kind="add", place=before["place"], new=new)
        kind_of = re.match(rf"\s*(?:a|an|another|one)\s+(?P<place>{named})\s*(?:[:,-]+|\s+that\b)\s*", rest)
        if kind_of is not None:
            return replace(bare, kind="add", place=kind_of["place"], new=self._written(verb.end() + kind_of.end()))
        after = re.search(rf"\s+{to}(?P<place>{named})(?:\s+section)?$", rest)
        lead = re.match(r"\s*[:,-]*\s*(?:that\s+)?", rest)
        skip = verb.end() + (lead.end() if lead else 0)
        if after is not None:
            new = self._written(skip, verb.end() + after.start())
            return replace(bare, kind="add", place=after["place"], new=new)
        spoken = claims(rest) or patterns.QUOTE.search(rest) or re.match(r"\s*:", rest)
        if verb[1] in ("add", "append", "insert") and spoken and not patterns.FORBIDDEN.search(rest):
            return replace(bare, kind="add", new=self._written(skip))
        return None

    def _edit(self, bare: Request, places: Collection[str]) -> Request | None:
        words = self.words
        should = patterns.SHOULD.search(words)
        verb = patterns.EDIT.match(words)
        quotes = list(patterns.QUOTE.finditer(words))
        colon = patterns.COLON.match(words)
        if colon is not None:
            return replace(bare, kind="edit", new=self._written(colon.end()))
        if should is not None and (target := self._target(bare, words[: should.start()], places)) is not None:
            side = patterns.ON_A_SIDE.fullmatch(words, should.end())
            if side is not None and target.statements:
                return replace(target, kind="side", new=side[1], old="left" if side[1] == "right" else "right")
            return replace(target, kind="edit", new=self._written(should.end()))
        if verb is None:
            return None
        if len(quotes) >= 2 and patterns.BETWEEN.fullmatch(words, quotes[0].end(), quotes[1].start()):
            outside = words[verb.end() : quotes[0].start()] + words[quotes[1].end() :]
            target = self._target(bare, outside, places) or bare
            old, new = (self._original(quote.start() + 1, quote.end() - 1) for quote in quotes[:2])
            return replace(target, kind="edit", old=old, new=new)
        swapped = patterns.REPLACED.fullmatch(words, verb.end()) if not quotes else None
        if swapped is not None and not patterns.ID.search(swapped[1]):
            old, new = (self._original(swapped.start(group), swapped.end(group)) for group in (1, 2))
            return replace(bare, kind="edit", old=old, new=new)
        joint = patterns.JOINT.search(words, verb.end())
        target = self._target(bare, words[verb.end() : joint.start() if joint else len(words)], places)
        if target is None:
            return None
        return replace(target, kind="edit", new=self._written(joint.end()) if joint else None)

    def _target(self, bare: Request, words: str, places: Collection[str]) -> Request | None:
        """Which statements are meant; None where the words mean none."""
        if bare.statements and not patterns.FORBIDDEN.search(words):
            return bare
        quote = patterns.QUOTE.search(words)
        if quote is not None:
            at = self.words.find(words)
            return replace(bare, about=self._original(at + quote.start() + 1, at + quote.end() - 1).lower())
        named = words.strip().removeprefix("the ")
        if named in places:
            return replace(bare, place=named)
        place = patterns.IN.search(words)
        where = place[1].strip() if place and place[1].strip() in places else None
        found = patterns.ORDINAL.search(words)
        if found is not None:
            ordinal = _WORDS_FOR[found[1]] if found[1] else int(found[2]) - 1
            return replace(bare, ordinal=ordinal, count=_COUNTS.get(found[3] or "", 1), place=where)
        about = patterns.ABOUT.search(words)
        if about is not None:
            return replace(bare, about=about[1].strip(), place=where)
        if re.search(rf"\b{patterns.ITEM}\b", words) and re.search(r"\b(?:that|this|it|the)\b", words):
            return replace(bare, place=where)
        if re.fullmatch(r".*\b(?:it|that|this)\s*", words) and not patterns.FORBIDDEN.search(words):
            return bare
        if claims(words) and not patterns.FORBIDDEN.search(words):
            return replace(bare, about=words)
        return None

    def _written(self, start: int, end: int | None = None) -> str | None:
        """The person's words from there on, without the quotation marks around them."""
        stop = len(self.words) if end is None else end
        quote = patterns.QUOTE.search(self.words, start, stop)
        if quote is not None:
            return self._original(quote.start() + 1, quote.end() - 1).strip() or None
        text = self._original(start, stop).strip().strip('"“”«»').strip()
        if text and end is None and self.whole.text[self.end : self.end + 1] == ".":
            # the full stop is the border of the clause, and part of what was written
            text = f"{text}."
        return text or None

    def _original(self, start: int, end: int) -> str:
        return self.whole.original(self.start + start, self.start + end)

    # all else

    def _refused(self, bare: Request) -> Request | None:
        words = self.words
        if patterns.SIGN.search(words) or patterns.RELEASED.search(words):
            return replace(bare, kind="sign")
        if patterns.FORBIDDEN.search(words):
            return bare
        for pattern, command in patterns.COMMANDS:
            if pattern.search(words):
                return replace(bare, kind="command", command=command)
        return None

    def _sentence(self, bare: Request) -> Request | None:
        """What speaks of the report or of the conversation."""
        words = self.words
        rules: tuple[tuple[re.Pattern[str], Kind], ...] = (
            (patterns.HELP, "help"),
            (patterns.AGAIN, "redraft"),
            (patterns.PICTURE, "command"),
            (patterns.ISSUES, "issues"),
            (patterns.WHY, "explain"),
            (patterns.READ, "read"),
            (patterns.SHOW, "show"),
            (patterns.THANKS, "thanks"),
        )
        kind = next((kind for pattern, kind in rules if pattern.search(words)), None)
        if kind is None:
            return None
        return replace(bare, kind=kind, command="/show" if kind == "command" else None)

    def _looks(self, bare: Request, places: Collection[str]) -> Request | None:
        """What speaks of the images."""
        words = self.words
        asks = self.asks or bool(patterns.QUESTION.match(words))
        if patterns.SIMILAR.search(words):
            return replace(bare, kind="similar")
        if patterns.CLASSIFY.search(words):
            return replace(bare, kind="classify")
        if patterns.SEGMENT.search(words):
            return replace(bare, kind="segment")
        if patterns.MEASURE.search(words):
            return replace(bare, kind="measure")
        if patterns.CHANGE.search(words) and (asks or patterns.CHANGE_ASKED.search(words)):
            return replace(bare, kind="compare")
        if claims(words) and (asks or len(words.split()) <= 3):
            return replace(bare, kind="presence")
        site = any(re.search(rf"\b{re.escape(place)}\b", words) for place in places)
        if patterns.OVERVIEW.search(words) or (asks and site):
            return replace(bare, kind="overview")
        return None
