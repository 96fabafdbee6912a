"""Runs a scenario: reads its study, holds its conversation, compares what comes out.

A replay is strict: a request that is not on the tape, a record that nobody asks for, an expectation that does not hold
and a report that differs in one byte are differences. A recording asks the sources that the scenario names, writes the
tape, then replays it, so that what is expected is what a replay gives.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import AsyncIterator, Callable, Collection, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from wetread.agents.budget import Budget
from wetread.agents.chat import ChatModel
from wetread.agents.protocol import Protocol
from wetread.errors import ConfigError, WetreadError
from wetread.events import Event
from wetread.imaging.bank import ImageBank
from wetread.insight.library import CaseLibrary
from wetread.reports.model import Report
from wetread.reports.render import to_json
from wetread.reports.template import ReportTemplate, choose_template, load_template
from wetread.scenarios.authored import Authored, AuthoredEndpoints, AuthoredModel, check_authored, read_authored
from wetread.scenarios.authored_cases import write_library
from wetread.scenarios.canonical import bounded_diff
from wetread.scenarios.expectations import Difference, check_expectations
from wetread.scenarios.scenario import Scenario
from wetread.scenarios.sources import Outage
from wetread.scenarios.tape import Mode, Tape, TapedEndpoints, TapedModel, TapeMiss
from wetread.scenarios.tape_file import OriginKind, write_atomically
from wetread.session import Mode as ReportMode
from wetread.session import Session
from wetread.study import Study
from wetread.study_reading import read_study
from wetread.tools.endpoints.port import EndpointName, EndpointPort


@dataclass(frozen=True)
class LiveSources:
    """Real endpoints and chat models, for scenarios that are recorded from them. Given by whoever has the settings.

    Attributes:
        endpoints: For scenarios with `endpoints: configured`.
        model: For scenarios with `model: tape` and no answers written by hand.
        host: Host of an endpoint, for the origin of its records.
        secrets: Keys that must never be on a tape.
    """

    endpoints: EndpointPort | None = None
    model: ChatModel | None = None
    host: Callable[[EndpointName], str] = lambda endpoint: ""
    secrets: Collection[str] = ()


@dataclass(frozen=True)
class ScenarioResult:
    """What came of running one scenario.

    Attributes:
        session: The session, for whoever wants to render its report; None where it could not be opened.
        written: Files that a recording wrote.
    """

    name: str
    mode: Mode
    differences: tuple[Difference, ...]
    report: Report | None = None
    session: Session | None = None
    events: tuple[Event, ...] = ()
    wall_s: float = 0.0
    written: tuple[Path, ...] = field(default=())

    @property
    def passed(self) -> bool:
        return not self.differences


async def run_scenario(
    scenario: Scenario,
    mode: Mode = Mode.REPLAY,
    *,
    workspace: Path | None = None,
    live: LiveSources | None = None,
    on_event: Callable[[Event], None] | None = None,
) -> ScenarioResult:
    """Run one scenario.

    Args:
        mode: A replay changes no file. All others write the tape and the expected report, and then replay them.
        workspace: Folder with agents, prompts and templates of a user's own.
        live: What a recording from real models asks.
        on_event: Told of everything that happens.

    Raises:
        WetreadError: the scenario, its study or its tape cannot be used.
    """
    on_event = on_event or _ignore
    if mode is not Mode.REPLAY:
        written = await _record(scenario, mode, workspace, live or LiveSources(), on_event)
        return replace(await run_scenario(scenario, workspace=workspace), mode=mode, written=written)
    began = time.perf_counter()
    tape = Tape.open(scenario.tape)
    run = await _replay(scenario, tape, read_scenario_study(scenario), workspace, on_event)
    report = run.session.report
    faults = tape.faults()
    found = [Difference(what=fault.line(), diff=fault.diff if isinstance(fault, TapeMiss) else "") for fault in faults]
    if run.error is not None and run.error not in faults:
        found.append(Difference(what=run.error.line()))
    found += check_expectations(scenario.file.expect, run.events, list(run.session.ledger), report)
    found += _compare(scenario, report)
    return ScenarioResult(
        name=scenario.name,
        mode=mode,
        differences=tuple(found),
        report=report,
        session=run.session,
        events=tuple(run.events),
        wall_s=time.perf_counter() - began,
    )


@dataclass(frozen=True)
class Replay:
    """What answers from a scenario's tape, for whoever wants to hold the conversation themselves.

    Attributes:
        model: None where the protocol reads.
    """

    endpoints: EndpointPort
    model: ChatModel | None
    library: CaseLibrary | None
    modes: tuple[ReportMode, ...]


@contextmanager
def open_replay(scenario: Scenario, workspace: Path | None = None) -> Iterator[Replay]:
    """A scenario's tape, open to be asked; what is not on it raises `TapeError`.

    Raises:
        TapeError: the tape is missing or corrupt.
        InputError: the scenario's case library cannot be opened.
    """
    tape = Tape.open(scenario.tape)
    model = None if scenario.file.model == "protocol" else _model(scenario, tape, workspace)
    with _library(scenario) as library:
        yield Replay(endpoints=TapedEndpoints(tape), model=model, library=library, modes=_modes(tape))


def read_scenario_study(scenario: Scenario) -> Study:
    """The scenario's study.

    Raises:
        InputError: as `read_study`.
    """
    options = scenario.file.study
    return read_study(
        [scenario.folder / path for path in options.paths],
        indication=options.indication,
        view=options.view,
        prior=[scenario.folder / path for path in options.prior],
        prior_report=scenario.folder / options.prior_report if options.prior_report else None,
    )


@dataclass
class _Run:
    """What a conversation came to."""

    session: Session
    events: list[Event]
    error: WetreadError | None = None


async def _converse(
    scenario: Scenario,
    study: Study,
    tape: Tape,
    endpoints: EndpointPort,
    model: ChatModel,
    library: CaseLibrary | None,
    workspace: Path | None,
    on_event: Callable[[Event], None],
) -> _Run:
    """Hold the conversation. An error that ends it early is part of what came out, not raised."""
    file = scenario.file
    session = Session(
        study,
        endpoints=endpoints,
        model=model,
        template=file.template,
        library=library,
        budget=Budget(**file.budget.model_dump(exclude_none=True)),
        now=lambda: file.now,
        modes=_modes(tape),
        workspace=workspace,
        models=lambda name: model,
    )
    run = _Run(session, [])
    async with session:
        try:
            for message in file.messages:
                async for event in session.send(message):
                    run.events.append(event)
                    on_event(event)
        except WetreadError as error:
            run.error = error
    return run


async def _record(
    scenario: Scenario,
    mode: Mode,
    workspace: Path | None,
    live: LiveSources,
    on_event: Callable[[Event], None],
) -> tuple[Path, ...]:
    """Run with the sources asked, write tape and expected report; returns the files."""
    authored = read_authored(scenario.authored) if scenario.authored.exists() else Authored()
    study = read_scenario_study(scenario)
    tape = Tape.open(scenario.tape, mode)
    async with _endpoints(scenario, study, authored, workspace, live) as inner:
        if authored.cases:
            await write_library(authored.cases, _library_path(scenario), inner, ImageBank(study))
        with _library(scenario) as library:
            kind: OriginKind = "recorded" if scenario.file.endpoints == "configured" else "simulated"
            endpoints = TapedEndpoints(tape, inner, faults=kind, source=live.host)
            turns = AuthoredModel(authored.chat) if authored.chat else None
            model = _model(scenario, tape, workspace, turns, live)
            run = await _converse(scenario, study, tape, endpoints, model, library, workspace, on_event)
    if tape.chat.live and turns is not None and (mistake := turns.mistake()):
        raise ConfigError("WET-CONFIG-AUTHORED", f"{scenario.authored}: {mistake}", "Write what the agents answer.")
    if run.error is not None:
        raise run.error
    missing = [fault for fault in tape.faults() if isinstance(fault, TapeMiss)]
    if missing:
        raise missing[0]
    tape.save(scenario.tape, secrets=live.secrets)
    report = (await _replay(scenario, Tape.open(scenario.tape), study, workspace, _ignore)).session.report
    if report is None:
        scenario.expected.unlink(missing_ok=True)
        return (scenario.tape,)
    write_atomically(scenario.expected, to_json(report))
    return (scenario.tape, scenario.expected)


async def _replay(
    scenario: Scenario, tape: Tape, study: Study, workspace: Path | None, on_event: Callable[[Event], None]
) -> _Run:
    with _library(scenario) as library:
        return await _converse(
            scenario, study, tape, TapedEndpoints(tape), _model(scenario, tape, workspace), library, workspace, on_event
        )


@asynccontextmanager
async def _endpoints(
    scenario: Scenario, study: Study, authored: Authored, workspace: Path | None, live: LiveSources
) -> AsyncIterator[EndpointPort]:
    """The endpoints that a recording asks."""
    file = scenario.file
    if file.endpoints == "configured":
        if live.endpoints is None:
            raise ConfigError(
                "WET-CONFIG-ENDPOINTS",
                f"The scenario '{scenario.name}' is recorded from real endpoints, and none are configured.",
                "Set WETREAD_CXRREPORTGEN_URL and its like; see `wetread doctor`.",
            )
        yield Outage(live.endpoints, down=file.down, absent=file.absent)
        return
    # a replay has no use for them
    from wetread.testing.simulated import SimulatedEndpoints

    port: EndpointPort = SimulatedEndpoints(seed=file.seed)
    if authored.endpoints and file.endpoints == "authored":
        template = _template(scenario, study, workspace)
        findings = {entry.finding: (entry.present, entry.absent) for entry in template.classify}
        check_authored(scenario.authored, authored, [image.handle for image in study.images], findings)
        port = AuthoredEndpoints(authored.endpoints, ImageBank(study), findings, port)
    try:
        yield Outage(port, down=file.down, absent=file.absent)
    finally:
        await port.aclose()


def _template(scenario: Scenario, study: Study, workspace: Path | None) -> ReportTemplate:
    return load_template(scenario.file.template or choose_template(study, workspace), workspace)


def _model(
    scenario: Scenario,
    tape: Tape,
    workspace: Path | None,
    authored: AuthoredModel | None = None,
    live: LiveSources | None = None,
) -> ChatModel:
    """The chat model of a run: the protocol itself, or the tape with what it asks when it records."""
    if scenario.file.model == "protocol":
        return Protocol(workspace)
    if authored is not None:
        return TapedModel(tape, authored, origin="authored")
    inner = live.model if live is not None else None
    if tape.chat.live and inner is None:
        raise ConfigError(
            "WET-CONFIG-MODEL",
            f"The scenario '{scenario.name}' is recorded from a language model, and none is configured.",
            "Set WETREAD_MODEL, give --model, or write its answers in authored.yaml.",
        )
    return TapedModel(tape, inner)


def _library_path(scenario: Scenario) -> Path:
    if scenario.file.library is None:
        raise ConfigError(
            "WET-CONFIG-AUTHORED",
            f"{scenario.authored} has cases, and scenario.yaml names no library for them.",
            "Add `library: cases.sqlite` to scenario.yaml.",
        )
    return scenario.folder / scenario.file.library


@contextmanager
def _library(scenario: Scenario) -> Iterator[CaseLibrary | None]:
    """The scenario's case library, open for the run; None where it has none."""
    if scenario.file.library is None:
        yield None
        return
    with CaseLibrary.open(_library_path(scenario), read_only=True) as library:
        yield library


def _modes(tape: Tape) -> tuple[ReportMode, ...]:
    """What the report must say of itself: that it is a replay, and of what kind of answers."""
    origins = tape.content.origins
    modes: list[ReportMode] = ["replay"]
    if "simulated" in origins:
        modes.append("simulated")
    if "authored" in origins:
        modes.append("authored")
    return tuple(modes)


def _compare(scenario: Scenario, report: Report | None) -> list[Difference]:
    """The report against the expected one, byte for byte."""
    expected = scenario.expected.read_bytes() if scenario.expected.exists() else b""
    made = to_json(report) if report is not None else b""
    if expected == made:
        return []
    if not expected:
        return [Difference(what=f"there is no {scenario.expected.name} to compare the report with; record it")]
    if not made:
        return [Difference(what="there is no report, and one was expected")]
    lines = difflib.unified_diff(
        expected.decode().split("\n"), made.decode().split("\n"), "expected", "now", lineterm="", n=1
    )
    return [Difference(what="the report is not the expected one", diff=bounded_diff(lines))]


def _ignore(event: Event) -> None:
    pass
