"""DIS: tools that disagree. Both sides are shown, with their evidence; nothing is averaged away."""

from __future__ import annotations

from collections.abc import Iterator

from wetread.evidence import Evidence, Observation, Region
from wetread.reports.checks.base import Check, capital, named
from wetread.reports.checks.document import Document, Line
from wetread.reports.checks.grd import about_this_study, covered
from wetread.reports.checks.kin import is_abnormal, kinds_of, related
from wetread.reports.language import NORMAL, system_of
from wetread.reports.model import Claim, Issue, Severity
from wetread.vocabulary import Assertion, Side, View

_RATIO = "cardiothoracic_ratio"
_LARGE, _SMALL = 0.55, 0.45
"""A heart is large from a cardiothoracic ratio of 0.5 on an upright PA view on; what lies between these two is left to
how the lines were drawn."""
_WITHIN = 0.5


def tools_disagree(doc: Document) -> Iterator[Issue]:
    """DIS-1: one tool says that a finding is present, another that it is absent.

    A warning where the report takes one side as if nobody had said otherwise; for a reader's information where it says
    that it is uncertain.
    """
    seen = [(e, o) for e, o in about_this_study(doc) if o.finding is not None and is_abnormal(o.finding)]
    absent = [(e, o) for e, o in seen if o.assertion is Assertion.ABSENT]
    told: set[str] = set()
    for evidence, one in seen:
        if one.assertion is not Assertion.PRESENT or one.finding is None or one.finding in told:
            continue
        against = next(((e, o) for e, o in absent if e.id != evidence.id and _contrary(one, o)), None)
        # a tool that itself says both speaks of two places
        if against is None or any(e.id == against[0].id and _agrees(one, o) for e, o in seen):
            continue
        told.add(one.finding)
        yield _issue(doc, "DIS-1", one.finding, _words(evidence, one), _words(*against), (evidence, against[0]))


def _contrary(present: Observation, absent: Observation) -> bool:
    if present.finding is None or absent.finding is None or absent.finding not in kinds_of(present.finding):
        return False
    if absent.finding != present.finding and absent.finding == "opacity":
        return False
    return absent.side in (None, Side.BILATERAL) or absent.side is present.side


def _agrees(present: Observation, other: Observation) -> bool:
    return (
        other.assertion is not Assertion.ABSENT
        and other.finding is not None
        and present.finding is not None
        and related(present.finding, other.finding)
    )


def places_disagree(doc: Document) -> Iterator[Issue]:
    """DIS-2: a box lies in the lung of one side by its mask, and the finding is given the other side."""
    lungs = {
        (region.image, region.side): region
        for evidence in doc.ledger.values()
        if evidence.status == "ok"
        for region in evidence.regions
        if region.box is not None and region.label.lower() in ("left lung", "right lung") and region.side is not None
    }
    masked_by = {
        region: evidence for evidence in doc.ledger.values() if evidence.status == "ok" for region in evidence.regions
    }
    told: set[tuple[str, str]] = set()
    for evidence, one in about_this_study(doc):
        if one.assertion is Assertion.ABSENT or one.finding is None or one.system not in ("lungs", "pleura"):
            continue
        for region in one.regions:
            side = region.side or one.side
            wrong = _other_lung(region, side, lungs)
            if wrong is None or (one.finding, evidence.id) in told:
                continue
            told.add((one.finding, evidence.id))
            masks = masked_by[wrong]
            said = f"{evidence.id} puts it on the {side}"
            shown = f"its box lies in the {wrong.label} of {masks.id}"
            yield _issue(doc, "DIS-2", one.finding, said, shown, (evidence, masks))


def _other_lung(region: Region, side: Side | None, lungs: dict[tuple[str, Side], Region]) -> Region | None:
    if side not in (Side.LEFT, Side.RIGHT) or region.box is None:
        return None
    other = Side.LEFT if side is Side.RIGHT else Side.RIGHT
    own_lung, other_lung = lungs.get((region.image, side)), lungs.get((region.image, other))
    if own_lung is None or other_lung is None or own_lung.box is None or other_lung.box is None:
        return None
    inside = covered(region.box, [other_lung.box])
    return other_lung if inside > _WITHIN and covered(region.box, [own_lung.box]) < inside / 5 else None


def measure_disagrees(doc: Document) -> Iterator[Issue]:
    """DIS-3: the cardiothoracic ratio on a PA view and what a tool says of the heart's size do not fit.

    On other views the heart is magnified, and nothing follows.
    """
    if doc.report is None:
        return
    upright = {image.handle for image in doc.report.images if image.view == View.PA}
    ratios = [
        (evidence, one)
        for evidence in doc.ledger.values()
        if evidence.status == "ok"
        for one in evidence.measurements
        if one.name == _RATIO and (one.image or evidence.arguments.get("image")) in upright
    ]
    for measured, ratio in ratios:
        large, small = ratio.value >= _LARGE, ratio.value <= _SMALL
        for evidence, one in about_this_study(doc):
            if evidence.id == measured.id or one.system != "heart":
                continue
            says_large = one.finding == "cardiomegaly" and one.assertion is Assertion.PRESENT
            says_normal = (one.finding == "cardiomegaly" and one.assertion is Assertion.ABSENT) or (
                one.finding == NORMAL and one.assertion is Assertion.PRESENT
            )
            if (large and says_normal) or (small and says_large):
                shown = f"{measured.id} measured a cardiothoracic ratio of {ratio.text}"
                said = f"{evidence.id} says that the heart is {'large' if says_large else 'not large'}"
                yield _issue(doc, "DIS-3", "cardiomegaly", said, shown, (evidence, measured))
                return


def _words(evidence: Evidence, one: Observation) -> str:
    sure = f" ({one.probability:.2f})" if one.probability is not None else ""
    side = f" on the {one.side}" if one.side in (Side.LEFT, Side.RIGHT) else ""
    return f"{evidence.id} says {one.assertion.value}{side}{sure}"


def _issue(doc: Document, code: str, finding: str, said: str, against: str, of: tuple[Evidence, ...]) -> Issue:
    ids = tuple(dict.fromkeys(evidence.id for evidence in of))
    message = (
        f"{capital(named(finding))}: tools disagree. {said}; {against}. Say so, or say which one was believed and why."
    )
    place = _spoken_of(doc, finding)
    if place is None:
        system = system_of(finding)
        return Issue(code=code, severity="warning", message=message, where=system or "findings", evidence=ids)
    line, claim = place
    severity: Severity = "info" if claim.assertion is Assertion.UNCERTAIN else "warning"
    return line.about(code, severity, message, claim, ids)


def _spoken_of(doc: Document, finding: str) -> tuple[Line, Claim] | None:
    found = [
        (line, claim)
        for line in doc.findings
        for claim in line.claims
        if claim.finding is not None and related(claim.finding, finding)
    ]
    open_ones = [pair for pair in found if pair[1].assertion is Assertion.UNCERTAIN]
    return next(iter(open_ones or found), None)


CHECKS = (
    Check("DIS-1", "Tools disagree on a finding", tools_disagree, frozenset({"evidence"})),
    Check("DIS-2", "Mask and box disagree", places_disagree, frozenset({"evidence"})),
    Check("DIS-3", "Measurement and words disagree", measure_disagrees, frozenset({"evidence"})),
)
