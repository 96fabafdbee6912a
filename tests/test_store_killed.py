"""Killed at any moment: what was acknowledged is there, and nothing half-written is seen."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TIMES = 100


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="the writers are forked")
def test_a_writer_killed_a_hundred_times_loses_nothing(tmp_path: Path) -> None:
    script = Path(__file__).with_name("killing.py")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path / "store.db"), str(TIMES)],
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["wrong"] == [] and found["lost"] == 0
    assert found["acknowledged"] <= found["kept"] <= found["acknowledged"] + TIMES
    # it was killed while it wrote, not before or after
    assert found["in_the_middle"] >= TIMES / 4, found
