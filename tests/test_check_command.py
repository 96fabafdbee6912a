"""`wetread check`: files, streams, exit codes, and input that is no report."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from wetread.apps import check_io
from wetread.apps.cli import main

CLEAN = "FINDINGS: Small left pleural effusion. Heart size is normal.\n\nIMPRESSION: Small left pleural effusion.\n"
WRONG = "FINDINGS: Moderate right pleural effusion.\n\nIMPRESSION: Moderate left pleural effusion.\n"
WARNED = "FINDINGS: Heart size is normal.\n\nIMPRESSION: Pneumonia cannot be excluded.\n"


@pytest.fixture
def file(tmp_path: Path) -> Any:
    def write(data: str | bytes, name: str = "report.txt") -> str:
        path = tmp_path / name
        path.write_bytes(data.encode() if isinstance(data, str) else data)
        return str(path)

    return write


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(data)))


@pytest.mark.parametrize(("text", "code"), [(CLEAN, 0), (WARNED, 0), (WRONG, 1)])
def test_exit_code(file: Any, capsys: pytest.CaptureFixture[str], text: str, code: int) -> None:
    assert main(["check", file(text)]) == code
    shown = capsys.readouterr().out
    assert " ".join(text.split()[:3]) in shown
    assert ("No issues." in shown) == (text == CLEAN)


def test_the_text_is_shown_with_codes_at_the_side(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", file(WRONG)])
    line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith("IMPRESSION"))
    assert line.rstrip().endswith("LAT-1")


def test_spans_are_underlined_in_a_terminal(file: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from wetread.apps.check_view import show
    from wetread.reports import check

    out = io.StringIO()
    show(Console(file=out, force_terminal=True, width=100, color_system="standard"), "x", WRONG, check(WRONG))
    assert "\x1b[1;4;31mpleural effusion" in out.getvalue()


def test_json_of_files(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    name = file(WRONG)
    assert main(["check", "--json", name]) == 1
    (row,) = json.loads(capsys.readouterr().out)
    (issue,) = [one for one in row["issues"] if one["code"] == "LAT-1"]
    assert WRONG[issue["start"] : issue["end"]] == "pleural effusion"
    assert row["file"] == name and "GRD-1" in row["left_out"]


def test_one_bad_file_does_not_keep_the_others(file: Any, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", file(b"\x00\x01\x02", "bad.bin"), file(CLEAN)]) == 2
    captured = capsys.readouterr()
    assert "WET-INPUT-TEXT" in captured.err and "No issues." in captured.out


@pytest.mark.parametrize(
    ("data", "code"), [(b"\x89PNG\r\n\x1a\n\x00\x00\x00", "WET-INPUT-TEXT"), (b'{"schema_version": "99"}', "WET-INPUT")]
)
def test_what_is_no_report_is_refused(file: Any, capsys: pytest.CaptureFixture[str], data: bytes, code: str) -> None:
    assert main(["check", file(data)]) == 2
    assert code in capsys.readouterr().err


def test_a_missing_file_and_no_file(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["check", str(tmp_path / "none.txt")]) == 2
    assert "WET-INPUT-REPORT-FILE" in capsys.readouterr().err
    assert main(["check"]) == 2
    assert "WET-INPUT-OPTION" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings(encoding: str) -> None:
    assert check_io.decode("Oedème – normal.\r\n".encode(encoding), "x") == "Oedème – normal.\n"


def test_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stdin(monkeypatch, WRONG.encode())
    assert main(["check", "-"]) == 1
    assert "LAT-1" in capsys.readouterr().out


def lines(capsysbinary: pytest.CaptureFixture[bytes]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsysbinary.readouterr().out.splitlines()]


def test_jsonl_one_line_each(file: Any, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    rows = [
        {"id": "a", "text": WRONG},
        {"id": "b", "sections": {"findings": "No pneumothorax.", "impression": "Left pneumothorax."}},
        {"id": 3, "sections": {"findings": "Clear lungs.", "impression": "Clear."}, "order": {"age": 50}},
        {"id": "d", "text": ""},
    ]
    assert main(["check", "--jsonl", file("\n".join(json.dumps(row) for row in rows) + "\n\n")]) == 1
    out = lines(capsysbinary)
    assert [row["id"] for row in out] == ["a", "b", 3, "d"]
    assert set(out[0]["issues"][0]) == {"code", "severity", "section", "start", "end", "message"}
    conflict = next(issue for issue in out[1]["issues"] if issue["code"] == "CON-1")
    assert conflict["section"] == "impression"
    assert "Left pneumothorax."[conflict["start"] : conflict["end"]] == "pneumothorax"
    assert out[2]["issues"] == [] and "empty" in out[3]["not_assessed"][0]


@pytest.mark.parametrize(
    "bad",
    [
        b"not json",
        b"[]",
        b'{"id": "x"}',
        b'{"id": "x", "text": 3}',
        b'{"text": "a", "order": 7}',
        b"\xff\xfe",
        b"{" * 500,
    ],
)
def test_jsonl_goes_on_after_a_bad_line(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes], bad: bytes
) -> None:
    stdin(monkeypatch, bad + b"\n" + json.dumps({"id": "b", "text": CLEAN}).encode() + b"\n")
    assert main(["check", "--jsonl", "-"]) == 2
    first, second = lines(capsysbinary)
    assert first["error"]["code"].startswith("WET-INPUT") and "issues" not in first
    assert second == {"id": "b", "issues": []}


def test_jsonl_passes_over_a_line_without_end(
    monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr(check_io, "MAX_LINE_BYTES", 100)
    long = json.dumps({"id": "a", "text": "x" * 1000}).encode()
    stdin(monkeypatch, long + b"\n" + b'{"id": "b", "text": ""}\n' + long)
    assert main(["check", "--jsonl", "-"]) == 2
    assert ["error" in row for row in lines(capsysbinary)] == [True, False, True]


def test_a_drafted_report(capsys: pytest.CaptureFixture[str], file: Any) -> None:
    from wetread.reports.model import Report

    stored = Path(__file__).parents[1] / "scenarios" / "hallucinated-prior" / "expected" / "report.json"
    report = Report.model_validate_json(stored.read_bytes()).sealed()
    assert main(["check", "--json", file(report.model_dump_json(), "report.json")]) in (0, 1)
    (row,) = json.loads(capsys.readouterr().out)
    assert {issue["code"] for issue in row["issues"]} == {issue.code for issue in report.issues}
    changed = report.model_copy(update={"disclosure": "None."})
    assert main(["check", file(changed.model_dump_json(), "report.json")]) == 2
    assert "WET-INPUT-HASH" in capsys.readouterr().err
