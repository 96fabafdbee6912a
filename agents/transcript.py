"""The conversation as a list of messages: our own state, repaired at a turn's border.

Chat APIs reject a tool use without its result, which is what a cancelled turn leaves behind.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

import orjson

from wetread.agents.chat import ChatMessage, ToolUse

CUT_SHORT = orjson.dumps(
    {"status": "refused", "code": "WET-TOOL-CANCELLED", "message": "The call was cut short; it has no result."}
).decode()
"""What stands in the place of a result that never came."""


def repaired(messages: Iterable[ChatMessage]) -> tuple[ChatMessage, ...]:
    """The messages with exactly one result behind each tool use, in the order of the uses.

    Missing results are put in as cut short; results that answer nothing are left out.
    """
    kept: list[ChatMessage] = []
    pending: dict[str, ChatMessage | None] = {}

    def settle() -> None:
        for id, result in pending.items():
            kept.append(result or ChatMessage(role="tool", text=CUT_SHORT, tool_use_id=id, failed=True))
        pending.clear()

    for message in messages:
        if message.role == "tool":
            if message.tool_use_id in pending and pending[message.tool_use_id] is None:
                pending[message.tool_use_id] = message
            continue
        settle()
        kept.append(message)
        pending.update(dict.fromkeys(use.id for use in message.tool_uses))
    settle()
    return tuple(kept)


def without_results(messages: Iterable[ChatMessage], calls: Collection[str]) -> tuple[ChatMessage, ...]:
    """The messages, with the results of those calls as if they had never come."""
    return tuple(
        ChatMessage(role="tool", text=CUT_SHORT, tool_use_id=one.tool_use_id, failed=True)
        if one.role == "tool" and one.tool_use_id in calls
        else one
        for one in messages
    )


def calls(messages: Sequence[ChatMessage]) -> list[tuple[ToolUse, ChatMessage]]:
    """Every tool use that has a result, with the result, in the order of the uses."""
    results = {message.tool_use_id: message for message in messages if message.role == "tool"}
    return [
        (use, results[use.id]) for message in messages for use in message.tool_uses if results.get(use.id) is not None
    ]
