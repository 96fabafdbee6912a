"""What a dialogue works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetread.agents.budget import Budget
from wetread.agents.chat import ChatModel
from wetread.session import Mode
from wetread.tools.base import Tool
from wetread.tools.endpoints.port import EndpointPort
from wetread.tools.registry import person_tools

if TYPE_CHECKING:
    from wetread.insight.library import CaseLibrary


@dataclass(frozen=True, slots=True)
class Sources:
    """What a dialogue works with. Who makes it closes it.

    Attributes:
        endpoints: The imaging models.
        models: Makes a chat model by name, for one that is not the session's own; the dialogue closes what it made.
        model: The chat model; None for the protocol.
        library: Earlier cases for retrieval.
        workspace: Folder with agents, prompts and templates of a user's own.
        budget: Limits of each turn.
        modes: What a reader must not overlook.
        now: The clock for what stands on the report.
        scrub: Takes what identifies the patient out of what a person types.
        tools: Tools beside the built-in ones; by default those by which an agent reaches the person.
    """

    endpoints: EndpointPort
    models: Callable[[str], ChatModel]
    model: ChatModel | None = None
    library: CaseLibrary | None = None
    workspace: Path | None = None
    budget: Budget = field(default_factory=Budget)
    modes: tuple[Mode, ...] = ()
    now: Callable[[], datetime] = field(default=lambda: datetime.now(UTC))
    scrub: Callable[[str], str] = field(default=lambda text: text)
    tools: tuple[Tool[Any], ...] = field(default_factory=person_tools)
