"""What `wetread --help` costs over a bare interpreter."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from benchmarks.table import Row

ROUNDS = 12


def fastest(*commands: list[str]) -> list[float]:
    """Best wall time of each command, taken in turns so that a noisy moment hits all alike."""
    best = [float("inf")] * len(commands)
    for _ in range(ROUNDS):
        for n, command in enumerate(commands):
            began = time.perf_counter()
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            best[n] = min(best[n], time.perf_counter() - began)
    return best


def measure() -> list[Row]:
    wetread = str(Path(sys.executable).parent / "wetread")
    bare, help_ = fastest([sys.executable, "-c", "pass"], [wetread, "--help"])
    return [
        Row(
            "wetread --help over python -c pass",
            help_ / bare,
            "times",
            5,
            f"{help_ * 1000:.0f} ms over {bare * 1000:.0f} ms",
        ),
    ]
