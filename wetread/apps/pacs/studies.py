"""Studies as people name them, paths and addresses, to paths alone: what lies in an archive is fetched first."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from wetread.apps.pacs.place import StudyPlace, authorization, is_address, study_at
from wetread.apps.terminal import note
from wetread.config import DicomWebSettings, Settings
from wetread.errors import InputError, PacsError

_NO_IMAGES = """
    SR PR KO DOC SEG PLAN RTDOSE RTPLAN RTRECORD RTSTRUCT REG FID RWV AU ECG EPS HD RESP SMR STAIN TEXTUREMAP ANN M3D
"""
NO_IMAGES = frozenset(_NO_IMAGES.split())
"""Modalities (PS3.3 C.7.3.1.1.1) of series that hold no images to read: reports, masks, presentation states, ..."""

_MOST_BYTES = 50_000_000
"""What an image may take, for the choice of a place; a radiograph has 10 to 30 million."""


@dataclass(frozen=True, slots=True)
class NamedStudy:
    """A study that a command was given, as paths.

    Attributes:
        paths: The study itself.
        prior: Images of earlier ones.
    """

    paths: list[Path]
    prior: list[Path]


@contextmanager
def local_study(
    study: Sequence[str], prior: Sequence[str], settings: Settings, *, allow_http: bool = False, tell: bool = True
) -> Iterator[NamedStudy]:
    """The paths of a study, for as long as the block lasts: what was fetched for it is removed then.

    Args:
        study, prior: Paths and addresses.
        settings: What lets wetread in.
        allow_http: Whether images may travel over plain http.
        tell: Whether a person is told what was left out.

    Raises:
        InputError: an address cannot be used; or, from within the block, what was fetched cannot be read.
        PacsError: the archive cannot be reached, refuses, or has no such study.
    """
    with ExitStack() as stack:
        fetched: dict[Path, str] = {}

        def path_of(named: str) -> Path:
            if not is_address(named):
                return Path(named)
            place = study_at(named, allow_http=allow_http)
            from wetread.apps.pacs.scratch import private_folder

            def make_folder(wanted: int) -> Path:
                return stack.enter_context(private_folder(wanted))

            folder, notices = asyncio.run(fetch(place, make_folder, settings.dicomweb))
            fetched[folder] = f"the study from {place.archive.host}"
            for line in notices if tell else ():
                note(line, "yellow")
            return folder

        named = NamedStudy([path_of(one) for one in study], [path_of(one) for one in prior])
        try:
            yield named
        except InputError as error:
            message = error.message
            for folder, shown in fetched.items():
                message = message.replace(str(folder), shown)
            raise InputError(error.code, message, error.hint) from error


def folder_name(address: str) -> str:
    """A name for files about a study in an archive: always the same for it, and nothing that identifies it."""
    return f"pacs-{hashlib.sha256(address.encode()).hexdigest()[:10]}"


async def fetch(
    place: StudyPlace, make_folder: Callable[[int], Path], settings: DicomWebSettings
) -> tuple[Path, list[str]]:
    """Fetch the images of a study into a folder.

    Args:
        place: The study.
        make_folder: Makes the folder, by the bytes that may come.
        settings: What lets wetread in.

    Returns:
        The folder, and what a person should know: series left out, instances that did not come.

    Raises:
        PacsError: as `DicomWeb`; `WET-PACS-NOIMAGE`, it has none.
    """
    from wetread.apps.pacs.dicomweb import MAX_STUDY_BYTES, DicomWeb
    from wetread.tools.endpoints.client import new_http_client

    host = place.archive.host
    notices = []
    async with new_http_client() as client:
        archive = DicomWeb(place.archive, client, authorization=authorization(place.archive, settings))
        listed = await archive.series(place.study)
        if place.series:
            listed = [series for series in listed if series.uid in place.series]
            if len(listed) < len(set(place.series)):
                raise PacsError("WET-PACS-NOSTUDY", f"{host} has no such series in the study.", "Check its UID.")
        wanted = [series for series in listed if series.modality not in NO_IMAGES]
        if not wanted:
            raise PacsError(
                "WET-PACS-NOIMAGE",
                f"The study at {host} has no series of images.",
                "It may hold results alone, or its images are still on their way.",
            )
        others = sorted(series.modality for series in listed if series.modality in NO_IMAGES)
        if others:
            notices.append(f"Left out {len(others)} series without images ({', '.join(others)}).")
        most = sum(1 if series.instances is None else series.instances for series in wanted) * _MOST_BYTES
        folder = make_folder(min(most, MAX_STUDY_BYTES))
        size, came = 0, 0
        for series in wanted:
            files = await archive.retrieve(place.study, series.uid, folder, room=MAX_STUDY_BYTES - size)
            await asyncio.to_thread(_check, files, place)
            size += sum(file.stat().st_size for file in files)
            came += len(files)
            if series.instances is not None and len(files) < series.instances:
                notices.append(f"{host} has {series.instances} instances of a series and sent {len(files)}.")
        if not came:
            raise PacsError("WET-PACS-ANSWER", f"{host} sent no image of the study.", "Try again.")
    return folder, notices


def _check(files: Sequence[Path], place: StudyPlace) -> None:
    """All are of the study that was asked for."""
    from pydicom import dcmread

    from wetread.imaging.quiet import quiet

    for file in files:
        try:
            with quiet("pydicom"):
                study = dcmread(file, stop_before_pixels=True, specific_tags=["StudyInstanceUID"]).get(
                    "StudyInstanceUID"
                )
        except Exception:  # pydicom raises what it likes on damaged files; reading the study says so
            continue
        if study is not None and str(study) != place.study:
            raise PacsError(
                "WET-PACS-ANSWER",
                f"{place.archive.host} sent an instance of another study.",
                "Nothing was read; its administrator should know.",
            )
