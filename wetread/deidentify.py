"""Identifiers known from headers, taken out of free text.

The header's own identifiers are the best list of what must not stand in an indication or a prior report (DICOM PS3.15
Annex E names the attributes). Scrubbing is by whole words, so that a short name does not eat into other words.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

REMOVED = "[removed]"

_NAMES = frozenset({"OtherPatientNames", "PatientBirthName", "PatientMotherBirthName", "ResponsiblePerson"})
"""Person names that are not of VR PN everywhere; every element of VR PN is taken as a name anyway."""

_VALUES = frozenset(
    {
        "PatientID",
        "OtherPatientIDs",
        "IssuerOfPatientID",
        "PatientAddress",
        "PatientTelephoneNumbers",
        "PatientTelecomInformation",
        "MedicalRecordLocator",
        "AdmissionID",
        "ServiceEpisodeID",
        "AccessionNumber",
        "StudyID",
        "RequestedProcedureID",
        "PerformedProcedureStepID",
        "ScheduledProcedureStepID",
        "PlacerOrderNumberImagingServiceRequest",
        "FillerOrderNumberImagingServiceRequest",
        "InstitutionName",
        "InstitutionAddress",
        "InstitutionalDepartmentName",
        "ReferringPhysicianAddress",
        "ReferringPhysicianTelephoneNumbers",
        "PersonAddress",
        "PersonTelephoneNumbers",
        "ResponsibleOrganization",
        "RequestingService",
        "CurrentPatientLocation",
        "PatientInstitutionResidence",
        "StationName",
        "PerformedStationName",
        "ScheduledStationName",
        "DeviceSerialNumber",
        "DetectorID",
        "PlateID",
        "CassetteID",
        "DeviceUID",
        "ClinicalTrialSubjectID",
        "ClinicalTrialSubjectReadingID",
        "ClinicalTrialSiteID",
        "ClinicalTrialSiteName",
        "InsurancePlanIdentification",
        "SOPInstanceUID",
    }
)
_STANDARD_UID = "1.2.840.10008."

_COMMON_WORDS = """
    ward exam examination number none unknown unspecified anonymous anonymized anonymised anon patient doctor physician
    hospital clinic department dept radiology radiologist imaging medical centre center system systems emergency room
    test name the and for not with without our chest lung lungs heart left right upper lower middle normal mass nodule
    bone spine neck head brain hand foot knee male female man woman year years old young pain fever cough history prior
    view frontal lateral portable study report new
"""
_COMMON = frozenset(_COMMON_WORDS.split())
"""Words that stand in identifying fields without identifying anyone, and that reports cannot do without."""

_MONTHS = (
    "january|jan|januar|jänner|janvier|enero|gennaio",
    "february|feb|februar|feber|février|fevrier|febrero|febbraio",
    "march|mar|märz|maerz|mars|marzo",
    "april|apr|avril|abril|aprile",
    "may|mai|mayo|maggio",
    "june|jun|juni|juin|junio|giugno",
    "july|jul|juli|juillet|julio|luglio",
    "august|aug|août|aout|agosto",
    "september|sept?|septembre|septiembre|settembre",
    "october|oct|oktober|okt|octobre|octubre|ottobre",
    "november|nov|novembre|noviembre",
    "december|dec|dezember|dez|décembre|decembre|diciembre|dicembre",
)
"""English, German, French, Spanish and Italian."""
_UNSEEN = "\u00ad\u200b-\u200d\u2060\ufeff"
"""Characters that show nothing: soft hyphens, joiners, zero-width spaces."""
_WITHIN = rf"(?:[{_UNSEEN}]|[-\u2010][ \t]*\r?\n[ \t]*)?"
"""What may stand between two letters of one word: something unseen, or a hyphen at the end of a line."""
_MARKS = "[\u0300-\u036f]"
"""Diacritics of their own, as decomposed text has them (NFD)."""
_SPELLED = {
    "ä": "ae",
    "ö": "oe",
    "ü": "ue",
    "ß": "ss",
    "ø": "oe?",
    "å": "aa",
    "æ": "ae",
    "œ": "oe",
    "đ": "dj?",
    "ł": "l",
}


class Identifiers:
    """Words and values that must not appear in any text, collected from headers and options.

    Never printed: `repr` says how many there are, nothing else.
    """

    def __init__(self) -> None:
        self._names: set[tuple[str, ...]] = set()
        self._values: set[str] = set()
        self._dates: set[date] = set()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Identifiers):
            return NotImplemented
        return (self._names, self._values, self._dates) == (other._names, other._values, other._dates)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Identifiers: {len(self._names) + len(self._values) + len(self._dates)}>"

    def add_header(self, dataset: Dataset) -> None:
        """Take in every identifying element of a header, nested sequences included; what does not parse is skipped."""
        for element in _elements(dataset):
            try:
                keyword, vr, value = element.keyword, element.VR, element.value
            except Exception:  # pydicom raises what it likes for values that break their representation
                continue
            if value is None or value == "" or vr == "SQ" or isinstance(value, bytes):
                continue
            values = value if hasattr(value, "__iter__") and not isinstance(value, str) and vr != "PN" else [value]
            if vr == "PN":
                values = value if hasattr(value, "__iter__") and not hasattr(value, "components") else [value]
            for one in values:
                text = str(one)
                if vr == "PN" or keyword in _NAMES:
                    self.add_name(text)
                elif vr == "UI":
                    if not text.startswith(_STANDARD_UID):
                        self.add_value(text)
                elif keyword == "PatientBirthDate":
                    born = parse_date(text)
                    if born is not None:
                        self.add_date(born)
                elif keyword in _VALUES:
                    self.add_value(text)

    def add_name(self, name: str) -> None:
        """A person's name; its parts may be separated by ^, =, commas or spaces (DICOM PN)."""
        for group in unicodedata.normalize("NFC", name).split("="):
            parts = tuple(part for part in re.split(r"[\^,\s]+", group) if part)
            if parts:
                self._names.add(parts)
        self.__dict__.pop("_pattern", None)

    def add_value(self, value: str) -> None:
        """A number, an address, an institution: matched as a whole."""
        text = " ".join(unicodedata.normalize("NFC", value).split())
        if _weight(text) >= 3 and text.casefold() not in _COMMON:
            self._values.add(text)
        self.__dict__.pop("_pattern", None)

    def add_date(self, day: date) -> None:
        """A date of birth, or another that identifies: matched in its usual spellings."""
        self._dates.add(day)
        self.__dict__.pop("_pattern", None)

    def spellings(self, shortest: int) -> frozenset[str]:
        """Names as they stand in headers, their words, and values, of at least so many letters and digits.

        Never to be shown: for a search in bytes, where short ones would be found by chance.
        """
        words = {word for parts in self._names for part in parts for word in re.findall(r"[^\W_]+", part)}
        spelled = {word for word in words if word.casefold() not in _COMMON} | self._values
        spelled |= {"^".join(parts) for parts in self._names if len(parts) > 1}
        return frozenset(text for text in spelled if _weight(text) >= shortest)

    def scrub(self, text: str) -> str:
        """The text with every identifier replaced by `[removed]`."""
        pattern = self._pattern
        return pattern.sub(REMOVED, text) if pattern is not None else text

    def found_in(self, text: str) -> bool:
        """Whether any identifier stands in the text."""
        return self._pattern is not None and self._pattern.search(text) is not None

    @cached_property
    def _pattern(self) -> re.Pattern[str] | None:
        alternatives: set[str] = set()
        for parts in self._names:
            alternatives.update(_name_patterns(parts))
        alternatives.update(_words(re.findall(r"[^\W_]+", value)) for value in self._values)
        for day in self._dates:
            alternatives.update(_date_patterns(day))
        alternatives.discard("")
        if not alternatives:
            return None
        # The longest first, so that a full name goes as one.
        ordered = sorted(alternatives, key=lambda p: (-len(p), p))
        return re.compile("|".join(ordered), re.IGNORECASE)


def _elements(dataset: Dataset) -> Iterable[Any]:
    """All elements, depth first; those that cannot be parsed are left out."""
    for tag in list(dataset.keys()):
        try:
            element = dataset[tag]
            yield element
            if element.VR == "SQ":
                for item in element.value:
                    yield from _elements(item)
        except Exception:
            continue


def _weight(text: str) -> int:
    return sum(c.isalnum() for c in text)


def _is_cjk(text: str) -> bool:
    return any("\u3040" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7a3" for c in text)


def _letter(character: str) -> str:
    """A letter, full width too, or digit; with its diacritics, composed or not, without them, or spelled out."""
    if character.isdecimal():
        return re.escape(character)
    if character.isascii():
        return f"[{character}{chr(ord(character) + 0xFEE0)}]"
    choices = [re.escape(character)]
    base = "".join(c for c in unicodedata.normalize("NFKD", character) if not unicodedata.combining(c))
    if base and base != character:
        choices.append(f"{re.escape(base)}{_MARKS}*")
    spelled = _SPELLED.get(character.lower())
    if spelled:
        choices.append(spelled)
    return f"(?:{'|'.join(choices)})"


def _bounded(pattern: str, text: str) -> str:
    return pattern if _is_cjk(text) else rf"(?<![^\W_]){pattern}(?![^\W_])"


def _words(words: Iterable[str]) -> str:
    """Those words in that order, whatever few characters stand between them."""
    listed = [word for word in words if word]
    if not listed:
        return ""
    return _bounded(r"[\W_]{0,3}".join(map(_word, listed)), "".join(listed))


def _word(word: str) -> str:
    # UIDs come by the thousand, and nobody breaks a line in one: numbers stay plain
    return (_WITHIN if word.isalpha() else "").join(map(_letter, word))


def _name_patterns(parts: tuple[str, ...]) -> Iterable[str]:
    split = [re.findall(r"[^\W_]+", part) for part in parts]  # Smith-Jones, O'Brien
    for first, before in enumerate(split):
        for second, after in enumerate(split):
            if first != second and before and after and sum(map(len, before + after)) >= 4:
                yield _words([*before, *after])
    for place, words in enumerate(split):
        others = {word[0] for other, there in enumerate(split) if other != place for word in there}
        initials = rf"(?:(?:{'|'.join(map(_letter, sorted(others)))})\.[\s-]*){{1,3}}"
        for named in (words, *([word] for word in words if len(words) > 1)):
            text = "".join(named)
            if others and len(text) >= 3 and text.casefold() not in _COMMON:  # L. hand
                whole = r"[\W_]{0,3}".join(map(_word, named))
                yield _bounded(f"{initials}{whole}", "")
                yield rf"(?<![^\W_]){whole},?\s+{initials}(?<=\.)"
        for word in words:
            if word.casefold() not in _COMMON and (len(word) >= 3 or (_is_cjk(word) and len(word) >= 2)):
                yield _words([word])
        if len(words) > 1:
            yield _words(words)


def _date_patterns(when: date) -> Iterable[str]:
    year, short = f"{when.year:04d}", f"{when.year % 100:02d}"
    day, month = f"0?{when.day}", f"0?{when.month}"
    named = rf"(?:{_MONTHS[when.month - 1]})\.?"
    gap = r"[-/.\s\u2010-\u2015]{1,3}"
    yield _bounded(f"{year}{when.month:02d}{when.day:02d}", "")
    yield _bounded(f"{year}{gap}{month}{gap}{day}", "")
    for one, other in ((day, month), (month, day)):
        yield _bounded(rf"{one}{gap}{other}{gap}(?:{year}|{short})", "")
    years = rf"(?:{year}|['\u2019]?{short})"
    yield _bounded(rf"{day}(?:st|nd|rd|th)?[-/.,\s]{{0,3}}(?:(?:of|de) )?{named}[-/.,\s]{{1,3}}(?:de )?{years}", "")
    yield _bounded(rf"{named}[-/.\s]{{0,3}}{day}(?:st|nd|rd|th)?[-/.,\s]{{1,3}}{years}", "")


def parse_date(text: str) -> date | None:
    """The day of a DICOM date or date-time (DA, DT); None for what is none."""
    digits = re.sub(r"[^\d]", "", text[:10] if "." in text[:5] else text)[:8]
    if len(digits) != 8:
        return None
    try:
        return date(int(digits[:4]), int(digits[4:6]), int(digits[6:]))
    except ValueError:
        return None
