"""Which files a study is made of, what kind each one is, and what its `study.yaml` says. Decodes nothing.

A `study.yaml`; every key may be left out, and without `images` all images of the folder are taken:

    exam: Chest, two views
    indication: Cough and fever.
    history: Former smoker.
    technique: PA and lateral, upright.
    age: 61
    sex: F
    date: 2026-03-02
    patient: any text that is the same for the same patient
    images:
      - {file: frontal.png, view: PA, patient_right_on: left}
      - {file: old.png, role: prior, view: PA, date: 2025-01-20}
    prior_report: {file: old.txt, date: 2025-01-20}
"""

from __future__ import annotations

import datetime
import os
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, ConfigDict, Field, model_validator

from wetread.errors import InputError
from wetread.values import Value
from wetread.vocabulary import View
from wetread.yamlfile import YamlFile, load_yaml

MAX_FILES = 2000
"""Files looked at in one folder."""
MAX_TEXT_BYTES = 1_000_000

YAML_NAMES = ("study.yaml", "study.yml")
_IMAGE_SUFFIXES = frozenset({".dcm", ".dicom", ".dic", ".ima", ".png", ".jpg", ".jpeg", ".tif", ".tiff"})
_IGNORED_NAMES = frozenset({"dicomdir", "thumbs.db", *YAML_NAMES})

Kind = Literal["dicom", "picture", "maybe dicom", "other"]


@dataclass(frozen=True, slots=True)
class StudyFile:
    """One file, and how it may be named in an error: names found by looking into a folder may hold a patient's name."""

    path: Path
    shown: str
    kind: Kind
    asked_for: bool
    """Named by a person, on the command line or in study.yaml; then it must be an image."""

    @property
    def looks_like_image(self) -> bool:
        return self.path.suffix.lower() in _IMAGE_SUFFIXES


def find_files(paths: Sequence[Path]) -> list[StudyFile]:
    """The files under some paths: files as given, folders searched to the bottom in name order, each file once.

    Links to folders are not followed; hidden files and DICOMDIR are passed over.

    Raises:
        InputError: `WET-INPUT-MISSING`, `WET-INPUT-EMPTY`, `WET-INPUT-MANY`, `WET-INPUT-UNREADABLE`.
    """
    found: list[StudyFile] = []
    for path in paths:
        shown = shown_path(path)
        if path.is_dir():
            listed = _walk(path)
            if not listed:
                raise InputError(
                    "WET-INPUT-EMPTY",
                    f"The folder {shown} has no files.",
                    "Give DICOM files, pictures, or a folder of them.",
                )
            found.extend(
                StudyFile(
                    file,
                    f"file {number} of {len(listed)} in {shown} (by name)",
                    sniff(file, f"a file in {shown}"),
                    False,
                )
                for number, file in enumerate(listed, 1)
            )
        else:
            found.append(StudyFile(path, shown, sniff(path, shown), True))
    once: dict[str, StudyFile] = {}
    for item in found:
        once.setdefault(os.path.realpath(item.path), item)
    return list(once.values())


def shown_path(path: Path) -> str:
    """A path as it may be printed anywhere, whatever bytes its name holds."""
    return str(path).encode("utf-8", "replace").decode()


def _walk(folder: Path) -> list[Path]:
    listed: list[Path] = []
    shown = shown_path(folder)

    def refuse(error: OSError) -> None:
        raise InputError(
            "WET-INPUT-UNREADABLE", f"The folder {shown} cannot be read.", "Check its permissions."
        ) from error

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            file = Path(place, name)
            if not name.startswith(".") and name.lower() not in _IGNORED_NAMES and file.is_file():
                listed.append(file)
        if len(listed) > MAX_FILES:
            raise InputError(
                "WET-INPUT-MANY", f"The folder {shown} has more than {MAX_FILES} files.", "Give one study's folder."
            )
    return listed


def sniff(path: Path, shown: str) -> Kind:
    """What a file is, by its content alone.

    The DICM prefix at byte 128 comes before everything else: the 128 bytes before it are free, and some files carry a
    TIFF header there (PS3.10 7.1). Without the prefix a file may still be a bare data set: then its first group
    number is low.

    Raises:
        InputError: `WET-INPUT-MISSING`, `WET-INPUT-EMPTY`, `WET-INPUT-UNREADABLE`.
    """
    head = _head(path, shown)
    if not head:
        raise InputError("WET-INPUT-EMPTY", f"{shown} is empty.", "Copy or export it again.")
    if head[128:132] == b"DICM":
        return "dicom"
    if head.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*")):
        return "picture"
    if head[:2] in (b"\x02\0", b"\x08\0", b"\0\x02", b"\0\x08") and len(head) >= 132:
        return "maybe dicom"
    return "other"


def _head(path: Path, shown: str) -> bytes:
    try:
        if not path.exists():
            raise InputError("WET-INPUT-MISSING", f"{shown} does not exist.", "Check the path.")
        if not path.is_file():
            raise InputError("WET-INPUT-UNREADABLE", f"{shown} is no file.", "Give a file or a folder.")
        with path.open("rb") as file:
            return file.read(132)
    except (OSError, ValueError) as error:
        raise InputError("WET-INPUT-UNREADABLE", f"{shown} cannot be read.", "Check its permissions.") from error


def read_text(path: Path, shown: str) -> str:
    """A UTF-8 text file, with or without a byte order mark.

    Raises:
        InputError: `WET-INPUT-MISSING`, `WET-INPUT-EMPTY`, `WET-INPUT-UNREADABLE`, `WET-INPUT-ENCODING`,
        `WET-INPUT-LONG`.
    """
    _head(path, shown)
    try:
        with path.open("rb") as file:
            data = file.read(MAX_TEXT_BYTES + 1)
    except OSError as error:
        raise InputError("WET-INPUT-UNREADABLE", f"{shown} cannot be read.", "Check its permissions.") from error
    if len(data) > MAX_TEXT_BYTES:
        raise InputError("WET-INPUT-LONG", f"{shown} has more than {MAX_TEXT_BYTES} bytes.", "Give a shorter text.")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            "WET-INPUT-ENCODING", f"{shown} is not UTF-8 text (byte {error.start}).", "Save it as UTF-8."
        ) from None
    if "\0" in text:
        raise InputError("WET-INPUT-ENCODING", f"{shown} is not a text file.", "Give plain text in UTF-8.")
    if not text.strip():
        raise InputError("WET-INPUT-EMPTY", f"{shown} is empty.", "Leave it out, or give its text.")
    return text


def clean_text(text: str, limit: int) -> tuple[str, bool]:
    """Outside text made safe to show: composed (NFC), without control and invisible characters, at most `limit` long.

    Returns:
        The text, and whether it was cut.
    """
    # Twice the limit is kept before composing, so that a long hostile text costs no more than a short one.
    text = unicodedata.normalize("NFC", text[: 2 * limit + 1000].replace("\r\n", "\n").replace("\r", "\n"))
    kept = "".join(c for c in text if c in "\n\t" or unicodedata.category(c) not in _INVISIBLE).strip()
    return kept[:limit].rstrip(), len(kept) > limit


_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn"})


def parse_view(text: str) -> View | None:
    """A view by its name, in any case; `LL`, `RL` and `LAT` count as lateral. None for no such view."""
    named = {view.value.lower(): view for view in View}
    named.update({"ll": View.LATERAL, "rl": View.LATERAL, "lat": View.LATERAL})
    return named.get(text.strip().lower())


def view_names() -> str:
    """The names of the views, for an error."""
    return ", ".join(view.value for view in View)


def _view(value: object) -> View | None:
    if value is None:
        return None
    view = parse_view(value) if isinstance(value, str) else None
    if view is None:
        raise ValueError(f"there is no such view; views are {view_names()}")
    return view


def _term(value: str) -> str:
    if not (value.isascii() and value.isalnum() and len(value) <= 16):
        raise ValueError("a modality is a DICOM term like CR, DX or CT")
    return value.upper()


class _Entry(Value):
    # Numbers are texts here: a patient's key or an indication may well be written as one.
    model_config = ConfigDict(coerce_numbers_to_str=True)


class ListedImage(_Entry):
    """One entry under `images`."""

    file: str = Field(min_length=1)
    role: Literal["current", "prior"] = "current"
    view: Annotated[View | None, BeforeValidator(_view)] = None
    date: datetime.date | None = None
    patient_right_on: Literal["left", "right", "unknown"] | None = None
    modality: Annotated[str, AfterValidator(_term)] | None = None


class ListedReport(_Entry):
    """`prior_report`: a file of the folder, or the text itself."""

    file: str | None = Field(default=None, min_length=1)
    text: str | None = None
    date: datetime.date | None = None

    @model_validator(mode="after")
    def _one_source(self) -> ListedReport:
        if (self.file is None) == (self.text is None):
            raise ValueError("a prior report has either a file or a text")
        return self


class StudySheet(_Entry):
    """What a `study.yaml` says. None for what it does not say."""

    exam: str | None = None
    indication: str | None = None
    history: str | None = None
    technique: str | None = None
    age: int | None = Field(default=None, ge=0, le=130)
    sex: Literal["F", "M", "O"] | None = None
    patient: str | None = None
    date: datetime.date | None = None
    images: tuple[ListedImage, ...] = ()
    prior_report: ListedReport | None = None


@dataclass(frozen=True, slots=True)
class StudyFolder:
    """A folder with its `study.yaml`: the sheet, the files it lists, and the prior report's text."""

    folder: Path
    sheet: StudySheet
    files: tuple[StudyFile, ...]
    prior_report: str | None
    prior_report_file: Path | None


def read_sheet(path: Path) -> StudyFolder:
    """Read and check a `study.yaml`; the files it names must exist and lie in its folder.

    Raises:
        InputError: `WET-INPUT-YAML`, `WET-INPUT-FILE` and `WET-INPUT-ESCAPE` with file and line, and those of `sniff`
            and `read_text`.
    """
    shown = shown_path(path)
    document = load_yaml(path, InputError, shown)
    sheet = document.parse(StudySheet)
    files = []
    for number, image in enumerate(sheet.images):
        named, file = _inside(document, path.parent, image.file, "images", number, "file")
        files.append(StudyFile(file, named, sniff(file, named), asked_for=True))
    report = sheet.prior_report
    text, source = (report.text if report is not None else None), None
    if report is not None and report.file is not None:
        named, source = _inside(document, path.parent, report.file, "prior_report", "file")
        text = read_text(source, named)
    return StudyFolder(path.parent, sheet, tuple(files), text, source)


def _inside(document: YamlFile, folder: Path, name: str, *where: str | int) -> tuple[str, Path]:
    """A listed file, and how it is called in errors. No name leads out of the folder, by dots or by links."""
    place = f"{document.name}, line {document.line(*where)}"
    try:
        file = (folder / name).resolve()
        inside = file.is_relative_to(folder.resolve())
    except (OSError, ValueError, RuntimeError) as error:
        raise InputError("WET-INPUT-FILE", f"{place}: this is no usable file name.", "Name a file.") from error
    if not inside:
        raise InputError(
            "WET-INPUT-ESCAPE",
            f"{place}: the file lies outside the study's folder.",
            "Copy it into the folder and name it from there.",
        )
    return f"{place}: {shown_path(Path(name))}", file
