"""Recording what a command shows in a terminal, and `wetread record-cast` itself."""

from __future__ import annotations

import itertools
import json
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from screens import play_cast

from wetread.apps import cast
from wetread.apps.cast import record
from wetread.apps.cli import main
from wetread.errors import InputError


def python(text: str) -> list[str]:
    return [sys.executable, "-u", "-c", text]


def events(path: Path) -> list[Any]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_a_cast_has_a_header_and_what_was_shown(tmp_path: Path) -> None:
    out = tmp_path / "a.cast"
    text = "import os; print(os.get_terminal_size()); print('\\x1b[1;31mGrüße 界 ▀\\x1b[0m')"
    done = record(python(text), out, columns=61, rows=13, title="A title")
    header, *pieces = events(out)
    assert header == {"version": 2, "width": 61, "height": 13, "title": "A title", "env": {"TERM": "xterm-256color"}}
    assert all(kind == "o" and isinstance(at, float | int) for at, kind, _ in pieces)
    assert [at for at, _, _ in pieces] == sorted(at for at, _, _ in pieces)
    assert (done.code, done.events, done.leaks) == (0, len(pieces), ())
    _, screen = play_cast(out)
    assert screen.text() == "os.terminal_size(columns=61, lines=13)\nGrüße 界 ▀"
    assert out.stat().st_mode & 0o777 == 0o644
    assert os.listdir(tmp_path) == ["a.cast"]


def test_characters_are_never_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    read = cast.pseudo_terminal.read
    monkeypatch.setattr(cast.pseudo_terminal, "read", lambda terminal: read(terminal, 1))
    out = tmp_path / "a.cast"
    record(python("print('─é界🫁')"), out)
    assert "".join(data for _, _, data in events(out)[1:]) == "─é界🫁\r\n"


def test_silence_is_cut_and_time_is_stretched(tmp_path: Path) -> None:
    out = tmp_path / "a.cast"
    ticks = itertools.count(0, 60)
    text = "for n in 'abc': print(n); input()"
    command = ["sh", "-c", f'yes "" | {sys.executable} -u -c "{text}"']
    done = record(command, out, idle_limit=3, speed=2, clock=lambda: next(ticks))
    times = [at for at, _, _ in events(out)[1:]]
    assert times == [1.5 * n for n in range(len(times))] and times
    assert done.seconds == times[-1]


def test_what_programs_ask_a_terminal_is_answered(tmp_path: Path) -> None:
    out = tmp_path / "a.cast"
    text = (
        "import os,tty\ntty.setraw(0)\n"
        "for q in (b'\\x1b[6n', b'\\x1b[c'): os.write(1, q); os.write(1, repr(os.read(0, 99)).encode())"
    )
    record(python(text), out, rows=17)
    assert play_cast(out)[1].text() == r"b'\x1b[17;1R'b'\x1b[?6c'"


def test_nothing_of_the_machine_is_in_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = tmp_path / "home" / "adaexample"
    (home / "studies").mkdir(parents=True)
    monkeypatch.chdir(home / "studies")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USER", "adaexample")
    monkeypatch.setenv("LOGNAME", "adaexample")
    out = tmp_path / "a.cast"
    text = "import os,getpass; print(os.getcwd(), os.environ['HOME'], getpass.getuser())"
    assert record(python(text), out, columns=200).leaks == ()
    assert play_cast(out)[1].text() == ". ~ reader"
    assert "adaexample" not in out.read_text()
    assert record(python("print('by ada' + 'example.')"), out).leaks == ("user name",)


def test_a_command_that_fails_leaves_what_was_there(tmp_path: Path) -> None:
    out = tmp_path / "a.cast"
    out.write_text("before")
    done = record(python("print('\\x1b[31mno\\x1b[0m'); raise SystemExit(3)"), out)
    assert (done.code, done.text) == (3, "no\r\n")
    assert record(python("import os; os.kill(os.getpid(), 15)"), out).code == 128 + signal.SIGTERM
    assert record(["/nowhere/at/all"], out).code == 127
    assert out.read_text() == "before" and os.listdir(tmp_path) == ["a.cast"]


def test_ctrl_c_leaves_no_file_and_no_process(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    out, mark = tmp_path / "a.cast", tmp_path / "pid"
    os.mkfifo(mark)

    def interrupt() -> None:
        mark.read_text()  # waits until the command runs
        os.kill(os.getpid(), signal.SIGINT)

    # whoever started the tests may have them ignore it, as a shell does for what runs in the background
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))
    threading.Thread(target=interrupt, daemon=True).start()
    text = f"import os,time; open({str(mark)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    with pytest.raises(KeyboardInterrupt):
        record(python(text), out)
    assert os.listdir(tmp_path) == ["pid"]


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        record(["true"], tmp_path / "nowhere" / "a.cast")
    assert caught.value.code == "WET-INPUT-OUT"


# the command


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (["--size", "100"], "'100' is no size"),
        (["--size", "1x1"], "is no size"),
        (["--idle-limit", "0"], "is no number above 0"),
        (["--speed", "fast"], "is no number above 0"),
        (["--scrip", "x"], "Did you mean '--script'"),
        (["--script", "nowhere.txt"], "nowhere.txt does not exist"),
        (["--", "--script", "x"], "behind the --"),
    ],
)
def test_mistakes_are_told_before_anything_runs(
    tmp_path: Path, options: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    try:
        code = main(["record-cast", str(tmp_path / "a.cast"), *options])
    except SystemExit as left:
        code = left.code
    assert code == 2
    assert says in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


def test_a_folder_is_no_cast(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["record-cast", str(tmp_path)]) == 2
    assert "is a folder" in capsys.readouterr().err


def test_what_stands_behind_the_dashes_is_the_chats(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from wetread.apps import commands_cast

    asked: list[Any] = []

    def recorded(command: list[str], out: Path, **options: Any) -> cast.Recording:
        asked.append((command[command.index("chat") :], out, options))
        return cast.Recording(0)

    monkeypatch.setattr(commands_cast, "record", recorded)
    script = tmp_path / "s.txt"
    script.write_text("Read this.\n")
    out = tmp_path / "a.cast"
    assert (
        main(["record-cast", str(out), "--script", str(script), "--size", "80x24", "--", "study", "--images=off"]) == 0
    )
    assert main(["record-cast", str(out)]) == 0
    (command, to, options), (default, _, _) = asked
    assert (command, to) == (["chat", "--script", str(script), "study", "--images=off"], out)
    assert (options["columns"], options["rows"]) == (80, 24)
    assert default[3:5] == ["--scenario", "rg1-protocol"] and Path(default[2]).name == "demo.txt"
    assert default[5] == "--workspace" and not Path(default[6]).exists(), "the demo has a workspace of its own"


@pytest.mark.slow
def test_the_demo_is_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["record-cast", "demo.cast", "--speed", "4"]) == 0
    assert os.listdir(tmp_path) == ["demo.cast"]
    header, screen = play_cast(tmp_path / "demo.cast")
    shown = screen.everything()
    assert (header["width"], header["height"]) == (100, 30)
    assert "Read this." in shown and "REPLAY" in shown and "[E1]" in shown
    assert "WET-FAULT" not in shown and str(tmp_path) not in shown


def test_the_exit_code_is_the_chats(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from wetread.apps import commands_cast

    monkeypatch.setattr(commands_cast, "_WETREAD", tuple(python("print('the chat says why'); raise SystemExit(3)")))
    assert main(["record-cast", str(tmp_path / "a.cast")]) == 3
    told = capsys.readouterr().err
    assert "ended with 3" in told and "the chat says why" in told
    assert os.listdir(tmp_path) == []
