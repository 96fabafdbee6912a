"""What the protocol asks next: the rounds of the template's reading protocol, as far as the study and the tools go."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from wetread.agents.protocol_answers import Reading
from wetread.reports.template import ProtocolCall, ReportTemplate
from wetread.values import canonical_json

PlannedCall = tuple[str, dict[str, Any]]


def next_round(
    reading: Reading,
    template: ReportTemplate,
    tools: Collection[str],
    also: Mapping[str, Mapping[str, Any]] | None = None,
) -> list[PlannedCall]:
    """The calls of the first round that has any left to make, as tool and arguments; empty when all are made.

    A call is left out where the agent does not have its tool, or the study not its image.

    Args:
        also: Arguments that calls of a tool get beside their own.
    """
    made = {(one.tool, canonical_json(dict(one.arguments))) for one in reading.asked}
    for planned in template.protocol:
        calls = [call for call in (planned_call(one, reading, also) for one in planned) if call is not None]
        left = [
            (tool, arguments)
            for tool, arguments in calls
            if tool in tools and (tool, canonical_json(arguments)) not in made
        ]
        if left:
            return left
    return []


def planned_call(
    call: ProtocolCall, reading: Reading, also: Mapping[str, Mapping[str, Any]] | None = None
) -> PlannedCall | None:
    """A call of a template's protocol with the image that it means; None where the study has none."""
    more = (also or {}).get(call.tool, {})
    if call.image is None:
        return call.tool, {**call.arguments, **more}
    image = reading.image(call.image)
    return None if image is None else (call.tool, {"image": image["handle"], **call.arguments, **more})
