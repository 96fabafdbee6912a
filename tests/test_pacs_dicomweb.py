"""Studies from an archive and results into it by DICOMweb: a small archive on this machine that fails as it is told."""

from __future__ import annotations

import io
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from serving import served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from wetread.apps.cli import main
from wetread.apps.pacs import scratch
from wetread.apps.pacs.dicomweb import DicomWeb
from wetread.apps.pacs.multipart import Malformed, PartReader, boundary_of, related
from wetread.apps.pacs.place import archive_at, authorization, study_at
from wetread.apps.pacs.results import Outgoing
from wetread.config import DicomWebSettings
from wetread.errors import InputError, PacsError
from wetread.scenarios.scenario import BUILT_IN

Data = dict[str, Any]
RG1 = BUILT_IN / "studies" / "rg1" / "rg1.dcm"
MULTIPART = 'multipart/related; type="application/dicom"; boundary=b'


def uid_of(path: Path, keyword: str) -> str:
    return str(dcmread(path, stop_before_pixels=True)[keyword].value)


STUDY, SERIES = uid_of(RG1, "StudyInstanceUID"), uid_of(RG1, "SeriesInstanceUID")


class Archive:
    """A DICOMweb server in memory: QIDO-RS of series, WADO-RS of a series, STOW-RS. It believes what it is sent."""

    def __init__(self) -> None:
        self.series: dict[str, tuple[str, list[bytes]]] = {SERIES: ("CR", [RG1.read_bytes()])}
        self.stored: dict[str, bytes] = {}
        self.faults: dict[str, list[Data]] = {"series": [], "retrieve": [], "store": []}
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        path = request.url.path
        what = (
            "store" if request.method == "POST" else "series" if path.endswith(("/series", "/studies")) else "retrieve"
        )
        self.requests.append(what)
        self.headers.append(dict(request.headers))
        fault = self.faults[what].pop(0) if self.faults[what] else {}
        if fault.get("drop") == "before":
            await self._drop(send, b"")
        reply = self._reply(what, request, body, fault)
        if fault.get("drop") == "middle":
            await self._drop(send, bytes(reply.body)[:-2000], dict(reply.headers)["content-type"])
        await reply(scope, receive, send)

    @staticmethod
    async def _drop(send: Send, some: bytes, media: str = "application/dicom+json") -> None:
        headers = [(b"content-length", b"99999999"), (b"content-type", media.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": some, "more_body": True})
        raise ConnectionAbortedError

    def _reply(self, what: str, request: Request, body: bytes, fault: Data) -> Response:
        if "status" in fault:
            return Response(fault.get("body", b""), fault["status"], fault.get("headers"), fault.get("media"))
        if what == "series":
            found = [
                {
                    "00080060": {"vr": "CS", "Value": [modality]},
                    "0020000E": {"vr": "UI", "Value": [uid]},
                    "00201209": {"vr": "IS", "Value": [len(files) + fault.get("more", 0)]},
                }
                for uid, (modality, files) in self.series.items()
                if STUDY in request.url.path
            ]
            return JSONResponse(found, media_type="application/dicom+json")
        if what == "retrieve":
            files = self.series[request.url.path.rsplit("/", 1)[1]][1]
            sent, content_type = related(files, "application/dicom")
            return Response(sent, 200, {"content-type": content_type})
        return self._store(request, body, fault.get("refuse", {}))

    def _store(self, request: Request, body: bytes, refuse: dict[str, int]) -> Response:
        boundary = boundary_of(request.headers["content-type"])
        assert boundary is not None
        stored, failed = [], []
        for part in parts(boundary, body):
            dataset = dcmread(io.BytesIO(part))
            item: Data = {"00081155": {"vr": "UI", "Value": [str(dataset.SOPInstanceUID)]}}
            reason = refuse.get(str(dataset.Modality))
            if reason is None:
                self.stored[str(dataset.SOPInstanceUID)] = part
                stored.append(item)
            else:
                failed.append({**item, "00081197": {"vr": "US", "Value": [reason]}})
        said = {"00081199": {"vr": "SQ", "Value": stored}} if stored else {}
        if failed:
            said["00081198"] = {"vr": "SQ", "Value": failed}
        return JSONResponse(said, 200 if not failed else 202 if stored else 409, media_type="application/dicom+json")


def parts(boundary: bytes, body: bytes, step: int = 4096) -> list[bytes]:
    """The parts of a body that comes in steps."""
    reader, found = PartReader(boundary), []
    for start in range(0, len(body), step):
        for piece in reader.feed(body[start : start + step]):
            if piece.kind == "begin":
                found.append(b"")
            found[-1] += piece.data if piece.kind == "data" else b""
    assert reader.ended
    return found


class _Endpoint:
    def __init__(self, archive: Archive) -> None:
        self.archive = archive

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.archive.answer(scope, receive, send)


@pytest.fixture
def archive() -> Iterator[tuple[Archive, str]]:
    """An archive and the address of its DICOMweb services."""
    holds = Archive()
    app = Starlette(routes=[Route("/{path:path}", _Endpoint(holds), methods=["GET", "POST"])])
    with served(app) as base:
        yield holds, f"{base}/dicom-web"


@pytest.fixture(autouse=True)
def bare(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder, no settings, and a place of its own for what is received."""
    for name in [name for name in os.environ if name.startswith(("WETREAD_", "OPENAI_", "AZURE_", "HLS_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setattr("wetread.apps.http_wire._FIRST_WAIT_S", 0.01)
    memory = tmp_path / "memory"
    memory.mkdir()
    monkeypatch.setattr(scratch, "_MEMORY", memory)
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.chdir(work)
    return work


def received(bare: Path) -> list[Path]:
    """What is left of what was received."""
    return list((bare.parent / "memory").rglob("*"))


@pytest.fixture(scope="module")
def drafted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("drafted")
    assert main(["read", str(RG1), "--simulated", "--out", str(folder)]) == 0
    return folder


def study(url: str, uid: str = STUDY, more: str = "") -> str:
    return f"dicomweb+{url}?study={uid}{more}"


# --- a study is read


def test_a_study_is_read_from_an_archive_and_leaves_nothing_on_the_disk(
    archive: tuple[Archive, str], bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served, url = archive
    served.series["1.2.9"] = ("SR", [b"never asked for"])
    assert main(["read", study(url), "--simulated", "--json"]) == 0
    out, err = capsys.readouterr()
    report = json.loads(out)
    assert [image["modality"] for image in report["images"]] == ["CR"]
    assert served.requests == ["series", "retrieve"]
    assert "Left out 1 series without images (SR)." in err
    assert STUDY not in out + err and SERIES not in out + err
    assert received(bare) == []
    (folder,) = (bare / "wetread-out").iterdir()
    assert folder.name.startswith("pacs-") and STUDY not in folder.name


def test_the_same_study_from_a_file_gives_the_same_report(
    archive: tuple[Archive, str], drafted: Path, bare: Path
) -> None:
    assert main(["read", study(archive[1]), "--simulated", "--out", "out"]) == 0
    ours, theirs = (json.loads((folder / "report.json").read_bytes()) for folder in (bare / "out", drafted))
    assert ours["findings"] == theirs["findings"] and ours["images"] == theirs["images"]


def test_an_earlier_study_is_fetched_too(
    archive: tuple[Archive, str], bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    prior = BUILT_IN / "studies" / "follow-up" / "prior.dcm"
    assert main(["read", str(RG1), "--prior", study(archive[1]), "--simulated", "--json"]) == 0
    assert capsys.readouterr().err.count("copy of the same image") <= 1
    served, url = archive
    served.series = {"1.2.3": ("DX", [prior.read_bytes()])}
    assert main(["read", str(RG1), "--prior", study(url), "--simulated"]) == 2
    assert "WET-PACS-ANSWER: " in capsys.readouterr().err  # the prior's file is of another study than was asked for
    assert received(bare) == []


def test_what_cannot_be_read_is_told_without_the_folder_it_was_in(
    archive: tuple[Archive, str], bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served, url = archive
    served.series[SERIES] = ("CR", [RG1.read_bytes()[:-5000]])
    assert main(["read", study(url), "--simulated"]) == 2
    err = capsys.readouterr().err
    assert "WET-INPUT-TRUNCATED: " in err and "the study from 127.0.0.1" in err
    assert "memory" not in err and scratch.PREFIX not in err
    assert received(bare) == []


@pytest.mark.slow
def test_results_among_the_images_are_left_out(
    archive: tuple[Archive, str], drafted: Path, bare: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A segmentation has rows and columns too, and some archives say nothing of a series' modality."""
    assert main(["read", str(RG1), "--simulated", "--out", "kept", "--store", "s.db"]) == 0
    assert main(["export", "kept", "--to", "dicom-seg", "--study", str(RG1), "--store", "s.db", "--out", "x"]) == 0
    served, url = archive
    (mask,) = (bare / "x").glob("*.dcm")
    served.series["1.2.9"] = ("", [mask.read_bytes()])
    capsys.readouterr()
    assert main(["read", study(url), "--simulated", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert len(report["images"]) == 1


@pytest.mark.parametrize(
    ("faults", "code", "asked"),
    [
        ({"series": [{"status": 401}]}, "WET-PACS-AUTH", 1),
        ({"series": [{"status": 403}]}, "WET-PACS-AUTH", 1),
        ({"series": [{"status": 404}]}, "WET-PACS-NOSTUDY", 1),
        ({"series": [{"status": 204}]}, "WET-PACS-NOSTUDY", 1),
        ({"series": [{"status": 400}]}, "WET-PACS-REFUSED", 1),
        ({"series": [{"status": 302, "headers": {"location": "http://127.0.0.1:9/"}}]}, "WET-PACS-URL", 1),
        ({"series": [{"status": 500}] * 4}, "WET-PACS-SERVER", 4),
        ({"series": [{"drop": "before"}] * 4}, "WET-PACS-CONNECT", 4),
        ({"series": [{"status": 200, "body": b"<html>Welcome"}]}, "WET-PACS-ANSWER", 1),
        ({"series": [{"status": 200, "body": b'{"a": 1}'}]}, "WET-PACS-ANSWER", 1),
        ({"retrieve": [{"drop": "middle"}] * 4}, "WET-PACS-CONNECT", 5),
        ({"retrieve": [{"status": 503}] * 4}, "WET-PACS-SERVER", 5),
        ({"retrieve": [{"status": 200, "body": b"hello", "media": "text/plain"}]}, "WET-PACS-ANSWER", 2),
        ({"retrieve": [{"status": 200, "body": b"--b", "media": MULTIPART}]}, "WET-PACS-ANSWER", 2),
        ({"retrieve": [{"status": 200, "body": b"--b\r\n\r\nx\r\n--b--", "media": MULTIPART}]}, "WET-PACS-ANSWER", 2),
        ({"retrieve": [{"status": 204}]}, "WET-PACS-ANSWER", 2),
    ],
)
def test_what_goes_wrong_is_told_in_one_line_and_leaves_nothing(
    archive: tuple[Archive, str], bare: Path, capsys: pytest.CaptureFixture[str], faults: Data, code: str, asked: int
) -> None:
    served, url = archive
    served.faults.update(faults)
    assert main(["read", study(url), "--simulated"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"{code}: ") and err.count("\n") == 1
    assert STUDY not in err
    assert len(served.requests) == asked
    assert received(bare) == [] and not list(bare.iterdir())
    assert main(["read", study(url), "--simulated"]) == 0, "and then it works"


def test_a_connection_that_breaks_in_the_middle_of_an_image_is_made_again(
    archive: tuple[Archive, str], capsys: pytest.CaptureFixture[str]
) -> None:
    served, url = archive
    served.faults["retrieve"] = [{"drop": "middle"}, {"status": 503}]
    assert main(["read", study(url), "--simulated", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["images"]) == 1
    assert served.requests == ["series", "retrieve", "retrieve", "retrieve"]


def test_images_that_did_not_come_are_told(archive: tuple[Archive, str], capsys: pytest.CaptureFixture[str]) -> None:
    served, url = archive
    served.faults["series"] = [{"more": 2}]
    assert main(["read", study(url), "--simulated"]) == 0
    assert "has 3 instances of a series and sent 1" in capsys.readouterr().err


def test_a_study_without_images_says_so(archive: tuple[Archive, str], capsys: pytest.CaptureFixture[str]) -> None:
    served, url = archive
    served.series = {"1.2.9": ("SR", [])}
    assert main(["read", study(url), "--simulated"]) == 2
    assert capsys.readouterr().err.startswith("WET-PACS-NOIMAGE: ")


def test_a_series_alone_and_one_that_is_not_there(
    archive: tuple[Archive, str], capsys: pytest.CaptureFixture[str]
) -> None:
    served, url = archive
    served.series["1.2.4"] = ("CR", [b"broken"])
    assert main(["read", study(url, more=f"&series={SERIES}"), "--simulated"]) == 0
    assert served.requests == ["series", "retrieve"]
    capsys.readouterr()
    assert main(["read", study(url, more="&series=1.2.5"), "--simulated"]) == 2
    assert "no such series" in capsys.readouterr().err


async def test_too_much_is_given_up_while_it_comes(archive: tuple[Archive, str], tmp_path: Path) -> None:
    _, url = archive
    async with httpx.AsyncClient() as client:
        with pytest.raises(PacsError) as error:
            await DicomWeb(archive_at(url), client).retrieve(STUDY, SERIES, tmp_path / "work", room=10_000)
    assert error.value.code == "WET-PACS-LARGE"
    assert not list((tmp_path / "work").iterdir())


# --- addresses and credentials


@pytest.mark.parametrize(
    "address",
    [
        "https://pacs.example.org/dicom-web?study=1.2",
        "dicomweb+https://pacs.example.org/dicom-web",
        "dicomweb+https://pacs.example.org/dicom-web?study=",
        "dicomweb+https://pacs.example.org/dicom-web?study=1.2&study=1.3",
        "dicomweb+https://pacs.example.org/dicom-web?study=DOE^JOHN",
        "dicomweb+https://pacs.example.org/dicom-web?study=1.2&serie=1.3",
        "dicomweb+https://ada:s3cret@pacs.example.org/dicom-web?study=1.2",
        "dicomweb+ftp://pacs.example.org/dicom-web?study=1.2",
        "dicomweb+http://pacs.example.org/dicom-web?study=1.2",
        "dicomweb+https://?study=1.2",
    ],
)
def test_an_address_that_cannot_be_used_is_told_without_repeating_it(
    address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["read", address, "--simulated"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("WET-INPUT-PACS: ") and err.count("\n") == 1
    assert "s3cret" not in err and "DOE" not in err


def test_plain_http_beyond_this_machine_is_for_those_who_say_so_and_never_for_credentials() -> None:
    address = "dicomweb+http://pacs.example.org/dicom-web?study=1.2"
    place = study_at(address, allow_http=True).archive
    assert authorization(place, DicomWebSettings()) is None
    with pytest.raises(PacsError, match="plain http"):
        authorization(place, DicomWebSettings(user="ada", password="s3cret"))
    with pytest.raises(InputError):
        study_at(address)


def test_credentials_go_to_the_archive_of_the_settings_alone() -> None:
    known = DicomWebSettings(url="https://pacs.example.org/dicom-web", token="abc")
    assert authorization(archive_at("https://pacs.example.org/other"), known) == "Bearer abc"
    assert authorization(archive_at("https://pacs.example.com/dicom-web"), known) is None


def test_credentials_are_sent_and_shown_nowhere(
    archive: tuple[Archive, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], bare: Path
) -> None:
    served, url = archive
    monkeypatch.setenv("WETREAD_DICOMWEB_USER", "ada")
    monkeypatch.setenv("WETREAD_DICOMWEB_PASSWORD", "s3cret")
    served.faults["series"] = [{"status": 401}]
    assert main(["read", study(url), "--simulated"]) == 2
    assert "s3cret" not in capsys.readouterr().err
    assert served.headers[0]["authorization"] == "Basic YWRhOnMzY3JldA=="
    (bare / "wetread.toml").write_text(f'[dicomweb]\nurl = "{url}"\ntoken = "t0ken"\n', "utf-8")
    assert main(["read", study(url), "--simulated"]) == 0, "the environment's user stands in for the file's token"
    assert served.headers[-1]["authorization"].startswith("Basic ")
    monkeypatch.delenv("WETREAD_DICOMWEB_USER")
    monkeypatch.delenv("WETREAD_DICOMWEB_PASSWORD")
    assert main(["read", study(url), "--simulated"]) == 0
    assert served.headers[-1]["authorization"] == "Bearer t0ken"


def test_doctor_says_whether_the_archive_answers_and_lets_us_in(
    archive: tuple[Archive, str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    served, url = archive
    assert main(["doctor"]) == 0
    assert "Archive" not in capsys.readouterr().out
    monkeypatch.setenv("WETREAD_DICOMWEB_URL", url)
    monkeypatch.setenv("WETREAD_DICOMWEB_TOKEN", "t0ken")
    for fault, code, word in (
        ({}, 0, "reachable"),
        ({"status": 401}, 2, "WETREAD_DICOMWEB"),
        ({"drop": "before"}, 2, ""),
    ):
        served.faults["series"] = [fault] if fault else []
        assert main(["doctor", "--json"]) == code
        out = capsys.readouterr().out
        (row,) = (row for row in json.loads(out) if row["topic"] == "archive")
        assert word in row["detail"] + row["advice"] and "t0ken" not in out
        assert row["state"] == ("error" if code else "ok")


# --- results are sent

PUSH = ["--study", str(RG1), "--to", "dicom-sr,dicom-gsps"]


def test_results_are_stored_and_stored_again_without_a_double(
    archive: tuple[Archive, str], drafted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served, url = archive
    assert main(["push", "dicomweb", url, str(drafted), *PUSH, "--json"]) == 0
    out, err = capsys.readouterr()
    assert {one["outcome"] for one in json.loads(out)["objects"]} == {"stored"}
    assert "findings-sr.dcm, narrative-sr.dcm, boxes-gsps.dcm" in err
    before = dict(served.stored)
    assert {str(dcmread(io.BytesIO(data)).StudyInstanceUID) for data in before.values()} == {STUDY}
    assert main(["push", "dicomweb", f"dicomweb+{url}/", str(drafted), *PUSH]) == 0
    assert served.stored == before


def test_the_study_of_a_push_may_be_in_the_archive(archive: tuple[Archive, str], drafted: Path) -> None:
    served, url = archive
    assert main(["push", "dicomweb", url, str(drafted), "--study", study(url), "--to", "dicom-sr"]) == 0
    assert len(served.stored) == 2


def test_what_an_archive_took_is_in_the_audit_log(
    archive: tuple[Archive, str], capsys: pytest.CaptureFixture[str]
) -> None:
    served, url = archive
    assert main(["read", str(RG1), "--simulated", "--out", "kept", "--store", "s.db"]) == 0
    served.faults["store"] = [{"refuse": {"PR": 0xA700}}]
    push = ["push", "dicomweb", url, "kept", *PUSH, "--store", "s.db"]
    assert main(push) == 4
    assert main([*push, "--by", "Ada Example"]) == 0
    capsys.readouterr()
    assert main(["audit", "log", "--store", "s.db", "--json"]) == 0
    sent = [one["event"] for one in json.loads(capsys.readouterr().out) if one["event"]["action"] == "report.sent"]
    assert [event["counts"] for event in sent] == [{"dicom-sr": 2}, {"dicom-sr": 2, "dicom-gsps": 1}]
    assert sent[1]["actor"]["name"] == "Ada Example"


@pytest.mark.parametrize(
    ("fault", "code", "words"),
    [
        ({"refuse": {"PR": 0xA700}}, "WET-PACS-PARTIAL", ["has 2 of 3", "boxes-gsps.dcm: out of resources (A700)"]),
        ({"refuse": {"PR": 0x0122, "SR": 0xC123}}, "WET-PACS-PARTIAL", ["has 0 of 3", "(C123)", "not supported"]),
        ({"status": 401}, "WET-PACS-AUTH", ["401"]),
        ({"status": 404}, "WET-PACS-URL", ["404"]),
        ({"status": 409}, "WET-PACS-SERVER", ["409"]),
        ({"status": 500}, "WET-PACS-SERVER", ["500", "nothing is stored twice"]),
        ({"status": 413}, "WET-PACS-REFUSED", ["413"]),
        ({"status": 200}, "WET-PACS-ANSWER", ["did not say"]),
        ({"status": 200, "body": b"{}"}, "WET-PACS-ANSWER", ["did not say"]),
        ({"drop": "before"}, "WET-PACS-CONNECT", ["nothing is stored twice"]),
    ],
)
def test_what_was_not_stored_is_told_object_by_object(
    archive: tuple[Archive, str],
    drafted: Path,
    capsys: pytest.CaptureFixture[str],
    fault: Data,
    code: str,
    words: list[str],
) -> None:
    served, url = archive
    served.faults["store"] = [fault]
    assert main(["push", "dicomweb", url, str(drafted), *PUSH]) == 4
    out, err = capsys.readouterr()
    assert out == "" and err.startswith(f"{code}: ") and err.count("\n") == 1
    assert all(word in err for word in words) and STUDY not in err
    assert served.requests == ["store"], "what may have been stored is not sent again on its own"
    assert main(["push", "dicomweb", url, str(drafted), *PUSH]) == 0
    assert len(served.stored) == 3


def test_a_duplicate_is_there_and_told(
    archive: tuple[Archive, str], drafted: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    served, url = archive
    served.faults["store"] = [{"refuse": {"PR": 0x0111}}]
    assert main(["push", "dicomweb", url, str(drafted), *PUSH]) == 0
    assert "boxes-gsps.dcm: it is there already (0111)" in capsys.readouterr().err


async def test_an_object_that_the_answer_leaves_out_does_not_count_as_stored() -> None:
    said = {"00081199": {"vr": "SQ", "Value": [{"00081155": {"vr": "UI", "Value": ["1.2"]}}]}}
    transport = httpx.MockTransport(lambda request: httpx.Response(200, json=said))
    sent = [Outgoing(name, b"x", "1", instance, "1") for name, instance in (("a.dcm", "1.2"), ("b.dcm", "1.3"))]
    async with httpx.AsyncClient(transport=transport) as client:
        result = await DicomWeb(archive_at("https://pacs.example.org"), client).store(sent)
    assert [one.outcome for one in result.objects] == ["stored", "failed"]


@pytest.mark.parametrize(
    ("argv", "code"),
    [
        (["dicomweb", "https://127.0.0.1:9/x", "--to", "fhir", "--study", str(RG1)], "WET-INPUT-OPTION"),
        (["dicomweb", "https://127.0.0.1:9/x", "--aet", "X", "--study", str(RG1)], "WET-INPUT-PACS"),
        (["dicomweb", "http://pacs.example.org/x", "--study", str(RG1)], "WET-INPUT-PACS"),
        (["fhir", "https://127.0.0.1:9/x", "--study", str(RG1)], "WET-INPUT-OPTION"),
        (["dicom", "127.0.0.1", "--aet", "X", "--study", str(RG1)], "WET-INPUT-PACS"),
        (["dicom", "127.0.0.1:104", "--study", str(RG1)], "WET-INPUT-PACS"),
        (["dicom", "127.0.0.1:104", "--aet", "much too long a title", "--study", str(RG1)], "WET-INPUT-PACS"),
    ],
)
def test_options_that_cannot_be_used_send_nothing(
    drafted: Path, capsys: pytest.CaptureFixture[str], argv: list[str], code: str
) -> None:
    assert main(["push", argv[0], argv[1], str(drafted), *argv[2:]]) == 2
    assert capsys.readouterr().err.startswith(f"{code}: ")


def test_without_the_study_nothing_can_be_sent(drafted: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["push", "dicomweb", "http://127.0.0.1:9/x", str(drafted)]) == 4
    assert capsys.readouterr().err.startswith("WET-EXPORT-NOSTUDY: ")


# --- multipart


@settings(max_examples=200, deadline=None)
@given(contents=st.lists(st.binary(max_size=60) | st.just(b"\r\n--"), max_size=4), step=st.integers(1, 40))
def test_parts_come_out_as_they_went_in_however_the_body_is_cut(contents: list[bytes], step: int) -> None:
    body, content_type = related(contents, "application/dicom")
    boundary = boundary_of(content_type)
    assert boundary is not None
    assert parts(boundary, b"preamble\r\n" + body + b"epilogue", step) == contents


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=200) | st.text("-b\r\n :x", max_size=60).map(str.encode), step=st.integers(1, 50))
def test_whatever_comes_is_parts_or_malformed(body: bytes, step: int) -> None:
    reader = PartReader(b"b")
    try:
        for start in range(0, len(body), step):
            for piece in reader.feed(body[start : start + step]):
                assert piece.kind in ("begin", "data", "end")
    except Malformed:
        return


def test_headers_that_never_end_are_given_up() -> None:
    reader = PartReader(b"b")
    with pytest.raises(Malformed):
        for _ in range(100):
            list(reader.feed(b"--b\r\nx" if not _ else b"x" * 1000))


@pytest.mark.parametrize(
    "content_type", ["multipart/related", 'multipart/related; boundary=""', "multipart/related; boundary=ü"]
)
def test_a_multipart_without_a_boundary_is_malformed(content_type: str) -> None:
    with pytest.raises(Malformed):
        boundary_of(content_type)


# --- the private folder


def test_the_folder_is_private_and_gone_whatever_happens(bare: Path) -> None:
    with pytest.raises(ZeroDivisionError), scratch.private_folder() as folder:
        assert stat.S_IMODE(folder.parent.stat().st_mode) == 0o700
        (folder / "a").write_bytes(b"x")
        raise ZeroDivisionError
    assert received(bare) == []


def test_a_killed_process_is_cleaned_up_after_and_a_living_one_is_left_alone(bare: Path) -> None:
    dead = bare.parent / "memory" / f"{scratch.PREFIX}dead"
    (dead / "study").mkdir(parents=True)
    (dead / "study" / "1.dcm").write_bytes(b"x")
    (dead / ".lock").touch()
    with scratch.private_folder() as alive:
        assert not dead.exists()
        with scratch.private_folder():
            assert alive.exists()
