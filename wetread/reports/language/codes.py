"""Codes of findings, sites, sides, assertions and sections, from one table; and the check digits of code systems.

`codes.json` holds only codes whose meaning stands in DICOM's own tables (PS3.16, as bundled with pydicom); what is not
there stays without a code. The model never gives a code. Left out on purpose: cardiomegaly, for which those tables have
287272002, the code of an enlarged septal foramen; and RadLex, of which they hold no chest finding.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Literal

from wetread.reports.language.lexicon import read_data
from wetread.values import Value

Kind = Literal["findings", "anatomies", "sides", "assertions", "sections"]
Scheme = Literal["SCT", "DCM", "LN"]

_URI = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "LN": "http://loinc.org",
}
_SNOMED = re.compile(r"[1-9][0-9]{5,17}")
_PERMUTE = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
_LOINC = re.compile(r"([0-9]{1,7})-([0-9])")


class Code(Value):
    """A code: DICOM coding scheme designator, value and meaning."""

    scheme: Scheme
    value: str
    meaning: str

    @property
    def system(self) -> str:
        """The code system's URI in FHIR."""
        return _URI[self.scheme]


def code_of(kind: Kind, key: str) -> Code | None:
    """The code of a finding, site, side, assertion or section by its key; None where it has no verified one."""
    return _table()[kind].get(key)


def codes() -> dict[Kind, dict[str, Code]]:
    """The whole table: codes by kind and key."""
    return {kind: dict(entries) for kind, entries in _table().items()}


def snomed_valid(code: str) -> bool:
    """Whether a SNOMED CT identifier has 6 to 18 digits and the right check digit (Verhoeff's dihedral scheme)."""
    return _SNOMED.fullmatch(code) is not None and _verhoeff(code) == 0


def loinc_valid(code: str) -> bool:
    """Whether a LOINC code has the right check digit (Luhn's, modulus 10)."""
    match = _LOINC.fullmatch(code)
    if match is None:
        return False
    total = 0
    for place, digit in enumerate(reversed(match[1])):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value
    return (10 - total % 10) % 10 == int(match[2])


@cache
def _table() -> dict[Kind, dict[str, Code]]:
    return {
        kind: {key: Code(scheme=scheme, value=value, meaning=meaning) for key, (scheme, value, meaning) in rows.items()}
        for kind, rows in read_data("codes.json").items()
    }


def _verhoeff(digits: str) -> int:
    check = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit)
        for _ in range(place % 8):
            value = _PERMUTE[value]
        check = _dihedral(check, value)
    return check


def _dihedral(one: int, other: int) -> int:
    """The product in the dihedral group of order ten: 0 to 4 are turns, 5 to 9 turns of the mirror image."""
    if one < 5:
        return (one + other) % 5 if other < 5 else 5 + (one + other - 5) % 5
    return 5 + (one - 5 - other) % 5 if other < 5 else (one - other) % 5
