"""Sending a report to a FHIR server: a small strict one, on this machine, that takes all of a transaction or none."""

from __future__ import annotations

import asyncio
import json
import re
import socket
import threading
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from serving import served
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from wetread.apps.cli import main
from wetread.apps.fhir_push import ATTEMPTS, MAX_ISSUES, push
from wetread.errors import ExportError
from wetread.reports.export import Identity, export
from wetread.reports.model import Report
from wetread.reports.render import to_json
from wetread.scenarios.scenario import BUILT_IN
from wetread.store import Store

pytest.importorskip("fhir.resources", reason="the extra fhir is not installed")

Data = dict[str, Any]

TYPES = {
    "DiagnosticReport": {"subject": "Patient", "result": "Observation", "imagingStudy": "ImagingStudy"},
    "Observation": {"subject": "Patient", "device": "Device", "derivedFrom": "ImagingStudy|Observation"},
    "Composition": {"subject": "Patient", "author": "Device", "entry": "Observation"},
    "ImagingStudy": {"subject": "Patient"},
    "Provenance": {"target": "DiagnosticReport|Composition|Observation", "who": "Device", "what": "ImagingStudy"},
    "Device": {},
    "Patient": {},
}
"""Types that the server knows, and what each kind of reference in them may lead to."""

STATUSES = {
    "DiagnosticReport": {"partial", "preliminary", "final", "amended", "corrected", "appended"},
    "Observation": {"preliminary", "final", "amended", "corrected"},
    "Composition": {"preliminary", "final", "amended"},
    "ImagingStudy": {"available"},
    "Device": {"active"},
}


class Refused(Exception):
    """What the server does not take."""

    def __init__(self, status: int, code: str, said: str, place: str = "") -> None:
        super().__init__(said)
        self.status, self.outcome = status, outcome((code, said, place))


def outcome(*issues: tuple[str, str, str]) -> Data:
    found = [{"severity": "error", "code": c, "diagnostics": d, "expression": [p]} for c, d, p in issues]
    return {"resourceType": "OperationOutcome", "issue": found}


class Faults:
    """What the server does with the next requests instead of its work, one entry for each."""

    def __init__(self) -> None:
        self.queue: list[Data] = []

    def plan(self, *faults: Data) -> None:
        self.queue = list(faults)

    def next(self) -> Data:
        return self.queue.pop(0) if self.queue else {}


class FhirServer:
    """A FHIR server for transactions of conditional creates, in memory. It believes nothing that it is told."""

    def __init__(self) -> None:
        self.stored: dict[str, Data] = {}
        self.faults = Faults()
        self.requests: list[tuple[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self._lock = threading.Lock()

    def of(self, kind: str) -> list[Data]:
        return [resource for id, resource in self.stored.items() if id.startswith(f"{kind}/")]

    # --- what it answers

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        body = await request.body()
        self.requests.append((request.method, request.url.path))
        self.headers.append(dict(request.headers))
        fault = self.faults.next()
        if fault.get("drop") == "before":
            await self._drop(send)
            return
        if "status" in fault:
            content = fault.get("body", {})
            raw = content if isinstance(content, bytes) else json.dumps(content).encode()
            reply = Response(raw, fault["status"], fault.get("headers"), "application/fhir+json")
        else:
            reply = self._work(request, body)
        if fault.get("drop") == "after":
            await self._drop(send)
            return
        await reply(scope, receive, send)

    def _work(self, request: Request, body: bytes) -> Response:
        try:
            with self._lock:
                if request.method == "POST":
                    return JSONResponse(self._transaction(request, body), media_type="application/fhir+json")
                kind = request.url.path.strip("/")
                found = self._search(kind, request.url.query)
                answer = {"resourceType": "Bundle", "type": "searchset", "total": len(found)}
                return JSONResponse(answer, media_type="application/fhir+json")
        except Refused as refused:
            return JSONResponse(refused.outcome, refused.status, media_type="application/fhir+json")

    @staticmethod
    async def _drop(send: Send) -> None:
        """Promise more than is sent, and close: the caller sees a broken connection."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"9999")]})
        await send({"type": "http.response.body", "body": b"{", "more_body": True})
        raise ConnectionAbortedError

    # --- its work

    def _transaction(self, request: Request, body: bytes) -> Data:
        if request.headers.get("content-type", "").partition(";")[0] != "application/fhir+json":
            raise Refused(415, "not-supported", "content type")
        bundle = json.loads(body)
        if (bundle.get("resourceType"), bundle.get("type")) != ("Bundle", "transaction"):
            raise Refused(400, "invalid", "not a transaction")
        ids: dict[str, str] = {}
        new: dict[str, Data] = {}
        outcomes = []
        for place, entry in enumerate(bundle["entry"]):
            resource, made = entry["resource"], entry["request"]
            kind = resource["resourceType"]
            where = f"Bundle.entry[{place}]"
            if kind not in TYPES or (made["method"], made["url"]) != ("POST", kind) or entry["fullUrl"] in ids:
                raise Refused(422, "structure", "entry", where)
            if kind in STATUSES and resource.get("status") not in STATUSES[kind]:
                raise Refused(422, "code-invalid", "status", f"{kind}.status")
            found = self._search(kind, made["ifNoneExist"])
            if len(found) > 1:
                raise Refused(412, "multiple-matches", "several resources match", where)
            id = found[0] if found else f"{kind}/{len(self.stored) + len(new) + 1}"
            ids[entry["fullUrl"]] = id
            if not found:
                new[id] = resource
            status = "200 OK" if found else "201 Created"
            outcomes.append({"response": {"status": status, "location": f"{id}/_history/1"}})
        for id, resource in new.items():
            self._resolve(resource, id.partition("/")[0], ids)
        self.stored.update(new)
        return {"resourceType": "Bundle", "type": "transaction-response", "entry": outcomes}

    def _search(self, kind: str, query: str) -> list[str]:
        """Ids of resources that a search by one token finds."""
        ((name, (token,)),) = ((k, v) for k, v in parse_qs(query, strict_parsing=True).items() if k != "_count")
        system, bar, value = token.partition("|")
        if kind not in TYPES or name not in ("identifier", "_tag") or not bar or not value:
            raise Refused(400, "invalid", "search")
        return [
            id for id, one in self.stored.items() if id.startswith(f"{kind}/") and (system, value) in tokens(one, name)
        ]

    def _resolve(self, value: Any, kind: str, ids: dict[str, str], field: str = "") -> None:
        """Replace references within the transaction; refuse what leads nowhere or to a type not allowed there."""
        if isinstance(value, list):
            for one in value:
                self._resolve(one, kind, ids, field)
        elif isinstance(value, dict):
            target = value.get("reference")
            if isinstance(target, str):
                id = ids.get(target, target)
                if not re.fullmatch(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]+", id):
                    raise Refused(422, "not-found", "reference", f"{kind}.{field}")
                if id.partition("/")[0] not in TYPES[kind].get(field, "").split("|"):
                    raise Refused(422, "structure", f"{field} refers to {id.partition('/')[0]}", f"{kind}.{field}")
                value["reference"] = id
            for name, part in value.items():
                self._resolve(part, kind, ids, name)


def tokens(resource: Data, name: str) -> set[tuple[str, str]]:
    """System and value of a resource's identifiers, or system and code of its tags."""
    if name == "_tag":
        return {(tag["system"], tag["code"]) for tag in resource.get("meta", {}).get("tag", [])}
    found = resource.get("identifier", [])
    return {(one.get("system", ""), one["value"]) for one in (found if isinstance(found, list) else [found])}


@pytest.fixture
def fhir() -> Iterator[tuple[FhirServer, str]]:
    """A server and its base URL."""
    server = FhirServer()
    app = Starlette(routes=[Route("/{path:path}", _Endpoint(server), methods=["GET", "POST"])])
    with served(app) as base:
        yield server, base


class _Endpoint:
    """An ASGI application rather than a function: it may break off in the middle of an answer."""

    def __init__(self, server: FhirServer) -> None:
        self.server = server

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.server.answer(scope, receive, send)


@cache
def drafted() -> Report:
    return Report.model_validate_json((BUILT_IN / "rg1-protocol" / "expected" / "report.json").read_bytes()).sealed()


@cache
def bundle(patient: str | None = None) -> bytes:
    (file,) = export(drafted(), "fhir", identity=Identity(patient=patient))
    return file.data


def entries(data: bytes) -> int:
    return len(json.loads(data)["entry"])


class Naps:
    """Waits that take no time, and how long each would have been."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, seconds: float) -> None:
        self.taken.append(seconds)


# --- it arrives, once


async def test_a_report_arrives_with_all_that_it_refers_to(fhir: tuple[FhirServer, str]) -> None:
    server, url = fhir
    result = await push(bundle(), url)
    assert (result.created, result.already, result.attempts) == (entries(bundle()), 0, 1)
    (report,) = server.of("DiagnosticReport")
    assert report["status"] == "partial"
    for reference in [report["subject"], *report["result"], *report["imagingStudy"]]:
        assert reference["reference"] in server.stored


async def test_sent_again_nothing_is_made_twice(fhir: tuple[FhirServer, str]) -> None:
    server, url = fhir
    await push(bundle(), url)
    before = json.dumps(server.stored)
    result = await push(bundle(), f"{url}/")
    assert (result.created, result.already) == (0, entries(bundle()))
    assert "already" in result.note
    assert json.dumps(server.stored) == before


async def test_another_patients_report_is_another(fhir: tuple[FhirServer, str]) -> None:
    server, url = fhir
    for patient in ("Patient/1", "Patient/2"):
        await push(bundle(patient), url)
    subjects = [report["subject"]["reference"] for report in server.of("DiagnosticReport")]
    assert sorted(subjects) == ["Patient/1", "Patient/2"]


async def test_a_base_path_is_kept(fhir: tuple[FhirServer, str]) -> None:
    server, url = fhir
    await push(bundle(), f"{url}/fhir/r4/")
    assert server.requests == [("POST", "/fhir/r4")]


# --- it fails, and nothing is lost


async def test_a_connection_that_breaks_after_the_server_took_it_makes_nothing_twice(
    fhir: tuple[FhirServer, str],
) -> None:
    server, url = fhir
    server.faults.plan({"drop": "after"})
    naps = Naps()
    result = await push(bundle(), url, sleep=naps)
    assert (result.created, result.already, result.attempts) == (0, entries(bundle()), 2)
    assert len(server.of("DiagnosticReport")) == 1
    assert len(naps.taken) == 1


async def test_a_connection_that_breaks_before_is_tried_again(fhir: tuple[FhirServer, str]) -> None:
    server, url = fhir
    server.faults.plan({"drop": "before"}, {"status": 503}, {"status": 500, "body": b"<html>oops</html>"})
    naps = Naps()
    result = await push(bundle(), url, sleep=naps)
    assert (result.created, result.attempts) == (entries(bundle()), 4)
    assert naps.taken == sorted(naps.taken), "waits grow"
    assert all(0 < nap <= 8 for nap in naps.taken)


async def test_it_waits_as_long_as_the_server_asks_within_reason(fhir: tuple[FhirServer, str]) -> None:
    server, url = fhir
    server.faults.plan(
        {"status": 429, "headers": {"retry-after": "7"}}, {"status": 503, "headers": {"retry-after": "99999"}}
    )
    naps = Naps()
    await push(bundle(), url, sleep=naps)
    assert naps.taken == [7.0, 30.0]


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        ({"status": 500}, "WET-EXPORT-SERVER"),
        ({"status": 503}, "WET-EXPORT-SERVER"),
        ({"drop": "before"}, "WET-EXPORT-CONNECT"),
    ],
)
async def test_what_does_not_pass_is_told_after_the_last_attempt(
    fhir: tuple[FhirServer, str], fault: Data, code: str
) -> None:
    server, url = fhir
    server.faults.plan(*[fault] * ATTEMPTS)
    with pytest.raises(ExportError, match="nothing is made twice") as error:
        await push(bundle(), url, sleep=Naps())
    assert error.value.code == code
    assert len(server.requests) == ATTEMPTS
    assert not server.stored
    result = await push(bundle(), url)
    assert result.created == entries(bundle())


async def test_no_server_there_is_told(fhir: tuple[FhirServer, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with pytest.raises(ExportError) as error:
        await push(bundle(), f"http://127.0.0.1:{port}", attempts=1)
    assert error.value.code == "WET-EXPORT-CONNECT"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "WET-EXPORT-REFUSED"),
        (422, "WET-EXPORT-REFUSED"),
        (413, "WET-EXPORT-REFUSED"),
        (401, "WET-EXPORT-AUTH"),
        (403, "WET-EXPORT-AUTH"),
        (404, "WET-EXPORT-URL"),
        (405, "WET-EXPORT-URL"),
        (307, "WET-EXPORT-URL"),
    ],
)
async def test_what_will_not_be_better_is_not_tried_again(fhir: tuple[FhirServer, str], status: int, code: str) -> None:
    server, url = fhir
    server.faults.plan({"status": status, "headers": {"location": "http://127.0.0.1:1/"}})
    with pytest.raises(ExportError, match=str(status)) as error:
        await push(bundle(), url, sleep=Naps())
    assert error.value.code == code
    assert len(server.requests) == 1


async def test_a_refusal_shows_the_servers_issues_without_identifiers(fhir: tuple[FhirServer, str]) -> None:
    server, url = fhir
    server.faults.plan(
        {
            "status": 422,
            "body": outcome(
                (
                    "value",
                    "\x1b[31mPatient/jane-77 born 1970-01-02, MRN 12345678, jane@example.org: unknown",
                    "P.subject",
                ),
                *[("invalid", f"issue {number}" + "x" * 900, "Q") for number in range(9)],
            ),
        }
    )
    with pytest.raises(ExportError) as error:
        await push(bundle(), url)
    line = error.value.line()
    assert "error value P.subject [31mPatient/[removed] born [removed], MRN [removed], [removed]: unknown" in line
    for identifying in ("jane", "1970", "12345678", "\x1b"):
        assert identifying not in line
    assert f"and {10 - MAX_ISSUES} more" in line
    assert len(line) < 1600


async def test_a_server_that_checks_refuses_a_wrong_reference_and_keeps_nothing(fhir: tuple[FhirServer, str]) -> None:
    server, url = fhir
    broken = json.loads(bundle())
    report = next(e["resource"] for e in broken["entry"] if e["resource"]["resourceType"] == "DiagnosticReport")
    report["result"] = [report["subject"]]
    with pytest.raises(ExportError, match=r"DiagnosticReport\.result result refers to Patient") as error:
        await push(json.dumps(broken).encode(), url)
    assert error.value.code == "WET-EXPORT-REFUSED"
    assert not server.stored


# --- 412


async def test_412_with_the_report_there_is_told_as_there_already(fhir: tuple[FhirServer, str]) -> None:
    server, url = fhir
    await push(bundle(), url)
    device = server.of("Device")[0]
    server.stored["Device/twin"] = device
    result = await push(bundle(), url)
    assert (result.created, result.already) == (0, entries(bundle()))
    assert "412" in result.note
    assert "already" in result.note


async def test_412_without_the_report_is_a_conflict(fhir: tuple[FhirServer, str]) -> None:
    server, url = fhir
    await push(bundle("Patient/1"), url)
    server.stored["Device/twin"] = server.of("Device")[0]
    before = len(server.stored)
    with pytest.raises(ExportError, match="multiple-matches") as error:
        await push(bundle("Patient/2"), url)
    assert error.value.code == "WET-EXPORT-CONFLICT"
    assert len(server.stored) == before


# --- answers that are none


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Welcome</html>",
        b"[]",
        {"resourceType": "Bundle"},
        {"resourceType": "Bundle", "entry": [{"response": {"status": "201 Created"}}]},
        {"resourceType": "Patient"},
    ],
)
async def test_an_answer_that_is_no_outcome_is_no_success(fhir: tuple[FhirServer, str], body: Any) -> None:
    server, url = fhir
    server.faults.plan({"status": 200, "body": body})
    with pytest.raises(ExportError) as error:
        await push(bundle(), url)
    assert error.value.code == "WET-EXPORT-ANSWER"


async def test_an_outcome_with_failed_entries_is_no_success(fhir: tuple[FhirServer, str]) -> None:
    server, url = fhir
    count = entries(bundle())
    statuses = ["201 Created"] * (count - 1) + ["422 Unprocessable"]
    body = {"resourceType": "Bundle", "entry": [{"response": {"status": status}} for status in statuses]}
    server.faults.plan({"status": 200, "body": body})
    with pytest.raises(ExportError, match=f"{count - 1} of {count}") as error:
        await push(bundle(), url)
    assert error.value.code == "WET-EXPORT-ANSWER"


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "resourceType",
                    "issue",
                    "entry",
                    "total",
                    "response",
                    "status",
                    "severity",
                    "details",
                    "expression",
                    "text",
                ]
            ),
            inner | st.sampled_from(["Bundle", "OperationOutcome", "201"]),
            max_size=4,
        )
    ),
    max_leaves=12,
)


@settings(max_examples=150, deadline=None)
@given(status=st.sampled_from([200, 400, 412, 422, 500]), body=anything | st.binary(max_size=30))
def test_whatever_the_server_answers_is_an_outcome_or_a_clear_error(status: int, body: Any) -> None:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    transport = httpx.MockTransport(lambda request: httpx.Response(status, content=raw))
    sending = push(bundle(), "https://fhir.example.org", transport=transport, attempts=1)
    try:
        asyncio.run(sending)
    except ExportError as error:
        assert error.line().isprintable()
        assert len(error.line()) < 2000
    else:
        raise AssertionError("no such answer is a whole outcome")


# --- where it may go


@pytest.mark.parametrize(
    "url",
    [
        "ftp://fhir.example.org",
        "fhir.example.org",
        "https://",
        "https://user:secret@fhir.example.org",
        "https://fhir.example.org/r4?a=b",
        "http://fhir.example.org/r4",
    ],
)
async def test_a_url_that_cannot_be_used_is_refused_before_anything_is_sent(url: str) -> None:
    with pytest.raises(ExportError) as error:
        await push(bundle(), url)
    assert error.value.code == "WET-EXPORT-URL"
    assert "secret" not in str(error.value)


async def test_a_token_never_travels_over_plain_http() -> None:
    with pytest.raises(ExportError, match="token") as error:
        await push(bundle(), "http://fhir.example.org", token="abc", allow_http=True)
    assert error.value.code == "WET-EXPORT-URL"


@pytest.mark.parametrize("token", ["a b", "a\nb", "ü"])
async def test_a_token_that_is_none_is_told_without_it(token: str) -> None:
    with pytest.raises(ExportError) as error:
        await push(bundle(), "https://fhir.example.org", token=token)
    assert error.value.code == "WET-EXPORT-AUTH"
    assert token not in str(error.value)


async def test_the_token_is_sent_as_bearer(fhir: tuple[FhirServer, str]) -> None:
    server, url = fhir
    await push(bundle(), url, token="abc")
    assert server.headers[0]["authorization"] == "Bearer abc"
    await push(bundle(), url)
    assert "authorization" not in server.headers[1]


# --- the commands


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a report.json."""
    monkeypatch.delenv("WETREAD_FHIR_TOKEN", raising=False)
    folder = tmp_path / "reading"
    folder.mkdir()
    (folder / "report.json").write_bytes(to_json(drafted()))
    return folder


def test_the_command_sends_and_says_what_was_made(
    fhir: tuple[FhirServer, str], written: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    server, url = fhir
    monkeypatch.setenv("WETREAD_FHIR_TOKEN", "abc")
    assert main(["push", "fhir", url, str(written), "--patient", "Patient/7", "--json"]) == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["created"] == entries(bundle("Patient/7"))
    assert f"{entries(bundle('Patient/7'))} resources made, 0 already there" in err
    assert server.headers[0]["authorization"] == "Bearer abc"
    assert main(["push", "fhir", url, str(written / "report.json"), "--patient", "Patient/7"]) == 0
    assert "0 resources made" in capsys.readouterr().err
    assert len(server.of("DiagnosticReport")) == 1


def test_a_refused_push_ends_with_its_own_exit_code(
    fhir: tuple[FhirServer, str], written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, url = fhir
    server.faults.plan({"status": 422, "body": outcome(("invalid", "no", "Bundle"))})
    before = (written / "report.json").read_bytes()
    assert main(["push", "fhir", url, str(written)]) == 4
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("WET-EXPORT-REFUSED: ")
    assert err.count("\n") == 1
    assert (written / "report.json").read_bytes() == before


def test_what_was_sent_from_the_store_is_in_its_audit_log(
    fhir: tuple[FhirServer, str], written: Path, tmp_path: Path
) -> None:
    server, url = fhir
    place = tmp_path / "kept.db"
    with Store.open(place, create=True) as store:
        kept = store.reports.put(drafted())
    server.faults.plan({"status": 422, "body": outcome(("invalid", "no", "Bundle"))})
    command = ["push", "fhir", url, kept.id, "--store", str(place), "--patient", "Patient/secret-7"]
    assert main(command) == 4
    assert main([*command, "--by", "Ada Example"]) == 0
    with Store.open(place) as store:
        events = [entry.event for entry in store.audit.entries()]
        assert store.audit.verify().whole
    assert len(events) == 2  # that it was kept, and that it was sent
    assert (events[-1].action, events[-1].version, events[-1].counts) == ("report.sent", kept.sha256, {"fhir": 1})
    assert events[-1].actor.name == "Ada Example"
    assert b"secret-7" not in place.read_bytes() and url.encode() not in place.read_bytes()


def test_a_report_edited_by_hand_is_sent_nowhere(
    fhir: tuple[FhirServer, str], written: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    server, url = fhir
    path = written / "report.json"
    path.write_text(path.read_text("utf-8").replace("partial", "final"), "utf-8")
    assert main(["push", "fhir", url, str(written)]) == 2
    assert capsys.readouterr().err.startswith("WET-INPUT-HASH: ")
    assert not server.requests


def test_export_writes_beside_the_report_or_where_it_is_told(
    written: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    names = ["report.fhir.json", "report.html", "report.json", "report.md"]
    before = (written / "report.json").read_bytes()
    assert main(["export", str(written), "--to", "fhir,md,html,json"]) == 0
    assert sorted(path.name for path in written.iterdir()) == names
    assert (written / "report.json").read_bytes() == before
    assert main(["export", str(written), "--to", "fhir", "--out", str(tmp_path / "new")]) == 0
    assert (
        (tmp_path / "new" / "report.fhir.json").read_bytes() == (written / "report.fhir.json").read_bytes() == bundle()
    )


@pytest.mark.parametrize(
    "options",
    [
        ["--to", "telex"],
        ["--to", ","],
        ["--to", "fhir", "--patient", "Jane Doe"],
        ["--to", "fhir", "--study-uid", "Jane Doe"],
    ],
)
def test_options_that_cannot_be_used_write_nothing(
    written: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["export", str(written), *options]) == 2
    err = capsys.readouterr().err
    assert err.startswith("WET-INPUT-OPTION: ")
    assert "Jane" not in err
    assert [path.name for path in written.iterdir()] == ["report.json"]


def test_formats_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", "--to", "list"]) == 0
    assert "FHIR R4B transaction Bundle" in capsys.readouterr().out
    assert main(["export", "--to", "md"]) == 2
    assert "No report is named" in capsys.readouterr().err
