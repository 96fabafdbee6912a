"""A scenario: a scripted conversation about a study, with what must come out of it. `<name>/scenario.yaml` as values.

Beside that file stand `study/` (what is read), `authored.yaml` (answers written by hand, if any), `tape.json` with
`blobs/` (what a replay answers from) and `expected/report.json` (the report, byte for byte).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from wetread.errors import ConfigError
from wetread.tools.endpoints.port import EndpointName
from wetread.values import Value
from wetread.vocabulary import Side, View
from wetread.yamlfile import nearest, read_yaml


def _compiles(pattern: str) -> str:
    try:
        re.compile(pattern)
    except re.error as error:
        raise ValueError(f"not a regular expression ({error.msg})") from None
    return pattern


def _inside(path: Path) -> Path:
    inner = path.parts[1:] if path.parts[:1] == ("..",) else path.parts
    if path.is_absolute() or ".." in inner:
        raise ValueError("a path inside the scenario's folder, or beside it (`../studies/...`), is expected")
    return path


Pattern = Annotated[str, AfterValidator(_compiles)]
Inside = Annotated[Path, AfterValidator(_inside)]


class ExpectedTool(Value):
    """A tool call that must have happened. `arguments` is a subset of those it was called with."""

    tool: str
    agent: str | None = None
    arguments: dict[str, Any] = Field(default_factory=dict)
    status: Literal["ok", "failed", "abstained", "refused", "cancelled"] | None = None
    count: int | None = Field(default=None, ge=0)
    """Exactly so many such calls; at least one where it is left out."""


class ExpectedEvidence(Value):
    """Evidence that must be in the ledger."""

    tool: str
    status: Literal["ok", "failed", "abstained"] = "ok"
    code: str | None = None
    """Code of the reason why it failed or abstained."""
    count: int | None = Field(default=None, ge=0)


class ExpectedStatement(Value):
    """A statement of the report: what its text contains (letter case aside) or matches, and where it stands."""

    contains: str | None = None
    matches: Pattern | None = None
    section: Literal["findings", "impression", "recommendation"] | None = None
    system: str | None = None
    side: Side | None = None
    """One of its claims is of this side."""
    evidence: str | None = None
    """It cites evidence of this tool."""
    located: bool | None = None
    """It has, or has not, a region on an image."""


class ExpectedIssues(Value):
    """The report's issues, by code."""

    exactly: tuple[str, ...] | None = None
    """These and no others, each as often as it stands here."""
    include: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()


class Expectations(Value):
    """What must come out. The exact report is always compared besides."""

    outcome: Literal["answered", "reported", "budget", "cancelled", "failed"] = "reported"
    """How the last turn ended."""
    tools: tuple[ExpectedTool, ...] = ()
    order: tuple[str, ...] = ()
    """Tools in the order in which each was first called; others may stand between."""
    evidence: tuple[ExpectedEvidence, ...] = ()
    statements: tuple[ExpectedStatement, ...] = ()
    absent: tuple[ExpectedStatement, ...] = ()
    """No statement is like these."""
    not_assessed: tuple[str, ...] = ()
    """Systems that the report shows as not assessed."""
    sections: dict[str, str] = Field(default_factory=dict)
    """What the text of a section contains, by the section's name."""
    issues: ExpectedIssues = ExpectedIssues()
    notices: tuple[str, ...] = ()
    """Codes of notices that were given."""


class Limits(Value):
    """The turn's budget; what is left out has its default."""

    wall_s: float | None = Field(default=None, gt=0)
    model_calls: int | None = Field(default=None, gt=0)
    tool_calls: int | None = Field(default=None, gt=0)
    tokens: int | None = Field(default=None, gt=0)


class ReadOptions(Value):
    """How the study is read, as by the options of `wetread read`. Paths lie in the scenario's folder."""

    paths: tuple[Inside, ...] = (Path("study"),)
    indication: str | None = None
    view: View | None = None
    prior: tuple[Inside, ...] = ()
    prior_report: Inside | None = None


class ScenarioFile(Value):
    """`scenario.yaml`."""

    title: str
    description: str = ""
    study: ReadOptions = ReadOptions()
    template: str | None = None
    model: Literal["protocol", "tape"] = "protocol"
    """`protocol`: rules read, live; `tape`: a language model's turns from the tape."""
    endpoints: Literal["authored", "simulated", "configured"] = "authored"
    """What a recording asks: `authored.yaml`, with the simulator for what it leaves out; the simulator; real ones."""
    seed: int = 0
    """Of the simulator."""
    down: tuple[EndpointName, ...] = ()
    """Endpoints that answer 503 whenever they are asked."""
    absent: tuple[EndpointName, ...] = ()
    """Endpoints that are not configured."""
    library: Inside | None = None
    """A case library to search."""
    now: datetime
    """The time at which everything happens."""
    messages: tuple[str, ...] = Field(default=("Draft the report.",), min_length=1)
    budget: Limits = Limits()
    expect: Expectations = Expectations()

    @field_validator("now")
    @classmethod
    def _zoned(cls, now: datetime) -> datetime:
        if now.tzinfo is None:
            raise ValueError("a time with its zone is expected, such as 2026-01-15T09:00:00+00:00")
        return now


class Scenario:
    """A scenario and its folder; the folder's name is the scenario's.

    Raises:
        ConfigError: `WET-CONFIG-FILE` or `-YAML`, with file and line.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.name = folder.name
        self.file = read_yaml(folder / "scenario.yaml", ScenarioFile)

    @property
    def tape(self) -> Path:
        return self.folder / "tape.json"

    @property
    def expected(self) -> Path:
        return self.folder / "expected" / "report.json"

    @property
    def authored(self) -> Path:
        return self.folder / "authored.yaml"

    @cached_property
    def study_paths(self) -> list[Path]:
        return [self.folder / path for path in self.file.study.paths]


BUILT_IN = Path(__file__).parent


def scenario_folders(workspace: Path | None = None) -> dict[str, Path]:
    """Folders of all scenarios by name: the built-in ones, and those in `scenarios/` of a workspace, which go first."""
    found: dict[str, Path] = {}
    for root in (BUILT_IN, *([workspace / "scenarios"] if workspace else [])):
        found.update(_folders(root))
    return dict(sorted(found.items()))


def find_scenarios(names: list[str], workspace: Path | None = None) -> list[Scenario]:
    """Scenarios by name, or all of them for no name.

    Raises:
        ConfigError: `WET-CONFIG-SCENARIO` for an unknown name; for a scenario that is wrong, with file and line.
    """
    folders = scenario_folders(workspace)
    for name in names:
        if name not in folders:
            raise ConfigError(
                "WET-CONFIG-SCENARIO",
                f"There is no scenario '{name}'.",
                f"{nearest(name, list(folders))} See `wetread scenarios`.",
            )
    return [Scenario(folders[name]) for name in names or folders]


def _folders(root: Path) -> Iterator[tuple[str, Path]]:
    if root.is_dir():
        for folder in sorted(root.iterdir()):
            if (folder / "scenario.yaml").is_file():
                yield folder.name, folder
