"""Slots: how text refers to a measured number, `{E4.cardiothoracic_ratio}`. Code fills them, with unit and rounding."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from wetread.evidence import Evidence, Measurement

NOT_MEASURED = "[not measured]"
"""Stands where a slot names no measurement of the ledger. Left visible; SEC-3 reports it."""

SLOT = re.compile(r"\{\s*(E[1-9][0-9]{0,5})\.([a-z][a-z0-9_]{0,80})\s*\}")


@dataclass(frozen=True, slots=True)
class Filled:
    """A text with its slots filled, the measurements taken, and the ids of the evidence they came from, each once."""

    text: str
    measurements: tuple[Measurement, ...]
    evidence: tuple[str, ...]


def fill(text: str, get: Callable[[str], Evidence | None]) -> Filled:
    """Fill every slot of a text.

    Args:
        text: A draft's text.
        get: The evidence of an id, or None.

    A unit that the text repeats behind its slot is dropped.
    """
    if "{" not in text:
        return Filled(text, (), ())
    taken: list[Measurement] = []
    cited: list[str] = []
    parts: list[str] = []
    end = 0
    for match in SLOT.finditer(text):
        parts.append(text[end : match.start()])
        end = match.end()
        evidence = get(match[1])
        measurement = evidence.measurement(match[2]) if evidence is not None and evidence.status == "ok" else None
        if evidence is None or measurement is None:
            parts.append(NOT_MEASURED)
            continue
        parts.append(measurement.text)
        unit = measurement.text.partition(" ")[2]
        if unit:
            repeated = re.match(rf"\s*{re.escape(unit)}(?!\w)", text[end:])
            end += repeated.end() if repeated else 0
        if measurement not in taken:
            taken.append(measurement)
        if evidence.id not in cited:
            cited.append(evidence.id)
    parts.append(text[end:])
    return Filled("".join(parts), tuple(taken), tuple(cited))
