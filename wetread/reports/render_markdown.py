"""The report as Markdown. Outside text is escaped: it can bring neither markup nor links."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from wetread import DISCLAIMER, __version__
from wetread.reports.critical import SECTION, TITLE, line
from wetread.reports.model import Report
from wetread.reports.renderings import jinja_environment
from wetread.reports.view import (
    MODE_WORDS,
    counted,
    critical_word,
    field_issues,
    field_note,
    form,
    grounding_line,
    image_title,
    issues_at,
    issues_elsewhere,
    model_name,
    order_sections,
    outcome,
    status_word,
    told,
)
from wetread.reports.view_review import ADDENDA, REVIEW, addenda, review_lines, written_by

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|!~$&])")
_LINE_START = re.compile(r"^(\d{0,9})([-+=.)])(?=\s|$)")
_LINK = re.compile(r"(?i)\b(https?|ftp|www|mailto|xmpp)([:.])")


def to_markdown(report: Report, *, figures: Mapping[str, str] | None = None, workspace: Path | None = None) -> str:
    """The report as Markdown (CommonMark with tables).

    Args:
        report: The report.
        figures: File name of a picture by image handle, put under the findings.
        workspace: Folder whose templates take precedence.
    """
    environment = jinja_environment(report.template, workspace, autoescape=False, finalize=escape)
    exam = next((section.text for section in report.sections if section.name == "exam"), "Report")
    text = environment.get_template("report.md.j2").render(
        report=report,
        title=exam,
        modes=[MODE_WORDS[mode] for mode in report.modes],
        grounding=grounding_line(report),
        issue_count=counted(report.issues),
        disclaimer=DISCLAIMER,
        version=__version__,
        status_word=status_word,
        model_name=model_name,
        outcome=outcome,
        issues_at=lambda where: issues_at(report, where),
        other_issues=issues_elsewhere(report),
        sections=order_sections(report),
        critical_title=TITLE,
        critical_section=SECTION,
        critical_word=critical_word,
        critical_line=line,
        told=told,
        fields=form(report),
        field_note=field_note,
        field_issues=lambda field: field_issues(report, field),
        written_by=lambda id: written_by(report, id),
        addenda=addenda(report),
        addenda_title=ADDENDA,
        review=review_lines(report),
        review_title=REVIEW,
        written=Written,
        known={evidence.id for evidence in report.evidence},
        pictures=[
            {"title": image_title(image), "file": Written(figures[image.handle])}
            for image in report.images
            if figures and image.handle in figures
        ],
    )
    return re.sub(r"\n{3,}", "\n\n", text).strip() + "\n"


class Written(str):
    """Text that is Markdown already."""

    __slots__ = ()


def escape(value: Any) -> str:
    """A value as plain text within Markdown, on one line."""
    if isinstance(value, Written):
        return value
    text = " ".join(str(value).split())
    text = _SPECIAL.sub(r"\\\1", text)
    return _LINK.sub(r"\1\\\2", _LINE_START.sub(r"\1\\\2", text))
