"""Codes for DICOM exports: the lexicon's, from its one table, and the few that only DICOM objects need.

Each stands with its meaning in pydicom's copy of the tables of PS3.16; a test compares them. A finding without a code
there has a private one: scheme `99WETREAD`, the lexicon's key as value (PS3.3 8.2: private schemes begin with 99).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from wetread.reports.language.codes import Kind, code_of
from wetread.vocabulary import Assertion, Change, Side

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

PRIVATE = "99WETREAD"
MAX_VALUE = 16
"""Characters of a Code Value (VR SH)."""


class Concept(NamedTuple):
    """A code as it is written: value, coding scheme, meaning."""

    value: str
    scheme: str
    meaning: str

    def code(self) -> Code:
        from pydicom.sr.coding import Code

        return Code(self.value, self.scheme, self.meaning)


def _sct(value: str, meaning: str) -> Concept:
    return Concept(value, "SCT", meaning)


def _dcm(value: str, meaning: str) -> Concept:
    return Concept(value, "DCM", meaning)


def _of(kind: Kind, key: str) -> Concept | None:
    found = code_of(kind, key)
    return Concept(found.value, found.scheme, found.meaning) if found is not None else None


PRESENCE = _dcm("121052", "Presence of property")
"""Values, CID 240: Present, Absent, Undetermined. What is only history has none: it is no finding of this study."""

LATERALITY = _sct("272741003", "Laterality")

CHANGE = Concept("change", PRIVATE, "Change since the comparison study")

ANATOMY = _sct("91723000", "Anatomical Structure")
ABNORMAL_STRUCTURE = _sct("49755003", "Morphologically Abnormal Structure")
SEGMENTS: dict[str, tuple[Kind, str, Side | None]] = {
    "left lung": ("anatomies", "lung", Side.LEFT),
    "right lung": ("anatomies", "lung", Side.RIGHT),
    "heart": ("anatomies", "heart", None),
    "lung opacity": ("findings", "opacity", None),
}
"""What a structure's mask is of, and the patient's side that its name says, by that name."""

AI = _dcm("123110", "Artificial Intelligence")
"""Algorithm family, CID 7162."""
REPORT = Concept("18748-4", "LN", "Diagnostic Imaging Report")
MEASUREMENT_REPORT = _dcm("126000", "Imaging Measurement Report")
COMMENT = _dcm("121106", "Comment")

ELEMENTS = {
    "findings": _dcm("121071", "Finding"),
    "impression": _dcm("121073", "Impression"),
    "recommendation": _dcm("121075", "Recommendation"),
    "comparison": _dcm("121069", "Previous Finding"),
    "technique": _dcm("121065", "Procedure Description"),
    "history": Concept("11329-0", "LN", "History"),
}
"""Names of the text items beneath a heading, CID 7002; beneath another heading an item is a `COMMENT`."""


def private(key: str, meaning: str) -> Concept:
    """A private code whose value tells keys apart within 16 characters."""
    from wetread.values import sha256_hex

    value = key if len(key) <= MAX_VALUE else f"{key[: MAX_VALUE - 7]}-{sha256_hex(key.encode())[:6]}"
    return Concept(value, PRIVATE, meaning[:64])


def finding_code(key: str) -> Concept:
    """The code of a finding of the lexicon."""
    return _of("findings", key) or private(key, key.replace("_", " "))


def site_code(anatomy: str | None) -> Concept | None:
    """The code of a place; None where the table has none."""
    return _of("anatomies", anatomy) if anatomy else None


def side_code(side: Side | None) -> Concept | None:
    """Laterality, CID 244; the midline is none."""
    return _of("sides", side) if side not in (None, Side.MIDLINE) else None


def presence_code(assertion: Assertion) -> Concept:
    """The value of `PRESENCE`.

    Raises:
        KeyError: for what is only history.
    """
    found = _of("assertions", assertion)
    if found is None:
        raise KeyError(assertion)
    return found


def heading(section: str) -> Concept:
    """The heading of a section, CID 7001.

    Raises:
        KeyError: no such section.
    """
    found = _of("sections", section)
    if found is None:
        raise KeyError(section)
    return found


def segment_codes(label: str, side: Side | None) -> tuple[Concept, Concept, Side | None]:
    """Segmented Property Category (CID 7150), type and side of a mask by its label; else `side`."""
    if label not in SEGMENTS:
        return ABNORMAL_STRUCTURE, private(label.replace(" ", "_") or "region", label or "region"), side
    kind, key, named = SEGMENTS[label]
    found = site_code(key) if kind == "anatomies" else finding_code(key)
    return (ANATOMY if kind == "anatomies" else ABNORMAL_STRUCTURE), found or private(key, label), named


def change_code(change: Change) -> Concept:
    """The code of a change."""
    return private(change.value, change.value)


def measurement_code(name: str) -> Concept:
    """The private code of a measurement. Public ones for the heart's width over the chest's are of an area or a
    circumference."""
    return private(name, name.replace("_", " "))


def unit_code(unit: str) -> Concept:
    """A UCUM unit."""
    return Concept(unit, "UCUM", {"1": "no units", "%": "percent", "cm2": "square centimeter"}.get(unit, unit))
