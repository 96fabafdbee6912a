"""PRI: words that need an earlier study, and the dates of it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from wetread.reports.checks.base import Check
from wetread.reports.checks.dates import dates
from wetread.reports.checks.document import Document, Hints, Line
from wetread.reports.model import Issue, Severity

# "increased" and "decreased" are left to the parsed claims: "increased density" compares with nothing earlier
_CUES = re.compile(
    r"\b(?:interval(?:ly)?|unchanged|stable|stably|redemonstrat\w*"
    r"|again (?:seen|noted|demonstrated|identified|visuali[sz]ed)"
    r"|(?:has|have|had) (?:resolved|improved|worsened|progressed|regressed|increased|decreased|enlarged|developed)"
    r"|(?:compared|in comparison) (?:to|with)|(?:since|from|than|versus) (?:the |a )?(?:prior|previous|last|earlier)"
    r"|(?:prior|previous|earlier|last|recent) (?:chest |cxr |frontal |portable )?"
    r"(?:stud(?:y|ies)|exams?|examinations?|radiographs?|films?|images?|x-?rays?|reports?|cxr)"
    r"|than (?:before|previously|on)|as before"
    r"|new(?:ly)?|worsening|improving|improved|worsened)\b",
    re.IGNORECASE,
)
_HINT_WORDS = """
    interval intervally unchanged stable stably again compared comparison prior previous earlier last recent than before
    new newly worsening improving improved worsened resolved progressed regressed increased decreased enlarged developed
"""
_HINTS = Hints(frozenset(_HINT_WORDS.split()), ("redemonstrat",))
_DENIED = re.compile(
    r"\b(?:no|without|none|not)\b[^.;]{0,40}\b(?:available|comparison|prior|previous|earlier)\b", re.IGNORECASE
)
_WEAK = re.compile(r"(?:new(?:ly)?|stable|stably|last \w+|recent \w+|improv\w+|worsen\w+)", re.IGNORECASE)
_OF_PATIENT = re.compile(
    r"\b(?:h(?:a?e)modynamically|clinically|medically|patient (?:is|was|remains)) stable\b|\bstable (?:patient"
    r"|condition|angina)\b"
    r"|\bnew york\b|\bnewborn\b|\b(?:any|if) (?:new|interval)\b|\bnew (?:symptoms?|patient)\b"
    r"|\bintervals?\b(?= (?:of|between|follow))"
    r"|\b(?:regular|short|routine|six|three|twelve|\d+)[- ](?:\w+[- ])?interval\b|\bskeletally\b"
    r"|\bstable (?:fixation|position)\b",
    re.IGNORECASE,
)
_TO_COME = re.compile(
    r"\b(?:recommend\w*|advi[sc]e\w*|suggest (?:a |an )?(?:repeat|follow|ct|further)|follow[- ]?up|repeat\w*"
    r"|should be|to (?:document"
    r"|ensure|confirm|assess|exclude|evaluate|demonstrate)|correlat\w+|if (?:there|symptom|clinical|prior)"
    r"|would be (?:helpful|useful)"
    r"|comparison with (?:any )?(?:prior|previous|old|older))\b",
    re.IGNORECASE,
)
_COMPARED = re.compile(
    r"\b(?:compar\w+|prior|previous(?:ly)?|earlier|since|study|radiograph|film|exam(?:ination)?|cxr|x-?ray|ct"
    r"|image|as on"
    r"|dated|unchanged|last)\b",
    re.IGNORECASE,
)
_TOLD = re.compile(
    r"\b(?:communicat|discuss|telephon|phon|notif|inform|relay|convey|page|call|dictat|sign|transcri|approv"
    r"|report(?:ed|ing)?"
    r" (?:by|on|at))\w*",
    re.IGNORECASE,
)
_EVENT = re.compile(
    r"\b(?:surgery|operation|admi\w+|born|birth|dob|diagnos\w+|implant\w*|insert\w*|placed|procedure|resect\w*"
    r"|chemo\w*)\b",
    re.IGNORECASE,
)
_FAR = timedelta(days=2)


def change_without_prior(doc: Document) -> Iterator[Issue]:
    """PRI-1: a word of change or comparison, and no earlier study is among the inputs.

    A warning where nobody says whether there was one; else an error, but for words that a reader may use without an
    earlier study in mind.
    """
    if doc.has_prior:
        return
    for line in doc.spoken:
        statement = line.statement
        changed = [(claim.start, claim.end) for claim in line.claims if claim.change is not None]
        spans = [match.span() for match in _CUES.finditer(line.text)] if line.may_hold(_HINTS) else []
        if spans:
            other = {place for match in _OF_PATIENT.finditer(line.text) for place in range(*match.span())}
            spans = [span for span in spans if span[0] not in other]
        if spans and not changed and _DENIED.search(line.text):
            continue
        if statement is None and _TO_COME.search(line.text):
            continue
        for start, end in spans or changed:
            words = line.text[start:end]
            said = f"'{words}' compares" if spans else f"What is said of '{words}' compares"
            if doc.has_prior is None:
                severity: Severity = "warning"
                message = f"{said} with an earlier study, and the report names none. Name it by its date."
            else:
                severity = "warning" if not doc.drafted and (not spans or _WEAK.fullmatch(words)) else "error"
                message = (
                    f"{said} with an earlier study, and none is among the inputs. "
                    "Say what is seen now, without the comparison."
                )
            yield line.issue("PRI-1", severity, message, start, end, statement.evidence if statement else ())


def date_unknown(doc: Document) -> Iterator[Issue]:
    """PRI-2: a comparison with a study of a date that is not among the inputs.

    What is known: the dates of the earlier studies at hand, else those of the comparison section. An error where the
    inputs say that there is no such study; a warning where only the comparison section does not name it; for a
    reader's information where nothing is known.
    """
    known = set(doc.order.prior_dates or ())
    named = {day for line in doc.section("comparison") for written in dates(line.text) for day in written.days}
    if doc.drafted and doc.order.prior_dates is None and not named and doc.has_prior:
        return
    own = doc.order.study_date
    places = [*doc.spoken, *(line for line in doc.section("comparison") if doc.order.prior_dates)]
    for line in places:
        written = list(dates(line.text))
        if not written:
            continue
        if line.section != "comparison" and (not _COMPARED.search(line.text) or _TOLD.search(line.text)):
            continue
        if _EVENT.search(line.text):
            continue
        for start, end, days in written:
            if own in days or _match(days, known) or (line.section != "comparison" and named & set(days)):
                continue
            if not known and not named and doc.has_prior and doc.order.prior_dates is None:
                continue
            severity, why = _weigh(doc, line, known, named)
            yield line.issue("PRI-2", severity, f"A study of {line.text[start:end]} is not {why}", start, end)


def _weigh(doc: Document, line: Line, known: set[date], named: set[date]) -> tuple[Severity, str]:
    # a CT or an outside film may well be compared with, and not be at hand here
    if known or doc.told_prior is False:
        return ("error" if doc.drafted else "warning"), "among the inputs. Compare only with what was there."
    if named:
        return "warning", "named under comparison. Name it there, or take the comparison out."
    if doc.has_prior is False:
        return "warning", "among the inputs: the comparison section says that there is none."
    return "info", "named under comparison, and nobody says what was at hand."


def _match(days: tuple[date, ...], known: set[date]) -> bool:
    return any(day in known for day in days)


def date_of_the_future(doc: Document) -> Iterator[Issue]:
    """PRI-3: the date of an earlier study lies after the study itself, or in the future; in a draft, also an earlier
    image whose date is after the current one's."""
    last = doc.order.study_date
    limit = min(last, doc.today) if last is not None else doc.today
    for line in (*doc.section("comparison"), *doc.spoken):
        written = list(dates(line.text))
        if not written or _TO_COME.search(line.text) or _TOLD.search(line.text):
            continue
        for start, end, days in written:
            if min(days) > limit and (
                min(days) > doc.today or min(days) - limit > _FAR or line.section == "comparison"
            ):
                yield line.issue(
                    "PRI-3",
                    "error",
                    f"{line.text[start:end]} lies after this study. An earlier study cannot be later.",
                    start,
                    end,
                )
    if doc.report is not None and last is not None:
        for image in doc.report.images:
            if image.role == "prior" and image.acquired is not None and image.acquired > last:
                yield Issue(
                    code="PRI-3",
                    severity="error",
                    message=f"{image.handle} is given as an earlier image, and its date lies after the current one's.",
                    where="comparison",
                )


CHECKS = (
    Check("PRI-1", "Change word without a prior", change_without_prior),
    Check("PRI-2", "Comparison date not among the inputs", date_unknown),
    Check("PRI-3", "Comparison date in the future", date_of_the_future),
)
