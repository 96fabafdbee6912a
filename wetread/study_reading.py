"""Files to a `Study`: every header is read and checked, every identifier is dropped or scrubbed here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Literal

from wetread.deidentify import Identifiers
from wetread.errors import InputError
from wetread.imaging import pictures
from wetread.imaging.header import DicomFacts, RightOn, one_way, read_dicom
from wetread.study import ImageSource, PriorReport, Spacing, Study, StudyImage
from wetread.study_files import (
    YAML_NAMES,
    ListedImage,
    StudyFile,
    StudyFolder,
    StudySheet,
    clean_text,
    find_files,
    parse_view,
    read_sheet,
    read_text,
    shown_path,
    view_names,
)
from wetread.vocabulary import RADIOGRAPH, View

Role = Literal["current", "prior"]

MAX_IMAGES = 1024
MAX_STUDY_PIXELS = 1_000_000_000
MAX_TEXT = 4_000
"""Characters of an exam, indication, history or technique; more is cut, with a warning."""
MAX_REPORT = 20_000
"""Characters of a prior report; more is cut, with a warning."""

FILM = "RG"
"""Modality of a picture whose radiographic view is given: DICOM's term for radiographic imaging of unknown detector."""

_VIEW_ORDER = (View.PA, View.AP, View.FRONTAL, View.LATERAL, View.OTHER, View.UNKNOWN)


@dataclass(frozen=True, slots=True)
class _Found:
    """One image file with all that is known of it, before it has a handle."""

    file: StudyFile
    role: Role
    position: int
    rows: int
    columns: int
    frames: int
    modality: str
    view: View
    patient_right_on: RightOn = "unknown"
    body_part: str | None = None
    spacing: Spacing | None = None
    acquired: date | None = None
    notes: tuple[str, ...] = ()
    facts: DicomFacts | None = None


def read_study(
    paths: Sequence[Path | str] | Path | str,
    *,
    indication: str | None = None,
    view: str | None = None,
    prior: Sequence[Path | str] | Path | str = (),
    prior_report: Path | str | None = None,
    exam: str | None = None,
    history: str | None = None,
    technique: str | None = None,
) -> Study:
    """Read one study.

    Args:
        paths: DICOM files, pictures (PNG, JPEG, TIFF), folders of them, or one folder with a `study.yaml`; one path or
            several.
        indication, exam, history, technique: The order's texts; they stand before those of `study.yaml` and of headers.
        view: View of the one current image that has none in its header, or that alone makes up the study.
        prior: Images of an earlier study, as files or folders.
        prior_report: The earlier report, UTF-8 text.

    Returns:
        The study. Images are ordered: current before prior; PA, AP, other frontals, lateral, others; then series,
        instance and frame number. Each frame of a multi-frame object is an image of its own. Texts are clean of every
        identifier that the headers name.

    Raises:
        InputError: for anything that cannot be used; the message names files only as a person typed them.
    """
    listed = [paths] if isinstance(paths, Path | str) else paths
    earlier = [prior] if isinstance(prior, Path | str) else prior
    return _Reader().read(
        [Path(path) for path in listed],
        given={"exam": exam, "indication": indication, "history": history, "technique": technique},
        view=view,
        prior=[Path(path) for path in earlier],
        prior_report=Path(prior_report) if prior_report is not None else None,
    )


class _Reader:
    def __init__(self) -> None:
        self.identifiers = Identifiers()
        self.warnings: list[str] = []

    def read(
        self,
        paths: list[Path],
        *,
        given: dict[str, str | None],
        view: str | None,
        prior: list[Path],
        prior_report: Path | None,
    ) -> Study:
        if not paths:
            raise InputError(
                "WET-INPUT-EMPTY", "No study is given.", "Give DICOM files, pictures, or a folder of them."
            )
        described = self._described(paths)
        sheet = described.sheet if described is not None else StudySheet()
        if sheet.patient:
            self.identifiers.add_value(sheet.patient)
        if described is not None and described.files:
            listed = [(file, image.role) for file, image in zip(described.files, sheet.images, strict=True)]
            found = self._images(listed, sheet.images)
        else:
            files = find_files([described.folder] if described is not None else paths)
            report_file = described.prior_report_file if described is not None else None
            found = self._images([(file, "current") for file in files if file.path.resolve() != report_file])
        found += self._images([(file, "prior") for file in find_files(prior)], start=len(found))
        found = self._without_copies(found)
        current = [image for image in found if image.role == "current"]
        if not current:
            raise InputError(
                "WET-INPUT-NOIMAGE",
                f"There is no image of the current study in {', '.join(map(shown_path, paths))}.",
                "Give DICOM files or PNG, JPEG or TIFF pictures.",
            )
        self._check_one_patient(found)
        self._check_one_study(current)
        if view is not None:
            found = self._with_view(found, view)
        found = self._as_film(found)
        report = described.prior_report if described is not None else None
        return self._compose(found, sheet, given, self._report_text(prior_report, report), prior_report is None)

    def _described(self, paths: list[Path]) -> StudyFolder | None:
        """The study's folder with its sheet, where there is one."""
        for path in paths:
            sheets = [path / name for name in YAML_NAMES if (path / name).is_file()] if path.is_dir() else []
            if path.name in YAML_NAMES and path.is_file():
                sheets = [path]
            if sheets:
                if len(paths) > 1:
                    raise InputError(
                        "WET-INPUT-YAML",
                        f"{shown_path(sheets[0])} describes a whole study, and other paths are given beside it.",
                        "Give that folder alone, or list the other files in study.yaml.",
                    )
                return read_sheet(sheets[0])
        return None

    def _images(
        self, files: list[tuple[StudyFile, Role]], listed: tuple[ListedImage, ...] = (), start: int = 0
    ) -> list[_Found]:
        found: list[_Found] = []
        left_out = 0
        for position, (file, role) in enumerate(files, start):
            image = self._image(file, role, position)
            if image is None:
                left_out += 1
                continue
            found.append(_told(image, listed[position - start]) if listed else image)
            if sum(one.frames for one in found) > MAX_IMAGES:
                raise InputError(
                    "WET-INPUT-MANY", f"The study has more than {MAX_IMAGES} images.", "Give the images that matter."
                )
        if sum(one.rows * one.columns * one.frames for one in found) > MAX_STUDY_PIXELS:
            raise InputError(
                "WET-INPUT-LARGE",
                f"The study has more than {MAX_STUDY_PIXELS // 1_000_000} million pixels in all.",
                "Give the images that matter.",
            )
        if left_out:
            self.warnings.append(f"{left_out} file{'s that are' if left_out > 1 else ' that is'} no image left out.")
        return found

    def _image(self, file: StudyFile, role: Role, position: int) -> _Found | None:
        if file.kind == "picture":
            try:
                size = pictures.inspect(file.path)
            except InputError as error:
                raise InputError(error.code, f"{file.shown}: {error.message}", error.hint) from error
            return _Found(
                file=file,
                role=role,
                position=position,
                rows=size.rows,
                columns=size.columns,
                frames=size.frames,
                modality="unknown",
                view=View.UNKNOWN,
            )
        facts = None
        if file.kind != "other":
            required = file.kind == "dicom" and file.asked_for
            try:
                facts = read_dicom(file.path, file.shown, self.identifiers, required=required)
            except InputError as error:
                # What only might have been DICOM and does not parse is simply no image.
                if file.kind == "dicom" or file.asked_for or error.code != "WET-INPUT-DICOM":
                    raise
        if facts is None:
            if file.asked_for or (file.looks_like_image and file.kind != "dicom"):
                raise InputError(
                    "WET-INPUT-NOTIMAGE",
                    f"{file.shown} is neither DICOM nor a PNG, JPEG or TIFF picture.",
                    "Give one of these.",
                )
            return None
        return _Found(
            file=file,
            role=role,
            position=position,
            rows=facts.rows,
            columns=facts.columns,
            frames=facts.frames,
            modality=facts.modality,
            view=facts.view,
            patient_right_on=facts.patient_right_on,
            body_part=facts.body_part,
            spacing=facts.spacing,
            acquired=facts.acquired,
            notes=facts.notes,
            facts=facts,
        )

    def _without_copies(self, found: list[_Found]) -> list[_Found]:
        seen: set[str] = set()
        kept = []
        for image in found:
            instance = image.facts.instance if image.facts is not None else None
            if instance is not None and instance in seen:
                continue
            if instance is not None:
                seen.add(instance)
            kept.append(image)
        copies = len(found) - len(kept)
        if copies:
            self.warnings.append(f"{copies} further cop{'ies' if copies > 1 else 'y'} of the same image left out.")
        return kept

    def _check_one_patient(self, found: list[_Found]) -> None:
        facts = [image.facts for image in found if image.facts is not None]
        kinds = ["patient", "birth"]
        if any(one.patient is None for one in facts):
            kinds.append("name")  # spelled differently now and then, so it decides only where there is no number
        for kind in kinds:
            keys = {getattr(one, kind) for one in facts} - {None}
            if len(keys) > 1:
                raise InputError(
                    "WET-INPUT-PATIENTS",
                    f"The images belong to {len(keys)} patients by their headers.",
                    "Give the images of one patient.",
                )
        named = sum(one.patient is not None or one.name is not None for one in facts)
        if 0 < named < len(facts):
            self.warnings.append("Not all headers name a patient: whether the images are of one could not be checked.")

    def _check_one_study(self, current: list[_Found]) -> None:
        dates = {
            image.facts.acquired
            for image in current
            if image.facts is not None and image.facts.study is not None and image.facts.acquired is not None
        }
        studies = {image.facts.study for image in current if image.facts is not None} - {None}
        if len(studies) > 1 and len(dates) > 1:
            raise InputError(
                "WET-INPUT-STUDIES",
                f"The images belong to {len(studies)} studies of {len(dates)} days.",
                "Give one study, and earlier ones by --prior or as `role: prior` in study.yaml.",
            )
        undated = any(image.facts is not None and image.facts.acquired is None for image in current)
        if len(studies) > 1 and undated:
            self.warnings.append(f"The images belong to {len(studies)} studies, whose days are not all known.")

    def _with_view(self, found: list[_Found], text: str) -> list[_Found]:
        view = parse_view(text)
        if view is None:
            raise InputError("WET-INPUT-VIEW", f"There is no view {text[:40]!r}.", f"Views are: {view_names()}.")
        current = [image for image in found if image.role == "current"]
        unknown = [image for image in current if image.view is View.UNKNOWN]
        meant = unknown if unknown else current
        if len(meant) > 1:
            raise InputError(
                "WET-INPUT-VIEW",
                f"--view names the view of one image, and {len(meant)} could be meant.",
                "Give each image its view in a study.yaml.",
            )
        chosen = meant[0]
        return [_seen_as(image, view, "--view") if image is chosen else image for image in found]

    def _as_film(self, found: list[_Found]) -> list[_Found]:
        """A picture with a radiographic view is a radiograph; of which kind, nobody said."""
        return [
            replace(image, modality=FILM)
            if image.facts is None and image.modality == "unknown" and image.view is not View.UNKNOWN
            else image
            for image in found
        ]

    def _compose(
        self,
        found: list[_Found],
        sheet: StudySheet,
        given: dict[str, str | None],
        prior_report: str | None,
        from_sheet: bool,
    ) -> Study:
        ordered = sorted(found, key=_rank)
        facts = [image.facts for image in ordered if image.facts is not None and image.role == "current"]
        acquired = sheet.date or next((image.acquired for image in ordered if image.role == "current"), None)
        texts = {}
        for name in ("exam", "indication", "history", "technique"):
            from_header = next((text for one in facts if (text := getattr(one, name, None))), None)
            texts[name] = self._text(given[name] or getattr(sheet, name) or from_header, MAX_TEXT, f"The {name}")
        age = next((one.age_years for one in facts if one.age_years is not None), None)
        sex = next((one.sex for one in facts if one.sex is not None), None)
        for name, told, header in (("age", sheet.age, age), ("sex", sheet.sex, sex)):
            if (
                told is not None
                and header is not None
                and told != header
                and (name != "age" or min(told, 90) != header)
            ):
                self.warnings.append(f"The {name} in study.yaml differs from the image header; study.yaml was taken.")
        report_date = sheet.prior_report.date if from_sheet and sheet.prior_report is not None else None
        of_patient = next((key for one in facts if (key := one.patient or one.name)), None)
        return Study(
            images=tuple(self._study_images(ordered, acquired)),
            acquired=acquired,
            age_years=min(sheet.age, 90) if sheet.age is not None else age,
            sex=sheet.sex or sex,
            prior_report=self._prior_report(prior_report, report_date, acquired),
            warnings=tuple(self.warnings),
            patient_key=one_way("patient", sheet.patient) if sheet.patient else of_patient,
            **texts,
        ).knowing(self.identifiers)

    def _study_images(self, ordered: list[_Found], acquired: date | None) -> Iterable[StudyImage]:
        number = 0
        for image in ordered:
            days = None
            notes = list(image.notes)
            if image.role == "prior" and acquired is not None and image.acquired is not None:
                days = (acquired - image.acquired).days
                if days < 0:
                    days = None
                    notes.append("Dated after the current study.")
            for frame in range(image.frames):
                number += 1
                rows, columns = image.rows, image.columns
                if image.facts is None and frame > 0:
                    rows, columns = pictures.frame_size(image.file.path, frame)
                yield StudyImage(
                    handle=f"image_{number}",
                    role=image.role,
                    modality=image.modality,
                    body_part=self.identifiers.scrub(image.body_part) if image.body_part else None,
                    view=image.view,
                    patient_right_on="unknown" if image.view is View.LATERAL else image.patient_right_on,
                    rows=rows,
                    columns=columns,
                    frame=frame,
                    frames=image.frames,
                    spacing=image.spacing,
                    acquired=image.acquired,
                    days_before=days,
                    notes=tuple(notes),
                    source=ImageSource(
                        path=image.file.path.absolute(), frame=frame, kind="picture" if image.facts is None else "dicom"
                    ),
                )

    def _report_text(self, path: Path | None, listed: str | None) -> str | None:
        raw = read_text(path, shown_path(path)) if path is not None else listed
        return self._text(raw, MAX_REPORT, "The prior report")

    def _prior_report(self, text: str | None, dated: date | None, acquired: date | None) -> PriorReport | None:
        if text is None:
            return None
        days = (acquired - dated).days if acquired is not None and dated is not None else None
        if days is not None and days < 0:
            self.warnings.append("The prior report is dated after the current study.")
            days = None
        return PriorReport(text=text, acquired=dated, days_before=days)

    def _text(self, text: str | None, limit: int, what: str) -> str | None:
        if text is None:
            return None
        # Scrubbed first: a cut must not leave half an identifier standing.
        cleaned, _ = clean_text(text, 4 * limit)
        kept, cut = clean_text(self.identifiers.scrub(cleaned), limit)
        if cut:
            self.warnings.append(f"{what} was cut after {limit} characters.")
        return kept or None


def _told(image: _Found, listed: ListedImage) -> _Found:
    """An image with what `study.yaml` says of it."""
    if listed.view is not None:
        image = _seen_as(image, listed.view, "study.yaml")
    notes = list(image.notes)
    right_on = image.patient_right_on
    if listed.patient_right_on is not None:
        if "unknown" not in (right_on, listed.patient_right_on) and right_on != listed.patient_right_on:
            notes.append("The header puts the patient's right on the other side than study.yaml; study.yaml was taken.")
        right_on = listed.patient_right_on
    if listed.modality is not None and image.facts is not None and listed.modality != image.modality:
        notes.append("The modality in study.yaml differs from the header's; the header's was taken.")
    return replace(
        image,
        patient_right_on=right_on,
        modality=image.modality if image.facts is not None else listed.modality or image.modality,
        acquired=listed.date or image.acquired,
        notes=tuple(notes),
    )


def _seen_as(image: _Found, view: View, said_by: str) -> _Found:
    """An image with a view that a person gave; where the header says another, that is noted."""
    notes = image.notes
    if image.view not in (View.UNKNOWN, view):
        notes = (*notes, f"The header says view {image.view.value}, {said_by} {view.value}; the latter was taken.")
    return replace(image, view=view, notes=notes)


def _rank(image: _Found) -> tuple[object, ...]:
    series, instance = image.facts.order if image.facts is not None else (0, 0)
    newest_first = -image.acquired.toordinal() if image.role == "prior" and image.acquired is not None else 0
    radiograph = image.modality in RADIOGRAPH
    return (
        image.role == "prior",
        newest_first,
        _VIEW_ORDER.index(image.view) if radiograph else len(_VIEW_ORDER),
        series,
        instance,
        image.position,
    )
