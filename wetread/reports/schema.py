"""The published JSON Schema of a report: docs/schemas/report-1.json, written from the model.

`python -m wetread.reports.schema [FILE]` writes it; a test holds that the published one is current.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import orjson

from wetread.reports.model import SCHEMA_VERSION, Report

SCHEMA_PATH = Path("docs") / "schemas" / f"report-{SCHEMA_VERSION}.json"
"""Where it is published, from the root of the project."""


def report_schema() -> dict[str, Any]:
    """The schema of a report's JSON, draft 2020-12."""
    schema = Report.model_json_schema(mode="serialization")
    described = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": f"wetread report, schema version {SCHEMA_VERSION}",
    }
    return {**described, **{key: value for key, value in schema.items() if key != "title"}}


def schema_json() -> bytes:
    """The schema as it is published: indented, keys in the order of the model, with a line end."""
    return orjson.dumps(report_schema(), option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)


def main(arguments: list[str]) -> int:
    """Write the schema to the file named, or to its published place below the current folder."""
    path = Path(arguments[0]) if arguments else SCHEMA_PATH
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(schema_json())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
