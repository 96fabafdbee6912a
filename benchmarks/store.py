"""1,000 reports in the store: list them, open one, verify one; each by the median over many reports, warm."""

from __future__ import annotations

import asyncio
import statistics
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

from benchmarks.table import Row
from wetread.reports.model import Report
from wetread.review import conclude
from wetread.scenarios.runner import run_scenario
from wetread.scenarios.scenario import find_scenarios
from wetread.scenarios.tape import Mode
from wetread.store import Store
from wetread.store.reports import insert

REPORTS, TIMES = 1000, 25


def drafted() -> Report:
    """The report of a replayed reading, of the size that reports have."""
    report = asyncio.run(run_scenario(find_scenarios(["rg1-protocol"])[0], Mode.REPLAY)).report
    if report is None:
        raise RuntimeError("the scenario rg1-protocol gave no report")
    return report


def filled(place: Path) -> list[str]:
    """Fill a store with reports, each read once by a person; returns their ids."""
    base = drafted()
    ids = []
    with Store.open(place) as store, store._database.writing() as connection:
        for number in range(REPORTS):
            report = base.model_copy(update={"created": base.created + timedelta(seconds=number)}).sealed()
            ids.append(insert(connection, report).id)
            insert(connection, conclude(report, by="Ada Example", at=report.created, outcome="preliminary"))
    return ids


def median_ms(call: Callable[[str], object], ids: list[str]) -> float:
    """The median of many calls, each for another report, after one that is not counted."""
    call(ids[0])
    taken = []
    for id in ids[:: len(ids) // TIMES]:
        began = time.perf_counter()
        call(id)
        taken.append((time.perf_counter() - began) * 1000)
    return statistics.median(taken)


def measure() -> list[Row]:
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "store.db"
        ids = filled(place)
        with Store.open(place, create=False) as store:
            listed = median_ms(lambda _: store.reports.latest(), ids)
            opened = median_ms(store.reports.get, ids)
            verified = median_ms(store.reports.verify, ids)
            began = time.perf_counter()
            store.audit.verify()
            audit = (time.perf_counter() - began) * 1000
    return [
        Row(f"list {REPORTS:,} reports", listed, "ms", 50),
        Row(f"open one of {REPORTS:,} reports", opened, "ms", 50),
        Row(f"verify one of {REPORTS:,} reports, two versions", verified, "ms", 50),
        Row(f"verify the audit log of {2 * REPORTS:,} entries", audit, "ms"),
    ]
