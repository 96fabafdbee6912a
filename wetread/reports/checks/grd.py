"""GRD: statements and the evidence they stand on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

from wetread.evidence import Box, Evidence, Observation, Region
from wetread.reports.checks.base import Check, capital, named
from wetread.reports.checks.document import Document, pairs
from wetread.reports.checks.kin import is_abnormal, is_device, near, urgency
from wetread.reports.grounding import cited, opposing
from wetread.reports.model import Issue, Severity
from wetread.vocabulary import Assertion

OVERLAP = 0.5
"""A box is supported when more than this share of its pixels lies in the evidence's boxes (RadFact's spatial
precision)."""

LEFT_OUT_FROM = 50
"""A tool's finding of this urgency on must not be left out of a draft."""

_ABOUT_OTHERS = frozenset({"find_similar", "study_context"})


def evidence_missing(doc: Document) -> Iterator[Issue]:
    """GRD-1: a statement cites no evidence, unknown evidence, or only evidence that came to nothing.

    Where no system was assessed, a statement that claims nothing says so, and needs none.
    """
    nothing = doc.report is not None and all(system.status == "not_assessed" for system in doc.report.findings)
    for line in doc.spoken:
        statement = line.statement
        if statement is None or (nothing and not statement.evidence and not line.claims):
            continue
        unknown = [id for id in statement.evidence if id not in doc.ledger]
        if unknown:
            message = f"There is no evidence {', '.join(unknown)}. Cite ids that tools gave."
        elif not statement.evidence:
            message = "No evidence is cited. Cite what says so, or leave the statement out."
        elif all(doc.ledger[id].status != "ok" for id in statement.evidence):
            message = "Only evidence that failed or abstained is cited. Say that it is not assessed."
        else:
            continue
        yield line.issue("GRD-1", "error", message, evidence=tuple(id for id in statement.evidence if id in doc.ledger))
    if doc.report is not None:
        from wetread.reports.checks.form import without_evidence

        yield from without_evidence(doc)


def evidence_opposes(doc: Document) -> Iterator[Issue]:
    """GRD-2: an evidence that a statement cites says the opposite."""
    for line in doc.spoken:
        if line.statement is None:
            continue
        for claim in line.claims:
            for evidence in cited(line.statement, doc.ledger):
                observation = opposing(claim, evidence)
                if observation is None:
                    continue
                name = (claim.finding or "").replace("_", " ")
                message = f"{name}: said to be {claim.assertion}, and {evidence.id} says {observation.assertion}."
                yield line.about("GRD-2", "error", message, claim, (evidence.id,))


def about_this_study(doc: Document) -> Iterator[tuple[Evidence, Observation]]:
    """What tools observed on the current images, each with its evidence."""
    earlier = {image.handle for image in doc.report.images if image.role == "prior"} if doc.report else set()
    for evidence in doc.ledger.values():
        if (
            evidence.status != "ok"
            or evidence.tool in _ABOUT_OTHERS
            or evidence.tool.startswith("consult_")
            or evidence.arguments.get("image") in earlier
        ):
            continue
        for observation in evidence.observations:
            yield evidence, observation


def finding_left_out(doc: Document) -> Iterator[Issue]:
    """GRD-3: a tool found something abnormal, and no statement says a word of it.

    An error from an urgency of 50 on where no other tool denies it; else a warning.
    """
    said = {claim.finding for line in doc.lines if line.statement for claim in line.claims if claim.finding}
    seen = list(about_this_study(doc))
    denied = {one.finding for _, one in seen if one.assertion is Assertion.ABSENT}
    told: set[str] = set()
    for evidence, one in seen:
        if one.finding is None or one.assertion is not Assertion.PRESENT or not is_abnormal(one.finding):
            continue
        if one.finding in told or any(near(finding, one.finding) for finding in said):
            continue
        told.add(one.finding)
        severity: Severity = (
            "error" if urgency(one.finding) >= LEFT_OUT_FROM and one.finding not in denied else "warning"
        )
        sure = f" ({one.probability:.2f})" if one.probability is not None else ""
        message = f"{capital(named(one.finding))}: {evidence.id} says present{sure}, and the report says nothing of it."
        yield Issue(
            code="GRD-3", severity=severity, message=message, where=one.system or "findings", evidence=(evidence.id,)
        )


def region_missing(doc: Document) -> Iterator[Issue]:
    """GRD-4: a localised claim points at nothing although its evidence has a place for it, or at a place that lies
    outside of its evidence by half or more.

    The first is a warning, the second an error. Masks count by their handle, boxes by their pixels.
    """
    for line in doc.spoken:
        statement = line.statement
        if statement is None:
            continue
        behind = [one for one in cited(statement, doc.ledger) if one.status == "ok"]
        # a measurement points at the masks that it was made on
        behind += [used for one in behind for id in one.uses if (used := doc.ledger.get(id)) is not None]
        regions = [
            region
            for one in behind
            for region in (*one.regions, *(region for o in one.observations for region in o.regions))
        ]
        for region in statement.regions:
            if not _supported(region, regions):
                message = "What this points at lies outside of its evidence by half or more."
                yield line.issue("GRD-4", "error", message, evidence=[one.id for one in behind])
                break
        if statement.regions:
            continue
        for _, claim in pairs((line,), Assertion.PRESENT):
            localised = claim.side is not None or claim.anatomy is not None
            if localised and behind and (is_abnormal(claim.finding) or is_device(claim.finding)):
                message = (
                    f"{capital(named(claim.finding))}: a place is named, and no box or mask of the evidence shows it."
                )
                yield line.about("GRD-4", "warning", message, claim, [one.id for one in behind])
                break


def _supported(region: Region, among: Sequence[Region]) -> bool:
    if region.mask is not None or region.box is not None:
        for one in among:
            if one is region:
                return True
    here = [one for one in among if one.image == region.image]
    if region.mask is not None and any(one.mask == region.mask for one in here):
        return True
    if region.box is None:
        return False
    return covered(region.box, [one.box for one in here if one.box is not None]) > OVERLAP


def covered(box: Box, others: Sequence[Box]) -> float:
    """The share of a box that lies in the union of others, 0 to 1; of a box without area, 1 where one holds it."""
    clipped = [
        (max(box.x_min, o.x_min), max(box.y_min, o.y_min), min(box.x_max, o.x_max), min(box.y_max, o.y_max))
        for o in others
    ]
    inside = [(x, y, u, v) for x, y, u, v in clipped if x <= u and y <= v]
    area = (box.x_max - box.x_min) * (box.y_max - box.y_min)
    if area <= 0:
        return 1.0 if inside else 0.0
    columns = sorted({edge for x, _, u, _ in inside for edge in (x, u)})
    total = 0.0
    for left, right in pairwise(columns):
        reach = 0.0
        bottom = float("-inf")
        for y, v in sorted((y, v) for x, y, u, v in inside if x <= left and u >= right):
            if v > bottom:
                reach += v - max(y, bottom)
                bottom = v
        total += reach * (right - left)
    return total / area


CHECKS = (
    Check("GRD-1", "Evidence missing or unknown", evidence_missing, frozenset({"evidence"})),
    Check("GRD-2", "Evidence says the opposite", evidence_opposes, frozenset({"evidence"})),
    Check("GRD-3", "A tool's finding left out", finding_left_out, frozenset({"evidence"})),
    Check("GRD-4", "Localised claim without its region", region_missing, frozenset({"evidence"})),
)
