"""A report from its JSON: refused where it is no report, where a newer wetread wrote it, or where its hash differs."""

from __future__ import annotations

from pathlib import Path

import orjson
from pydantic import ValidationError

from wetread.errors import InputError
from wetread.reports.model import SCHEMA_VERSION, Report
from wetread.values import canonical_json, sha256_hex

MAX_BYTES = 64 * 1024 * 1024
"""Of one report's JSON."""


def parse_report(data: bytes, name: str = "The report") -> Report:
    """A report from its JSON.

    The hash is taken over the JSON as it stands, so that a field added to the model later changes no report's hash.

    Args:
        data: What `wetread.reports.render.to_json` wrote, or the canonical form of it.
        name: What to call it in an error.

    Raises:
        InputError: `WET-INPUT-REPORT`, it is no report; `WET-INPUT-SCHEMA`, its schema version is not known;
            `WET-INPUT-HASH`, its content is not what was hashed.
    """
    try:
        found = orjson.loads(data)
    except ValueError:
        found = None
    if not isinstance(found, dict) or not isinstance(found.get("schema_version"), str):
        raise InputError("WET-INPUT-REPORT", f"{name} is not the JSON of a report.", "Give a report.json.")
    if found["schema_version"] != SCHEMA_VERSION:
        shown = found["schema_version"][:20] if found["schema_version"][:20].isprintable() else "?"
        raise InputError(
            "WET-INPUT-SCHEMA",
            f"{name} has schema version {shown}, and this wetread knows version {SCHEMA_VERSION}.",
            "Use the version of wetread that wrote it, or a newer one.",
        )
    content = {key: value for key, value in found.items() if key != "sha256"}
    if found.get("sha256") != sha256_hex(canonical_json(content)):
        raise InputError(
            "WET-INPUT-HASH",
            f"{name} was changed after it was written: its SHA-256 differs.",
            "Take the original; change a report with `wetread review`.",
        )
    try:
        return Report.model_validate_json(data)
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(str(part) for part in mistake["loc"])
        raise InputError("WET-INPUT-REPORT", f"{name} is not a report: {place}: {mistake['msg']}.") from None


def read_report(path: Path) -> Report:
    """A report from a file, or from the `report.json` of a folder. Errors as of `parse_report`.

    Raises:
        InputError: `WET-INPUT-REPORT-FILE`, the file cannot be read.
    """
    if path.is_dir():
        path = path / "report.json"
    try:
        if path.stat().st_size > MAX_BYTES:
            raise InputError("WET-INPUT-REPORT", f"{path} is larger than any report.", "Give a report.json.")
        data = path.read_bytes()
    except OSError as error:
        why = error.strerror
        raise InputError("WET-INPUT-REPORT-FILE", f"{path} cannot be read ({why}).", "Check the path.") from None
    return parse_report(data, str(path))
