"""Results to a DICOM node by C-STORE: nodes on this machine that refuse, fail or break off."""

from __future__ import annotations

import io
import os
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread

from wetread.apps.cli import main
from wetread.apps.pacs import dimse
from wetread.apps.pacs.results import Outgoing
from wetread.errors import PacsError
from wetread.scenarios.scenario import BUILT_IN

pytest.importorskip("pynetdicom", reason="the extra pacs is not installed")

RG1 = BUILT_IN / "studies" / "rg1" / "rg1.dcm"
PUSH = ["--study", str(RG1), "--to", "dicom-sr,dicom-gsps", "--aet", "PACS"]
NAMES = ["findings-sr.dcm", "narrative-sr.dcm", "boxes-gsps.dcm"]


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder and no settings."""
    for name in [name for name in os.environ if name.startswith(("WETREAD_", "OPENAI_", "AZURE_", "HLS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr(dimse, "ANSWER_S", 5.0)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drafted")
    assert main(["read", str(RG1), "--simulated", "--out", str(folder)]) == 0
    return folder


class Pacs:
    """A storage node."""

    def __init__(self) -> None:
        self.stored: dict[str, bytes] = {}
        self.calling: list[str] = []
        self.answer: Callable[[Any], int] = lambda event: 0x0000
        self.kinds: set[str] | None = None
        self.allow: list[str] = []

    def store(self, event: Any) -> int:
        self.calling.append(event.assoc.requestor.ae_title)
        status = self.answer(event)
        if status in (0x0000, 0xB000):
            self.stored[str(event.request.AffectedSOPInstanceUID)] = event.encoded_dataset()
        return status

    def listen(self) -> tuple[Any, int]:
        from pynetdicom import AE, AllStoragePresentationContexts, evt

        entity = AE("PACS")
        entity.require_calling_aet = self.allow
        for context in AllStoragePresentationContexts:
            if self.kinds is None or context.abstract_syntax in self.kinds:
                entity.add_supported_context(context.abstract_syntax)
        server = entity.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self.store)])
        return entity, server.socket.getsockname()[1]


@pytest.fixture
def serve() -> Iterator[Callable[[Pacs], str]]:
    """Starts a node and gives its address."""
    running: list[Any] = []

    def start(pacs: Pacs) -> str:
        entity, port = pacs.listen()
        running.append(entity)
        return f"127.0.0.1:{port}"

    yield start
    for entity in running:
        entity.shutdown()


def push(address: str, drafted: Path, *more: str) -> int:
    return main(["push", "dicom", address, str(drafted), *PUSH, *more])


def test_results_arrive_as_they_were_made_and_again_without_a_double(
    serve: Callable[[Pacs], str], drafted: Path, capsys: pytest.CaptureFixture[str], bare: Path
) -> None:
    pacs = Pacs()
    address = serve(pacs)
    assert push(address, drafted) == 0
    assert f"Stored at {address}: {', '.join(NAMES)}." in capsys.readouterr().err
    assert main(["export", str(drafted), "--to", "dicom-sr,dicom-gsps", "--study", str(RG1), "--out", "files"]) == 0
    for file in (bare / "files").iterdir():
        made = dcmread(file)
        came = dcmread(io.BytesIO(pacs.stored[str(made.SOPInstanceUID)]))
        assert came == made
    assert push(address, drafted, "--calling", "READER") == 0
    assert len(pacs.stored) == 3
    assert pacs.calling == ["WETREAD"] * 3 + ["READER"] * 3


def test_a_node_that_does_not_know_us_rejects(
    serve: Callable[[Pacs], str], drafted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pacs = Pacs()
    pacs.allow = ["SOMEBODY"]
    address = serve(pacs)
    assert push(address, drafted) == 4
    err = capsys.readouterr().err
    assert err.startswith("WET-PACS-REJECTED: ") and "calling ae title not recognised" in err.lower()
    assert err.count("\n") == 1 and not pacs.stored
    assert push(address, drafted, "--calling", "SOMEBODY") == 0


def test_a_node_that_takes_no_such_objects(
    serve: Callable[[Pacs], str], drafted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pacs = Pacs()
    pacs.kinds = {"1.2.840.10008.5.1.4.1.1.2"}
    assert push(serve(pacs), drafted) == 4
    assert capsys.readouterr().err.startswith("WET-PACS-REJECTED: ")
    pacs.kinds = {"1.2.840.10008.5.1.4.1.1.88.34", "1.2.840.10008.5.1.4.1.1.88.33"}
    assert push(serve(pacs), drafted) == 4
    err = capsys.readouterr().err
    assert "has 2 of 3 objects. Not there: boxes-gsps.dcm: objects of its kind are not accepted" in err
    assert len(pacs.stored) == 2


def test_what_fails_is_told_object_by_object(
    serve: Callable[[Pacs], str], drafted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pacs = Pacs()
    statuses = iter([0x0000, 0xA700, 0xB000])
    pacs.answer = lambda event: next(statuses)
    address = serve(pacs)
    assert push(address, drafted, "--json") == 4
    out, err = capsys.readouterr()
    assert '"outcome": "warning"' in out and '"outcome": "failed"' in out
    assert "boxes-gsps.dcm: it was stored with elements changed (B000)" in err
    assert "WET-PACS-PARTIAL: " in err and "narrative-sr.dcm: out of resources (A700)" in err
    pacs.answer = lambda event: 0x0000
    assert push(address, drafted) == 0
    assert len(pacs.stored) == 3


@pytest.mark.slow
def test_a_node_that_breaks_off_in_the_middle(
    serve: Callable[[Pacs], str], drafted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pacs = Pacs()

    def abort(event: Any) -> int:
        if pacs.stored:
            event.assoc.abort(block=False)
            return 0xC001
        return 0x0000

    pacs.answer = abort
    address = serve(pacs)
    assert push(address, drafted) == 4
    err = capsys.readouterr().err
    assert "has 1 of 3 objects" in err and "narrative-sr.dcm: " in err and "boxes-gsps.dcm: " in err
    assert "nothing is stored twice" in err
    pacs.answer = lambda event: 0x0000
    assert push(address, drafted) == 0
    assert len(pacs.stored) == 3


def test_nobody_there(drafted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    assert push(f"127.0.0.1:{port}", drafted) == 4
    err = capsys.readouterr().err
    assert err.startswith("WET-PACS-CONNECT: ") and err.count("\n") == 1


@pytest.mark.parametrize("answer", [b"HTTP/1.1 400 Bad Request\r\n\r\n", b"", b"\x02\x00\x00\x00\x00\x04abcd"])
def test_something_that_is_no_dicom_node(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def talk() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(answer)

        thread = threading.Thread(target=talk)
        thread.start()
        sent = Outgoing("a.dcm", RG1.read_bytes(), "1.2.840.10008.5.1.4.1.1.1", "1.2", "1.2.840.10008.1.2.4.91")
        with pytest.raises(PacsError) as error:
            dimse.send([sent], "127.0.0.1", listening.getsockname()[1], called="X", calling="Y", answer_s=2)
        thread.join()
    assert error.value.code in ("WET-PACS-CONNECT", "WET-PACS-REJECTED")


def test_the_extra_that_is_missing_is_named(
    drafted: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pynetdicom", None)
    assert push("127.0.0.1:9", drafted) == 4
    assert "pip install 'wetread[pacs]'" in capsys.readouterr().err
    assert main(["listen", "--simulated", "--port", "0"]) == 2
    assert capsys.readouterr().err.startswith("WET-PACS-EXTRA: ")
