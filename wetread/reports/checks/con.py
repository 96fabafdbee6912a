"""CON: a report that contradicts itself, or whose impression and findings do not belong together."""

from __future__ import annotations

import re
from collections.abc import Iterator

from wetread.reports.checks.base import Check, capital, is_plain, named, says
from wetread.reports.checks.document import Document, Line, distinct, pairs
from wetread.reports.checks.kin import is_abnormal, is_device, kinds_of, near, related, speaks_for, urgency
from wetread.reports.language import NORMAL, lexicon, system_of
from wetread.reports.model import Claim, Issue, Severity
from wetread.reports.pointing import sides_meet
from wetread.vocabulary import Assertion, Change, Side

LOST_FROM = 45
"""An abnormality of this urgency on must come back in the impression."""

_NARROWED_ALL = re.compile(
    r"\b(?:other|additional|further|new|interval|significant\w*|residual|recurrent|longer|increas\w+|decreas\w+"
    r"|progress\w+|worsening|enlarg\w+|change|complicat\w+|more|greater|associated|superimposed|evolving|but|except"
    r"|apart|acute)\b",
    re.IGNORECASE,
)
"""Words that narrow every item of a list that is denied."""
_NARROWED = re.compile(
    r"\b(?:sizeable|sizable|large|discrete|displaced|suspicious|dominant|tension|loculated|measurable|substantial"
    r"|underlying|worrisome|aggressive|cavitating|spiculated|destructive|calcified|noncalcified|compressive)\b",
    re.IGNORECASE,
)
"""Words that narrow the item before which they stand."""
_CLAUSE, _ITEM = re.compile(r"[.;:]"), re.compile(r",|\bor\b|\band\b")
_ITEM_OR_CLAUSE = re.compile(r"[.;:,]|\bor\b|\band\b")
_THERE = re.compile(r"\b(?:that side|this side|same side|ipsilateral\w*|contralateral\w*|here|there$)\b", re.IGNORECASE)
_SOFT_WORDS = """
    focal lobar confluent definite obvious frank overt gross discernible appreciable visible radiographic clear
    convincing segmental patchy
"""
_SOFT = frozenset(_SOFT_WORDS.split())
"""Qualifiers that hardly narrow a denial: "no focal consolidation" beside a consolidation is for a reader to settle."""
_OLD = frozenset({"old", "healed", "healing", "chronic", "remote"})
_SECONDARY = frozenset(
    {"mediastinal_shift", "tracheal_deviation", "air_fluid_level", "subcutaneous_emphysema", "vertebral_fracture"}
)
"""Signs that an impression may leave out for what they are a sign of."""
_OF_THE_PAST = frozenset({"lobectomy", "mastectomy"})
_KIND_TOO = {"hilar_mass": "mass", "mediastinal_mass": "mass", "pleural_nodule": "nodule"}
_HEALED = re.compile(r"\b(?:old|healed|healing|chronic|remote|long-?standing|known)\b", re.IGNORECASE)
_REST = re.compile(
    r"\b(?:otherwise|remain\w*|rest|elsewhere|except|apart|aside|besides|other than|outside|save|grossly"
    r"|of (?:any )?focal"
    r"|without (?:focal|lobar|acute)|of (?:acute|focal|lobar|new))\b",
    re.IGNORECASE,
)
_AS_ABOVE = re.compile(
    r"\b(?:as (?:above|described|detailed|noted|stated)|see (?:above|findings|report|body)|described above"
    r"|(?:no|little|without|minimal) (?:significant |relevant |appreciable |substantial |major "
    r"|overall )*(?:interval )?change"
    r"|(?:unchanged|stable|similar) (?:\w+ )?(?:appearances?|chest|examination|exam|study|radiograph\w*|findings"
    r"|film))\b",
    re.IGNORECASE,
)
_ALL_WELL = re.compile(
    r"\b(?:no (?:acute|active|significant|evidence of acute)|normal (?:chest|study|exam\w*|radiograph\w*|film)"
    r"|unremarkable (?:chest|study|exam\w*|radiograph\w*)|nad)\b",
    re.IGNORECASE,
)
_COVERED = {
    "lung": ("lungs", 30, frozenset({"hyperinflation", "low_lung_volumes", "emphysema", "lobectomy"})),
    "pleura": ("pleura", 30, frozenset({"elevated_hemidiaphragm"})),
    "bones": ("bones", 30, frozenset({"degenerative_changes", "scoliosis", "osteopenia", "kyphosis", "rib_deformity"})),
}
"""Site -> system that "normal" is said of with it, from which urgency on an abnormality is at odds with that, and
findings that do not count."""
_DENIED_BY_NORMAL = {
    "heart": frozenset({"cardiomegaly"}),
    "heart_size": frozenset({"cardiomegaly"}),
    "cardiomediastinal_silhouette": frozenset({"cardiomegaly", "widened_mediastinum"}),
    "mediastinum": frozenset({"widened_mediastinum", "mediastinal_mass"}),
    "hilum": frozenset({"hilar_enlargement", "hilar_mass"}),
    "pleural_space": frozenset({"pleural_effusion", "pneumothorax"}),
    "costophrenic_angle": frozenset({"blunted_costophrenic_angle"}),
    "aorta": frozenset({"aortic_aneurysm", "tortuous_aorta"}),
    "trachea": frozenset({"tracheal_deviation"}),
    "hemidiaphragm": frozenset({"elevated_hemidiaphragm"}),
    "pulmonary_vasculature": frozenset({"vascular_congestion"}),
    "lung_volume": frozenset({"low_lung_volumes"}),
    "spine": frozenset({"vertebral_fracture"}),
    "rib": frozenset({"rib_fracture"}),
}
_NARROW_QUALIFIERS = frozenset({"otherwise", "grossly"})


def present_and_absent(doc: Document) -> Iterator[Issue]:
    """CON-1: a finding is said to be present at one place and absent at another.

    The absence of a finding denies all that are a kind of it; "no large effusion", "no new nodule" and a denial for one
    side deny only that much. An error where both sentences are plain and speak of the same finding; else a warning.
    """
    there = distinct(pairs(doc.spoken, Assertion.PRESENT))
    told: set[tuple[str, str]] = set()
    for line, claim in distinct(
        (line, claim) for line, claim in pairs(doc.spoken, Assertion.ABSENT) if not _narrowed(line, claim)
    ):
        if claim.finding is None or not (is_abnormal(claim.finding) or is_device(claim.finding)):
            continue
        found = next(((where, one) for where, one in there if _denied(claim, one)), None)
        if found is None:
            continue
        where, one = found
        key = (claim.finding, one.finding or "")
        if key in told:
            continue
        told.add(key)
        here, there_ = (line, where) if doc.lines.index(line) > doc.lines.index(where) else (where, line)
        about = claim if here is line else one
        said, before = ("denied", "asserted") if here is line else ("asserted", "denied")
        message = (
            f"{capital(named(about.finding))}: {said} here and {before} in the {_place(there_)}: "
            f'"{_quoted(there_.text)}". One of the two is wrong.'
        )
        exact = one.finding == claim.finding and is_plain(where.text) and not claim.qualifiers
        severity: Severity = "error" if exact else "warning"
        yield here.about("CON-1", severity, message, about, _ids(line, where))


def _denied(absent: Claim, present: Claim) -> bool:
    if absent.finding is None or present.finding is None or present.change is Change.RESOLVED:
        return False
    kinds = kinds_of(present.finding) | {_KIND_TOO.get(present.finding, present.finding)}
    if absent.finding not in kinds or absent.finding == "opacity" != present.finding:
        return False
    if absent.side in (None, Side.BILATERAL):
        sided = True
    else:
        sided = present.side is not None and sides_meet(absent.side, present.side)
    anywhere = absent.anatomy in (None, "lung", "pleura") or present.anatomy in (None, absent.anatomy)
    return sided and anywhere


def _narrowed(line: Line, claim: Claim) -> bool:
    """Whether a denial denies only a part: a large one, a new one, another one, or change and not presence."""
    if claim.change is not None or set(claim.qualifiers) - _SOFT or says(_THERE, line.text):
        return True
    before = _CLAUSE.split(line.text[max(0, claim.start - 80) : claim.start])[-1]
    item = _ITEM.split(before)[-1]
    after = _ITEM_OR_CLAUSE.split(line.text[claim.end : claim.end + 30], 1)[0]
    return bool(_NARROWED_ALL.search(before) or _NARROWED.search(item) or _NARROWED.search(after))


def impression_only(doc: Document) -> Iterator[Issue]:
    """CON-2: the impression asserts a finding or device that the findings do not carry.

    An error in a draft, whose impression must follow from its findings; a warning in a clinical text; for a reader's
    information where a device has a wider name in the impression than in the findings.
    """
    # a draft whose findings a reader has taken out, all of them, has none for its impression to follow from
    if not any(line.claims for line in doc.findings) and (doc.findings or not doc.drafted):
        return
    seen = [
        claim
        for _, claim in distinct(pairs(doc.findings, *Assertion))
        # a tube that was withdrawn or removed is spoken of too
        if claim.assertion is not Assertion.ABSENT or (claim.change is Change.RESOLVED and is_device(claim.finding))
    ]
    told: set[str] = set()
    for line, claim in distinct(pairs(doc.impression, Assertion.PRESENT)):
        finding = claim.finding
        if finding is None or finding in told or finding in _OF_THE_PAST or claim.change is Change.RESOLVED:
            continue
        if not (is_abnormal(finding) or is_device(finding)):
            continue
        carried = [one for one in seen if _carries(one, claim)]
        if carried:
            other = carried[0].finding
            if is_device(finding) and all(one.finding != finding for one in carried):
                told.add(finding)
                message = f"{capital(named(finding))} here, {named(other)} in the findings. Call it by one name."
                yield line.about("CON-2", "info", message, claim, _ids(line))
            continue
        told.add(finding)
        message = f"{capital(named(finding))} stands in the impression, and nothing in the findings carries it."
        yield line.about("CON-2", "error" if doc.drafted else "warning", message, claim, _ids(line))


def _carries(seen: Claim, concluded: Claim) -> bool:
    """Whether a claim of the findings carries one of the impression; by another name only on a side that can be the
    same. The same name on the other side is LAT-1's."""
    if seen.finding is None or concluded.finding is None or not speaks_for(seen.finding, concluded.finding):
        return False
    return related(seen.finding, concluded.finding) or sides_meet(seen.side, concluded.side)


def normal_beside_abnormal(doc: Document) -> Iterator[Issue]:
    """CON-3: something is called normal, and an abnormality of it is asserted.

    "The left lung is clear" says nothing of the right one, "otherwise clear" nothing of what was said. An error where
    the two are about the very same thing (a normal heart size and cardiomegaly) and in drafts; else a warning.
    """
    there = distinct(
        (line, claim)
        for line, claim in pairs(doc.spoken, Assertion.PRESENT)
        if is_abnormal(claim.finding) and claim.change is not Change.RESOLVED
    )
    told: set[tuple[str | None, str | None]] = set()
    for line, claim in pairs(doc.spoken, Assertion.PRESENT):
        if claim.finding != NORMAL or _NARROW_QUALIFIERS.intersection(claim.qualifiers) or says(_REST, line.text):
            continue
        found = next(((where, one) for where, one in there if _at_odds(claim, one)), None)
        if found is None or (claim.anatomy, claim.side) in told:
            continue
        told.add((claim.anatomy, claim.side))
        where, one = found
        exact = one.finding in _DENIED_BY_NORMAL.get(claim.anatomy or "", ()) and is_plain(where.text)
        site = lexicon().anatomies.get(claim.anatomy or "")
        message = (
            f"{capital(site.name if site else 'It')} is called normal, and the {_place(where)} say "
            f'{named(one.finding)}: "{_quoted(where.text)}".'
        )
        yield line.about("CON-3", "error" if doc.drafted or exact else "warning", message, claim, _ids(line, where))


def _at_odds(normal: Claim, abnormal: Claim) -> bool:
    if not sides_meet(normal.side, abnormal.side):
        return False
    site = normal.anatomy or ""
    if abnormal.finding in _DENIED_BY_NORMAL.get(site, ()):
        return True
    covered = _COVERED.get(site)
    if covered is None:
        return False
    system, least, other = covered
    return (
        (system_of(abnormal) == system or (site == "lung" and abnormal.finding == "hilar_mass"))
        and urgency(abnormal.finding) >= least
        and not other & kinds_of(abnormal.finding or "")
        # "the lungs are clear" after one side was named speaks of that side's lung
        and not (normal.side in (Side.LEFT, Side.RIGHT) and abnormal.side is None)
    )


def lost_from_impression(doc: Document) -> Iterator[Issue]:
    """CON-4: an abnormality of weight is asserted in the findings and the impression passes over it.

    An error where it is urgent in a draft, or critical while the impression calls all well; else a warning.
    """
    if not doc.impression:
        return
    if any(_AS_ABOVE.search(line.text) for line in doc.impression):
        return
    said = {
        claim.finding
        for line in doc.impression
        for claim in line.claims
        if claim.finding is not None and claim.assertion is not Assertion.ABSENT
    }
    denied = {claim.finding for _, claim in pairs(doc.impression, Assertion.ABSENT) if claim.finding is not None}
    all_well = any(_ALL_WELL.search(line.text) for line in doc.impression)
    told: set[str] = set()
    for line, claim in pairs(doc.findings, Assertion.PRESENT):
        finding = claim.finding
        if finding is None or finding in told or not is_abnormal(finding) or urgency(finding) < LOST_FROM:
            continue
        if finding in _SECONDARY or _OLD.intersection(claim.qualifiers) or says(_HEALED, line.text):
            continue
        if any(near(one, finding) or finding in _explains(one) for one in said):
            continue
        if claim.change is Change.RESOLVED or denied & kinds_of(finding):
            continue
        told.add(finding)
        entry = lexicon().findings[finding]
        grave = entry.critical and all_well and is_plain(line.text)
        severity: Severity = "error" if grave or (doc.drafted and entry.urgency > 50) else "warning"
        message = f"{capital(entry.name)} stands in the findings, and the impression passes over it."
        yield line.about("CON-4", severity, message, claim, _ids(line))


def _explains(diagnosis: str) -> frozenset[str]:
    """What a diagnosis in the impression says along with it."""
    return _EXPLAINED.get(diagnosis, frozenset())


_EXPLAINED = {
    "pneumonia": frozenset({"consolidation", "opacity", "ground_glass_opacity", "interstitial_changes"}),
    "heart_failure": frozenset({"pulmonary_edema", "vascular_congestion", "cardiomegaly"}),
    "malignancy": frozenset({"mass", "nodule", "hilar_mass"}),
    "tuberculosis": frozenset({"consolidation", "cavity", "opacity", "nodule"}),
    "ards": frozenset({"consolidation", "opacity", "pulmonary_edema"}),
    "pulmonary_edema": frozenset({"vascular_congestion", "opacity", "ground_glass_opacity"}),
    "metastases": frozenset({"nodule", "mass", "bone_lesion"}),
}


def _place(line: Line) -> str:
    return line.section if line.section != "body" else "text"


def _quoted(text: str) -> str:
    words = " ".join(text.split())
    return words if len(words) <= 80 else words[:77].rstrip() + "..."


def _ids(*lines: Line) -> tuple[str, ...]:
    ids = (id for line in lines if line.statement is not None for id in line.statement.evidence)
    return tuple(dict.fromkeys(ids))


CHECKS = (
    Check("CON-1", "Present here, absent there", present_and_absent),
    Check("CON-2", "Finding in the impression alone", impression_only),
    Check("CON-3", "Normal beside an abnormality", normal_beside_abnormal),
    Check("CON-4", "Finding lost from the impression", lost_from_impression),
)
