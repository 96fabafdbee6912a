"""Text from outside (an order, a prior report): kept short, without dates, marked as data, looked at for orders.

Whoever wrote it, it is never an instruction to an agent. The scan for what reads like one is a plain one; it warns, and
hides nothing from the reader.
"""

from __future__ import annotations

import re

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

# Each stays within a sentence and bounds its gaps, so that the scan is linear. "Agent" and "AI" alone are clinical
# words (contrast agent, aortic insufficiency).
_ORDERS = re.compile(
    "|".join(
        (
            r"\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}"
            r"\b(?:instructions?|prompts?|rules?|guidelines?|above|previous text|prior text|everything|system)\b",
            r"\b(?:new|updated|additional) instructions?\b",
            r"\bsystem (?:prompt|message)\b",
            r"\b(?:you are|act as|pretend to be|as) an? [^.\n]{0,20}\b(?:ai|assistant|language model|llm|chatbot)\b",
            r"\b(?:language model|llm|chatbot|ai (?:assistant|system|agent|model))s?\b"
            r"[^.\n]{0,30}\b(?:must|should|shall|has to|have to|needs? to|please)\b",
            r"\b(?:do not|don't|never) (?:report|mention|tell|disclose|describe|flag|call|reveal)\b",
            r"\b(?:write|output|print|reply|respond|answer|say|state|submit|report)\b[^.\n]{0,25}"
            r"\b(?:only|exactly|verbatim|instead|the following|that (?:the )?(?:study|exam|image|report) is)\b",
            r"\bcall (?:the )?(?:tool|function)\b",
            r"\b(?:submit_report|report_findings|not_assessed|tool_calls?)\b",
            r"<\|[a-z_]{1,20}\|>",
            r"</?(?:system|assistant|user|tool|instructions?|data)>",
            r"^[ \t]{0,8}(?:system|assistant|user|tool)[ \t]{0,4}:",
        )
    ),
    re.IGNORECASE | re.MULTILINE,
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
    return _ORDERS.search(text) is not None
