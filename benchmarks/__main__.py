"""`python -m benchmarks [NAME...]`: measure, print a table, write benchmarks/results/latest.json.

Each is measured in a process of its own, so that none pays for what another left behind. Exit 1 where a limit is
exceeded.
"""

from __future__ import annotations

import importlib
import json
import platform
import subprocess
import sys
import tempfile
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.table import Row

BENCHMARKS = ("startup", "payloads", "prompt", "tax", "replay", "checks", "exports", "store", "chat", "interrupt")
ONE = "--one"
RESULTS = Path(__file__).parent / "results" / "latest.json"


def main(names: list[str]) -> int:
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    rows: list[tuple[str, Row]] = []
    for name in names or BENCHMARKS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows += [(name, row) for row in measure_apart(name)]

    table = Table("benchmark", "what", "measured", "limit", "", title="wetread benchmarks")
    for name, row in rows:
        limit = "" if row.limit is None else f"{row.limit:g} {row.unit}"
        mark = "" if row.limit is None else "[green]kept[/]" if row.kept else "[bold red]exceeded[/]"
        table.add_row(name, row.what, f"{row.value:.3g} {row.unit}", limit, mark)
    Console().print(table)

    RESULTS.parent.mkdir(exist_ok=True)
    document = {
        "measured": datetime.now(UTC).isoformat(timespec="seconds"),
        "python": platform.python_version(),
        "machine": platform.machine(),
        "rows": [{"benchmark": name, **row.as_dict()} for name, row in rows],
    }
    RESULTS.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"written to {RESULTS}", file=sys.stderr)
    return 0 if all(row.kept for _, row in rows) else 1


def measure_apart(name: str) -> list[Row]:
    """The rows of one benchmark, measured by a process that does nothing else."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "rows.json"
        done = subprocess.run([sys.executable, "-m", "benchmarks", ONE, name, str(answer)], check=False)
        if done.returncode:
            sys.exit(f"benchmark {name} failed")
        return [Row(**row) for row in json.loads(answer.read_text(encoding="utf-8"))]


def measure_here(name: str, answer: Path) -> None:
    rows: list[Row] = importlib.import_module(f"benchmarks.{name}").measure()
    answer.write_text(json.dumps([asdict(row) for row in rows]), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:2] == [ONE]:
        measure_here(sys.argv[2], Path(sys.argv[3]))
    else:
        sys.exit(main(sys.argv[1:]))
