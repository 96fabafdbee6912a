"""What a reading is about: one patient's imaging study. Values only; files are read by `study_reading`.

Nothing here identifies a person: names, numbers, UIDs, birth dates and file paths never enter a `Study`, except for
what is private and left out of every dump and repr: `StudyImage.source`, `Study.patient_key`, and what `Study.scrub`
looks for.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Literal

from pydantic import Field, PrivateAttr, field_validator

from wetread.deidentify import Identifiers
from wetread.values import Value
from wetread.vocabulary import RADIOGRAPH, View


class ImageSource(Value):
    """Where the pixels of one image are: a file and, in a multi-frame object, a frame (from 0)."""

    path: Path
    frame: int = 0
    kind: Literal["dicom", "picture"]


class Spacing(Value):
    """Distance between pixel centres in mm, and how far it can be trusted.

    `calibrated`: at the patient (CT, MR; PixelSpacing with PixelSpacingCalibrationType). `detector`:
    ImagerPixelSpacing, magnified by an unknown factor. Zero, negative and absent spacings are no `Spacing` at all.
    """

    row_mm: float = Field(gt=0)
    column_mm: float = Field(gt=0)
    kind: Literal["calibrated", "detector"]


class StudyImage(Value):
    """One image (one frame) of a study, known to agents by its handle alone."""

    handle: str = Field(pattern=r"^image_[1-9][0-9]*$")
    role: Literal["current", "prior"] = "current"
    modality: str = "unknown"
    body_part: str | None = None
    view: View = View.UNKNOWN
    patient_right_on: Literal["left", "right", "unknown"] = "unknown"
    """On which side of the picture the patient's right lies; `left` is the standard frontal view."""
    rows: int = Field(gt=0)
    columns: int = Field(gt=0)
    frame: int = Field(default=0, ge=0)
    frames: int = Field(default=1, ge=1)
    spacing: Spacing | None = None
    acquired: date | None = None
    """For composition by code only; agents see `days_before`."""
    days_before: int | None = None
    """For a prior: days between it and the current study, where both dates are known."""
    notes: tuple[str, ...] = ()
    """What a reader of the report should know of this image (header contradictions, lossy compression, ...)."""
    source: ImageSource = Field(exclude=True, repr=False)

    @property
    def is_radiograph(self) -> bool:
        return self.modality in RADIOGRAPH

    @property
    def is_frontal(self) -> bool:
        return self.view.is_frontal


class PriorReport(Value):
    """A prior report's text (outside text: data, never instruction) and its date."""

    text: str
    acquired: date | None = None
    days_before: int | None = None


class Study(Value):
    """One study to report: images, order, priors, age and sex."""

    images: tuple[StudyImage, ...] = Field(min_length=1)
    exam: str | None = None
    indication: str | None = None
    history: str | None = None
    technique: str | None = None
    age_years: int | None = Field(default=None, ge=0, le=130)
    sex: Literal["F", "M", "O"] | None = None
    acquired: date | None = None
    prior_report: PriorReport | None = None
    warnings: tuple[str, ...] = ()
    patient_key: str | None = Field(default=None, exclude=True, repr=False)
    """One-way key of the patient, used only to leave the same patient out of retrieval."""
    _identifiers: Identifiers = PrivateAttr(default_factory=Identifiers)

    @field_validator("images")
    @classmethod
    def _distinct_handles(cls, images: tuple[StudyImage, ...]) -> tuple[StudyImage, ...]:
        if len({image.handle for image in images}) != len(images):
            raise ValueError("two images share a handle")
        return images

    def knowing(self, identifiers: Identifiers) -> Study:
        """This study, with what its headers name; for `scrub` alone."""
        self._identifiers = identifiers
        return self

    def scrub(self, text: str) -> str:
        """A text that somebody typed about this study, with all that its headers name replaced by `[removed]`."""
        return self._identifiers.scrub(text)

    def image(self, handle: str) -> StudyImage | None:
        """The image of that handle, or None."""
        return next((image for image in self.images if image.handle == handle), None)

    @property
    def current(self) -> tuple[StudyImage, ...]:
        return tuple(image for image in self.images if image.role == "current")

    @property
    def priors(self) -> tuple[StudyImage, ...]:
        return tuple(image for image in self.images if image.role == "prior")

    def frontal(self, role: Literal["current", "prior"] = "current") -> StudyImage | None:
        """The first frontal radiograph of that role: PA before AP before a frontal of unknown projection."""
        order = [View.PA, View.AP, View.FRONTAL]
        frontals = [image for image in self.images if image.role == role and image.is_frontal]
        return min(frontals, key=lambda image: order.index(image.view), default=None)

    def lateral(self) -> StudyImage | None:
        """The first lateral radiograph of the current study."""
        return next((image for image in self.current if image.view is View.LATERAL), None)

    @property
    def has_comparison(self) -> bool:
        """Whether anything of an earlier study is among the inputs."""
        return bool(self.priors) or self.prior_report is not None
