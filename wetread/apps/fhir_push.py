"""Sends a FHIR transaction to a server. Safe to repeat: every entry is a conditional create.

What is sent and what comes back stays out of errors, but for a server's own issues, shortened and without what looks
like an identifier.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson

from wetread.apps.http_wire import ATTEMPTS, RETRYABLE, TIMEOUT_S, Broken, Sleep, Wire
from wetread.config import is_loopback, split_url
from wetread.errors import ExportError
from wetread.reports.plain import shown
from wetread.values import Value

if TYPE_CHECKING:
    import httpx

MEDIA_TYPE = "application/fhir+json"
MAX_ISSUES = 5
MAX_ISSUE_CHARACTERS = 200

_AGAIN = "Send it again: nothing is made twice."
_IDENTIFYING = re.compile(r"\d{4}-\d{2}-\d{2}|\d{7,}|\d+(?:\.\d+){4,}|[\w.+-]+@[\w-]+\.[\w.]+")
_OF_A_PERSON = re.compile(r"(Patient|Person|RelatedPerson|Practitioner|PractitionerRole|Encounter)/[\w.-]+")


class PushResult(Value):
    """What a server did with a transaction."""

    created: int
    """Resources that it made."""
    already: int
    """Resources that it had already."""
    attempts: int
    note: str = ""
    """What a person should know beside the figures; may be empty."""


async def push(
    bundle: bytes,
    url: str,
    *,
    token: str | None = None,
    allow_http: bool = False,
    attempts: int = ATTEMPTS,
    timeout_s: float = TIMEOUT_S,
    transport: httpx.AsyncBaseTransport | None = None,
    sleep: Sleep = asyncio.sleep,
) -> PushResult:
    """Send a transaction Bundle to a FHIR server.

    Answers that may be better next time (408, 409, 425, 429, 5xx) and broken connections are tried again, with growing
    waits or as long as `Retry-After` asks. After 412 the server is asked whether it has the report.

    Args:
        bundle: The Bundle's JSON, every entry a conditional create.
        url: The server's base URL. Plain http only to this machine, unless allowed.
        token: Bearer token.
        allow_http: Whether the report may travel over plain http; a token never does.
        attempts: How often to try, at most.
        timeout_s: For each attempt.
        transport: Another transport, for tests.
        sleep: Waits between attempts.

    Raises:
        ExportError: `WET-EXPORT-URL`, `-CONNECT`, `-SERVER`, `-AUTH`, `-REFUSED`, `-CONFLICT` or `-ANSWER`; each says
            what the server has now, as far as it is known.
    """
    from wetread.tools.endpoints.client import new_http_client

    base = _base(url, token=token, allow_http=allow_http)
    if token and not re.fullmatch(r"[\x21-\x7e]+", token):
        raise ExportError(
            "WET-EXPORT-AUTH", "The token holds a character that no token has.", "Check WETREAD_FHIR_TOKEN."
        )
    headers = {"content-type": MEDIA_TYPE, "accept": MEDIA_TYPE, "prefer": "return=minimal"}
    if token:
        headers["authorization"] = f"Bearer {token}"
    async with new_http_client(transport) as client:
        wire = Wire(client, headers, timeout_s)
        for attempt in range(1, attempts + 1):
            try:
                status, body = await wire.send("POST", base, bundle)
                if status in (200, 201):
                    return _result(body, bundle, attempt)
                if status == 412:
                    return await _already_there(wire, base, bundle, body, attempt)
                error = _refusal(status, body)
            except Broken as broken:
                status, error = 0, _unreached(broken)
            if attempt == attempts or (status and status not in RETRYABLE):
                raise error
            await sleep(wire.wait(attempt))
    raise AssertionError("unreachable")


def _base(url: str, *, token: str | None, allow_http: bool) -> str:
    hint = "Give the base URL of a FHIR R4 server, such as https://fhir.example.org/r4."
    try:
        parts = split_url(url)
    except ValueError as error:
        raise ExportError("WET-EXPORT-URL", f"The URL of the FHIR server cannot be used: {error}.", hint) from None
    if parts.query:
        raise ExportError("WET-EXPORT-URL", "The URL of the FHIR server has a '?' part.", hint)
    if parts.scheme == "http" and not is_loopback(parts.hostname or ""):
        if token:
            raise ExportError("WET-EXPORT-URL", "The token would travel over plain http.", "Use https.")
        if not allow_http:
            raise ExportError(
                "WET-EXPORT-URL", "The report would travel over plain http.", "Use https, or give --allow-http."
            )
    return url.rstrip("/")


def _result(body: bytes, bundle: bytes, attempt: int) -> PushResult:
    """What a transaction-response says, entry by entry."""
    answer = _json(body)
    entries = answer.get("entry")
    sent = len(orjson.loads(bundle)["entry"])
    if answer.get("resourceType") != "Bundle" or not isinstance(entries, list) or len(entries) != sent:
        raise ExportError(
            "WET-EXPORT-ANSWER",
            "The FHIR server answered the transaction with something else than its outcome.",
            f"Check that the URL is that of a FHIR R4 server. {_AGAIN}",
        )
    statuses = [_status(entry) for entry in entries]
    failed = [status for status in statuses if not status.startswith("2")]
    if failed:
        raise ExportError(
            "WET-EXPORT-ANSWER",
            f"The FHIR server took {sent - len(failed)} of {sent} resources; it should take all or none.",
            f"Check what it has of the report. {_AGAIN}",
        )
    created = statuses.count("201")
    note = "" if created else "The server had all of it already."
    return PushResult(created=created, already=sent - created, attempts=attempt, note=note)


def _status(entry: Any) -> str:
    """The HTTP status of one entry of a transaction-response, `201`; empty where it has none."""
    response = entry.get("response") if isinstance(entry, dict) else None
    return str(response.get("status", ""))[:3] if isinstance(response, dict) else ""


async def _already_there(wire: Wire, base: str, bundle: bytes, body: bytes, attempt: int) -> PushResult:
    """After 412 (a condition that several resources meet): success if the report is there, as a search must show."""
    entries = orjson.loads(bundle)["entry"]
    search = next(
        (e["request"]["ifNoneExist"] for e in entries if e["resource"]["resourceType"] == "DiagnosticReport"), ""
    )
    status, found = await wire.send("GET", f"{base}/DiagnosticReport?{search}&_count=2")
    answer = _json(found)
    total, listed = answer.get("total"), answer.get("entry")
    matches = total if isinstance(total, int) else len(listed) if isinstance(listed, list) else 0
    if status == 200 and answer.get("resourceType") == "Bundle" and matches > 0:
        note = f"The server has this report already ({matches} found) and took nothing (412); nothing was changed."
        return PushResult(created=0, already=len(entries), attempts=attempt, note=note)
    raise ExportError(
        "WET-EXPORT-CONFLICT",
        f"The FHIR server refused it (412): something that it names is there more than once.{_issues(body)}",
        "Nothing was changed there. Let its administrator remove the doubles, then send it again.",
    )


def _unreached(broken: Broken) -> ExportError:
    return ExportError("WET-EXPORT-CONNECT", f"The FHIR server cannot be reached: {broken.what}.", _AGAIN)


def _refusal(status: int, body: bytes) -> ExportError:
    if status in (401, 403):
        return ExportError(
            "WET-EXPORT-AUTH",
            f"The FHIR server does not let this in ({status}).",
            "Set WETREAD_FHIR_TOKEN to a token that may create resources.",
        )
    if status in (404, 405, 410) or 300 <= status < 400:
        return ExportError(
            "WET-EXPORT-URL",
            f"No FHIR server takes transactions at this URL ({status}).",
            "Give the base URL itself; redirects are not followed.",
        )
    if status in RETRYABLE:
        return ExportError(
            "WET-EXPORT-SERVER", f"The FHIR server failed ({status}).{_issues(body)}", f"Try later. {_AGAIN}"
        )
    return ExportError(
        "WET-EXPORT-REFUSED",
        f"The FHIR server refused the report ({status}) and took nothing of it.{_issues(body)}",
        "Its issues say why; the report itself is unharmed.",
    )


def _issues(body: bytes) -> str:
    """The issues of an OperationOutcome as text to append; empty where there are none."""
    answer = _json(body)
    found = answer.get("issue") if answer.get("resourceType") == "OperationOutcome" else None
    lines = list(_lines(found)) if isinstance(found, list) else []
    more = f" (and {len(lines) - MAX_ISSUES} more)" if len(lines) > MAX_ISSUES else ""
    return f" {'; '.join(lines[:MAX_ISSUES])}{more}." if lines else ""


def _lines(issues: list[Any]) -> Iterator[str]:
    for issue in issues:
        if not isinstance(issue, dict):
            continue
        details = issue.get("details")
        said = details.get("text") if isinstance(details, dict) else None
        places = issue.get("expression")
        place = places[0] if isinstance(places, list) and places else ""
        parts = [issue.get("severity"), issue.get("code"), place, said or issue.get("diagnostics")]
        text = " ".join(part for part in parts if isinstance(part, str) and part)
        clean = _OF_A_PERSON.sub(
            r"\1/[removed]", _IDENTIFYING.sub("[removed]", shown(text[: 4 * MAX_ISSUE_CHARACTERS]))
        )
        if clean:
            yield clean if len(clean) <= MAX_ISSUE_CHARACTERS else clean[:MAX_ISSUE_CHARACTERS].rstrip() + " [cut]"


def _json(body: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(body)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
