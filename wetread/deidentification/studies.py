"""One run over files and folders: looked through first, then written as a whole, or not at all."""

from __future__ import annotations

import os
import secrets
import shutil
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wetread.deidentification.objects import OLDEST, Deidentifier
from wetread.deidentification.pictures import stripped
from wetread.deidentification.profile import Options
from wetread.deidentification.proof import remains
from wetread.deidentification.pseudonyms import Pseudonyms
from wetread.deidentification.risks import UNKNOWN, burned_in
from wetread.deidentification.sources import Patient, Source, look_through
from wetread.errors import DeidentifyError, InputError
from wetread.imaging.quiet import quiet
from wetread.study_files import StudyFolder, clean_text, shown_path

if TYPE_CHECKING:
    from pydicom.dataset import FileDataset

MAX_TEXT = 20_000
"""Characters of a text of `study.yaml` or a prior report that are taken over."""


@dataclass(frozen=True, slots=True)
class Risk:
    """An image that may have text burned in: its new name below the result's folder, and why."""

    file: str
    why: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A file that is not in the result: how it may be called, and why."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run did. Nothing in it identifies a person.

    Attributes:
        written: Names below the result's folder.
        counts: Elements by what was done to them.
        risks: Images that may have text burned into their pixels.
        left_out: What was not de-identified, and so not written.
    """

    written: tuple[str, ...]
    counts: dict[str, int]
    risks: tuple[Risk, ...]
    left_out: tuple[LeftOut, ...]


def deidentify(
    paths: Sequence[Path | str],
    out: Path,
    *,
    options: Options | None = None,
    pseudonyms: Pseudonyms | None = None,
    strict: bool = False,
) -> Outcome:
    """De-identify DICOM images, pictures and a `study.yaml` into a new folder.

    Args:
        paths: Files and folders; of a folder with a `study.yaml`, one alone.
        out: The folder to make; it must not be there, or be empty. It appears when all is written and proved.
        options: What is retained or cleaned.
        pseudonyms: Where UIDs and pseudonyms come from; from a random secret where left out.
        strict: Refuse images that may have text burned in.

    Raises:
        InputError: `WET-INPUT-*`, a file cannot be used, or `WET-INPUT-OUT`, the folder cannot be written.
        DeidentifyError: `WET-DEID-NOTHING`, there is no image; `WET-DEID-BURNED`, one is of risk (`strict`);
            `WET-DEID-REMAINS`, an identifier would stand in a file. Nothing is left behind.
    """
    run = _Run(options or Options(), pseudonyms or Pseudonyms())
    _check_out(out, [Path(path) for path in paths])
    part = out.absolute().with_name(f".{out.absolute().name}.{secrets.token_hex(4)}.part")
    try:
        part.mkdir(parents=True)
        outcome = run.write([Path(path) for path in paths], part)
        if strict and outcome.risks:
            raise DeidentifyError(
                "WET-DEID-BURNED",
                f"{len(outcome.risks)} of {len(outcome.written)} files may have text burned in"
                f" ({outcome.risks[0].why}).",
                "Look at them and leave them out, or do without --strict and look at the result.",
            )
        if out.exists():
            out.rmdir()
        os.replace(part, out)
    except OSError as error:
        raise InputError(
            "WET-INPUT-OUT",
            f"{shown_path(out)} cannot be written ({error.strerror}).",
            "Nothing was left behind; name another folder with --out.",
        ) from None
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return outcome


def _check_out(out: Path, paths: list[Path]) -> None:
    if any(path.is_dir() and out.resolve().is_relative_to(path.resolve()) and out != path for path in paths):
        raise InputError(
            "WET-INPUT-OUT", f"{shown_path(out)} lies in what is to be de-identified.", "Name a folder beside it."
        )
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise InputError(
            "WET-INPUT-OUT", f"{shown_path(out)} is there already.", "Name a new or empty folder with --out."
        )


def _pixels(dataset: FileDataset, shown: str) -> bytes:
    """An image's pixel data as they stand in the file.

    Raises:
        InputError: `WET-INPUT-TRUNCATED`, they are not complete.
    """
    from wetread.imaging.pixels import transfer_syntax

    pixels = bytes(dataset.get("PixelData") or b"")
    bits = int(dataset.get("BitsAllocated") or 0) * int(dataset.get("SamplesPerPixel") or 1)
    size = dataset.Rows * dataset.Columns * bits * int(dataset.get("NumberOfFrames") or 1) // 8
    if dataset.get("PhotometricInterpretation") == "YBR_FULL_422":
        size = size * 2 // 3
    if "PixelData" in dataset and not transfer_syntax(dataset).is_encapsulated and len(pixels) < size:
        raise InputError(
            "WET-INPUT-TRUNCATED", f"{shown} is cut off: its pixel data are not complete.", "Copy or export it again."
        )
    return pixels


class _Run:
    def __init__(self, options: Options, pseudonyms: Pseudonyms) -> None:
        self.options = options
        self.pseudonyms = pseudonyms
        self.counts: Counter[str] = Counter()
        self.risks: list[Risk] = []
        self.written: list[str] = []

    def write(self, paths: list[Path], folder: Path) -> Outcome:
        """Write all below a folder."""
        found = look_through(paths)
        left_out = [LeftOut(what, why) for what, why in found.left_out]
        places: dict[int, str] = {}
        for number, source in enumerate(found.images, 1):
            name = self._dicom(source, folder) if source.is_dicom else self._picture(source, number, folder)
            if name is None:
                left_out.append(LeftOut(source.file.shown, "is a TIFF picture: save it as PNG first"))
            elif source.place is not None:
                places[source.place] = name
        if not self.written:
            why = f": {left_out[0].what} {left_out[0].why}" if left_out else ""
            raise DeidentifyError(
                "WET-DEID-NOTHING",
                f"There is no image to de-identify{why}.",
                "Give DICOM images, PNG or JPEG pictures.",
            )
        if found.sheet is not None and found.patient is not None:
            self._sheet(found.sheet, found.patient, places, folder)
        return Outcome(tuple(self.written), dict(self.counts), tuple(self.risks), tuple(left_out))

    def _dicom(self, source: Source, folder: Path) -> str:
        from pydicom import dcmread

        patient = source.patient
        try:
            with quiet("pydicom"):
                dataset = dcmread(source.file.path, force=True)
                pixels = _pixels(dataset, source.file.shown)
                self._deidentifier(patient).apply(dataset)
                buffer = BytesIO()
                dataset.save_as(buffer, enforce_file_format=True)
                data = buffer.getvalue()
                where = remains(data, patient.identifiers, patient.uids, patient.encodings, uids_stay=self.options.uids)
                kept = bytes(dcmread(BytesIO(data)).get("PixelData") or b"") == pixels
        except (OSError, InputError):
            raise
        except Exception as error:  # pydicom raises what it likes on damaged files
            raise InputError(
                "WET-INPUT-DICOM", f"{source.file.shown} is damaged.", "Export it again, or leave it out."
            ) from error
        if where is not None:
            raise DeidentifyError(
                "WET-DEID-REMAINS",
                f"{source.file.shown}: an identifier of the header still stands {where}.",
                "Nothing was written. Leave that file out, or have that part removed at its source.",
            )
        if not kept:
            raise InputError(
                "WET-INPUT-DICOM", f"{source.file.shown}: its pixel data would change.", "Export it again."
            )
        study = dataset.get("StudyInstanceUID") or "study"
        series = dataset.get("SeriesInstanceUID") or "series"
        name = f"{study}/{series}/{dataset.SOPInstanceUID}.dcm"
        path = folder / name
        if path.exists():
            if path.read_bytes() == data:
                return name  # a copy
            raise InputError(
                "WET-INPUT-UID",
                f"{source.file.shown} and another file have one SOP Instance UID and differ.",
                "Leave out one of them.",
            )
        self._store(folder, name, data)
        self.risks += [Risk(name, why) for why in burned_in(dataset)[:1]]
        return name

    def _deidentifier(self, patient: Patient) -> Deidentifier:
        days = self.pseudonyms.days(patient.group)
        return Deidentifier(self.options, self.pseudonyms, patient.identifiers, patient.key, days, self.counts)

    def _picture(self, source: Source, number: int, folder: Path) -> str | None:
        data = stripped(source.file.path.read_bytes())
        if data is None:
            return None
        suffix = "jpg" if data.startswith(b"\xff") else "png"
        name = f"image-{number}.{suffix}"
        self._store(folder, name, data)
        self.counts["pictures stripped"] += 1
        self.risks.append(Risk(name, f"{UNKNOWN} may have text burned in"))
        return name

    def _sheet(self, found: StudyFolder, patient: Patient, places: dict[int, str], folder: Path) -> None:
        """The `study.yaml`, with what it says of the images, and its texts cleaned."""
        import yaml

        sheet = found.sheet
        made: dict[str, Any] = {}
        for name in ("exam", "indication", "history", "technique"):
            if getattr(sheet, name):
                made[name] = self._text(getattr(sheet, name), patient)
        if self.options.characteristics:
            made["age"] = min(sheet.age, OLDEST + 1) if sheet.age is not None else None
            made["sex"] = sheet.sex
        if self.options.shift_dates and sheet.date is not None:
            made["date"] = sheet.date + self.pseudonyms.days(patient.group)
        if patient.key:
            made["patient"] = self.pseudonyms.patient(patient.key)
        made["images"] = []
        for place, image in enumerate(sheet.images):
            if place not in places:
                continue
            entry = image.model_dump(mode="json", exclude={"file", "date"}, exclude_none=True)
            if self.options.shift_dates and image.date is not None:
                entry["date"] = image.date + self.pseudonyms.days(patient.group)
            made["images"].append({"file": places[place], **entry})
        if found.prior_report is not None and sheet.prior_report is not None:
            made["prior_report"] = {"text": self._text(found.prior_report, patient)}
            if self.options.shift_dates and sheet.prior_report.date is not None:
                made["prior_report"]["date"] = sheet.prior_report.date + self.pseudonyms.days(patient.group)
        kept = {name: value for name, value in made.items() if value not in (None, [])}
        text = yaml.safe_dump(kept, sort_keys=False, allow_unicode=True)
        self._store(folder, "study.yaml", text.encode())

    def _text(self, text: str, patient: Patient) -> str:
        cleaned, _ = clean_text(text, MAX_TEXT)
        scrubbed = patient.identifiers.scrub(cleaned)
        self.counts["texts cleaned"] += scrubbed != cleaned
        return scrubbed

    def _store(self, folder: Path, name: str, data: bytes) -> None:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as stream:
            stream.write(data)
        self.written.append(name)
