"""What becomes of each element: the Basic Application Level Confidentiality Profile of DICOM PS3.15 E.2, and options.

The actions of Table E.1-1 are taken from the library dicom-anonymizer (edition 2026c). Beyond the table, what it does
not name is judged by its value representation: names of persons are emptied, addresses and unknown elements removed,
instance UIDs replaced, texts cleaned.

Compound codes depend on whether the object's IOD requires the element. They are resolved so that the object stays
conformant: in objects with functional groups (the enhanced IODs), which require such elements, by the last letter, a
dummy or new UIDs; in all others X/Z and Z/D are emptied and X/D, X/Z/D and X/Z/U* removed.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from typing import Final

EDITION: Final = "2026c"
STANDARD_UID: Final = "1.2.840.10008."
"""Root of the UIDs that DICOM itself defines: they name classes, never instances."""


class Action(StrEnum):
    """What is done to one element."""

    KEEP = "kept"
    REMOVE = "removed"
    EMPTY = "emptied"
    DUMMY = "replaced"
    REMAP = "new UIDs"
    CLEAN = "cleaned"
    SHIFT = "dates shifted"
    ENTER = "entered"
    """A sequence that stays: its items are de-identified in turn."""


@dataclass(frozen=True, slots=True)
class Options:
    """The options of PS3.15 Annex E.3 that are applied, each with its code of CID 7050.

    Attributes:
        descriptors: Clean Descriptors (113105): descriptions and comments stay, cleaned of what the headers name.
        shift_dates: Retain Longitudinal Temporal Information with Modified Dates (113107).
        characteristics: Retain Patient Characteristics (113108).
        uids: Retain UIDs (113110).
    """

    descriptors: bool = True
    shift_dates: bool = False
    characteristics: bool = False
    uids: bool = False

    def codes(self) -> tuple[tuple[str, str], ...]:
        """Code value and meaning (scheme DCM) of the profile and of each option applied, as CID 7050 has them."""
        chosen = (
            (True, "113100", "Basic Application Confidentiality Profile"),
            (self.descriptors, "113105", "Clean Descriptors Option"),
            (self.shift_dates, "113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
            (self.characteristics, "113108", "Retain Patient Characteristics Option"),
            (self.uids, "113110", "Retain UIDs Option"),
        )
        return tuple((value, meaning) for applied, value, meaning in chosen if applied)


_DESCRIBING = """
    AcquisitionComments AcquisitionDeviceProcessingDescription AcquisitionFieldOfViewLabel
    AcquisitionProtocolDescription AdditionalPatientHistory AdmittingDiagnosesCodeSequence AdmittingDiagnosesDescription
    Allergies AnnotationGroupDescription AnnotationGroupLabel ClinicalTrialSeriesDescription
    ClinicalTrialTimePointDescription CommentsOnRadiationDose CommentsOnThePerformedProcedureStep ContainerDescription
    ContrastBolusAgent ContributionDescription DecompositionDescription DerivationDescription
    DischargeDiagnosisDescription FrameComments IdentifyingComments ImageComments ImagingServiceRequestComments
    Impressions InterpretationDiagnosisDescription InterpretationText LabelText LongDeviceDescription MedicalAlerts
    MultienergyAcquisitionDescription Occupation PatientComments PatientState PerformedProcedureStepDescription
    ProtocolName PyramidDescription PyramidLabel ReasonForRequestedProcedureCodeSequence ReasonForStudy
    ReasonForTheImagingServiceRequest ReasonForTheRequestedProcedure ReasonForVisit ReasonForVisitCodeSequence
    RequestAttributesSequence RequestedContrastAgent RequestedProcedureComments RequestedProcedureDescription
    RequestedSeriesDescription RespiratoryMotionCompensationTechniqueDescription ResultsComments
    ScheduledProcedureStepDescription SeriesDescription ServiceEpisodeDescription SpecimenDetailedDescription
    SpecimenShortDescription StudyComments StudyDescription VisitComments
"""
_DESCRIPTORS = frozenset(_DESCRIBING.split())
"""Elements with code C in the column Clean Descriptors, as far as images have them; others stay removed."""

_CHARACTERISTICS = frozenset(
    {
        "EthnicGroup",
        "PatientAge",
        "PatientSex",
        "PatientSexNeutered",
        "PatientSize",
        "PatientWeight",
        "PregnancyStatus",
        "SmokingStatus",
    }
)
_CLEANED_CHARACTERISTICS = frozenset({"Allergies", "PatientState", "PreMedication", "SpecialNeeds"})
_REFERENCES = frozenset({"ReferencedImageSequence", "SourceImageSequence"})
_OF_A_PERSON = frozenset({"PatientBirthDate", "PatientBirthTime"})
"""Dates that no option retains."""
_WITHOUT_TEXT = frozenset({"ContentSequence", "GraphicAnnotationSequence", "WaveformAnnotationSequence"})
"""Annotations. What they say cannot be cleaned."""
_NAMING_UIDS = frozenset(
    {"CodingSchemeUID", "ContextGroupExtensionCreatorUID", "ContextUID", "ImplementationClassUID", "MappingResourceUID"}
)
"""UIDs of coding schemes and software: they name no instance."""

_TEXTS = frozenset({"LO", "LT", "SH", "ST", "UC", "UT", "CS"})
_TIMES = frozenset({"DA", "DT", "TM"})


@cache
def table() -> dict[int, str]:
    """Table E.1-1: the basic profile's action code by tag. Repeating groups are judged apart."""
    from dicomanonymizer.dicomfields_selector import dicom_anonymization_database_selector

    listed: dict[str, list[tuple[int, ...]]] = dicom_anonymization_database_selector(f"dicomfields_{EDITION}")
    codes = {
        "X_TAGS": "X", "Z_TAGS": "Z", "D_TAGS": "D", "U_TAGS": "U", "Z_D_TAGS": "Z/D", "X_Z_TAGS": "X/Z",
        "X_D_TAGS": "X/D", "X_Z_D_TAGS": "X/Z/D", "X_Z_U_STAR_TAGS": "X/Z/U*",
    }  # fmt: skip
    return {
        tag[0] << 16 | tag[1]: code for category, code in codes.items() for tag in listed[category] if len(tag) == 2
    }


def action_for(tag: int, vr: str, options: Options, *, enhanced: bool) -> Action:
    """What becomes of an element.

    Args:
        tag: Its tag.
        vr: Its value representation.
        options: What is retained or cleaned.
        enhanced: Whether the object has functional groups; decides compound codes.
    """
    from pydicom.datadict import keyword_for_tag

    group, element = tag >> 16, tag & 0xFFFF
    # Overlays go as a whole, labels and descriptions with their planes: PS3.15 names data and comments alone, which
    # leaves the rest of an overlay without what it describes.
    if group % 2 or group == 0x0004 or element == 0 or group >> 8 in (0x50, 0x60) or tag == 0xFFFCFFFC:
        return Action.REMOVE
    keyword = keyword_for_tag(tag)
    code = table().get(tag)
    if (not keyword and code is None) or vr == "UN" or keyword in _WITHOUT_TEXT:
        return Action.REMOVE
    chosen = _by_option(keyword, vr, code, options)
    if chosen is not None:
        return chosen
    return _by_representation(keyword, vr) if code is None else _by_code(code, vr, enhanced)


def _by_option(keyword: str, vr: str, code: str | None, options: Options) -> Action | None:
    if options.uids and ((vr == "UI" and code in ("U", None)) or keyword in _REFERENCES):
        return Action.ENTER if vr == "SQ" else Action.KEEP
    if options.shift_dates and keyword not in _OF_A_PERSON:
        if vr in ("DA", "DT"):
            return Action.SHIFT
        if vr == "TM" or keyword == "TimezoneOffsetFromUTC":
            return Action.KEEP
    if options.characteristics:
        if keyword in _CHARACTERISTICS:
            return Action.KEEP
        if keyword in _CLEANED_CHARACTERISTICS:
            return Action.CLEAN
    if options.descriptors and keyword in _DESCRIPTORS:
        return Action.ENTER if vr == "SQ" else Action.CLEAN
    return None


def _by_code(code: str, vr: str, enhanced: bool) -> Action:
    if "/" in code:
        plain = "Z" if code in ("X/Z", "Z/D") else "X"
        code = code.rstrip("*")[-1] if enhanced else plain
    if code == "U" or (code == "D" and vr == "UI"):
        return Action.ENTER if vr == "SQ" else Action.REMAP
    return {"X": Action.REMOVE, "Z": Action.EMPTY, "D": Action.DUMMY}[code]


def _by_representation(keyword: str, vr: str) -> Action:
    if vr == "PN" or vr in _TIMES:
        return Action.EMPTY
    if vr in ("AE", "UR"):
        return Action.REMOVE
    if vr == "UI":
        return Action.KEEP if keyword in _NAMING_UIDS else Action.REMAP
    if vr == "SQ":
        return Action.ENTER
    return Action.CLEAN if vr in _TEXTS else Action.KEEP
