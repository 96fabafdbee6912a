"""The words in which tools, statements and checks speak of findings. Terms follow DICOM and RadLex."""

from __future__ import annotations

from enum import StrEnum


class Modality(StrEnum):
    """DICOM Modality (0008,0060), those this project names; any other is kept as text by `StudyImage.modality`."""

    CR = "CR"
    DX = "DX"
    CT = "CT"
    MR = "MR"
    US = "US"
    UNKNOWN = "unknown"


RADIOGRAPH = frozenset({"CR", "DX", "RG"})
"""Modalities of a projection radiograph."""


class View(StrEnum):
    """Projection of a radiograph, DICOM View Position (0018,5101). Unknown is carried, never guessed."""

    PA = "PA"
    AP = "AP"
    FRONTAL = "frontal"
    """Frontal, projection not known."""
    LATERAL = "lateral"
    OTHER = "other"
    UNKNOWN = "unknown"

    @property
    def is_frontal(self) -> bool:
        return self in (View.PA, View.AP, View.FRONTAL)


class Side(StrEnum):
    """The patient's side. SNOMED CT: right 24028007, left 7771000, bilateral 51440002."""

    RIGHT = "right"
    LEFT = "left"
    BILATERAL = "bilateral"
    MIDLINE = "midline"


class Assertion(StrEnum):
    """What a text or a tool says of a finding."""

    PRESENT = "present"
    ABSENT = "absent"
    UNCERTAIN = "uncertain"
    HISTORICAL = "historical"


class Change(StrEnum):
    """Change against a comparison study."""

    NEW = "new"
    INCREASED = "increased"
    DECREASED = "decreased"
    UNCHANGED = "unchanged"
    RESOLVED = "resolved"


class Origin(StrEnum):
    """Where a model's answer came from. Nobody mistakes one for another."""

    ENDPOINT = "endpoint"
    """A real endpoint, called now."""
    RECORDED = "recorded"
    """A real endpoint's answer, replayed."""
    SIMULATED = "simulated"
    """wetread's own simulator. Means nothing about a patient."""
    AUTHORED = "authored"
    """Written by hand for a scenario."""
    CODE = "code"
    """Computed here, from the study or from other evidence."""
    PERSON = "person"
    """What a reader saw on the images, not a model's answer."""
