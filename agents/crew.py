"""The agents of one session: the orchestrator, its tools, the specialists that it may ask, and who answers for each."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetread.agents.budget import Meter
from wetread.agents.chat import ChatMessage, ChatModel, ToolSpec, ToolUse
from wetread.agents.prices import Prices, load_prices
from wetread.agents.protocol import PROTOCOL
from wetread.agents.restricted import Restricted
from wetread.agents.spec import ORCHESTRATOR, AgentSpec, load_agents
from wetread.agents.specialists import Desk, reviewed, specialist_tool
from wetread.prompts.loader import agent_prompt
from wetread.tools.base import Reading, Tool, ToolAnswer
from wetread.tools.registry import PERSON_TOOLS, built_in_tools
from wetread.tools.submit_report import submit_report_for
from wetread.tools.toolbox import Toolbox, recall
from wetread.vocabulary import Origin

if TYPE_CHECKING:
    from wetread.agents._autogen import AgentRun

READER = "reader"
"""Who calls, where it is the person who reads."""


class Crew:
    """Who reads, and with what.

    Args:
        reading: What is read.
        model: The session's chat model.
        workspace: Folder with agents and prompts of a user's own.
        specialists: Names of the agents that may be asked; None for all of the orchestrator's that the study has
            something for. The protocol asks none.
        models: Makes the chat model of an agent whose YAML names one of its own.
        tools: Tools beside the built-in ones; one of the same name takes its place.

    Raises:
        ConfigError: a mistake in the workspace.
    """

    def __init__(
        self,
        reading: Reading,
        model: ChatModel,
        *,
        workspace: Path | None = None,
        specialists: Sequence[str] | None = None,
        models: Callable[[str], ChatModel] | None = None,
        tools: Sequence[Tool[Any]] = (),
    ) -> None:
        self._reading = reading
        self._model = model
        self._workspace = workspace
        self._models = models
        self._own_models: dict[str, ChatModel] = {}
        self._meter: Meter | None = None
        self._prices = Prices() if model.name == PROTOCOL else load_prices(workspace)
        submit = submit_report_for(reading.template.fields)
        available = {tool.name: tool for tool in (*built_in_tools(), submit, *tools)}
        agents = load_agents(workspace, available)
        self._orchestrator = agents[ORCHESTRATOR]
        consulted = [] if model.name == PROTOCOL else self._add_specialists(agents, available, specialists)
        self._toolbox = Toolbox(list(available.values()), reading)
        names = [*self._orchestrator.tools, *(tool.name for tool in tools), *consulted]
        self._specs = self._specs_of(names)
        self._system = agent_prompt(
            self._orchestrator.prompt,
            {
                "systems": ", ".join(system.key for system in reading.template.systems),
                "consults": ", ".join(f"`{name}`" for name in consulted),
                "person": any(tool.name in PERSON_TOOLS for tool in tools),
            },
            workspace,
        )

    async def work(
        self, task: str, *, history: Sequence[ChatMessage], record: list[ChatMessage], meter: Meter
    ) -> AgentRun:
        """Let the orchestrator work on a task until a draft is accepted, it answers in text, or its rounds run out.

        Args:
            task: The user message.
            history: The conversation so far.
            record: Gets what is added to it, as it happens.
            meter: The turn's budget.

        Raises:
            BudgetError: a limit was reached.
            ModelError: the model failed.
        """
        from wetread.agents._autogen import run_agent

        reading, self._meter = self._reading, meter
        meter.prices = self._prices
        return await run_agent(
            task,
            agent=self._orchestrator.name,
            model=self._model_for(self._orchestrator),
            system=self._system,
            meter=meter,
            history=history,
            toolbox=Restricted(self._toolbox, (spec.name for spec in self._specs)),
            specs=self._specs,
            max_iterations=self._orchestrator.max_iterations,
            finished=lambda: reading.accepted or reading.barred is not None,
            emit=lambda event: reading.emit(event),
            record=record,
        )

    @property
    def tools(self) -> Mapping[str, Tool[Any]]:
        """All tools by name, whoever may call them."""
        return self._toolbox.tools

    async def call(self, use: ToolUse, meter: Meter) -> ToolAnswer:
        """Answer a call of the person who reads. Raises nothing but cancellation."""
        self._meter = meter
        meter.prices = self._prices
        return await self._toolbox.call(use.name, use.arguments, agent=READER, call_id=use.id)

    def recall(self, answers: Iterable[ToolAnswer]) -> None:
        """Put the tools' answers of an earlier session where calls look for them, in the order of their evidence."""
        tools = self._toolbox.tools
        for answer in answers:
            recall(self._reading, tools, answer)

    async def aclose(self) -> None:
        """Close the chat models that were made for single agents."""
        models, self._own_models = self._own_models, {}
        for model in models.values():
            await model.aclose()

    def _add_specialists(
        self, agents: Mapping[str, AgentSpec], available: dict[str, Tool[Any]], wanted: Sequence[str] | None
    ) -> list[str]:
        """Put the specialists among the tools; returns the names of those that the orchestrator may call."""
        desk = Desk(
            model=self._model_for,
            meter=self._running_meter,
            toolbox=lambda: self._toolbox,
            names=lambda spec: (*spec.tools, *(agents[name].tool_name for name in spec.consults)),
            specs=self._specs_of,
            origin=self._origin_of,
        )
        consulted = []
        for name in _reachable(self._orchestrator, agents):
            spec = agents[name]
            if not spec.fits(self._reading.study) or (wanted is not None and name not in wanted):
                continue
            if name == self._orchestrator.reviewed_by:
                submit, review = reviewed(available["submit_report"], spec, desk, self._workspace)
                available[submit.name], available[review.name] = submit, review
                continue
            available[spec.tool_name] = specialist_tool(spec, desk, self._workspace)
            if name in self._orchestrator.consults:
                consulted.append(spec.tool_name)
        return consulted

    def _running_meter(self) -> Meter:
        assert self._meter is not None, "a specialist is asked in a turn only"
        return self._meter

    def _specs_of(self, names: Sequence[str]) -> tuple[ToolSpec, ...]:
        made = {spec["name"]: spec for spec in self._toolbox.specs()}
        return tuple(ToolSpec(**made[name]) for name in dict.fromkeys(names) if name in made)

    def _model_for(self, spec: AgentSpec) -> ChatModel:
        if spec.model is None or self._models is None or self._model.name == PROTOCOL:
            return self._model
        model = self._own_models.get(spec.model)
        if model is None:
            model = self._own_models[spec.model] = self._models(spec.model)
        return model

    def _origin_of(self, spec: AgentSpec) -> Origin:
        """Where an agent's answers come from: as its model says, else as the session's modes do."""
        origin = getattr(self._model_for(spec), "origin", None)
        if isinstance(origin, Origin):
            return origin
        by_mode = {"authored": Origin.AUTHORED, "replay": Origin.RECORDED, "simulated": Origin.SIMULATED}
        return next((by_mode[mode] for mode in by_mode if mode in self._reading.modes), Origin.ENDPOINT)


def _reachable(start: AgentSpec, agents: Mapping[str, AgentSpec]) -> list[str]:
    """Names of the agents that may come to be asked, each once."""
    found: dict[str, None] = {}
    open_ = [*start.consults, *filter(None, [start.reviewed_by])]
    while open_:
        name = open_.pop(0)
        if name not in found:
            found[name] = None
            open_.extend(agents[name].consults)
    return list(found)
