"""`python -m benchmarks [NAME...]`: measure, print a table, write benchmarks/results/latest.json.

Exit 1 where a limit is passed.
"""

from __future__ import annotations

import importlib
import json
import platform
import sys
from datetime import UTC, datetime
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.table import Row

BENCHMARKS = ("startup", "payloads", "prompt", "tax", "replay", "checks", "exports", "store", "chat", "interrupt")
RESULTS = Path(__file__).parent / "results" / "latest.json"


def main(names: list[str]) -> int:
    unknown = set(names) - set(BENCHMARKS)
    if unknown:
        sys.exit(f"no benchmark {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    rows: list[tuple[str, Row]] = []
    for name in names or BENCHMARKS:
        print(f"measuring {name} ...", file=sys.stderr, flush=True)
        rows += [(name, row) for row in importlib.import_module(f"benchmarks.{name}").measure()]

    table = Table("benchmark", "what", "measured", "limit", "", title="wetread benchmarks")
    for name, row in rows:
        limit = "" if row.limit is None else f"{row.limit:g} {row.unit}"
        mark = "" if row.limit is None else "[green]kept[/]" if row.kept else "[bold red]passed[/]"
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


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
