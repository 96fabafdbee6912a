"""From a text to its claims."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

from wetread.reports.language.lexicon import lexicon
from wetread.reports.language.sentence import of_the_same, read_sentence
from wetread.reports.language.words import sentences, tokens
from wetread.reports.model import Claim, TextMeasurement
from wetread.vocabulary import Assertion

_LONGEST_KEPT = 200
_OPENINGS = frozenset(("It", "Th", "it", "th", "IT", "TH"))
"""How a sentence that begins with a pronoun can open."""
_ANSWERS = {"no": Assertion.ABSENT, "none": Assertion.ABSENT, "negative": Assertion.ABSENT, "yes": Assertion.PRESENT}


class ReadSentence(NamedTuple):
    """A sentence with what it says. `start` and `end` are into the text; the rest has offsets into the sentence."""

    start: int
    end: int
    text: str
    claims: tuple[Claim, ...]
    measurements: tuple[TextMeasurement, ...]


def claims(text: str) -> tuple[Claim, ...]:
    """What a text asserts, finding by finding, in reading order. Offsets are into `text`.

    A statement of normality is a claim with the finding `normal`, present, and the anatomy it is said of; the
    cardiomediastinal silhouette counts for the mediastinum too. Where an adjective asserts or denies a finding of a
    site ("the heart is not enlarged"), the claim has that finding. A change of a site without a finding ("the cardiac
    silhouette is unchanged") is a claim with no finding.
    """
    return _claims(text) if len(text) <= _LONGEST_KEPT else _claims.__wrapped__(text)


@lru_cache(maxsize=4096)
def _claims(text: str) -> tuple[Claim, ...]:
    """A sentence is asked about where it is drafted, written and checked."""
    return tuple(
        claim.model_copy(update={"start": claim.start + sentence.start, "end": claim.end + sentence.start})
        if sentence.start
        else claim
        for sentence in read(text)
        for claim in sentence.claims
    )


def read(text: str) -> list[ReadSentence]:
    """The sentences of a text with what they say. A short answer completes its question ("Pneumothorax? No."), and a
    pronoun may stand for the finding of the sentence before ("It is unchanged.")."""
    found: list[ReadSentence] = []
    for start, end, sentence in sentences(text):
        answer = _ANSWERS.get(sentence.rstrip(".!").lower())
        if answer is not None and found and found[-1].text.endswith("?"):
            answered = tuple(claim.model_copy(update={"assertion": answer}) for claim in found[-1].claims)
            found[-1] = found[-1]._replace(claims=answered)
        said, sizes = _understood(sentence) if len(sentence) <= _LONGEST_KEPT else _understood.__wrapped__(sentence)
        if not said and found and sentence[:2] in _OPENINGS:
            same = of_the_same(tokens(sentence[:_LONGEST_KEPT]), found[-1].claims)
            said = (same,) if same else ()
        found.append(ReadSentence(start, end, sentence, said, sizes))
    return found


@lru_cache(maxsize=4096)
def _understood(sentence: str) -> tuple[tuple[Claim, ...], tuple[TextMeasurement, ...]]:
    """Reports repeat each other: "No pneumothorax." is understood once."""
    said, sizes = read_sentence(tokens(sentence))
    return tuple(said), tuple(one.measurement for one in sizes)


def system_of(of: Claim | str | None) -> str | None:
    """The report system of a claim, or of a finding's key; None where neither finding nor anatomy says it.

    A finding that can lie anywhere follows its claim's anatomy; `normal` always does.
    """
    if of is None or isinstance(of, str):
        return _system(of or "", "")
    return _system(of.finding or "", of.anatomy or "")


@lru_cache(maxsize=4096)
def _system(finding: str, anatomy: str) -> str | None:
    known = lexicon()
    found = known.findings.get(finding)
    if found is not None and found.system is not None:
        return found.system
    site = known.anatomies.get(anatomy)
    return site.system if site is not None else None
