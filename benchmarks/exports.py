"""Every export of one report, one after the other: RG1 with its masks, libraries loaded, its pixels not yet decoded."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

from benchmarks.table import Row
from wetread.imaging.bank import ImageBank
from wetread.reports.export import FORMATS, Source, export_from
from wetread.scenarios.runner import LiveSources, run_scenario
from wetread.scenarios.scenario import find_scenarios
from wetread.scenarios.tape import Mode
from wetread.study_reading import read_study

ROOT = Path(__file__).parents[1]
ROUNDS = 5


def measure() -> list[Row]:
    """The formats together, and each."""
    (scenario,) = find_scenarios(["rg1-protocol"], ROOT)
    result = asyncio.run(run_scenario(scenario, Mode.REPLAY, workspace=ROOT, live=LiveSources()))
    assert result.report is not None and result.session is not None
    study = read_study([ROOT / "scenarios" / "studies" / "rg1"])
    rounds: list[dict[str, float]] = []
    for _ in range(ROUNDS + 1):
        source = Source(study=study, bank=ImageBank(study), artifacts=result.session.artifacts)
        took = {}
        for name in FORMATS:
            began = time.perf_counter()
            export_from(source, result.report, name)
            took[name] = time.perf_counter() - began
        rounds.append(took)
    warm = min(rounds[1:], key=lambda took: sum(took.values()))
    together = Row("all exports of one report", sum(warm.values()), "s", 2.0, f"{len(FORMATS)} formats")
    return [together, *(Row(f"export {name}", seconds, "s") for name, seconds in warm.items())]
