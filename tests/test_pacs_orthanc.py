"""Against a real archive: Orthanc with its DICOMweb plugin, and the DICOM toolkit as another node, on this machine.

Debian: orthanc, orthanc-dicomweb, dcmtk, poppler-utils.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from pydicom import dcmread

from wetread.apps.cli import main
from wetread.apps.pacs.multipart import PartReader, boundary_of
from wetread.scenarios.scenario import BUILT_IN

pytest.importorskip("pynetdicom", reason="the extra pacs is not installed")

ORTHANC = shutil.which("Orthanc", path=f"{os.environ.get('PATH', '')}{os.pathsep}/usr/sbin")
PLUGIN = Path("/usr/share/orthanc/plugins/libOrthancDicomWeb.so")
# pynetdicom brings programs of the same names, which do other things with the same options
TOOLKIT = {
    name: next((str(path) for path in (Path("/usr/bin") / name, Path("/usr/local/bin") / name) if path.exists()), None)
    for name in ("storescu", "echoscu")
}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        ORTHANC is None or not PLUGIN.exists() or None in TOOLKIT.values() or shutil.which("pdftoppm") is None,
        reason="Orthanc, its DICOMweb plugin, dcmtk or poppler is not installed",
    ),
]

RUN = [sys.executable, "-c", "import sys; from wetread.apps.cli import main; sys.exit(main())"]
RG1 = BUILT_IN / "studies" / "rg1" / "rg1.dcm"
STUDY = str(dcmread(RG1, stop_before_pixels=True).StudyInstanceUID)
USER, PASSWORD = "ada", "s3cret"


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
        return port


@dataclass(frozen=True)
class Orthanc:
    """A running archive."""

    http: int
    dicom: int

    @property
    def web(self) -> str:
        return f"http://127.0.0.1:{self.http}/dicom-web"

    @property
    def study(self) -> str:
        return f"dicomweb+{self.web}?study={STUDY}"

    def ask(self, path: str, **headers: str) -> httpx.Response:
        return httpx.get(f"{self.web}{path}", auth=(USER, PASSWORD), headers=headers, timeout=30, trust_env=False)

    def series(self) -> dict[str, list[dict[str, Any]]]:
        """What QIDO-RS finds of the study, by modality."""
        found: dict[str, list[dict[str, Any]]] = {}
        for item in self.ask(f"/studies/{STUDY}/series", accept="application/dicom+json").json():
            found.setdefault(item["00080060"]["Value"][0], []).append(item)
        return found

    def count(self) -> int:
        return sum(item["00201209"]["Value"][0] for items in self.series().values() for item in items)


@pytest.fixture
def orthanc(tmp_path: Path) -> Iterator[Orthanc]:
    """An archive of our own with RG1 in it, sent there by C-STORE."""
    assert ORTHANC is not None and TOOLKIT["storescu"] is not None
    served = Orthanc(free_port(), free_port())
    configuration = {
        "Name": "wetread",
        "StorageDirectory": str(tmp_path / "orthanc"),
        "IndexDirectory": str(tmp_path / "orthanc"),
        "Plugins": [str(PLUGIN)],
        "RemoteAccessAllowed": False,
        "HttpPort": served.http,
        "DicomPort": served.dicom,
        "DicomAet": "ORTHANC",
        "DicomAlwaysAllowStore": True,
        "AuthenticationEnabled": True,
        "RegisteredUsers": {USER: PASSWORD},
        "DicomWeb": {"Enable": True, "Root": "/dicom-web/"},
    }
    file = tmp_path / "orthanc.json"
    file.write_text(json.dumps(configuration), "utf-8")
    with (tmp_path / "orthanc.log").open("wb") as log, subprocess.Popen([ORTHANC, str(file)], stderr=log) as process:
        try:
            for _ in range(600):
                assert process.poll() is None, (tmp_path / "orthanc.log").read_text("utf-8")
                try:
                    if served.ask("/studies").status_code == 200:
                        break
                except httpx.TransportError:
                    time.sleep(0.05)
            sent = [TOOLKIT["storescu"], "-xw", "-aec", "ORTHANC", "127.0.0.1", str(served.dicom), str(RG1)]
            subprocess.run(sent, check=True)
            assert served.count() == 1
            yield served
        finally:
            process.terminate()
            process.wait(30)


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, and the archive's user alone set."""
    for name in [name for name in os.environ if name.startswith(("WETREAD_", "OPENAI_", "AZURE_", "HLS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("WETREAD_DICOMWEB_USER", USER)
    monkeypatch.setenv("WETREAD_DICOMWEB_PASSWORD", PASSWORD)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def stored_pdf(orthanc: Orthanc) -> bytes:
    """The PDF of the report as WADO-RS gives it back."""
    (series,) = orthanc.series()["DOC"]
    answer = orthanc.ask(
        f"/studies/{STUDY}/series/{series['0020000E']['Value'][0]}",
        accept='multipart/related; type="application/dicom"; transfer-syntax=*',
    )
    boundary = boundary_of(answer.headers["content-type"])
    assert boundary is not None
    data = b"".join(piece.data for piece in PartReader(boundary).feed(answer.content) if piece.kind == "data")
    Path("stored.dcm").write_bytes(data)
    dataset = dcmread("stored.dcm")
    return bytes(dataset.EncapsulatedDocument)[: dataset.EncapsulatedDocumentLength]


def check_drawn(pdf: bytes) -> None:
    """The first page, drawn, has the words and a picture: dark and coloured pixels on white."""
    import numpy as np
    from PIL import Image

    Path("stored.pdf").write_bytes(pdf)
    text = subprocess.run(
        ["pdftotext", "-l", "1", "stored.pdf", "-"], capture_output=True, text=True, check=True
    ).stdout
    assert "SIMULATED" in text and "not reviewed by a physician" in text
    subprocess.run(["pdftoppm", "-png", "-r", "60", "-singlefile", "stored.pdf", "page"], check=True)
    with Image.open("page.png") as page:
        drawn = np.asarray(page.convert("RGB")).astype(int)
    grey = drawn.mean(axis=2)
    assert (grey > 250).mean() > 0.3 and (grey < 60).mean() > 0.004, "words on white"
    assert ((grey > 60) & (grey < 230)).mean() > 0.05, "the radiograph"
    assert (drawn.max(axis=2) - drawn.min(axis=2) > 60).mean() > 0.001, "the outlines of what was found"


def test_a_study_is_read_and_its_results_are_stored_found_and_drawn(
    orthanc: Orthanc, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["read", orthanc.study, "--simulated", "--out", "drafted", "--store", "s.db"]) == 0
    push = ["drafted", "--study", orthanc.study, "--store", "s.db"]
    assert main(["push", "dicomweb", orthanc.web, *push]) == 0
    found = orthanc.series()
    assert {modality: len(items) for modality, items in found.items()} == {
        "CR": 1,
        "SR": 2,
        "SEG": 1,
        "PR": 1,
        "DOC": 1,
    }
    assert all("SIMULATED" in item["0008103E"]["Value"][0] for one in ("SR", "SEG", "PR", "DOC") for item in found[one])
    check_drawn(stored_pdf(orthanc))
    assert main(["push", "dicomweb", orthanc.web, *push]) == 0
    assert main(["push", "dicom", f"127.0.0.1:{orthanc.dicom}", *push, "--aet", "ORTHANC"]) == 0
    assert orthanc.count() == 6, "stored three times, it is there once"
    capsys.readouterr()
    assert main(["read", orthanc.study, "--simulated", "--json"]) == 0
    out, err = capsys.readouterr()
    assert len(json.loads(out)["images"]) == 1, "results are no images"
    assert "Left out 5 series without images" in err


def test_what_it_refuses_is_told(
    orthanc: Orthanc, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["read", f"dicomweb+{orthanc.web}?study=1.2.3", "--simulated"]) == 2
    assert capsys.readouterr().err.startswith("WET-PACS-NOSTUDY: ")
    assert main(["read", f"dicomweb+{orthanc.web}/nothing?study={STUDY}", "--simulated"]) == 2
    assert capsys.readouterr().err.startswith("WET-PACS-")
    monkeypatch.setenv("WETREAD_DICOMWEB_URL", orthanc.web)
    assert main(["doctor"]) == 0
    assert "reachable, and answers searches" in " ".join(capsys.readouterr().out.split())
    monkeypatch.setenv("WETREAD_DICOMWEB_PASSWORD", "wrong")
    assert main(["read", orthanc.study, "--simulated"]) == 2
    assert capsys.readouterr().err.startswith("WET-PACS-AUTH: ")
    assert main(["doctor"]) == 2


def test_a_study_sent_to_the_listening_node_comes_back_as_results(orthanc: Orthanc, bare: Path) -> None:
    listen = ["listen", "--simulated", "--port", "0", "--quiet", "0.5", "--store", "s.db", "--allow", "STORESCU"]
    with (
        open("log", "w", encoding="utf-8") as log,
        subprocess.Popen(
            [*RUN, *listen, "--allow", "ECHOSCU", "--send-to", f"dicomweb+{orthanc.web}"], stderr=log
        ) as node,
    ):
        try:
            said = wait_for("Listening as", node)
            port = said.partition(" at 127.0.0.1:")[2].partition(";")[0]
            subprocess.run([str(TOOLKIT["echoscu"]), "127.0.0.1", port], check=True)
            subprocess.run([str(TOOLKIT["storescu"]), "-xw", "127.0.0.1", port, str(RG1)], check=True)
            stranger = [str(TOOLKIT["storescu"]), "-aet", "STRANGER", "-xw", "127.0.0.1", port, str(RG1)]
            assert subprocess.run(stranger, capture_output=True).returncode != 0
            assert "5 objects stored at" in wait_for(": drafted", node)
            node.send_signal(signal.SIGINT)
            assert node.wait(60) == 130
        finally:
            node.kill()
    assert orthanc.count() == 6
    check_drawn(stored_pdf(orthanc))
    assert STUDY not in (bare / "log").read_text("utf-8")
    assert not list((bare / ".wetread" / "spool").rglob("*.dcm"))


def wait_for(words: str, node: subprocess.Popen[bytes]) -> str:
    """The log once it says that."""
    for _ in range(2400):
        said = Path("log").read_text("utf-8")
        if words in said:
            return said
        assert node.poll() is None, said
        time.sleep(0.05)
    raise AssertionError(said)
