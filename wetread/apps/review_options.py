"""From the options of `wetread review` to a reader's actions."""

from __future__ import annotations

import argparse
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from wetread.apps.review_walk import record_of
from wetread.errors import InputError

if TYPE_CHECKING:
    from wetread.reports.model import Report
    from wetread.review import Action

_RECORD = '"left pneumothorax; to=Dr. A; by=Dr. B; at=2026-01-31T14:05+01:00; how=telephone"'
_ID = re.compile(r"[A-Za-z][0-9]{1,6}")


def actions_from(options: argparse.Namespace, report: Report) -> list[Action]:
    """What the options ask for.

    Raises:
        InputError: `WET-INPUT-OPTION`, one is not written as it should be.
    """
    from wetread.review import Accept, Add, Edit, Fill, Judge, Reject

    actions: list[Action] = []
    rejected = list(_ids("--reject", options.reject))
    edited = {_id("--edit", id): text for id, text in _pairs("--edit", options.edit)}
    everything = [text.strip().lower() == "all" for text in options.accept]
    accepted = list(_ids("--accept", (text for text, all_ in zip(options.accept, everything, strict=True) if not all_)))
    if any(everything):
        named = {*rejected, *edited, *accepted}
        accepted += [one.id for one in report.statements() if one.id not in named]
    actions += [Accept(statement=id) for id in accepted]
    actions += [Reject(statement=id) for id in rejected]
    actions += [Edit(statement=id, text=text) for id, text in edited.items()]
    actions += [Add(place=place, text=text) for place, text in _pairs("--add", options.add)]
    actions += [Fill(field=field, value=value) for field, value in _pairs("--fill", options.fill)]
    for id, verdict in _pairs("--verdict", options.verdict):
        word, _, why = verdict.partition(":")
        match word.strip().lower():
            case "accept" | "amend" | "reject" as given:
                actions.append(Judge(evidence=_id("--verdict", id), verdict=given, note=why.strip() or None))
            case _:
                raise _wrong("--verdict", "E2=accept, E2=amend or E2=reject, with a reason after a colon")
    actions += [_told(text) for text in options.told]
    return actions


def _told(text: str) -> Action:
    from wetread.reports.model import Communication
    from wetread.review import Tell
    from wetread.vocabulary import Side

    head, *parts = (part.strip() for part in text.split(";"))
    record: dict[str, str] = {}
    for part in filter(None, parts):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not value or name not in Communication.model_fields or name in record:
            raise _wrong("--told", _RECORD)
        record[name] = value
    first, _, rest = head.partition(" ")
    side = Side(first.lower()) if first.lower() in {side.value for side in Side} and rest else None
    finding = "_".join((rest if side else head).lower().split())
    if not finding or not record:
        raise _wrong("--told", _RECORD)
    try:
        return Tell(finding=finding, side=side, record=record_of(record))
    except InputError:
        raise _wrong("--told", _RECORD) from None


def _ids(option: str, texts: Iterable[str]) -> Iterator[str]:
    for text in texts:
        for part in filter(None, (piece.strip() for piece in text.split(","))):
            yield _id(option, part)


def _id(option: str, text: str) -> str:
    if not _ID.fullmatch(text.strip()):
        raise _wrong(option, "ids such as S1,S2")
    return text.strip().upper()


def _pairs(option: str, texts: Iterable[str]) -> list[tuple[str, str]]:
    found = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name.strip() or not value.strip():
            raise _wrong(option, 'NAME="TEXT"')
        found.append((name.strip(), value.strip()))
    return found


def _wrong(option: str, shape: str) -> InputError:
    return InputError("WET-INPUT-OPTION", f"{option} is not written as it should be.", f"Write {shape}.")
