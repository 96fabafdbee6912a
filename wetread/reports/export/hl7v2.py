"""HL7 v2.5.1: a report as one ORU^R01 message.

OBR-4 is the exam, each section a run of OBX segments with its LOINC code in OBX-3, counted in OBX-4; a long text
repeats OBX-5 (line breaks as escape sequences do not survive many systems). A draft that nobody read has status R,
"entered, not verified" (tables 0085 and 0123); P is a verified early result. Identifiers are the caller's: without them
PID-3 is a placeholder of type U (unspecified identifier) and PID-5 a name of type U, which no patient has. Needs the
extra `hl7`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from wetread import DISCLAIMER, __version__
from wetread.errors import ExportError
from wetread.reports.export import ExportedFile, Source
from wetread.reports.language.codes import code_of, loinc_valid
from wetread.reports.model import CriticalResult, Report, ReportStatus
from wetread.reports.plain import shown
from wetread.reports.view import MODE_WORDS, grounding_line, model_name
from wetread.values import canonical_json, sha256_hex

MEDIA_TYPE = "application/hl7-v2+er7"
LOCAL = "99WETREAD"
"""Coding system of what has no code elsewhere (table 0396: local codes begin with 99)."""

RESULT_STATUS: dict[ReportStatus, tuple[str, str]] = {
    "registered": ("I", "I"),
    "partial": ("R", "R"),
    "preliminary": ("P", "P"),
    "final": ("F", "F"),
    "amended": ("C", "C"),
    "corrected": ("C", "C"),
    "appended": ("C", "C"),
    "cancelled": ("X", "X"),
    "entered-in-error": ("C", "W"),
}
"""OBR-25 (table 0123) and OBX-11 (table 0085) for each status of a report."""

STUDY = ("113014", "Study", "DCM")
_ESCAPES = str.maketrans({"\\": "\\E\\", "|": "\\F\\", "^": "\\S\\", "&": "\\T\\", "~": "\\R\\"})
_MAX_COMPONENT = 199
"""Characters of a string (chapter 2.A, ST), which strict receivers hold text lines to as well."""


class _Line(NamedTuple):
    """One OBX: its type, the code in OBX-3 as parts, its value in ER7 (a long text in repetitions), its unit."""

    kind: str
    code: tuple[str, str, str]
    values: tuple[str, ...]
    unit: str = ""


def export(report: Report, source: Source) -> tuple[ExportedFile, ...]:
    """`report.hl7`: the message in ER7, UTF-8, segments ended by carriage returns.

    Raises:
        ExportError: `WET-EXPORT-HL7`, the report or the caller's identifiers cannot be said in valid HL7 v2.5.1.
    """
    from hl7apy.consts import VALIDATION_LEVEL
    from hl7apy.exceptions import HL7apyException
    from hl7apy.parser import parse_message

    text = "".join(f"{segment}\r" for segment in _segments(report, source))
    try:
        parse_message(text, validation_level=VALIDATION_LEVEL.STRICT).validate()
    except (HL7apyException, ValueError) as error:
        raise ExportError(
            "WET-EXPORT-HL7",
            f"The report cannot be said in valid HL7 v2.5.1 ({type(error).__name__}).",
            "Check the patient's id and name and the accession number; the report itself is unharmed.",
        ) from None
    return (ExportedFile(name="report.hl7", media_type=MEDIA_TYPE, data=text.encode()),)


def _segments(report: Report, source: Source) -> Iterator[str]:
    """The message, segment by segment (chapter 7.3.1, ORU^R01^ORU_R01)."""
    header = {
        3: "WETREAD",
        7: _time(report.created),
        9: "ORU^R01^ORU_R01",
        10: _control_id(report, source),
        # table 0103: what a simulator, a replay or a hand gave is for training, never for production
        11: "T" if report.modes else "P",
        12: "2.5.1",
        18: "UNICODE UTF-8",
    }
    # MSH-1 is the separator itself, MSH-2 the other delimiters
    yield _segment("MSH|^~\\&", {number - 2: value for number, value in header.items()})
    yield _segment("SFT", {1: "wetread", 2: __version__, 3: "wetread", 4: __version__, 5: _escaped(DISCLAIMER)})
    yield _patient(report, source)
    yield _order(report, source)
    counts: dict[str, int] = {}
    for number, one in enumerate(_lines(report, source), start=1):
        counts[one.code[0]] = counts.get(one.code[0], 0) + 1
        fields = {
            1: str(number),
            2: one.kind,
            3: _coded(one.code),
            4: str(counts[one.code[0]]),
            5: "~".join(one.values),
            6: _escaped(one.unit),
            11: RESULT_STATUS[report.status][1],
            14: _time(report.created),
        }
        yield _segment("OBX", fields)


def _patient(report: Report, source: Source) -> str:
    identity = source.identity
    id, _, authority = (identity.patient_id or "").partition("^")
    name = "^".join(_escaped(part) for part in (identity.patient_name or "").split("^")[:7])
    fields = {
        1: "1",
        3: _components(id, "", "", authority) if id else _components("UNKNOWN", "", "", "WETREAD", "U"),
        5: name or "^^^^^^U",
        8: report.sex or "U",
    }
    return _segment("PID", fields)


def _order(report: Report, source: Source) -> str:
    exam = next((section for section in report.sections if section.name == "exam"), None)
    title = exam.text if exam else "Diagnostic imaging study"
    loinc = exam.loinc if exam and loinc_valid(exam.loinc) else _loinc("document")
    dates = sorted(i.acquired for i in report.images if i.role == "current" and i.acquired is not None)
    fields = {
        1: "1",
        3: _escaped(source.identity.accession or ""),
        4: _coded((loinc, title, "LN")),
        7: dates[0].strftime("%Y%m%d") if dates else "",
        22: _time(report.created),
        24: "RAD",
        25: RESULT_STATUS[report.status][0],
    }
    return _segment("OBR", fields)


def _lines(report: Report, source: Source) -> Iterator[_Line]:
    """Every OBX of the message, in the order of a report; what nobody may overlook comes first."""
    if source.identity.study_uid:
        yield _Line("HD", STUDY, (_components("", source.identity.study_uid, "ISO"),))
    yield from _text(("DISCLOSURE", "Disclosure", LOCAL), _notices(report))
    for section in report.sections:
        yield from _text(_section(section.loinc, section.title), [section.text])
    findings = _section(_loinc("findings"), "Findings")
    for system in report.findings:
        said = [f"{system.title}: {s.text} [{', '.join(s.evidence) or 'no evidence'}]" for s in system.statements]
        if system.status == "not_assessed":
            said.append(f"{system.title}: not assessed: {system.reason or 'no reason given'}")
        elif not said:
            said.append(f"{system.title}: {system.reason or system.status}")
        yield from _text(findings, said)
    yield from _measurements(report)
    filled = [f"{one.title}: {one.shown}" for one in report.fields if one.value is not None and one.known]
    yield from _text(("FIELDS", "Form fields", LOCAL), filled)
    impression = [f"{number}. {s.text}" for number, s in enumerate(report.impression, start=1)]
    yield from _text(_section(_loinc("impression"), "Impression"), impression or ["None."])
    yield from _text(_section(_loinc("recommendation"), "Recommendation"), [s.text for s in report.recommendations])
    communication = _loinc("communication")
    if all(section.loinc != communication for section in report.sections):
        yield from _text(_section(communication, "Critical results"), [_told(one) for one in report.critical])
    if report.review:
        added = [f"{one.text} ({one.by}, {one.at.isoformat(timespec='seconds')})" for one in report.review.addenda]
        yield from _text(_section(_loinc("addendum"), "Addendum"), added)
    issues = [f"{i.code} {i.severity}{f' at {i.where}' if i.where else ''}: {i.message}" for i in report.issues]
    yield from _text(("ISSUES", "Open issues of the checks", LOCAL), issues)
    yield from _text(("EVIDENCE", "Evidence", LOCAL), [*_evidence(report), grounding_line(report)])


def _notices(report: Report) -> list[str]:
    found = [
        report.disclosure,
        *(f"{word}: {meaning}" for word, meaning in (MODE_WORDS[mode] for mode in report.modes)),
    ]
    if report.incomplete:
        found.append(f"Incomplete: {report.incomplete}")
    found.append(f"{DISCLAIMER} wetread {__version__}, drafted by {report.language_model}.")
    found.append(f"Report version {report.version}, status {report.status}, SHA-256 {report.sha256}.")
    signature = report.review.signature if report.review else None
    if signature:
        found.append(f"Signed as {signature.status} by {signature.by}, {signature.at.isoformat(timespec='seconds')}.")
    return found


def _measurements(report: Report) -> Iterator[_Line]:
    """Numbers with their UCUM units, each once however many statements quote it."""
    quoted = (m for system in report.findings for s in system.statements for m in s.measurements)
    for one in dict.fromkeys(quoted):
        name = one.name.replace("_", " ")
        code = (one.name, f"{name[:1].upper()}{name[1:]}", LOCAL)
        yield _Line("NM", code, (f"{one.value:.{one.digits}f}",), one.unit)


def _told(one: CriticalResult) -> str:
    told = one.communication
    parts = [f"told to {told.to}"] if told.to else []
    parts += [f"by {told.by}"] if told.by else []
    parts += [f"at {told.at.isoformat(timespec='seconds')}"] if told.at else []
    parts += [told.how] if told.how else []
    parts += [f"not recorded: {', '.join(told.missing)}"] if told.missing else []
    return f"{one.name} ({one.assertion.value}); communication: {', '.join(parts)}"


def _evidence(report: Report) -> list[str]:
    lines = []
    for one in report.evidence:
        said = one.reason.message if one.reason else one.summary
        lines.append(f"{one.id}: {one.tool}, {model_name(one)}, origin {one.origin.value}, {one.status}: {said}")
    return lines


def _text(code: tuple[str, str, str], texts: Sequence[str]) -> Iterator[_Line]:
    return (_Line("TX", code, _wrapped(text)) for text in texts)


def _wrapped(text: str) -> tuple[str, ...]:
    """A text as repetitions of OBX-5, broken at blanks where it can be (chapter 7.4.2.5 lets TX repeat)."""
    lines = [""]
    for word in shown(text).split(" "):
        for number, piece in enumerate(_pieces(word)):
            longer = f"{lines[-1]} {piece}".lstrip(" ")
            if number == 0 and len(longer) <= _MAX_COMPONENT:
                lines[-1] = longer
            else:
                lines.append(piece)
    return tuple(line for line in lines if line) or ("-",)


def _pieces(word: str) -> list[str]:
    """A word with its escapes, cut where it is longer than a line; never within an escape."""
    pieces = [""]
    for character in word:
        escaped = character.translate(_ESCAPES)
        if len(pieces[-1]) + len(escaped) > _MAX_COMPONENT:
            pieces.append("")
        pieces[-1] += escaped
    return pieces


def _section(loinc: str, title: str) -> tuple[str, str, str]:
    return (loinc, title, "LN") if loinc_valid(loinc) else (title.upper()[:20], title, LOCAL)


def _loinc(section: str) -> str:
    code = code_of("sections", section)
    return code.value if code else ""


def _segment(name: str, fields: Mapping[int, str]) -> str:
    """A segment from its fields by number, in ER7."""
    return "|".join([name, *(fields.get(number, "") for number in range(1, max(fields) + 1))])


def _coded(code: tuple[str, str, str]) -> str:
    """A coded element; a title too long for it is cut."""
    value, title, system = code
    return "^".join([_escaped(value), _pieces(shown(title))[0], system])


def _components(*parts: str) -> str:
    return "^".join(_escaped(part) for part in parts).rstrip("^")


def _escaped(text: str) -> str:
    """Text as one ER7 value: one line, delimiters as escape sequences (chapter 2.7)."""
    return shown(text).translate(_ESCAPES)


def _time(when: datetime) -> str:
    aware = when if when.tzinfo else when.replace(tzinfo=UTC)
    return aware.astimezone(UTC).strftime("%Y%m%d%H%M%S+0000")


def _control_id(report: Report, source: Source) -> str:
    """MSH-10: the same message sent again has the same, so that a receiver can tell."""
    about = [report.sha256 or report.content_hash(), source.identity.model_dump()]
    return sha256_hex(canonical_json(about))[:20]
