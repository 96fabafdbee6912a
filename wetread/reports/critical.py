"""Critical results: findings that somebody must be told of at once, and the record that somebody was.

Which they are stands in `prompts/reports/critical.yaml`; a workspace's file of that name and the `critical` of a
template add to the list and remove from it. The defaults follow the ACR practice parameter for communication of
diagnostic imaging findings. Code finds them in the statements' claims; only a person fills in the record.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import datetime
from functools import cache
from importlib.resources import files
from pathlib import Path

from pydantic import field_validator

from wetread.reports.language import lexicon
from wetread.reports.model import Claim, Communication, CriticalResult, Report, Section, Statement
from wetread.reports.plain import plain
from wetread.values import Value
from wetread.vocabulary import Assertion, Change, Side
from wetread.yamlfile import load_yaml, nearest

FILE_NAME = "critical.yaml"

SECTION = "critical_results"
"""Name of the report's section about them; LOINC 73568-8, Communication of critical results (DICOM CID 7001)."""
TITLE = "Critical result communication"
LOINC = "73568-8"

NOT_RECORDED = "No communication is recorded."

_PART = re.compile(r"[,;:]|\.\s|\b(?:but|and|with|without)\b", re.IGNORECASE)
_DEVICE_PART = re.compile(r"[,;:]|\.\s|\b(?:but|and)\b", re.IGNORECASE)
_AWAY = re.compile(r"\b(?:no|not|above|from|proximal to|cm|mm|normal|satisfactory|past)\b", re.IGNORECASE)
_REACH = 24
"""Characters before a phrase in which a word denies it, or only measures from it ("4 cm above the carina")."""
_OLD = frozenset({Change.UNCHANGED, Change.DECREASED, Change.RESOLVED})


class CriticalRule(Value):
    """A finding that is critical.

    Attributes:
        finding: Key of the lexicon; what is a kind of it is critical too.
        words: Where given, one of these phrases must stand in the same part of the sentence ("massive").
        name: What to call it where it is found by its words; the lexicon's name by default. `{side}` is where the side
            stands, else it comes first.
        not_if_old: Whether it is not critical where it is said to be unchanged, smaller or resolved.
    """

    finding: str
    words: tuple[str, ...] = ()
    name: str | None = None
    not_if_old: bool = False

    @field_validator("finding")
    @classmethod
    def _known(cls, finding: str) -> str:
        return _known_finding(finding)

    def applies(self, claim: Claim, text: str) -> bool:
        """Whether a claim of this text, taken as present or uncertain, is critical by this rule."""
        if claim.finding is None or self.finding not in lexicon().broader(claim.finding):
            return False
        if self.not_if_old and claim.change in _OLD:
            return False
        if not self.words:
            return True
        part = _part(text, claim)
        found = (match for word in self.words for match in re.finditer(rf"\b{re.escape(word)}\b", part, re.IGNORECASE))
        return any(not _AWAY.search(part, max(0, match.start() - _REACH), match.start()) for match in found)


class CriticalList(Value):
    """Critical findings to add to a list, and findings whose rules to remove from it."""

    add: tuple[CriticalRule, ...] = ()
    remove: tuple[str, ...] = ()

    @field_validator("remove")
    @classmethod
    def _known(cls, findings: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_known_finding(finding) for finding in findings)

    def changed(self, by: CriticalList) -> CriticalList:
        """This list with another's removals, then its additions."""
        kept = [rule for rule in self.add if rule.finding not in by.remove]
        return CriticalList(add=tuple(dict.fromkeys([*kept, *by.add])))

    def match(self, claim: Claim, text: str) -> CriticalRule | None:
        """The rule by which a claim says that something of the list is, or may be, there; None where it does not."""
        if claim.finding is None or claim.assertion not in (Assertion.PRESENT, Assertion.UNCERTAIN):
            return None
        kinds = lexicon().broader(claim.finding)
        return next((rule for rule in self.add if rule.finding in kinds and rule.applies(claim, text)), None)


def critical_list(workspace: Path | None = None) -> CriticalList:
    """The built-in list, changed by the workspace's `prompts/reports/critical.yaml` where there is one.

    Raises:
        ConfigError: WET-CONFIG-YAML, a mistake in the file, with its line.
    """
    found = built_in()
    own = workspace / "prompts" / "reports" / FILE_NAME if workspace is not None else None
    if own is None or not own.is_file():
        return found
    return found.changed(_load(own, own.stat().st_mtime_ns))


@cache
def built_in() -> CriticalList:
    """The list that ships with wetread."""
    return _load(Path(str(files("wetread.prompts"))) / "reports" / FILE_NAME, 0)


def critical_results(
    statements: Iterable[Statement], rules: CriticalList, *, found: datetime
) -> tuple[CriticalResult, ...]:
    """The critical results of a report's findings and impression, most urgent first, without communication.

    Args:
        statements: The report's statements in reading order; recommendations assert nothing.
        rules: What is critical.
        found: When the report was made.
    """
    said: dict[tuple[str, Side | None], list[tuple[str, Assertion]]] = {}
    names: dict[str, str] = {}
    for statement in statements:
        if statement.section == "recommendation":
            continue
        for claim in statement.claims:
            rule = rules.match(claim, statement.text)
            if claim.finding is not None and rule is not None:
                names.setdefault(claim.finding, rule.name or lexicon().findings[claim.finding].name)
                said.setdefault((claim.finding, claim.side), []).append((statement.id, claim.assertion))
    results = [
        CriticalResult(
            finding=finding,
            name=_sided(names[finding], side),
            side=side,
            assertion=Assertion.PRESENT if any(a is Assertion.PRESENT for _, a in lines) else Assertion.UNCERTAIN,
            statements=tuple(dict.fromkeys(id for id, _ in lines)),
            found=found,
        )
        for (finding, side), lines in _gathered(said).items()
    ]
    urgency = {result.finding: lexicon().findings[result.finding].urgency for result in results}
    return tuple(sorted(results, key=lambda result: (-urgency[result.finding], result.assertion != "present")))


def critical_section(results: Iterable[CriticalResult]) -> Section:
    """The report's section about critical results and who was told of them."""
    return Section(
        name=SECTION,
        title=TITLE,
        loinc=LOINC,
        text=" ".join(line(result) for result in results),
        source="code",
        required=True,
    )


def line(result: CriticalResult) -> str:
    """One critical result and its communication as a sentence."""
    name = result.name if result.assertion is Assertion.PRESENT else f"possible {result.name}"
    head = f"{name[:1].upper()}{name[1:]} ({', '.join(result.statements)}), found {result.found:%Y-%m-%d %H:%M}."
    return f"{head} {communication_line(result.communication)}"


def communication_line(record: Communication) -> str:
    """Who was told, by whom, when and how; what is missing is said to be."""
    if len(record.missing) == 4:
        return NOT_RECORDED
    at = f"{record.at:%Y-%m-%d %H:%M}" if record.at else ""
    parts = [f"{word} {said}" for word, said in (("to", record.to), ("by", record.by), ("at", at)) if said]
    told = " ".join(["Communicated", *parts]) + (f", {record.how}" if record.how else "")
    return told + (f". Not recorded: {', '.join(record.missing)}." if record.missing else ".")


def communicated(report: Report, finding: str, record: Communication, *, side: Side | None = None) -> Report:
    """The next version of a report, with a person's record that a critical result was communicated.

    Args:
        report: The report.
        finding: The result's finding.
        record: What to record. A part that is empty stays as it was.
        side: The result's side, where the report has the finding on both sides apart.

    Raises:
        ValueError: the report has no such critical result.
    """
    number = next(
        (n for n, one in enumerate(report.critical) if one.finding == finding and side in (None, one.side)), None
    )
    if number is None:
        raise ValueError(f"the report has no critical result {finding!r}")
    given = {
        name: plain(value) if isinstance(value, str) else value for name, value in record if value not in (None, "")
    }
    result = report.critical[number]
    result = result.model_copy(update={"communication": result.communication.model_copy(update=given)})
    critical = (*report.critical[:number], result, *report.critical[number + 1 :])
    section = critical_section(critical)
    return report.model_copy(
        update={
            "critical": critical,
            "sections": tuple(section if one.name == SECTION else one for one in report.sections),
            "version": report.version + 1,
            "replaces": report.sha256,
        }
    ).sealed()


def _gathered(
    said: dict[tuple[str, Side | None], list[tuple[str, Assertion]]],
) -> dict[tuple[str, Side | None], list[tuple[str, Assertion]]]:
    """What is said without a side belongs to the one side that is named elsewhere, if there is one alone."""
    gathered = dict(said)
    for finding, side in said:
        sides = [other for key, other in said if key == finding and other is not None]
        if side is None and len(sides) == 1:
            gathered[finding, sides[0]] = gathered[finding, sides[0]] + gathered.pop((finding, None))
    return {key: sorted(lines, key=lambda line: int(line[0][1:])) for key, lines in gathered.items()}


def _sided(name: str, side: Side | None) -> str:
    word = side.value if side in (Side.LEFT, Side.RIGHT, Side.BILATERAL) else ""
    return " ".join((name.replace("{side}", word) if "{side}" in name else f"{word} {name}").split())


def _part(text: str, claim: Claim) -> str:
    """The part of the sentence that a claim stands in."""
    start = max((match.end() for match in _PART.finditer(text, 0, claim.start)), default=0)
    finding = lexicon().findings.get(claim.finding or "")
    # "a tube with its tip in the bronchus": of a device, what it comes with is said of it
    following = (_DEVICE_PART if finding is not None and finding.kind == "device" else _PART).search(text, claim.end)
    return text[start : following.start() if following else len(text)]


def _known_finding(finding: str) -> str:
    known = lexicon().findings
    if finding not in known:
        raise ValueError(f"'{finding}' is no finding of the lexicon. {nearest(finding, list(known))}")
    return finding


@cache
def _load(path: Path, stamp: int) -> CriticalList:
    # `stamp` is part of the key, so that an edited file is read again
    return load_yaml(path, name=FILE_NAME).parse(CriticalList)
