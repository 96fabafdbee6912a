"""The command line: options, exit codes, what goes to stdout and what to stderr, errors in one line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from wetread import DISCLAIMER
from wetread.apps.cli import main
from wetread.scenarios.scenario import BUILT_IN, find_scenarios
from wetread.testing.phantom import chest_phantom

RG1 = BUILT_IN / "studies" / "rg1"
RUN = [sys.executable, "-c", "import sys; from wetread.apps.cli import main; sys.exit(main())"]


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder and no settings."""
    for name in os.environ:
        if name.startswith(("WETREAD_", "OPENAI", "AZURE", "HLS_", "MI2_", "MIP_", "CXRREPORTGEN_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def chest(bare: Path) -> list[str]:
    """A small picture and the options to read it."""
    path = bare.parent / f"{bare.name}-chest.png"
    chest_phantom(256).write_png(path)
    return [str(path), "--view", "PA"]


def files(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def error_line(capsys: pytest.CaptureFixture[str]) -> str:
    """The one line on stderr; stdout must be empty."""
    out, err = capsys.readouterr()
    assert out == ""
    (line,) = err.strip().split("\n")
    return line


# --- help, version, mistakes in the options


def test_help_lists_the_commands_and_the_disclaimer(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--help"])
    assert left.value.code == 0
    shown = capsys.readouterr().out
    for command in ("read", "run", "scenarios", "simulate", "doctor", "index"):
        assert f"\n    {command} " in shown
    assert DISCLAIMER in shown


def test_help_imports_nothing_heavy() -> None:
    script = (
        "import sys\nfrom wetread.apps.cli import main\n"
        "try:\n    main(['--help'])\nexcept SystemExit:\n    pass\n"
        "heavy = {'pydantic', 'numpy', 'rich', 'httpx', 'yaml', 'openai', 'asyncio', 'PIL'}\n"
        "sys.exit(' '.join(sorted(heavy & set(sys.modules))) or 0)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stderr) == (0, "")


def test_version_and_disclaimer(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert DISCLAIMER in capsys.readouterr().out


def test_no_command_shows_the_help_and_is_an_error(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 2
    assert "usage: wetread" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["raed"], "invalid choice: 'raed'. Did you mean 'read'?"),
        (["index", "ad"], "Did you mean 'add'?"),
        (["index", "add", "x", "--id", "1", "--lable=a"], "Did you mean '--label'? See `wetread index add --help`."),
        (["read"], "STUDY"),
        (["read", "x", "--view", "sideways"], "--view"),
        (["read", "x", "--simulate"], "Did you mean '--simulated'? See `wetread read --help`."),
        (["run", "--record", "--refresh-llm"], "not allowed with"),
        (["index"], "ACTION"),
    ],
)
def test_a_mistake_in_the_options_is_one_line(
    arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as left:
        main(arguments)
    assert left.value.code == 2
    line = error_line(capsys)
    assert line.startswith("WET-INPUT-OPTION: ")
    assert said in line


# --- read


def test_a_template_of_the_workspace_is_read_by(bare: Path, chest: list[str]) -> None:
    own = bare / "prompts" / "reports" / "mine"
    own.mkdir(parents=True)
    built_in = BUILT_IN.parent / "prompts" / "reports" / "chest-xray" / "template.yaml"
    (own / "template.yaml").write_text(built_in.read_text("utf-8").replace("name: chest-xray", "name: mine"), "utf-8")
    assert main(["read", *chest, "--simulated", "--template", "mine", "--out", "out"]) == 0
    assert json.loads((bare / "out" / "report.json").read_bytes())["template"] == "mine"


def test_nothing_configured_names_three_ways_on(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", str(RG1)]) == 2
    line = error_line(capsys)
    assert line.startswith("WET-CONFIG-ENDPOINTS: ")
    for way in ("WETREAD_CXRREPORTGEN_URL", "--simulated", "wetread run"):
        assert way in line
    assert files(bare) == []


def test_a_missing_study_is_one_line_and_leaves_nothing(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", "nowhere.dcm", "--simulated"]) == 2
    assert "nowhere.dcm" in error_line(capsys)
    assert files(bare) == []


def test_a_study_is_read_and_its_report_left(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", str(RG1 / "rg1.dcm"), "--simulated", "--indication", "Cough."]) == 0
    out, err = capsys.readouterr()
    folder = bare / "wetread-out" / "rg1"
    assert {"report.html", "report.md", "report.json"} <= set(files(folder))
    assert any(name.endswith((".png", ".jpg")) for name in files(folder))
    assert "Cough." in out
    assert "wetread-out" in err
    report = json.loads((folder / "report.json").read_text())
    assert report["modes"] == ["simulated"]
    for text in (out, err, (folder / "report.html").read_text(), (folder / "report.md").read_text()):
        assert "SIMULATED" in text.upper()


def test_a_report_that_assesses_nothing_is_exit_3(
    bare: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from PIL import Image

    Image.radial_gradient("L").save("chest.png")
    monkeypatch.setenv("WETREAD_MEDIMAGEPARSE_URL", "http://127.0.0.1:9/score")
    assert main(["read", "chest.png", "--view", "AP", "--json"]) == 3
    out, err = capsys.readouterr()
    assert {system["status"] for system in json.loads(out)["findings"]} == {"not_assessed"}
    assert err.strip().split("\n")[-1].startswith("WET-READING-NOTHING: ")
    assert (bare / "wetread-out" / "chest" / "report.html").exists()


def test_json_alone_goes_to_stdout(bare: Path, chest: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["read", *chest, "--simulated", "--json", "--out", "here"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert report == json.loads((bare / "here" / "report.json").read_text())
    assert "report_findings" in err
    assert out.isascii()


def test_the_folder_keeps_what_is_not_ours(bare: Path, chest: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    (bare / "here").mkdir()
    (bare / "here" / "notes.txt").write_text("mine")
    (bare / "here" / "report.md").write_text("old")
    assert main(["read", *chest, "--simulated", "--out", "here"]) == 0
    assert (bare / "here" / "notes.txt").read_text() == "mine"
    assert (bare / "here" / "report.md").read_text() != "old"
    assert not [name for name in files(bare / "here") if name.startswith(".") or name.endswith(".tmp")]


def test_a_folder_that_cannot_be_is_told_at_once(
    bare: Path, chest: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    (bare / "here").write_text("a file")
    assert main(["read", *chest, "--simulated", "--out", "here"]) == 2
    assert error_line(capsys).startswith("WET-INPUT-OUT: here cannot be written")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--model", "gpt"], "WETREAD_MODEL"),
        (["--template", "chest-xry"], "chest-xray"),
        (["--workspace", "nowhere"], "nowhere"),
    ],
)
def test_a_setting_that_cannot_be_is_one_line(
    bare: Path, chest: list[str], arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["read", *chest, "--simulated", *arguments]) == 2
    assert said in error_line(capsys)
    assert files(bare) == []


def test_a_fault_of_ours_tells_its_place_and_not_its_text(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("Doe^Jane was here")

    monkeypatch.setattr("wetread.study_reading.read_study", fail)
    assert main(["read", "x.png", "--simulated"]) == 3
    line = error_line(capsys)
    assert line.startswith("WET-FAULT: ")
    assert "RuntimeError" in line
    assert "Doe" not in line
    with pytest.raises(RuntimeError, match="Doe"):
        main(["read", "x.png", "--simulated", "--debug"])


def test_a_terminal_without_unicode_and_colours_gets_a_report(chest: list[str]) -> None:
    ran = subprocess.run(
        [*RUN, "read", *chest, "--simulated"],
        env={**os.environ, "PYTHONIOENCODING": "ascii", "NO_COLOR": "1"},
        capture_output=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert (ran.stdout + ran.stderr).isascii()
    assert b"\x1b[" not in ran.stdout + ran.stderr


def test_ctrl_c_leaves_nothing_behind(bare: Path, chest: list[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(60)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/score"
        with subprocess.Popen(
            [*RUN, "read", *chest],
            env={**os.environ, "WETREAD_CXRREPORTGEN_URL": url},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as reading:
            connection, _ = silent.accept()
            reading.send_signal(signal.SIGINT)
            out, err = reading.communicate(timeout=60)
            connection.close()
    assert reading.returncode == 130, err
    assert "Traceback" not in err
    assert err.strip().endswith("Cancelled.")
    assert out == ""
    assert files(bare) == []


def test_a_reader_that_has_had_enough_is_no_error() -> None:
    with subprocess.Popen([*RUN, "read", "--help"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as listing:
        assert listing.stdout is not None
        listing.stdout.close()
        assert listing.stderr is not None
        assert listing.stderr.read() == b""


# --- run


def copy_scenario(name: str, workspace: Path) -> Path:
    """A built-in scenario in a workspace, where a test may spoil it."""
    import shutil

    scenarios = workspace / "scenarios"
    for folder in ("studies", "library"):
        if (BUILT_IN / folder).is_dir():
            shutil.copytree(BUILT_IN / folder, scenarios / folder, dirs_exist_ok=True)
    return Path(shutil.copytree(BUILT_IN / name, scenarios / name))


def test_every_scenario_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["scenarios"]) == 0
    out = capsys.readouterr().out
    for scenario in find_scenarios([]):
        assert scenario.name in out


def test_a_scenario_is_shown_and_left(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "rg1-language-model", "--show", "--out", "here"]) == 0
    out, err = capsys.readouterr()
    assert "AUTHORED" in out.upper() and "REPLAY" in out.upper()
    assert {"report.html", "report.md", "report.json"} <= set(files(bare / "here"))
    assert "here" in err


def test_a_replay_is_the_same_each_time(bare: Path) -> None:
    for folder in ("one", "two"):
        assert main(["run", "rg1-protocol", "--out", folder]) == 0
    assert files(bare / "one") == files(bare / "two")
    for name in files(bare / "one"):
        assert (bare / "one" / name).read_bytes() == (bare / "two" / name).read_bytes(), name


def test_a_report_that_differs_is_exit_1_with_the_difference(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = copy_scenario("rg1-protocol", bare)
    expected = folder / "expected" / "report.json"
    expected.write_text(expected.read_text().replace("Multiple rounded masses", "A single mass", 1))
    assert main(["run", "rg1-protocol"]) == 1
    out = capsys.readouterr().out
    assert "the report is not the expected one" in out
    assert "A single mass" in out and "Multiple rounded masses" in out


def test_a_request_that_is_not_on_the_tape_is_exit_1(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    copy_scenario("rg1-protocol", bare)
    order = bare / "scenarios" / "studies" / "rg1" / "study.yaml"
    order.write_text(order.read_text().replace("Cough", "Fever"))
    assert main(["run", "rg1-protocol", "--json"]) == 1
    (result,) = json.loads(capsys.readouterr().out)
    assert not result["passed"]
    shown = "\n".join(difference["diff"] for difference in result["differences"])
    assert "Fever" in shown and "Cough" in shown


def test_a_missing_tape_fails_its_own_scenario_only(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (copy_scenario("rg1-protocol", bare) / "tape.json").unlink()
    assert main(["run", "rg1-protocol", "rg1-language-model", "--json"]) == 1
    first, second = json.loads(capsys.readouterr().out)
    assert (first["passed"], second["passed"]) == (False, True)
    assert "WET-TAPE-MISSING" in first["differences"][0]["what"]


def test_an_expectation_that_does_not_hold_is_exit_1(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copy_scenario("rg1-protocol", bare) / "scenario.yaml"
    path.write_text(path.read_text() + "  absent:\n    - {contains: mass}\n")
    assert main(["run", "rg1-protocol"]) == 1
    assert "should not be there" in capsys.readouterr().out


def test_recording_again_changes_nothing(bare: Path) -> None:
    folder = copy_scenario("rg1-language-model", bare)
    before = {name: (folder / name).read_bytes() for name in files(folder)}
    assert main(["run", "rg1-language-model", "--record"]) == 0
    assert {name: (folder / name).read_bytes() for name in files(folder)} == before


def test_an_unknown_scenario_is_exit_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", "rg1-protocl"]) == 2
    assert "Did you mean 'rg1-protocol'?" in error_line(capsys)


def test_a_mistake_in_a_scenario_is_exit_2_with_its_line(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = copy_scenario("rg1-protocol", bare) / "scenario.yaml"
    path.write_text("tilte: x\n" + path.read_text())
    assert main(["run", "rg1-protocol"]) == 2
    assert "scenario.yaml, line 1: unknown key 'tilte'" in error_line(capsys)


# --- index


def test_cases_are_added_and_found(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from PIL import Image

    Image.radial_gradient("L").save("one.png")
    Image.linear_gradient("L").save("two.png")
    more = ["--simulated", "--library", "cases.db", "--view", "PA"]
    assert main(["index", "add", "one.png", "--id", "case-1", "--label", "mass", *more]) == 0
    assert main(["index", "add", str(RG1 / "rg1.dcm"), "--id", "case-2", "--snippet", "[bold]Masses.", *more]) == 0
    capsys.readouterr()
    assert main(["index", "search", "two.png", "-k", "5", *more]) == 0
    out, err = capsys.readouterr()
    assert "case-1" in out and "mass" in out
    assert "[bold]Masses." in out
    assert "SIMULATED" in err


def test_a_case_is_not_found_by_itself(bare: Path, chest: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    more = [*chest, "--simulated", "--library", "cases.db"]
    assert main(["index", "add", "--id", "case-1", *more]) == 0
    assert main(["index", "search", *more]) == 0
    assert "No other case" in capsys.readouterr().err


def test_a_library_that_is_not_there_is_one_line(bare: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["index", "search", str(RG1 / "rg1.dcm"), "--simulated"]) == 2
    assert "WET-CONFIG-LIBRARY" in error_line(capsys)
    assert main(["index", "search", str(RG1 / "rg1.dcm"), "--simulated", "--library", "no.db"]) == 2
    assert "no.db" in error_line(capsys)
    assert files(bare) == []


# --- simulate, doctor


@pytest.mark.slow
def test_a_simulator_can_be_read_from_and_examined(chest: list[str]) -> None:
    with subprocess.Popen(
        [*RUN, "simulate", "--port", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as simulator:
        assert simulator.stdout is not None
        exported = [simulator.stdout.readline().removeprefix("export ").strip().partition("=") for _ in range(5)]
        try:
            more = {name: value for name, _, value in exported if name != "WETREAD_MODEL"}
            env = {**os.environ, **more}
            read = [*RUN, "read", *chest, "--json"]
            reading = subprocess.run(read, env=env, capture_output=True, text=True, check=False)
            doctor = subprocess.run([*RUN, "doctor", "--json"], env=env, capture_output=True, text=True, check=False)
        finally:
            simulator.send_signal(signal.SIGINT)
            out, err = simulator.communicate(timeout=30)
    assert simulator.returncode == 130, err
    assert out == ""
    assert "Traceback" not in err
    assert reading.returncode == 0, reading.stderr
    report = json.loads(reading.stdout)
    assert "simulated" in report["modes"]
    assert doctor.returncode == 0, doctor.stdout
    rows = {row["name"]: row for row in json.loads(doctor.stdout)}
    assert "simulated" in rows["cxrreportgen"]["detail"]


def test_doctor_tells_what_to_do_and_no_secret(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["doctor"]) == 0
    assert "WETREAD_CXRREPORTGEN_URL" in capsys.readouterr().out
    monkeypatch.setenv("WETREAD_CXRREPORTGEN_URL", "http://127.0.0.1:9/score")
    monkeypatch.setenv("WETREAD_CXRREPORTGEN_KEY", "hunter2hunter2")
    assert main(["doctor"]) == 2
    out, err = capsys.readouterr()
    assert "cxrreportgen" in out and "error" in out
    assert "hunter2" not in out + err


# --- what a person sees meanwhile


def test_progress_is_one_line_an_event_and_outside_text_cannot_steer_the_terminal() -> None:
    import io

    from wetread.apps.terminal import Progress
    from wetread.events import Notice, ToolFinished, ToolStarted

    stream = io.StringIO()
    with Progress(stream, clock=lambda: 1.5) as progress:
        progress(ToolStarted(agent="a", call="1", tool="segment", arguments={}))
        progress(
            ToolFinished(
                agent="a", call="1", tool="segment", status="failed", summary="\x1b[2J [red]" + "x" * 300, latency_ms=9
            )
        )
        progress(Notice(code="WET-X", message="Line one\nline two"))
    lines = stream.getvalue().split("\n")
    assert len(lines) == 3 and lines[2] == ""
    assert "\x1b" not in stream.getvalue()
    assert "[red]" + "x" * 300 in lines[0]
    assert "Line one line two (WET-X)" in lines[1]
