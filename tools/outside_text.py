"""Text from outside (an order, a prior report): kept short, without dates, marked as data, looked at for orders.

Whoever wrote it, it is never an instruction to an agent. The scan for what reads like one is a plain one; it warns, and
hides nothing from the reader.
"""

from __future__ import annotations

import re

from wetread.reports.instructions import instructions

OPEN, CLOSE = "<data>", "</data>"
DATE = "[date]"

_MONTHS = (
    "jan(?:uary)? feb(?:ruary)? mar(?:ch)? apr(?:il)? may june? july? aug(?:ust)?"
    " sept?(?:ember)? oct(?:ober)? nov(?:ember)? dec(?:ember)?"
)
_MONTH = f"(?:{'|'.join(_MONTHS.split())})"
_DAY = r"(?:0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?:19|20)\d{2}"
_DATES = re.compile(
    r"\b(?:"
    rf"{_YEAR}[-/.](?:0?[1-9]|1[0-2])[-/.]{_DAY}"
    rf"|{_DAY}[-/.]{_DAY}[-/.](?:{_YEAR}|\d{{2}})"
    rf"|{_YEAR}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
    rf"|{_DAY}(?:st|nd|rd|th)?[ -]{_MONTH}\.?,?[ -]{_YEAR}"
    rf"|{_MONTH}\.? {_DAY}(?:st|nd|rd|th)?,? {_YEAR}"
    rf"|{_MONTH}\.?,? {_YEAR}"
    r")\b",
    re.IGNORECASE,
)


def present(text: str, limit: int) -> str:
    """A text from outside as an agent sees it: cut to `limit` characters, dates masked, between marks.

    Marks inside the text are broken up, so that a text cannot end itself.
    """
    words = without_dates(text.strip())
    words = re.sub(r"<(\s*/?\s*data\s*)>", r"(\1)", words, flags=re.IGNORECASE)
    if len(words) > limit:
        words = words[:limit].rstrip() + " [cut]"
    return f"{OPEN}{words}{CLOSE}"


def without_dates(text: str) -> str:
    """The text with calendar dates masked: agents are told days between studies, not when they were."""
    return _DATES.sub(DATE, text)


def reads_like_an_order(text: str) -> bool:
    """Whether something in the text reads like an instruction to a system rather than like a clinical text."""
    return next(instructions(text), None) is not None
