"""Text that reads like an instruction to a system, where a clinical text is expected: a plain scan that warns.

It hides nothing from a reader, and nothing acts on what it finds or misses: outside text is data, whatever it says.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

# Each stays within a sentence and bounds its gaps, so that the scan is linear. "Agent", "AI" and "system" alone are
# clinical words (contrast agent, aortic insufficiency, nervous system).
_ORDERS = re.compile(
    "|".join(
        (
            r"\b(?:ignore|disregard|forget|override|bypass|overrule)\b[^.\n]{0,40}"
            r"\b(?:instructions?|prompts?|rules?|guidelines?|above|previous text|prior text|everything|system"
            r"|polic(?:y|ies))\b",
            r"\b(?:new|updated|additional|revised) instructions?\b(?= ?:| for (?:the )?(?:ai|model|assistant))",
            r"\b(?:system|developer) (?:prompt|message|mode)\b",
            r"\b(?:you are|act as|pretend to be|as) an? [^.\n]{0,20}\b(?:ai|assistant|language model|llm|chatbot)\b",
            r"\byou are now\b",
            r"\b(?:language model|llm|chatbot|ai (?:assistant|system|agent|model))s?\b"
            r"[^.\n]{0,30}\b(?:must|should|shall|has to|have to|needs? to|please)\b",
            r"\b(?:do not|don't|never|must not) (?:report|mention|tell|disclose|describe|flag|call (?:any"
            r"|the) tools?|reveal)\b",
            r"\b(?:write|output|print|reply|respond|answer|say|state|submit)\b[^.\n]{0,25}"
            r"\b(?:only|exactly|verbatim|instead|the following|that (?:the )?(?:study|exam|image|report"
            r"|no abnormality) is)\b",
            r"\b(?:reveal|print|output|show|repeat) (?:the|your) (?:system )?(?:prompt|instructions?)\b",
            r"\b(?:mark|sign|set) (?:the|this) report as (?:final|verified|normal|signed)\b",
            r"\bcall (?:the )?(?:tool|function)\b",
            r"\b(?:submit_report|report_findings|not_assessed|tool_calls?)\b",
            r"<\|[a-z_]{1,20}\|>",
            r"</?(?:system|assistant|user|tool|instructions?|data)>",
            r"(?:^|(?<=[.?!] ))[ \t]{0,8}(?:system|assistant|developer|tool)[ \t]{0,4}:",
        )
    ),
    re.IGNORECASE | re.MULTILINE,
)


_AI = re.compile(r"\bai\b", re.IGNORECASE)
_HINTS = (
    *("ignor", "disregard", "forget", "overrid", "bypass", "overrul", "instruction", "prompt", "system", "developer"),
    *("assistant", "language model", "llm", "chatbot", "you are", "do not", "don't", "never", "must not", "report as"),
    *("write", "output", "print", "reply", "respond", "answer", "say", "state", "submit", "reveal", "show", "repeat"),
    *("tool", "function", "_findings", "not_assessed", "<", " ai model", " ai agent"),
)
"""One of these stands in every text that the pattern finds something in; looking for them is quicker."""


def instructions(text: str) -> Iterator[tuple[int, int]]:
    """Where a text reads like an instruction to a system: offsets of each place."""
    low = text.lower()
    if any(map(low.__contains__, _HINTS)) or _AI.search(text) is not None:
        yield from (match.span() for match in _ORDERS.finditer(text))
