"""What a person sees of the chat in each of its states: whole screens, kept as text in tests/data/screens.

`RENEW_SCREENS=1 pytest tests/test_chat_screens.py` writes them anew; look at the difference before you commit it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from pty_kit import Terminal
from test_chat_terminal import READY, WETREAD

from wetread.testing.phantom import chest_phantom

SCREENS = Path(__file__).parent / "data" / "screens"
CALL = re.compile(r"[✓–✗] ")


def kept(name: str, terminal: Terminal, *, still: bool = True) -> None:
    """Compare all that was shown with what is kept, but for ids, times, and the order in which calls ended."""
    if still:
        terminal.wait_quiet(0.5)
    # what is written above the prompt takes it away for a moment
    terminal.wait_for(lambda shown: re.search(r"^[›?]( .*)?$", shown, flags=re.M) is not None and "─" * 20 in shown)
    found = re.sub(r"\b[0-9a-f]{16}\b", "0123456789abcdef", terminal.everything())
    found = re.sub(r"[⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏]", "*", found)
    found = re.sub(r" +\d+\.\d s\b", "  #.# s", found)
    lines = [line.rstrip() for line in found.splitlines()]
    ordered: list[str] = []
    calls: list[str] = []
    for line in [*lines, ""]:
        if CALL.match(line):
            # a time is told from fifty milliseconds on
            line = re.sub(r" *#\.# s$", "", line).rstrip()
        if CALL.match(line) and "submit_report" not in line:
            calls.append(line)
        else:
            ordered += [*sorted(calls), line]
            calls = []
    text = "\n".join(ordered).strip() + "\n"
    path = SCREENS / f"terminal-{name}.txt"
    if os.environ.get("RENEW_SCREENS"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def chat(folder: Path, *arguments: str) -> Terminal:
    # no colour: what is kept is what stands there without it
    return Terminal([WETREAD, "chat", *arguments], cwd=folder, columns=96, rows=90, env={"NO_COLOR": "1"})


@pytest.mark.slow
def test_a_recorded_reading(tmp_path: Path) -> None:
    with chat(tmp_path, "--scenario", "rg1-language-model", "--images", "off") as terminal:
        terminal.wait_for(READY)
        terminal.wait_for(lambda shown: "REPLAY" in shown.splitlines()[-1])
        kept("opened", terminal)
        terminal.enter("Read this study.")
        terminal.wait_for("tool calls")
        kept("read", terminal)
        terminal.enter("S4")
        terminal.wait_for("supported by its evidence")
        kept("why", terminal)
        terminal.enter("/show S4").key("f2")
        terminal.wait_for("S4 · A mass")
        kept("shown", terminal)
        terminal.type("/e")
        terminal.wait_for("/export")
        kept("completing", terminal)


@pytest.mark.slow
def test_a_question_a_correction_and_what_is_gone_on_with(tmp_path: Path) -> None:
    chest_phantom(256).write_png(tmp_path / "chest.png")
    with chat(tmp_path, "chest.png", "--view", "PA", "--simulated", "--images", "off") as terminal:
        terminal.wait_for(READY)
        terminal.enter("Read this.")
        terminal.wait_for("(Esc: skip)")
        kept("asked", terminal, still=False)
        terminal.enter("Cough for two weeks")
        terminal.wait_for(lambda shown: "tool calls" in shown and "Ctrl-C stops" not in shown)
        terminal.enter("/drop S1 not on this film")
        terminal.wait_for("Your name")
        terminal.enter("Ada Reader")
        terminal.wait_for("Version 2")
        kept("corrected", terminal)
        terminal.enter("/quit")
        assert terminal.wait_exit() == 0
    with chat(tmp_path, "--resume", "--images", "off") as terminal:
        terminal.wait_for("goes on after")
        terminal.wait_for("v2 partial")
        kept("resumed", terminal)


def test_a_choice_of_studies(tmp_path: Path) -> None:
    chest_phantom(64).write_png(tmp_path / "chest.png")
    (tmp_path / "notes.txt").write_text("no study")
    with chat(tmp_path) as terminal:
        terminal.wait_for("Type a number")
        kept("choosing", terminal)
