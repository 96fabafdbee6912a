"""From a draft to a report: slots filled, statements numbered and parsed, the status of each system derived by code.

Deterministic: the same draft, study, ledger and time give the same report, byte for byte. The report is not checked
yet; `wetread.reports.checks.check_report` does that, and `with_issues` puts what it found into the report.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Literal

from wetread.artifacts import ArtifactStore
from wetread.evidence import Evidence, Ledger, Region
from wetread.reports.critical import critical_results, critical_section
from wetread.reports.form import compose_fields
from wetread.reports.grounding import figures
from wetread.reports.language import claims as claims_of
from wetread.reports.model import Draft, Issue, Report, ReportImage, Statement, SystemFindings
from wetread.reports.plain import plain, sentence
from wetread.reports.pointing import regions_of
from wetread.reports.sections import sections
from wetread.reports.slots import fill
from wetread.reports.systems import system_findings
from wetread.reports.template import ReportTemplate, SystemSpec
from wetread.study import Study
from wetread.vocabulary import Origin

DISCLOSURE = "AI-assisted draft, not reviewed by a physician."
"""Stands on every page of a report until a person has signed it."""

Mode = Literal["simulated", "replay", "authored"]
_MODES: dict[Mode, Origin] = {
    "simulated": Origin.SIMULATED,
    "replay": Origin.RECORDED,
    "authored": Origin.AUTHORED,
}


def compose(
    draft: Draft,
    *,
    study: Study,
    template: ReportTemplate,
    ledger: Ledger,
    artifacts: ArtifactStore,
    now: datetime,
    language_model: str,
    modes: Iterable[Mode] = (),
    incomplete: str | None = None,
) -> Report:
    """Make a report, status `partial`, of a draft.

    Args:
        draft: What an agent submitted; an empty one gives a report in which nothing is assessed.
        study: The study read.
        template: The template to compose by. Statements under a system that it does not have are kept, at the end.
        ledger: All evidence of the session.
        artifacts: Where masks are; a region whose mask is not there keeps its box alone.
        now: Time of making.
        language_model: Name of the chat model that drafted it.
        modes: What a reader must not overlook; what the evidence's origins show is added.
        incomplete: Why the draft is not whole.

    Returns:
        The report without issues, not sealed yet: `with_issues` does both.
    """
    writer = _Writer(template, ledger, artifacts)
    systems = writer.systems(draft)
    impression = writer.statements("impression", [(line.text, line.evidence) for line in draft.impression])
    recommendations = writer.statements("recommendation", [(text, ()) for text in draft.recommendations])
    evidence = tuple(ledger)
    origins = {one.origin for one in evidence}
    given = set(modes)
    said = [*(statement for system in systems for statement in system.statements), *impression]
    critical = critical_results(said, template.critical, found=now)
    told = (critical_section(critical),) if critical else ()
    seen = {name for one in evidence if one.status == "ok" for name in one.inputs}
    return Report(
        template=template.name,
        template_version=template.version,
        created=now,
        age_years=study.age_years,
        sex=study.sex,
        language_model=language_model,
        modes=tuple(mode for mode, origin in _MODES.items() if mode in given or origin in origins),
        disclosure=DISCLOSURE,
        incomplete=incomplete,
        images=tuple(
            ReportImage(
                handle=image.handle,
                role=image.role,
                modality=image.modality,
                view=image.view.value,
                rows=image.rows,
                columns=image.columns,
                patient_right_on=image.patient_right_on,
                acquired=image.acquired,
                notes=image.notes,
            )
            for image in study.images
        ),
        sections=(*sections(study, template, seen), *told),
        findings=systems,
        impression=impression,
        recommendations=recommendations,
        fields=compose_fields(template.fields, draft.fields, ledger, study.age_years),
        critical=critical,
        grounding=figures(systems, impression, evidence),
        evidence=evidence,
    )


def with_issues(report: Report, issues: Sequence[Issue]) -> Report:
    """The same report with these issues on it, sealed anew."""
    return report.model_copy(update={"issues": tuple(issues)}).sealed()


class _Writer:
    """Numbers statements in reading order while it writes them."""

    def __init__(self, template: ReportTemplate, ledger: Ledger, artifacts: ArtifactStore) -> None:
        self._template = template
        self._ledger = ledger
        self._artifacts = artifacts
        self._written = 0

    def systems(self, draft: Draft) -> tuple[SystemFindings, ...]:
        specs = list(self._template.systems)
        filed: dict[str, list[tuple[str, Sequence[str]]]] = {}
        for entry in draft.findings:
            spec = self._template.system(entry.system) or _foreign(entry.system)
            if all(spec.key != known.key for known in specs):
                specs.append(spec)
            filed.setdefault(spec.key, []).append((entry.text, entry.evidence))
        reasons = {}
        for name, reason in draft.not_assessed.items():
            spec = self._template.system(name) or _foreign(name)
            if all(spec.key != known.key for known in specs):
                specs.append(spec)
            reasons[spec.key] = plain(reason)
        own = {spec.key: self.statements("findings", filed.get(spec.key, []), spec) for spec in specs}
        ledger = {evidence.id: evidence for evidence in self._ledger}
        return tuple(
            system_findings(
                spec,
                own[spec.key],
                [statement for key, statements in own.items() if key != spec.key for statement in statements],
                reasons.get(spec.key),
                ledger,
            )
            for spec in specs
        )

    def statements(
        self,
        section: Literal["findings", "impression", "recommendation"],
        entries: Iterable[tuple[str, Sequence[str]]],
        spec: SystemSpec | None = None,
    ) -> tuple[Statement, ...]:
        written = (self._statement(section, text, evidence, spec) for text, evidence in entries)
        return tuple(statement for statement in written if statement is not None)

    def _statement(
        self,
        section: Literal["findings", "impression", "recommendation"],
        text: str,
        ids: Sequence[str],
        spec: SystemSpec | None,
    ) -> Statement | None:
        filled = fill(sentence(text), self._ledger.get)
        if not filled.text:
            return None
        self._written += 1
        cited = tuple(dict.fromkeys([*(_id(id) for id in ids), *filled.evidence]))
        claims = tuple(claims_of(filled.text))
        found = [evidence for id in cited if (evidence := self._ledger.get(id)) is not None]
        regions = regions_of(
            filled.text, claims, spec.key if spec else None, self._with_used(found), spec.structures if spec else ()
        )
        return Statement(
            id=f"S{self._written}",
            section=section,
            system=spec.key if spec else None,
            text=filled.text,
            evidence=cited,
            claims=claims,
            measurements=filled.measurements,
            regions=tuple(shown for region in regions if (shown := self._shown(region)) is not None),
        )

    def _with_used(self, cited: Sequence[Evidence]) -> list[Evidence]:
        """The cited evidence, and behind a measurement without regions of its own what it was measured on."""
        found = list(cited)
        for evidence in cited:
            if evidence.measurements and not evidence.regions:
                found += [used for id in evidence.uses if (used := self._ledger.get(id)) is not None]
        return list({evidence.id: evidence for evidence in found}.values())

    def _shown(self, region: Region) -> Region | None:
        if region.mask is None or self._artifacts.get(region.mask) is not None:
            return region
        return region.model_copy(update={"mask": None}) if region.box is not None else None


def _id(text: str) -> str:
    # agents write "E4", "[E4]" and "e4"
    word = plain(text).strip("[](){} ")
    return word[:1].upper() + word[1:]


def _foreign(name: str) -> SystemSpec:
    """A system that the template does not have, kept so that nothing said is lost."""
    words = "".join(c if c.isascii() and c.isalnum() else " " for c in name.lower()).split()
    key = "_".join(words).lstrip("0123456789_") or "other"
    title = plain(name.replace("_", " "))[:60] or "Other"
    return SystemSpec(key=key[:60], title=title[:1].upper() + title[1:], required=False)
