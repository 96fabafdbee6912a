"""Where an archive is, as people type it (`dicomweb+https://HOST/PATH?study=UID`), and what lets wetread in there."""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from urllib.parse import SplitResult, parse_qsl, urlsplit

from wetread.config import DicomWebSettings, split_url
from wetread.errors import InputError, PacsError
from wetread.urls import is_private, shown_host
from wetread.yamlfile import nearest

PREFIX = "dicomweb+"
FORM = "dicomweb+https://HOST/dicom-web?study=UID"
_UID = re.compile(r"[0-9]+(\.[0-9]+)*")


@dataclass(frozen=True, slots=True)
class DicomWebPlace:
    """The DICOMweb services of an archive.

    Attributes:
        base: Their address, without a slash at the end.
        host: Host and port, which may be shown.
    """

    base: str
    host: str


@dataclass(frozen=True, slots=True)
class StudyPlace:
    """A study in an archive. Its UIDs are identifiers: they stay out of texts and names of files."""

    archive: DicomWebPlace
    study: str
    series: tuple[str, ...] = ()
    """Empty for all series."""

    def __repr__(self) -> str:
        return f"<a study at {self.archive.host}>"


def is_address(text: str) -> bool:
    """Whether a study is named by an address rather than by a path."""
    return text.startswith((PREFIX, "dicomweb:", "http://", "https://"))


def archive_at(url: str, *, allow_http: bool = False) -> DicomWebPlace:
    """The archive at a base address, with or without `dicomweb+` before it.

    Raises:
        InputError: `WET-INPUT-PACS`, it cannot be used.
    """
    return _archive(_parts(url.removeprefix(PREFIX), f"Write {PREFIX}https://HOST/dicom-web."), allow_http)


def study_at(text: str, *, allow_http: bool = False) -> StudyPlace:
    """The study that an address names.

    Raises:
        InputError: `WET-INPUT-PACS`, it cannot be used; what was typed is not repeated.
    """
    if not text.startswith(PREFIX):
        raise InputError("WET-INPUT-PACS", "A study in an archive begins with dicomweb+https://.", f"Write {FORM}.")
    text, _, query = text.removeprefix(PREFIX).partition("?")
    parts = _parts(text, f"Write {FORM}.")
    named: dict[str, list[str]] = {"study": [], "series": []}
    for key, value in parse_qsl(query, keep_blank_values=True):
        if key not in named:
            raise InputError(
                "WET-INPUT-PACS",
                "The address asks for something else than study and series.",
                nearest(key, list(named)),
            )
        if not _UID.fullmatch(value) or len(value) > 64:
            raise InputError(
                "WET-INPUT-PACS", f"'{key}' is no UID: digits and dots, at most 64 characters.", f"Write {FORM}."
            )
        named[key].append(value)
    if len(named["study"]) != 1:
        raise InputError("WET-INPUT-PACS", "The address must name one study.", f"Write {FORM}, in quotation marks.")
    return StudyPlace(_archive(parts, allow_http), named["study"][0], tuple(named["series"]))


def node_at(text: str) -> tuple[str, int]:
    """Host and port of a DICOM node, `HOST:PORT`.

    Raises:
        InputError: `WET-INPUT-PACS`.
    """
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") if host.startswith("[") else host
    if not re.fullmatch(r"[\w.:-]{1,253}", host) or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 < int(port) < 65536:
        raise InputError("WET-INPUT-PACS", "A DICOM node is named by HOST:PORT.", "Such as pacs.example.org:104.")
    return host, int(port)


def title(text: str, what: str) -> str:
    """An application entity title (VR AE, PS3.5 6.2).

    Raises:
        InputError: `WET-INPUT-PACS`.
    """
    text = text.strip(" ")
    if not re.fullmatch(r"[\x20-\x5b\x5d-\x7e]{1,16}", text):
        raise InputError("WET-INPUT-PACS", f"{what} is no application entity title.", "It has 1 to 16 ASCII letters.")
    return text


def _parts(url: str, hint: str) -> SplitResult:
    try:
        parts = split_url(url)
    except ValueError as error:
        raise InputError("WET-INPUT-PACS", f"The address of the archive cannot be used: {error}.", hint) from None
    if parts.query:
        raise InputError("WET-INPUT-PACS", "The address of the archive has a '?' part.", hint)
    return parts


def _archive(parts: SplitResult, allow_http: bool) -> DicomWebPlace:
    if not is_private(parts) and not allow_http:
        raise InputError(
            "WET-INPUT-PACS", "The images and names would travel over plain http.", "Use https, or give --allow-http."
        )
    return DicomWebPlace(parts.geturl().rstrip("/"), shown_host(parts))


def authorization(archive: DicomWebPlace, settings: DicomWebSettings) -> str | None:
    """The header that lets wetread in, or None: credentials go to the archive of the settings, or, where these name
    none, to whichever is asked; never over plain http, but to this machine.

    Raises:
        PacsError: `WET-PACS-AUTH`, there are credentials and the way is not private.
    """
    if settings.token is None and settings.user is None:
        return None
    if settings.url is not None and shown_host(urlsplit(settings.url)) != archive.host:
        return None
    if not is_private(urlsplit(archive.base)):
        raise PacsError("WET-PACS-AUTH", "The credentials would travel over plain http.", "Use https.")
    if settings.token is not None:
        return f"Bearer {settings.token.get_secret_value()}"
    password = settings.password.get_secret_value() if settings.password is not None else ""
    return f"Basic {base64.b64encode(f'{settings.user}:{password}'.encode()).decode()}"
