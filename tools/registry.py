"""The built-in tools by name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from wetread.errors import ConfigError
from wetread.tools.arguments import nearest
from wetread.tools.ask_person import AskPerson
from wetread.tools.base import Tool
from wetread.tools.classify import Classify
from wetread.tools.current_report import CurrentReport
from wetread.tools.explain import Explain
from wetread.tools.find_similar import FindSimilar
from wetread.tools.measure import Measure
from wetread.tools.propose_edit import ProposeEdit
from wetread.tools.report_findings import ComparedFindings, ReportFindings
from wetread.tools.segment import Segment
from wetread.tools.study_context import StudyContext
from wetread.tools.submit_report import SubmitReport

# Tools keep no state: one of each serves every session of the process.
_BUILT_IN: dict[str, Tool[Any]] = {
    tool.name: tool
    for tool in (
        StudyContext(),
        ReportFindings(),
        Segment(),
        Measure(),
        Classify(),
        FindSimilar(),
        SubmitReport(),
    )
}

_WITH_A_PERSON: tuple[Tool[Any], ...] = (ComparedFindings(), AskPerson(), CurrentReport(), Explain(), ProposeEdit())

PERSON_TOOLS = frozenset(tool.name for tool in _WITH_A_PERSON) - frozenset(_BUILT_IN)
"""Names of tools that there are in a dialogue alone: an agent that has one of them is in one."""


def tool_names() -> tuple[str, ...]:
    """Names of the built-in tools, in the order in which a reading calls them."""
    return tuple(_BUILT_IN)


def built_in_tools(names: Iterable[str] | None = None) -> tuple[Tool[Any], ...]:
    """The built-in tools of these names, in their order; all of them without names.

    Raises:
        ConfigError: `WET-CONFIG-TOOL` for a name that no tool has.
    """
    if names is None:
        return tuple(_BUILT_IN.values())
    tools = []
    for name in names:
        if name not in _BUILT_IN:
            hint = f"There are: {', '.join(_BUILT_IN)}. {nearest(name, list(_BUILT_IN))}".strip()
            raise ConfigError("WET-CONFIG-TOOL", f"There is no tool '{name}'.", hint)
        tools.append(_BUILT_IN[name])
    return tuple(tools)


def person_tools() -> tuple[Tool[Any], ...]:
    """The tools of a dialogue, where a person can be asked and speaks of the report; given to a session as `tools`.

    One of them is `report_findings` itself, which then takes a prior that the person chose.
    """
    return _WITH_A_PERSON
