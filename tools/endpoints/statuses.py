"""What each HTTP status of a model endpoint means: one error with its own code for each fault. Pure.

Statuses and the `ms-azureml-model-error-*` headers: Azure Machine Learning, "HTTP status codes for online endpoints".
What an endpoint says in the body of an error may repeat what it was sent, so no error takes text from a body.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from wetread.errors import EndpointError
from wetread.tools.endpoints.port import EndpointName

INNER_STATUS = "ms-azureml-model-error-statuscode"
INNER_REASON = "ms-azureml-model-error-reason"
DEPLOYMENT = "azureml-model-deployment"
ORIGIN = "x-wetread-origin"
"""Header by which wetread's own simulator says what it is, so that its answers are never taken for a model's."""

MAX_REASON = 80


def status_error(endpoint: EndpointName, status: int, headers: Mapping[str, str], sent_bytes: int = 0) -> EndpointError:
    """The error for an answer other than 200.

    Args:
        headers: Of the answer, names in lower case or a mapping that does not care.
        sent_bytes: Size of the body that was sent.
    """
    if status == 424:
        return _model_error(endpoint, headers)
    if status in (401, 403):
        code, what = "WET-ENDPOINT-AUTH", "refused the key or token"
        hint, retryable = "Check the key, or the role of the Entra ID identity on the endpoint.", False
    elif status == 404:
        code, what = "WET-ENDPOINT-NOT-FOUND", "has no such path, or no deployment that takes traffic"
        hint, retryable = "Check the URL, the deployment's name, and that its traffic is above 0 %.", False
    elif status == 408:
        code, what = "WET-ENDPOINT-SLOW", "gave up: the model was slower than the deployment's request_timeout_ms"
        hint, retryable = "Raise request_timeout_ms of the deployment (at most 180,000).", True
    elif status == 413:
        code, what = "WET-ENDPOINT-TOO-LARGE", f"found the request of {megabytes(sent_bytes)} too large"
        hint, retryable = (
            "Send fewer or smaller images; lower max_payload_mb to be told before anything is sent.",
            False,
        )
    elif status == 429:
        code, what = "WET-ENDPOINT-BUSY", "has more requests than it takes"
        hint, retryable = "Lower max_in_flight, or give the deployment more instances.", True
    elif 300 <= status < 400:
        code, what = "WET-ENDPOINT-REDIRECT", "sent us to another address, which is not followed"
        hint, retryable = "Put the final scoring address into the settings.", False
    elif status >= 500:
        code, what = "WET-ENDPOINT-UNAVAILABLE", "is not available"
        hint, retryable = "A cold start takes 10 to 20 minutes; otherwise look at the deployment's logs.", True
    else:
        code, what = "WET-ENDPOINT-REJECTED", "did not take the request"
        hint, retryable = "Check that the URL is the scoring address of that model.", False
    return EndpointError(code, f"{endpoint} {what} (HTTP {status}).", hint, retryable=retryable, status=status)


def _model_error(endpoint: EndpointName, headers: Mapping[str, str]) -> EndpointError:
    """424: the model's container answered, and not with 200. Only its own 5xx and time-outs are worth another try."""
    text = headers.get(INNER_STATUS, "").strip()
    inner = int(text) if re.fullmatch(r"[1-5][0-9]{2}", text) else None
    reason = safe_reason(headers.get(INNER_REASON, ""))
    details = ", ".join(
        filter(None, [f"model status {inner}" if inner else "", f'reason "{reason}"' if reason else ""])
    )
    temporary = inner is not None and (inner >= 500 or inner in (408, 429))
    return EndpointError(
        "WET-ENDPOINT-MODEL",
        f"The model behind {endpoint} failed (HTTP 424{', ' + details if details else ''}).",
        "Look at the deployment's logs."
        if temporary
        else "A picture or a row that the model cannot take is the usual cause; look at the deployment's logs.",
        retryable=temporary,
        status=424,
    )


def dropped_error(endpoint: EndpointName) -> EndpointError:
    """The error for a connection that broke while an answer was awaited or came in."""
    return EndpointError(
        "WET-ENDPOINT-DROPPED",
        f"The connection to {endpoint} broke before its answer was whole.",
        "Look at the deployment's logs.",
        retryable=True,
    )


def safe_reason(text: str) -> str:
    """At most 80 characters of an endpoint's own words: no markup, no address, nothing that could be data or a key."""
    words = re.sub(r"[^A-Za-z0-9 .,:_()-]+", " ", re.sub(r"\S*(://|@)\S*", " ", text)).split()
    kept = " ".join(word for word in words if len(word) <= 24 and sum(c.isdigit() for c in word) <= 4)
    return kept[:MAX_REASON].strip()


def safe_name(text: str) -> str | None:
    """A deployment's name from a header, if it looks like one."""
    return text if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", text) else None


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """Seconds to wait by a `Retry-After` header, in seconds or a date (RFC 9110, 10.2.3); None if unreadable."""
    if value is None:
        return None
    value = value.strip()
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,9})?", value):
        return float(value)
    try:
        date = parsedate_to_datetime(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=UTC)
    return max(0.0, (date - (now or datetime.now(UTC))).total_seconds())


def megabytes(size: int) -> str:
    """A size in megabytes of 1,000,000 bytes, as people read it."""
    return f"{size / 1e6:.1f} MB"
