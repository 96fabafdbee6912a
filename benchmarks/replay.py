"""What a replayed reading costs by the protocol, with images prepared and the tape opened: CPU, and memory held."""

from __future__ import annotations

import asyncio
import gc
import os
import time
from pathlib import Path

from benchmarks.table import Row
from wetread.agents.protocol import Protocol
from wetread.imaging.bank import ImageBank
from wetread.insight.library import CaseLibrary
from wetread.scenarios.runner import read_scenario_study
from wetread.scenarios.scenario import find_scenarios
from wetread.scenarios.tape import Tape, TapedEndpoints
from wetread.scenarios.tape_file import load_tape
from wetread.session import Session

WARM_UP, READINGS, LIVE = 5, 60, 200


def resident_kib() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024


async def cost() -> tuple[float, float]:
    """CPU seconds of one reading, and KiB that each further live session holds."""
    scenario = find_scenarios(["rg1-protocol"])[0]
    study = read_scenario_study(scenario)
    bank = ImageBank(study)
    await bank.load()
    content = load_tape(scenario.tape)
    library = CaseLibrary.open(scenario.folder / str(scenario.file.library), read_only=True)

    async def replay() -> Session:
        tape = Tape(content)
        session = Session(
            study,
            endpoints=TapedEndpoints(tape),
            model=Protocol(),
            library=library,
            images=bank,
            now=lambda: scenario.file.now,
        )
        async for _ in session.send("Draft the report."):
            pass
        session.result()
        return session

    for _ in range(WARM_UP):
        await (await replay()).aclose()
    began = time.process_time()
    for _ in range(READINGS):
        await (await replay()).aclose()
    cpu = (time.process_time() - began) / READINGS

    gc.collect()
    before = resident_kib()
    live = [await replay() for _ in range(LIVE)]
    gc.collect()
    held = (resident_kib() - before) / len(live)
    for session in live:
        await session.aclose()
    return cpu, held


def measure() -> list[Row]:
    cpu, held = asyncio.run(cost())
    return [
        Row("CPU of a replayed reading", cpu * 1000, "ms", 15),
        Row("resident memory of a further live session", held, "KiB", 256),
    ]
