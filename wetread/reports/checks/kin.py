"""Which findings can stand for each other in a report, and which speak for another one's being there.

The table is `relations.json`: for each finding those that a reader may name in its stead (`near`), and those that a
reader may conclude it from (`from`).
"""

from __future__ import annotations

import json
from functools import cache, lru_cache
from importlib import resources

from wetread.reports.language import lexicon

_SILENT = frozenset({"normal", "abnormality", "acute_process"})


@cache
def _table() -> dict[str, dict[str, list[str]]]:
    text = resources.files(__package__).joinpath("relations.json").read_text("utf-8")
    table: dict[str, dict[str, list[str]]] = json.loads(text)
    return table


@lru_cache(maxsize=4096)
def kinds_of(finding: str) -> frozenset[str]:
    """The finding and all that it is a kind of."""
    return frozenset(lexicon().broader(finding))


@lru_cache(maxsize=8192)
def related(one: str, other: str) -> bool:
    """Whether two findings are the same or one is a kind of the other."""
    return one in kinds_of(other) or other in kinds_of(one)


@lru_cache(maxsize=8192)
def near(one: str, other: str) -> bool:
    """Whether a reader may name one for the other."""
    if related(one, other):
        return True
    table = _table()
    return other in table.get(one, {}).get("near", ()) or one in table.get(other, {}).get("near", ())


@lru_cache(maxsize=8192)
def speaks_for(seen: str, concluded: str) -> bool:
    """Whether a finding that was described carries one that was concluded."""
    entry = lexicon().findings.get(concluded)
    if entry is not None and entry.kind == "device":
        # a device of the findings may be named less exactly, not more exactly
        return concluded in kinds_of(seen)
    if near(seen, concluded):
        return True
    wanted = _table().get(concluded, {}).get("from", ())
    return any(kind in wanted for kind in kinds_of(seen))


@lru_cache(maxsize=1024)
def is_abnormal(finding: str | None) -> bool:
    """Whether a finding is an abnormality that has a name of its own."""
    entry = lexicon().findings.get(finding or "")
    return entry is not None and entry.kind == "abnormality" and entry.key not in _SILENT


@lru_cache(maxsize=1024)
def is_device(finding: str | None) -> bool:
    entry = lexicon().findings.get(finding or "")
    return entry is not None and entry.kind == "device"


@lru_cache(maxsize=1024)
def urgency(finding: str | None) -> int:
    """How urgent a finding is, 0 to 100; 0 for one that is not known."""
    entry = lexicon().findings.get(finding or "")
    return entry.urgency if entry is not None else 0
