"""The formats that are renderings already: JSON, Markdown and HTML."""

from __future__ import annotations

import contextlib

import orjson

from wetread.errors import ExportError, InputError
from wetread.reports.export import ExportedFile, Source
from wetread.reports.model import Report
from wetread.values import canonical_json, sha256_hex


def to_json(report: Report, source: Source) -> tuple[ExportedFile, ...]:
    """`report.json`, as docs/schemas/report-1.json describes it, with the fields that its hash was taken over.

    Raises:
        ExportError: `WET-EXPORT-HASH`, the report's content is not what its hash was taken over.
    """
    for unset in (False, True):
        # a report read from a file that an earlier wetread wrote lacks fields that the model has now
        content = report.model_dump(mode="json", exclude_unset=unset)
        hashed = {key: value for key, value in content.items() if key != "sha256"}
        if sha256_hex(canonical_json(hashed)) == report.sha256:
            data = orjson.dumps(content, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
            return (ExportedFile(name="report.json", media_type="application/json", data=data),)
    raise ExportError(
        "WET-EXPORT-HASH", "The report was changed after it was sealed: its SHA-256 differs.", "Take the original."
    )


def to_md(report: Report, source: Source) -> tuple[ExportedFile, ...]:
    """`report.md`, without pictures."""
    from wetread.reports.render_markdown import to_markdown

    text = to_markdown(report, workspace=source.workspace)
    return (ExportedFile(name="report.md", media_type="text/markdown", data=text.encode()),)


def to_html(report: Report, source: Source) -> tuple[ExportedFile, ...]:
    """`report.html`, with the images and masks that are at hand; what is not is shown as missing.

    Raises:
        ExportError: `WET-EXPORT-STUDY`, the study at hand is another one.
    """
    from wetread.reports.render_html import to_html

    text = source.once("html", report, lambda: to_html(report, _pictures(report, source), workspace=source.workspace))
    return (ExportedFile(name="report.html", media_type="text/html", data=text.encode()),)


def _pictures(report: Report, source: Source) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    if source.artifacts is not None:
        for evidence in report.evidence:
            for handle in evidence.artifacts:
                data = source.artifacts.get(handle)
                if data is not None:
                    found[handle] = data
    if source.study is not None and source.bank is not None:
        from wetread.imaging.overlay import picture
        from wetread.reports.export.dicom_source import check_same_study
        from wetread.reports.render_html import MAX_PICTURE

        # boxes drawn on another patient's picture would be believed
        check_same_study(report, source.study, source.bank)
        for image in report.images:
            with contextlib.suppress(InputError):
                found[image.handle] = picture(source.bank.pixels_now(image.handle), max_side=MAX_PICTURE, quality=90)
    return found
