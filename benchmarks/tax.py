"""The orchestration tax: wall time of a reading over the critical path of its simulated endpoints.

Critical path: chat 0.3 s, then findings 2 s (segmentation 0.8 s and embedding 0.2 s beside it), then chat 0.3 s: 2.6 s.
Images are prepared as in any first reading: decoded and encoded within the measured time.
"""

from __future__ import annotations

import asyncio
import time
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.readings import TimedModel, phantom_study, read
from benchmarks.table import Row
from wetread.session import Session
from wetread.study import Study
from wetread.testing.simulated import Latency, SimulatedEndpoints

CHAT, FINDINGS, SEGMENTATION, EMBEDDING = 0.3, 2.0, 0.8, 0.2
CRITICAL_PATH = CHAT + max(FINDINGS, SEGMENTATION, EMBEDDING) + CHAT
ROUNDS = 3


async def wall_time(study: Study, readings: int) -> float:
    latency = Latency(seconds={"cxrreportgen": FINDINGS, "medimageparse": SEGMENTATION, "medimageinsight": EMBEDDING})
    endpoints = SimulatedEndpoints(latency=latency)
    sessions = [Session(study, endpoints=endpoints, model=TimedModel(CHAT), specialists=()) for _ in range(readings)]
    began = time.perf_counter()
    await asyncio.gather(*(read(session) for session in sessions))
    took = time.perf_counter() - began
    for session in sessions:
        await session.aclose()
    return took


def measure() -> list[Row]:
    rows = []
    with TemporaryDirectory() as folder:
        study = phantom_study(Path(folder))
        asyncio.run(wall_time(study, 1))  # imports and caches of the process
        for readings, limit in ((1, 1.05), (50, 1.15)):
            took = min(asyncio.run(wall_time(study, readings)) for _ in range(ROUNDS))
            rows.append(
                Row(
                    f"wall time over critical path, {readings} at once",
                    took / CRITICAL_PATH,
                    "times",
                    limit,
                    f"{took:.2f} s over {CRITICAL_PATH} s",
                )
            )
    return rows
