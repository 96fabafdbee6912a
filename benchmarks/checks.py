"""`wetread check`: reports a second as JSON lines on one core; a single call with its imports."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import orjson

from benchmarks.table import Row
from wetread.testing.mutations import INJECTORS, mutants
from wetread.testing.text_report import read_reports

CORPUS = Path(__file__).parents[1] / "tests" / "data" / "clean_reports.jsonl"
CLASSES = ("lat-1", "con-1", "num-1", "rep-1", "dem-1", "pri-2", "unc-1", "phi-1")
ROUNDS = 5


def measure() -> list[Row]:
    wetread = str(Path(sys.executable).parent / "wetread")
    clean = list(read_reports(CORPUS))
    # each report once, and once for each class of error: no two alike, some with issues to write
    reports = [*clean, *(made.report for name in CLASSES for _, made in mutants(clean, INJECTORS[name]))]
    with tempfile.TemporaryDirectory() as folder:
        lines = Path(folder) / "reports.jsonl"
        lines.write_bytes(b"".join(orjson.dumps(report.as_json()) + b"\n" for report in reports))
        single = Path(folder) / "report.txt"
        single.write_text(next(report.text for report in clean if report.text is not None), encoding="utf-8")
        stream = _best([wetread, "check", "--jsonl", str(lines)], 3)
        call = _best([wetread, "check", str(single)], ROUNDS)
    each = stream * 1000 / len(reports)
    return [
        Row("check --jsonl, a report", each, "ms", 1000 / 300, f"{len(reports) / stream:.0f} reports/s with the start"),
        Row("check FILE, with imports", call, "s", 0.4),
    ]


def _best(command: list[str], rounds: int) -> float:
    best = float("inf")
    for _ in range(rounds):
        began = time.perf_counter()
        subprocess.run(command, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        best = min(best, time.perf_counter() - began)
    return best
