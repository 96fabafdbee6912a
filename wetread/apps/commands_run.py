"""`wetread run` and `wetread scenarios`: replays, recordings, the list."""

from __future__ import annotations

import argparse
import asyncio
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetread.apps.output import print_json, show_report, write_files
from wetread.apps.terminal import Progress, console, note
from wetread.apps.wiring import open_live_sources, settings_for
from wetread.errors import TapeError, WetreadError

if TYPE_CHECKING:
    from wetread.scenarios.runner import LiveSources, ScenarioResult
    from wetread.scenarios.scenario import Scenario


def run(options: argparse.Namespace) -> int:
    """Run the command; see `apps.cli` for its options and exit codes."""
    if options.command == "scenarios":
        return _list(Path(options.workspace))
    return asyncio.run(_run(options))


async def _run(options: argparse.Namespace) -> int:
    from wetread.scenarios.runner import LiveSources
    from wetread.scenarios.scenario import find_scenarios
    from wetread.scenarios.tape import Mode

    workspace = Path(options.workspace)
    scenarios = find_scenarios(options.scenario, workspace)
    mode = Mode(options.mode)
    async with AsyncExitStack() as stack:
        live = LiveSources()
        if mode is not Mode.REPLAY:
            live = await stack.enter_async_context(open_live_sources(settings_for(workspace, options.model)))
        results = [await _one(scenario, mode, options, live, alone=len(scenarios) == 1) for scenario in scenarios]
    if options.json:
        print_json([_facts(result) for result in results])
    elif not (options.show and len(results) == 1 and results[0].passed):
        _table(results)
    return 0 if all(result.passed for result in results) else 1


async def _one(
    scenario: Scenario, mode: Any, options: argparse.Namespace, live: LiveSources, *, alone: bool
) -> ScenarioResult:
    from wetread.scenarios.expectations import Difference
    from wetread.scenarios.runner import ScenarioResult, run_scenario

    note(f"{scenario.name}: {mode}", "bold")
    try:
        with Progress() as progress:
            result = await run_scenario(scenario, mode, workspace=Path(options.workspace), live=live, on_event=progress)
    except WetreadError as error:
        # what is wrong with one scenario or its tape does not keep the others from running
        if alone and not isinstance(error, TapeError):
            raise
        diff = getattr(error, "diff", "")
        result = ScenarioResult(scenario.name, mode, (Difference(what=error.line(), diff=diff),))
    for path in result.written:
        note(f"Written: {path}")
    if result.report is not None and options.show:
        show_report(result.report, as_json=False)
    if result.session is not None and result.report is not None and options.out:
        folder = Path(options.out) if alone else Path(options.out) / scenario.name
        names = await write_files(result.session, folder, Path(options.workspace))
        note(f"Written to {folder}: {', '.join(names)}")
    return result


def _table(results: list[ScenarioResult]) -> None:
    from rich.table import Table
    from rich.text import Text

    out = console(sys.stdout)
    table = Table("Scenario", "Outcome", "Statements", "Issues", "Tools", "Time", box=None, pad_edge=False)
    for result in results:
        facts = _facts(result)
        style = "green" if result.passed else "bold red"
        outcome = "as expected" if result.passed else f"{len(result.differences)} differences"
        row = [facts["statements"], facts["issues"], facts["tool_calls"], f"{result.wall_s:.2f} s"]
        table.add_row(result.name, Text(outcome, style=style), *("" if cell is None else str(cell) for cell in row))
    out.print(table)
    for result in results:
        for difference in result.differences:
            out.print(Text.assemble((f"\n{result.name}: ", "bold"), difference.what), soft_wrap=True)
            for line in difference.diff.split("\n") if difference.diff else ():
                out.print(Text(line, style={"+": "green", "-": "red", "@": "cyan"}.get(line[:1], "")), soft_wrap=True)


def _facts(result: ScenarioResult) -> dict[str, Any]:
    from wetread.events import ToolStarted

    report = result.report
    return {
        "scenario": result.name,
        "mode": result.mode,
        "passed": result.passed,
        "differences": [difference.model_dump() for difference in result.differences],
        "statements": len(report.statements()) if report else None,
        "issues": len(report.issues) if report else None,
        "tool_calls": sum(isinstance(event, ToolStarted) for event in result.events),
        "report_sha256": report.sha256 if report else None,
        "wall_s": round(result.wall_s, 3),
    }


def _list(workspace: Path) -> int:
    from rich.table import Table

    from wetread.scenarios.scenario import find_scenarios

    table = Table("Scenario", "What it shows", "Read by", box=None, pad_edge=False)
    for scenario in find_scenarios([], workspace):
        reader = "the protocol" if scenario.file.model == "protocol" else "a language model"
        table.add_row(scenario.name, scenario.file.title, reader)
    console(sys.stdout).print(table)
    return 0
