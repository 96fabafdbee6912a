"""The report as one self-contained HTML file: no request leaves it, its scripts and styles are fixed by hash.

All text is escaped: what an order, an endpoint or a model wrote is shown and never interpreted.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetread import DISCLAIMER, __version__
from wetread.evidence import Evidence, Observation
from wetread.reports.critical import SECTION, TITLE
from wetread.reports.model import Issue, Report, ReportImage, Statement
from wetread.reports.outline import outlines
from wetread.reports.plain import printable
from wetread.reports.renderings import jinja_environment
from wetread.reports.view import (
    MODE_WORDS,
    SEVERITIES,
    Mark,
    counted,
    critical_word,
    field_issues,
    field_note,
    form,
    grounding_line,
    image_title,
    issues_at,
    issues_elsewhere,
    layer_tints,
    marks,
    model_name,
    order_sections,
    outcome,
    pieces,
    status_word,
    told,
)
from wetread.reports.view_review import ADDENDA, REVIEW, addenda, review_lines, written_by

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

MAX_PICTURE = 1600
"""Longest side of an embedded picture, in pixels."""

_STATEMENT_SECTIONS = ("findings", "impression", "recommendation")


def to_html(report: Report, pictures: Mapping[str, bytes], *, workspace: Path | None = None) -> str:
    """The report as HTML.

    Args:
        report: The report.
        pictures: PNG or JPEG by handle: images as displayed, any size, and masks in the pixels of their image. What is
            missing is shown as missing.
        workspace: Folder whose templates take precedence.
    """
    from markupsafe import Markup

    environment = jinja_environment(report.template, workspace, autoescape=True, finalize=_printable)
    footer = _css_string(f"{report.disclosure} {DISCLAIMER}")
    style = (
        _source(environment, "report.css") + f"@media print {{ @page {{ @bottom-left {{ content: {footer}; }} }} }}\n"
    )
    script = _source(environment, "report.js")
    drawn = marks(report)
    drawable = {mark.id for mark in drawn if mark.box is not None or mark.mask in pictures}
    pointed = {id for mark in drawn if mark.id in drawable for id in mark.statements}

    def item(statement: Statement) -> dict[str, Any]:
        found = issues_at(report, statement.id)
        return {
            "id": statement.id,
            "sign": statement.id if statement.section == "findings" else "",
            "pieces": pieces(statement, found),
            "evidence": statement.evidence,
            "issues": found,
            "marks": statement.id in pointed,
            "by": written_by(report, statement.id),
        }

    exam = next((section.text for section in report.sections if section.name == "exam"), "Report")
    return environment.get_template("report.html.j2").render(
        report=report,
        title=exam,
        patient=_patient(report),
        created=report.created.strftime("%Y-%m-%d %H:%M") + (" UTC" if _is_utc(report) else ""),
        modes=[MODE_WORDS[mode] for mode in report.modes],
        grounding=grounding_line(report),
        issue_count=counted(report.issues),
        worst=min((issue.severity for issue in report.issues), key=SEVERITIES.index, default="info"),
        disclaimer=DISCLAIMER,
        version=__version__,
        style=Markup(style),
        script=Markup(script),
        style_hash=_csp_hash(style),
        script_hash=_csp_hash(script),
        views=[_view(image, drawn, pictures) for image in report.images],
        sections=[
            {"name": s.name, "title": s.title, "text": s.text, "issues": issues_at(report, s.name)}
            for s in order_sections(report)
        ],
        critical=[
            {
                "word": critical_word(result),
                "statements": result.statements,
                "found": result.found.strftime("%Y-%m-%d %H:%M"),
                "told": told(result),
                "record": result.communication,
                "at": result.communication.at.strftime("%Y-%m-%d %H:%M") if result.communication.at else "",
            }
            for result in report.critical
        ],
        addenda=addenda(report),
        addenda_title=ADDENDA,
        review=review_lines(report),
        review_title=REVIEW,
        signed=report.review is not None and report.review.signature is not None,
        critical_title=TITLE,
        critical_issues=issues_at(report, SECTION),
        fields=[
            {
                "name": field.name,
                "title": field.title,
                "value": field.shown,
                "note": field_note(field),
                "required": field.required,
                "evidence": field.evidence,
                "issues": field_issues(report, field),
            }
            for field in form(report)
        ],
        systems=[
            {
                "key": system.system,
                "title": system.title,
                "status": system.status,
                "word": status_word(system),
                "reason": system.reason,
                "statements": [item(statement) for statement in system.statements],
                "issues": [
                    issue
                    for issue in issues_at(report, system.system)
                    if issue.severity != "info" or system.status != "not_assessed"
                ],
            }
            for system in report.findings
        ],
        impression=[item(statement) for statement in report.impression],
        recommendations=[item(statement) for statement in report.recommendations],
        findings_issues=issues_at(report, "findings"),
        impression_issues=issues_at(report, "impression"),
        recommendation_issues=issues_at(report, "recommendation"),
        other_issues=issues_elsewhere(report),
        placed_issues=_placed(report),
        evidence=[_row(evidence) for evidence in report.evidence],
        evidence_ids={evidence.id for evidence in report.evidence},
        evidence_titles={e.id: f"{e.tool}, {e.origin}, {e.status}: {e.summary}" for e in report.evidence},
    )


def _view(image: ReportImage, drawn: Iterable[Mark], pictures: Mapping[str, bytes]) -> dict[str, Any]:
    shapes = []
    layers: dict[str, dict[str, Any]] = {}
    drawn = [mark for mark in drawn if mark.image == image.handle]
    tints = layer_tints(drawn)
    for mark in drawn:
        shape = _shape(mark, image, pictures)
        if shape is not None:
            shapes.append({**shape, "tint": tints[mark.layer], "layer": mark.layer})
            title = mark.layer[:1].upper() + mark.layer[1:]
            layers.setdefault(mark.layer, {"key": mark.layer, "title": title, "tint": tints[mark.layer]})
    size = round(min(image.rows, image.columns) * 0.05, 1)
    margin = round(image.columns * 0.03, 1)
    left, right = {"left": ("R", "L"), "right": ("L", "R"), "unknown": ("", "")}[image.patient_right_on]
    data = pictures.get(image.handle)
    return {
        "handle": image.handle,
        "short": " ".join(filter(None, ["prior" if image.role == "prior" else "", _view_word(image)])),
        "title": image_title(image),
        "columns": image.columns,
        "rows": image.rows,
        "source": data_uri(data) if data is not None else None,
        # masks lie below boxes, so that a box inside a mask can be pointed at
        "shapes": sorted(shapes, key=lambda shape: shape["kind"] == "box"),
        "layers": list(layers.values()),
        "sided": image.view in ("PA", "AP", "frontal"),
        "sides": [(left, margin, "start"), (right, round(image.columns - margin, 1), "end")] if left else [],
        "side_size": size,
        "side_y": round(size * 1.5, 1),
        "notes": image.notes,
    }


def _shape(mark: Mark, image: ReportImage, pictures: Mapping[str, bytes]) -> dict[str, Any] | None:
    from wetread.imaging.contours import svg_path

    named = mark.label or "region"
    side = f", {mark.side}" if mark.side is not None and mark.side not in named.lower() else ""
    by = ", ".join([*mark.statements, *mark.evidence])
    shape: dict[str, Any] = {"statements": mark.statements, "spoken": f"{named}{side} ({by})" if by else named + side}
    if mark.mask is not None:
        data = pictures.get(mark.mask)
        path = svg_path(outlines(data, image.rows, image.columns)) if data is not None else ""
        return {**shape, "kind": "mask", "path": path} if path else None
    if mark.box is None:
        return None
    box = mark.box
    return {
        **shape,
        "kind": "box",
        "x": round(box.x_min, 1),
        "y": round(box.y_min, 1),
        "width": round(max(0.0, box.x_max - box.x_min), 1),
        "height": round(max(0.0, box.y_max - box.y_min), 1),
    }


def _row(evidence: Evidence) -> dict[str, Any]:
    measured = [
        f"{m.name.replace('_', ' ')}: {m.text}" + (f" ({m.method})" if m.method else "") for m in evidence.measurements
    ]
    observed = [_observed(observation) for observation in evidence.observations]
    parts = [f"{len(measured)} measurement{'s' * (len(measured) != 1)}"] if measured else []
    parts += [f"{len(observed)} observation{'s' * (len(observed) != 1)}"] if observed else []
    return {
        "id": evidence.id,
        "tool": evidence.tool,
        "uses": evidence.uses,
        "model": model_name(evidence),
        "origin": evidence.origin.value,
        "status": evidence.status,
        "summary": outcome(evidence),
        "reason": f"{evidence.reason.code}: {evidence.reason.message}" if evidence.reason is not None else "",
        "warnings": evidence.warnings,
        "measurements": measured,
        "observations": observed,
        "said_count": ", ".join(parts),
        "inputs": [(name, value[:12]) for name, value in evidence.inputs.items()],
        "latency": f"{evidence.latency_ms:,.0f}",
    }


def _observed(observation: Observation) -> str:
    said = observation.assertion.value
    if observation.probability is not None:
        said += f" {observation.probability:.2f}"
    return f"{observation.text} [{said}]"


def _placed(report: Report) -> list[dict[str, str]]:
    """The issues as a list of links to where they stand."""
    anchors = {section.name: (f"section-{section.name}", section.title) for section in report.sections}
    anchors |= {system.system: (f"system-{system.system}", system.title) for system in report.findings}
    anchors |= {one.id: (one.id, one.id) for system in report.findings for one in system.statements}
    for title, statements in (("Impression", report.impression), ("Recommendation", report.recommendations)):
        anchors |= {one.id: (one.id, f"{title} {number}") for number, one in enumerate(statements, start=1)}
    anchors |= {name: ("report", name.capitalize()) for name in _STATEMENT_SECTIONS}
    anchors |= {field.place: (f"field-{field.name}", field.title) for field in form(report)}
    order: list[Issue] = sorted(report.issues, key=lambda issue: SEVERITIES.index(issue.severity))
    return [
        {
            "code": issue.code,
            "severity": issue.severity,
            "anchor": anchors[issue.where][0],
            "place": anchors[issue.where][1],
        }
        for issue in order
        if issue.where in anchors
    ]


def data_uri(data: bytes) -> Markup | None:
    """A picture as a data URI, at most `MAX_PICTURE` pixels a side; None for bytes that are no PNG or JPEG."""
    from io import BytesIO

    from markupsafe import Markup
    from PIL import Image, UnidentifiedImageError

    try:
        picture: Image.Image = Image.open(BytesIO(data), formats=("PNG", "JPEG"))
        kind = picture.format or ""
        if max(picture.size) > MAX_PICTURE:
            picture = picture.convert("L" if picture.mode in ("1", "L", "I;16", "I") else "RGB")
            picture.thumbnail((MAX_PICTURE, MAX_PICTURE), Image.Resampling.LANCZOS)
            kept = BytesIO()
            picture.save(kept, "JPEG", quality=90, optimize=True)
            data, kind = kept.getvalue(), "JPEG"
    except (UnidentifiedImageError, OSError, ValueError):
        return None
    return Markup(f"data:image/{kind.lower()};base64,{base64.b64encode(data).decode('ascii')}")


def _printable(value: Any) -> Any:
    return printable(value) if type(value) is str else value


def _source(environment: Environment, name: str) -> str:
    assert environment.loader is not None
    return environment.loader.get_source(environment, name)[0]


def _css_string(text: str) -> str:
    """A CSS string literal; all but ASCII letters, digits and spaces as escapes (CSS Syntax 3, 4.3.7)."""
    return '"' + "".join(c if c.isascii() and (c.isalnum() or c == " ") else f"\\{ord(c):x} " for c in text) + '"'


def _csp_hash(text: str) -> str:
    # browsers hash the text of the element with line ends as LF (HTML, 13.2.3.5)
    return "sha256-" + base64.b64encode(hashlib.sha256(text.replace("\r\n", "\n").encode()).digest()).decode("ascii")


def _patient(report: Report) -> str:
    sex = {"F": "female", "M": "male", "O": "other sex"}.get(report.sex or "", "")
    age = f"{report.age_years} years" if report.age_years is not None else ""
    return ", ".join(filter(None, [age, sex]))


def _is_utc(report: Report) -> bool:
    offset = report.created.utcoffset()
    return offset is not None and not offset


def _view_word(image: ReportImage) -> str:
    return "view not known" if image.view == "unknown" else image.view
