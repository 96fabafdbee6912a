"""LAT: the patient's side. A wrong one is among the gravest errors of a report, and code sees it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from wetread.reports.checks.base import SIDE_WORD, Check, capital, is_plain, named, says, side_words
from wetread.reports.checks.document import Document, Line, distinct, pairs
from wetread.reports.checks.kin import is_device, kinds_of, related
from wetread.reports.language import lexicon
from wetread.reports.model import Claim, Issue, Severity
from wetread.vocabulary import Assertion, Side

_ONE_SIDED = frozenset({Side.LEFT, Side.RIGHT})
_OTHER = {Side.LEFT: Side.RIGHT, Side.RIGHT: Side.LEFT}
_NEEDED_KEYS = """
    pneumothorax pleural_effusion consolidation nodule mass lobar_collapse cavity rib_fracture clavicle_fracture
    humerus_fracture scapular_fracture shoulder_dislocation hilar_mass pleural_nodule elevated_hemidiaphragm chest_tube
"""
_NEEDED = frozenset(_NEEDED_KEYS.split())
"""Findings of which a reader must know the side; kinds of them count too."""

_MANY = re.compile(
    r"\b(?:multiple|several|numerous|innumerable|many|scattered|diffuse\w*|multifocal|widespread|miliary|both"
    r"|bilateral\w*"
    r"|bases|apices|lungs|throughout|bi\w*(?:basal|basilar|apical)|two|three|four|either|midline|mediastin\w*"
    r"|carina)\b",
    re.IGNORECASE,
)
_PLURAL = re.compile(r"(?:[^s]s|fissure)$", re.IGNORECASE)
_SIDED_EXAM = re.compile(r"\b(left|right)\b", re.IGNORECASE)


def impression_differs(doc: Document) -> Iterator[Issue]:
    """LAT-1: the impression gives a finding or device another side than the findings do.

    An error where both sentences are plain and name one side each; else a warning.
    """
    there = list(pairs(doc.findings, Assertion.PRESENT, Assertion.UNCERTAIN, Assertion.HISTORICAL))
    for line, claim in distinct(pairs(doc.impression)):
        side = _side(line, claim)
        if side not in _ONE_SIDED or claim.finding is None:
            continue
        about = [(where, one) for where, one in there if one.finding and related(one.finding, claim.finding)]
        exact = [(where, one) for where, one in about if one.finding == claim.finding]
        said = {_side(where, one) for where, one in about} - {None}
        said_exactly = {_side(where, one) for where, one in exact} - {None}
        if side in said and said_exactly == {_OTHER[side]} and len(exact) < len(about):
            yield from _differs_from_its_like(line, claim, side, exact)
            continue
        if not said or side in said or not said <= _ONE_SIDED:
            continue
        other = next(one for where, one in about if _side(where, one) is not None)
        spoken = frozenset().union(*(side_words(where.text) for where, _ in about))
        plain = (
            side_words(line.text) == {side.value}
            and spoken == {_OTHER[side].value}
            and all(is_plain(where.text) and _side(where, one) is not None for where, one in about)
        )
        where = next(where for where, one in about if one is other)
        message = (
            f"{capital(named(claim.finding))}: {side.value} here, {_OTHER[side].value} in the findings. "
            "Settle the side on the images."
        )
        yield line.about("LAT-1", "error" if plain else "warning", message, claim, _evidence(line, where))


def _differs_from_its_like(
    line: Line, claim: Claim, side: Side, exact: Sequence[tuple[Line, Claim]]
) -> Iterator[Issue]:
    """The same name on the other side, where a kin of it lies on this one: for a reader to look at."""
    if any(one.anatomy not in (None, claim.anatomy) for _, one in exact):
        return
    message = (
        f"{capital(named(claim.finding))}: {side.value} here, and the findings name it on the {_OTHER[side].value}; "
        f"on the {side.value} they name something like it."
    )
    yield line.about("LAT-1", "info", message, claim, _evidence(line, exact[0][0]))


def _side(line: Line, claim: Claim) -> Side | None:
    """A claim's side; for a device that is alone in its sentence also that of its tip."""
    if claim.side is not None or not is_device(claim.finding):
        return claim.side
    words = side_words(line.text)
    return Side(next(iter(words))) if len(words) == 1 and len(line.claims) == 1 else None


def order_differs(doc: Document) -> Iterator[Issue]:
    """LAT-2: what the order asks about on one side is reported on the other side alone.

    An error where the exam itself is of one side; a warning where the order speaks of a finding on one side, for
    disease may be where nobody expected it.
    """
    asked = _asked(doc)
    there = distinct((line, claim) for line, claim in pairs(doc.spoken) if claim.side is not None)
    for finding, side in asked:
        about = [(line, claim) for line, claim in there if claim.finding and related(claim.finding, finding)]
        sides = {claim.side for _, claim in about}
        if sides != {_OTHER[side]}:
            continue
        line, claim = about[0]
        message = (
            f"The order speaks of {named(finding)} on the {side.value}, the report of one on the "
            f"{_OTHER[side].value} alone. Check the side, or say what became of the one asked about."
        )
        yield line.about("LAT-2", "warning", message, claim)
    exam = _exam_side(doc)
    if exam is not None:
        mentioned = {side for line in doc.spoken for side in side_words(line.text)}
        if mentioned == {_OTHER[exam].value}:
            line = next(line for line in doc.spoken if side_words(line.text))
            match = next(m for m in SIDE_WORD.finditer(line.text))
            message = f"The exam is of the {exam.value} side, and the report speaks of the {_OTHER[exam].value} alone."
            yield line.issue("LAT-2", "error", message, match.start(), match.end())


def _asked(doc: Document) -> list[tuple[str, Side]]:
    from wetread.reports.checks.document import known_claims

    claims: list[Claim] = [claim for line in doc.section("exam", "indication", "history") for claim in line.claims]
    for text in (doc.order.indication, doc.order.exam):
        claims += known_claims(text) if text else ()
    found: dict[str, set[Side]] = {}
    for claim in claims:
        if claim.finding is not None and claim.side is not None and claim.assertion is not Assertion.ABSENT:
            found.setdefault(claim.finding, set()).add(claim.side)
    return [(finding, next(iter(sides))) for finding, sides in found.items() if len(sides) == 1 and sides <= _ONE_SIDED]


def _exam_side(doc: Document) -> Side | None:
    if doc.order.side in _ONE_SIDED:
        return doc.order.side
    texts = [doc.order.exam or "", *(line.text for line in doc.section("exam"))]
    named_sides = {Side(match[1].lower()) for text in texts for match in _SIDED_EXAM.finditer(text)}
    return named_sides.pop() if len(named_sides) == 1 else None


def place_differs(doc: Document) -> Iterator[Issue]:
    """LAT-3: a statement's side is not that of the boxes and masks of the evidence that it cites.

    Devices are left out: their side is that of the vessel or the chest wall, their box lies elsewhere.
    """
    for line, claim in pairs(doc.spoken, Assertion.PRESENT):
        statement = line.statement
        if statement is None or claim.side not in _ONE_SIDED or claim.finding is None or is_device(claim.finding):
            continue
        sides: set[Side | None] = set()
        cited: list[str] = []
        for id in statement.evidence:
            evidence = doc.ledger.get(id)
            if evidence is None or evidence.status != "ok":
                continue
            about = [
                one
                for one in evidence.observations
                if one.finding is not None
                and one.assertion in (Assertion.PRESENT, Assertion.UNCERTAIN)
                and related(one.finding, claim.finding)
            ]
            seen = {region.side for one in about for region in one.regions}
            if seen:
                cited.append(id)
            sides |= seen
        if sides == {_OTHER[claim.side]}:
            message = (
                f"{capital(named(claim.finding))}: {claim.side.value} in words, and all that {', '.join(cited)} "
                f"shows of it lies on the patient's {_OTHER[claim.side].value}."
            )
            yield line.about("LAT-3", "error", message, claim, cited)


def side_missing(doc: Document) -> Iterator[Issue]:
    """LAT-4: a finding that needs a side has none anywhere in its section.

    A warning; for a reader's information where there are several, or where the findings give the side.
    """
    spoken = list(pairs(doc.spoken, Assertion.PRESENT))
    sided = {
        (line.section, claim.finding)
        for line, claim in pairs(doc.spoken, Assertion.PRESENT, Assertion.UNCERTAIN, Assertion.HISTORICAL)
        if claim.finding is not None and _has_side(claim)
    }
    told: set[str] = set()
    for line, claim in spoken:
        needed = _NEEDED & kinds_of(claim.finding or "")
        if not needed or claim.finding is None or _has_side(claim) or needed & told:
            continue
        if says(_MANY, line.text) or side_words(line.text):
            continue
        named_in = {where for where, one in sided if related(one, claim.finding)}
        if line.section in named_in:
            continue
        told |= needed
        several = _PLURAL.search(line.text[claim.start : claim.end]) is not None
        severity: Severity = "info" if several or (line.section == "impression" and named_in) else "warning"
        message = f"{capital(named(claim.finding))}: no side is named. Say left, right or bilateral."
        yield line.about("LAT-4", severity, message, claim, line.statement.evidence if line.statement else ())


def _has_side(claim: Claim) -> bool:
    site = lexicon().anatomies.get(claim.anatomy or "")
    return claim.side is not None or (site is not None and site.side is not None)


def _evidence(*lines: Line) -> Sequence[str]:
    ids: Iterable[str] = (id for line in lines if line.statement is not None for id in line.statement.evidence)
    return tuple(dict.fromkeys(ids))


CHECKS = (
    Check("LAT-1", "Side differs between findings and impression", impression_differs),
    Check("LAT-2", "Side differs from the order", order_differs),
    Check("LAT-3", "Side differs from the box or mask", place_differs, frozenset({"evidence"})),
    Check("LAT-4", "Side missing where one is needed", side_missing),
)
