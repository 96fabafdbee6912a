"""Agents as YAML: who they are, what they may call, when they are asked. A workspace's files add to the built-in ones.

An agent is `agents/<name>.yaml` with a prompt in `prompts/agents/`. A mistake is told with file and line.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator

from wetread.agents.fields import FieldSpec
from wetread.prompts.loader import has_agent_prompt
from wetread.study import Study
from wetread.values import Value
from wetread.yamlfile import YamlFile, load_yaml, nearest

ORCHESTRATOR = "orchestrator"

FACTS = ("prior_report", "prior_images", "history", "indication", "frontal", "lateral")
"""What an agent may need of a study."""


class AgentSpec(Value):
    """One agent: a language-model role."""

    name: str = Field(pattern=r"^[a-z][a-z0-9_]*$", max_length=40)
    description: str = Field(min_length=1, max_length=400)
    """What others read to decide when to ask it: part of their prompt."""
    prompt: str = Field(pattern=r"^[A-Za-z0-9_.-]+$")
    """File name in `prompts/agents/`."""
    provides: tuple[str, ...] = ()
    """What is known after it was asked, in words of one's own."""
    needs: tuple[str, ...] = ()
    """What a study must have for it to be of use, each one of `FACTS` or several with `|` between them."""
    tools: tuple[str, ...] = ()
    """Names of the tools it may call."""
    consults: tuple[str, ...] = ()
    """Names of the agents it may ask, each as a tool of its own."""
    reviewed_by: str | None = None
    """The agent that reads each first draft before it is submitted."""
    tool: str | None = Field(default=None, pattern=r"^[a-z][a-z0-9_]*$", max_length=60)
    """How it is called as a tool; `consult_<name>` by default."""
    model: str | None = None
    """A chat model of its own, such as `openai:gpt-4.1-mini`; the session's by default."""
    max_iterations: int = Field(default=8, ge=1, le=50)
    """Rounds of tool calls."""
    arguments: dict[str, FieldSpec] = Field(default_factory=dict)
    """What it is asked with, as a tool."""
    result: dict[str, FieldSpec] = Field(default_factory=dict)
    """What it answers, as a tool."""

    @field_validator("needs")
    @classmethod
    def _known_needs(cls, needs: tuple[str, ...]) -> tuple[str, ...]:
        for word in (word for need in needs for word in need.split("|")):
            if word not in FACTS:
                raise ValueError(f"'{word}' is nothing a study can have. {nearest(word, FACTS)}")
        return needs

    @field_validator("arguments", "result")
    @classmethod
    def _identifiers(cls, fields: dict[str, FieldSpec]) -> dict[str, FieldSpec]:
        bad = next((name for name in fields if not name.isidentifier()), None)
        if bad is not None:
            raise ValueError(f"'{bad}' is not a field name: letters, digits and _")
        return fields

    @property
    def tool_name(self) -> str:
        return self.tool or f"consult_{self.name}"

    def fits(self, study: Study) -> bool:
        """Whether the study has what this agent needs."""
        have = facts_of(study)
        return all(any(word in have for word in need.split("|")) for need in self.needs)


def facts_of(study: Study) -> frozenset[str]:
    """Which of `FACTS` a study has."""
    has = {
        "prior_report": study.prior_report is not None,
        "prior_images": bool(study.priors),
        "history": bool(study.history),
        "indication": bool(study.indication),
        "frontal": study.frontal() is not None,
        "lateral": study.lateral() is not None,
    }
    return frozenset(fact for fact, present in has.items() if present)


def load_agents(workspace: Path | None = None, tools: Collection[str] | None = None) -> Mapping[str, AgentSpec]:
    """All agents by name: the built-in ones, added to and overridden by `<workspace>/agents/*.yaml`.

    Args:
        workspace: Folder of a user's own agents and prompts.
        tools: Names of all tools there are; where given, an agent that names another one is a mistake.

    Raises:
        ConfigError: WET-CONFIG-YAML with file and line: an unknown key, agent, tool or prompt, agents that consult each
            other in a circle.
    """
    sources = dict(_built_in())
    if workspace is not None and (workspace / "agents").is_dir():
        for path in sorted((workspace / "agents").glob("*.yaml")):
            file = load_yaml(path)
            sources[_named(file, path).name] = file
    agents = {name: file.parse(AgentSpec) for name, file in sources.items()} if workspace else dict(_built_in_agents())
    for name in sources:
        _check(agents[name], sources, agents, workspace, tools)
    return agents


@cache
def _built_in() -> Mapping[str, YamlFile]:
    folder = Path(str(files("wetread.agents")))
    found = [(path, load_yaml(path, name=f"agents/{path.name}")) for path in sorted(folder.glob("*.yaml"))]
    return {_named(file, path).name: file for path, file in found}


@cache
def _built_in_agents() -> Mapping[str, AgentSpec]:
    return {name: file.parse(AgentSpec) for name, file in _built_in().items()}


def _named(file: YamlFile, path: Path) -> AgentSpec:
    spec = file.parse(AgentSpec)
    if spec.name != path.stem:
        raise file.mistake(f"name is '{spec.name}', and the file is '{path.name}'", "name")
    return spec


def _check(
    spec: AgentSpec,
    sources: Mapping[str, YamlFile],
    agents: Mapping[str, AgentSpec],
    workspace: Path | None,
    tools: Collection[str] | None,
) -> None:
    file = sources[spec.name]
    if not has_agent_prompt(spec.prompt, workspace):
        raise file.mistake(f"there is no prompt 'prompts/agents/{spec.prompt}'", "prompt")
    for index, name in enumerate(spec.tools):
        if tools is not None and name not in tools:
            raise file.mistake(f"there is no tool '{name}'", "tools", index, hint=nearest(name, sorted(tools)))
    asked: list[tuple[str, tuple[Any, ...]]] = [(name, ("consults", index)) for index, name in enumerate(spec.consults)]
    if spec.reviewed_by is not None:
        asked.append((spec.reviewed_by, ("reviewed_by",)))
    for name, where in asked:
        if name not in agents:
            raise file.mistake(f"there is no agent '{name}'", *where, hint=nearest(name, sorted(agents)))
        if spec.name in _reached(name, agents):
            raise file.mistake(f"'{spec.name}' and '{name}' would ask each other without end", *where)
        if not agents[name].result:
            if file is _built_in().get(spec.name) and sources[name] is not _built_in().get(name):
                raise sources[name].mistake(f"there is no 'result', and '{spec.name}' asks '{name}'", "name")
            raise file.mistake(f"agent '{name}' has no 'result', so it cannot be asked", *where)


def _reached(start: str, agents: Mapping[str, AgentSpec]) -> set[str]:
    """Every agent that may come to be asked when `start` is, itself included."""
    found: set[str] = set()
    open_ = [start]
    while open_:
        name = open_.pop()
        if name in found or name not in agents:
            continue
        found.add(name)
        open_.extend((*agents[name].consults, *filter(None, [agents[name].reviewed_by])))
    return found
