"""The kit that drives programs in a terminal, tried on programs that everybody knows."""

from __future__ import annotations

import os
import signal
import sys
import time
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from pty_kit import Terminal
from screens import Emulator

PYTHON = sys.executable


def program(text: str, **options: object) -> Terminal:
    return Terminal([PYTHON, "-u", "-c", text], **options)


def test_what_is_typed_is_echoed_and_answered() -> None:
    with Terminal(["cat"], columns=40, rows=5) as terminal:
        terminal.enter("Grüße, 世界")
        screen = terminal.wait_for(lambda screen: screen.count("Grüße, 世界") == 2)
        assert screen == "Grüße, 世界\nGrüße, 世界"
        assert terminal.exit_code is None
        assert terminal.key("c-d").wait_exit() == 0


def test_a_conversation_with_a_prompt_that_edits_lines() -> None:
    with Terminal([PYTHON, "-i", "-q"], env={"PYTHON_BASIC_REPL": "1"}) as terminal:
        terminal.wait_for(">>> ")
        terminal.type("6 * 8").key("backspace").enter("7")
        terminal.wait_for("\n42\n>>> ")  # only at its prompt does it take keys one by one
        terminal.key("up").wait_for(">>> 6 * 7\n42\n>>> 6 * 7")
        terminal.enter()
        terminal.wait_for(">>> 6 * 7\n42\n>>> 6 * 7\n42\n>>> ")
        terminal.enter("raise SystemExit(7)")
        assert terminal.wait_exit() == 7


def test_the_environment_is_clean_and_a_terminal_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WETREAD_MODEL", "openai:gpt-4.1")
    text = "import os,sys; print(sorted(os.environ), sys.stdin.isatty(), os.get_terminal_size(), os.getcwd())"
    with program(text, env={"ADDED": "1"}, cwd=tmp_path, columns=200, rows=9) as terminal:
        assert terminal.wait_exit() == 0
        screen = terminal.screen()
    assert "WETREAD_MODEL" not in screen and "'ADDED'" in screen and "'HOME'" in screen
    assert "True os.terminal_size(columns=200, lines=9)" in screen and screen.endswith(str(tmp_path))


def test_resizing_reaches_the_program() -> None:
    text = (
        "import os,signal\n"
        "signal.signal(signal.SIGWINCH, lambda *_: print(tuple(os.get_terminal_size())))\n"
        "print('ready')\nwhile True: signal.pause()"
    )
    with program(text, columns=80, rows=24) as terminal:
        terminal.wait_for("ready")
        terminal.resize(61, 13).wait_for("(61, 13)")
        assert len(terminal.lines()) == 13


def test_ctrl_c_interrupts() -> None:
    text = "import time\ntry:\n    print('runs')\n    time.sleep(600)\nexcept KeyboardInterrupt:\n    print('stopped')"
    with program(text) as terminal:
        terminal.wait_for("runs")
        assert terminal.key("c-c").wait_exit() == 0
        assert terminal.screen().endswith("stopped")


def test_paste_comes_in_brackets_where_the_program_asked_for_them() -> None:
    text = (
        "import os,sys,tty\ntty.setraw(0)\n"
        "print('plain', end='', flush=True); a = os.read(0, 99)\n"
        "print('\\x1b[?2004hbrackets', end='', flush=True); b = os.read(0, 99)\nprint(a, b)"
    )
    with program(text) as terminal:
        terminal.wait_for("plain")
        terminal.paste("x\ny")
        terminal.wait_for("brackets")
        terminal.paste("x\ny")
        terminal.wait_for(r"b'x\ry' b'\x1b[200~x\ry\x1b[201~'")


def test_keys_are_what_terminals_send() -> None:
    text = (
        "import os,tty\ntty.setraw(0)\nprint('?', end='', flush=True)\n"
        "while True: os.write(1, repr(os.read(0, 99)).encode())"
    )
    with program(text) as terminal:
        terminal.wait_for("?")
        for key, sent in {
            "f2": "\\x1bOQ",
            "PageUp": "\\x1b[5~",
            "up": "\\x1b[A",
            "c-r": "\\x12",
            "a-enter": "\\x1b\\r",
        }.items():
            terminal.key(key).wait_for(f"b'{sent}'")
        with pytest.raises(AssertionError, match="no key is called 'pgup'"):
            terminal.key("pgup")


def test_long_texts_pass_both_ways() -> None:
    text = "import sys,tty\ntty.setcbreak(0)\nprint('?')\nprint(len(sys.stdin.buffer.read(300_000)))"
    with program(text) as terminal:
        terminal.wait_for("?")
        terminal.paste("0123456789" * 30_000)
        terminal.wait_for("300000", scrollback=True)


def test_lines_that_scroll_off_are_kept() -> None:
    with program("for n in range(100): print('line', n)", rows=10) as terminal:
        assert terminal.wait_exit() == 0
        assert terminal.scrollback()[:2] == ["line 0", "line 1"]
        assert terminal.everything().split("\n") == [f"line {n}" for n in range(100)]
        assert "line 5\n" not in terminal.screen()


def test_a_program_is_killed_and_leaves_nothing_behind() -> None:
    text = "import os,time\npid = os.fork()\nif pid: print('child', pid, '.')\ntime.sleep(600)"
    with program(text) as terminal:
        child = int(terminal.wait_for(" .").split()[1])
        assert terminal.kill(signal.SIGKILL).wait_exit() == -signal.SIGKILL
        assert Path(f"/proc/{child}").exists()
    deadline = time.monotonic() + 10
    while runs(child):
        assert time.monotonic() < deadline, "the child of the killed program runs on"


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_a_wait_that_fails_shows_what_was_there() -> None:
    with program("print('one thing'); input()") as terminal:
        terminal.wait_for("one thing")
        with pytest.raises(AssertionError, match=r"'another' did not come(.|\n)*│one thing") as caught:
            terminal.wait_for("another", timeout=0.05)
        assert "runs." in str(caught.value)
        terminal.enter()
        with pytest.raises(AssertionError, match="ended without 'another'"):
            terminal.wait_for("another")


def test_the_terminal_answers_what_programs_ask() -> None:
    text = (
        "import os,sys,tty\ntty.setraw(0)\n"
        "def ask(q):\n  os.write(1, q); a = os.read(0, 99); os.write(1, repr(a).encode() + b'\\r\\n')\n"
        "ask(b'ab\\x1b[6n'); ask(b'\\x1b[c'); ask(b'\\x1b_Gi=31,a=q;AAAA\\x1b\\\\'); ask(b'\\x1b[16t')"
    )
    kitty = {b"\x1b_Gi=31,a=q;AAAA": b"\x1b_Gi=31;OK\x1b\\", b"\x1b[16t": b"\x1b[6;20;10t"}
    with program(text, replies=kitty) as terminal:
        assert terminal.wait_exit() == 0
        lines = terminal.lines()
    assert lines[:4] == [r"abb'\x1b[1;3R'", r"b'\x1b[?6c'", r"b'\x1b_Gi=31;OK\x1b\\'", r"b'\x1b[6;20;10t'"]


def test_pictures_and_newer_sequences_do_not_confuse_the_screen() -> None:
    data = (
        b"\x1b]0;title\x07\x1b[>1u\x1b[>4;1m\x1b[?4m\x1b[4 q\x1b[?2026h"
        + b"a\x1b_Gf=100,m=0;" + b"QUJD" * 50_000 + b"\x1b\\b\x1bPq#0;2;0;0;0#0~~$-\x1b\\c"
        + b"\x1b]1337;File=inline=1:QUJD\x07d\x1b]8;;http://x\x1b\\link\x1b]8;;\x1b\\\x1b[4:3m\x1b[38:2::1:2:3me\x1b[?2026l"
    )  # fmt: skip
    for cut in (1, 7, 4096, len(data)):
        emulator = Emulator(40, 3)
        for at in range(0, len(data), cut):
            emulator.feed(data[at : at + cut])
        assert emulator.text() == "abcdlinke"
        assert emulator.title == "title"
        assert [s.kind for s in emulator.strings] == ["OSC", "APC", "DCS", "OSC", "OSC", "OSC"]
        assert emulator.strings[1].payload.startswith(b"Gf=100,m=0;QUJD")


def test_shrinking_scrolls_up_and_the_alternate_screen_goes_away() -> None:
    emulator = Emulator(20, 6)
    emulator.feed("\r\n".join("abcdef").encode())
    emulator.resize(20, 4)
    assert (emulator.scrollback(), emulator.lines()) == (["a", "b"], ["c", "d", "e", "f"])
    emulator.resize(20, 6)
    emulator.feed(b"\x1b[?1049h\x1b[Hpicker\x1b[?1049l")
    assert emulator.lines() == ["c", "d", "e", "f", "", ""]
    emulator.feed(b"\x1b[3;1H")
    emulator.resize(20, 5)
    assert (emulator.lines()[0], emulator.cursor) == ("c", (0, 2))


def test_a_screen_as_a_picture() -> None:
    emulator = Emulator(30, 3)
    emulator.feed("\x1b[1;31mWET-X & <b>\x1b[0m 世界 \x1b[38;2;1;2;3m▀\x1b[7mr\x1b[0m\x1b[2mfaint\x1b[22m".encode())
    picture = ET.fromstring(emulator.svg(title="chat"))
    texts = {
        str(text.text).replace("\xa0", " "): text.attrib for text in picture.iter("{http://www.w3.org/2000/svg}text")
    }
    assert texts["WET-X & <b>"]["font-weight"] == "bold" and texts["WET-X & <b>"]["fill"] == "#e06c75"
    assert texts["世"]["textLength"] == "18" and texts["▀"]["fill"] == "#010203"
    assert texts["faint"]["fill-opacity"] == "0.6"
    assert picture.attrib["width"] == "270"


def test_utf8_cut_anywhere_is_whole() -> None:
    emulator = Emulator(30, 2)
    for byte in "┌─ ✓ 界 é".encode():
        emulator.feed(bytes([byte]))
    assert emulator.text() == "┌─ ✓ 界 é"


def test_nothing_is_left_open() -> None:
    before = os.listdir("/proc/self/fd")
    for _ in range(3):
        with Terminal(["true"]) as terminal:
            assert terminal.wait_exit() == 0
    assert os.listdir("/proc/self/fd") == before
