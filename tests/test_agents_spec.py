"""Agents as YAML: the built-in ones, a workspace's own, and mistakes told with file and line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from wetread.agents.fields import FieldSpec, model_of, schema_of
from wetread.agents.spec import load_agents
from wetread.agents.specialists import Answer
from wetread.errors import ConfigError
from wetread.prompts.loader import agent_prompt
from wetread.study import ImageSource, PriorReport, Study, StudyImage
from wetread.tools.registry import tool_names

OWN = """\
name: quality
description: Looks at how the image was made.
prompt: quality.md.j2
tools: [segment]
result:
  verdict: {choices: [good, poor]}
"""


HISTORIAN = "name: historian\ndescription: Another.\nprompt: historian.md.j2\nmodel: openai:m\n"


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    (tmp_path / "agents").mkdir()
    (tmp_path / "prompts" / "agents").mkdir(parents=True)
    (tmp_path / "prompts" / "agents" / "quality.md.j2").write_text("You look at quality.", "utf-8")
    return tmp_path


def write(workspace: Path, text: str, name: str = "quality") -> Path:
    (workspace / "agents" / f"{name}.yaml").write_text(text, "utf-8")
    return workspace


def study(**fields: Any) -> Study:
    image = StudyImage(
        handle="image_1", modality="DX", rows=8, columns=8, source=ImageSource(path=Path("x"), kind="picture")
    )
    return Study(images=(image,), **fields)


def test_the_built_in_agents_are_whole() -> None:
    agents = load_agents(tools=tool_names())
    assert set(agents) == {"orchestrator", "historian", "reviewer"}
    assert set(tool_names()) == set(agents["orchestrator"].tools)
    assert agents["historian"].tool_name == "consult_historian"
    assert agents["reviewer"].tool_name == "review_draft"


@pytest.mark.parametrize(
    ("fields", "fits"),
    [({}, False), ({"history": "Asthma."}, True), ({"prior_report": PriorReport(text="Clear.")}, True)],
)
def test_an_agent_is_for_studies_that_have_what_it_needs(fields: dict[str, Any], fits: bool) -> None:
    assert load_agents()["historian"].fits(study(**fields)) is fits


def test_a_workspace_adds_and_overrides(workspace: Path) -> None:
    write(workspace, OWN)
    write(workspace, HISTORIAN + "result: {old: {many: true}}\n", "historian")
    agents = load_agents(workspace, tool_names())
    assert agents["quality"].result["verdict"].choices == ("good", "poor")
    assert (agents["historian"].description, agents["historian"].model) == ("Another.", "openai:m")
    assert load_agents()["historian"].description != "Another."


def test_an_override_that_cannot_be_asked_is_told_of_its_own_file(workspace: Path) -> None:
    with pytest.raises(ConfigError, match=r"historian\.yaml, line 1: there is no 'result'"):
        load_agents(write(workspace, HISTORIAN, "historian"), tool_names())


def test_a_workspace_s_prompt_comes_first(workspace: Path) -> None:
    (workspace / "prompts" / "agents" / "historian.md.j2").write_text("Mine: {{ word }}", "utf-8")
    assert agent_prompt("historian.md.j2", {"word": "so"}, workspace) == "Mine: so"
    assert agent_prompt("reviewer.md.j2", {}, workspace) == agent_prompt("reviewer.md.j2", {})


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        (OWN.replace("tools:", "tool:"), 4, "tool"),
        (OWN + "promt: x\n", 7, "prompt"),
        (OWN.replace("[segment]", "[report_findings, segmnt]"), 4, "segment"),
        (OWN.replace("quality.md.j2", "qualitty.md.j2"), 3, "qualitty"),
        (OWN.replace("quality.md.j2", "../../secret"), 3, "prompt"),
        (OWN.replace("name: quality", "name: other"), 1, "other"),
        (OWN.replace("choices", "choses"), 6, "choices"),
        (OWN + "needs: [prior_reprot]\n", 7, "prior_report"),
        (OWN + "consults: [historien]\n", 7, "historian"),
        (OWN + "consults: [quality]\n", 7, "without end"),
        (OWN + "consults: [orchestrator]\n", 7, "result"),
        (OWN + "max_iterations: 0\n", 7, "max_iterations"),
        ("- a\n- b\n", 1, "mapping"),
        (OWN.replace("description: Looks", "description: 'Looks"), 7, ""),
    ],
)
def test_a_mistake_is_told_with_file_and_line(workspace: Path, text: str, line: int, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load_agents(write(workspace, text), tool_names())
    said = caught.value.line()
    assert "quality.yaml" in said
    assert f"line {line}" in said
    assert says in said


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("Line one.\n{% if %}", "line 2"),
        ("{{ nobody_gives_this }}", "nobody_gives_this"),
        ("{{ ''.__class__.__mro__ }}", "quality.md.j2"),
    ],
)
def test_a_mistake_in_a_prompt_is_told(workspace: Path, text: str, says: str) -> None:
    (workspace / "prompts" / "agents" / "quality.md.j2").write_text(text, "utf-8")
    with pytest.raises(ConfigError, match=says) as caught:
        agent_prompt("quality.md.j2", {}, workspace)
    assert caught.value.code == "WET-CONFIG-PROMPT"


@pytest.mark.parametrize("name", ["nothing.md.j2", "../loader.py", "agents/historian.md.j2"])
def test_a_prompt_that_is_not_there(name: str) -> None:
    with pytest.raises(ConfigError, match="no prompt"):
        agent_prompt(name, {})


FIELDS = {
    "side": FieldSpec(choices=("right", "left"), optional=True),
    "sizes": FieldSpec(type="number", many=True),
    "parts": FieldSpec(many=True, optional=True, fields={"name": FieldSpec(about="its name")}),
}


def test_fields_make_a_model_and_its_schema() -> None:
    model = model_of("Made", FIELDS, Answer)
    made = model.model_validate({"sizes": [1, 2.5], "parts": [{"name": "a"}], "more": 1})
    assert made.model_dump() == {"side": None, "sizes": (1.0, 2.5), "parts": ({"name": "a"},)}
    for wrong in ({}, {"sizes": "x"}, {"sizes": [1], "side": "up"}, {"sizes": [1], "parts": [{}]}):
        with pytest.raises(ValidationError):
            model.model_validate(wrong)
    assert schema_of(FIELDS) == {
        "type": "object",
        "properties": {
            "side": {"type": "string", "enum": ["right", "left"]},
            "sizes": {"type": "array", "items": {"type": "number"}},
            "parts": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string", "description": "its name"}},
                    "required": ["name"],
                    "additionalProperties": False,
                },
            },
        },
        "required": ["sizes"],
        "additionalProperties": False,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"type": "number", "choices": ["1"]},
        {"type": "number", "fields": {"a": {}}},
        {"fields": {"not a name": {}}},
        {"type": "date"},
    ],
)
def test_fields_that_contradict_themselves_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        FieldSpec.model_validate(wrong)
