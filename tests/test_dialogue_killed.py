"""Killed at any moment of a dialogue: what was told is there, and the next process goes on without asking again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="the processes are forked")


def killed(place: Path, times: int, seed: int) -> dict[str, Any]:
    script = Path(__file__).with_name("dialogue_killing.py")
    done = subprocess.run(
        [sys.executable, str(script), str(place), str(times), str(seed)], capture_output=True, text=True, timeout=900
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    assert found["wrong"] == []
    assert found["whole"] == found["sessions"]
    return found


@pytest.mark.slow
def test_a_dialogue_killed_again_and_again_goes_on(tmp_path: Path) -> None:
    found = killed(tmp_path, 60, 1)
    # it was killed while it worked, not before or after
    assert found["in the middle"] >= 10 and found["with answers"] >= 5, found
