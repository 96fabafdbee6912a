"""The client of an archive's DICOMweb services (PS3.18): what a study has, its images, results back into it.

On httpx, which is here anyway: three transactions need no further library, and what comes in is bounded, written where
the caller says and never kept in memory as a whole. Only GET is repeated on its own. What is sent and what comes back
stays out of errors.
"""

from __future__ import annotations

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, TypeVar

import orjson

from wetread.apps.http_wire import ATTEMPTS, MAX_ANSWER_BYTES, RETRYABLE, Broken, Sleep, Wire
from wetread.apps.pacs.multipart import Malformed, PartReader, boundary_of, related
from wetread.apps.pacs.place import DicomWebPlace
from wetread.apps.pacs.results import AGAIN, Outgoing, SendResult, Sent, outcome_of
from wetread.errors import PacsError
from wetread.study_files import MAX_FILES

if TYPE_CHECKING:
    import httpx

MAX_STUDY_BYTES = 2_000_000_000
RETRIEVE_S = 1800.0
"""For one series, all in all."""
SILENCE_S = 60.0
"""How long an archive may say nothing in the middle of an answer."""
STORE_S = 300.0
_JSON = "application/dicom+json"
_DICOM = "application/dicom"
_PROBE_UID = "2.25.0"
"""A study that no archive has: asking for it shows nothing of a patient."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Series:
    """A series as a search finds it."""

    uid: str
    modality: str
    instances: int | None


class DicomWeb:
    """An archive.

    Args:
        archive: Where it is.
        client: Sends the requests; the caller closes it.
        authorization: The header that lets wetread in.
        attempts: How often a GET is tried, at most.
        sleep: Waits between attempts.
    """

    def __init__(
        self,
        archive: DicomWebPlace,
        client: httpx.AsyncClient,
        *,
        authorization: str | None = None,
        attempts: int = ATTEMPTS,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self.archive = archive
        self._wire = Wire(client, {"authorization": authorization} if authorization else {})
        self._let_in = authorization is not None
        self._attempts = attempts
        self._sleep = sleep

    async def probe(self) -> None:
        """Ask for a study that is not there.

        Raises:
            PacsError: it cannot be reached, or does not let wetread in.
        """
        await self._get(f"/studies?StudyInstanceUID={_PROBE_UID}", _JSON, self._search_answer)

    async def series(self, study: str) -> list[Series]:
        """The series of a study (QIDO-RS).

        Raises:
            PacsError: `WET-PACS-NOSTUDY` there is none; `-CONNECT`, `-AUTH`, `-URL`, `-SERVER`, `-REFUSED`, `-ANSWER`.
        """
        listed = await self._get(f"/studies/{study}/series", _JSON, self._search_answer)
        found = [
            Series(uid, str(_value(item, "00080060") or "").strip().upper(), _whole(_value(item, "00201209")))
            for item in listed
            if re.fullmatch(r"[0-9.]{1,64}", uid := str(_value(item, "0020000E") or "").strip())
        ]
        if not found:
            raise PacsError(
                "WET-PACS-NOSTUDY",
                f"{self.archive.host} has no such study.",
                "Check the Study Instance UID; the user may have no right to it.",
            )
        return found

    async def retrieve(self, study: str, series: str, folder: Path, *, room: int = MAX_STUDY_BYTES) -> list[Path]:
        """The instances of a series as files (WADO-RS), each as the archive has it or writes it.

        Args:
            study, series: UIDs.
            folder: Where to; files of an attempt that failed are removed.
            room: Bytes that may come.

        Returns:
            The files, in the order in which they came.

        Raises:
            PacsError: as `series`, `WET-PACS-LARGE`, or `WET-PACS-SPACE`.
        """

        async def take(answer: httpx.Response) -> list[Path]:
            download = _Download(self.archive.host, folder, room)
            try:
                await download.take(answer)
            except BaseException:
                download.remove()
                raise
            return download.files

        accept = f'multipart/related; type="{_DICOM}"; transfer-syntax=*'
        return await self._get(f"/studies/{study}/series/{series}", accept, take, timeout_s=RETRIEVE_S)

    async def store(self, objects: Sequence[Outgoing]) -> SendResult:
        """Store objects (STOW-RS) in one request, which is not repeated once the archive may have seen it.

        Returns:
            What became of each object.

        Raises:
            PacsError: it is not known, or nothing was stored.
        """
        body, content_type = related([one.data for one in objects], _DICOM)
        headers = {"content-type": content_type, "accept": _JSON}
        for attempt in range(1, self._attempts + 1):
            try:
                async with self._wire.open(
                    "POST", f"{self.archive.base}/studies", body, headers=headers, timeout_s=STORE_S
                ) as answer:
                    said = await _whole_body(answer)
                    status = answer.status_code
                break
            except Broken as broken:
                if attempt == self._attempts or not broken.before:
                    raise self._unreached(broken, sending=True) from None
            await self._sleep(self._wire.wait(attempt))
        return self._outcomes(objects, status, said)

    def _outcomes(self, objects: Sequence[Outgoing], status: int, body: bytes) -> SendResult:
        """What a Store Instances Response says (PS3.18 I.2): 200 all, 202 with warnings or in part, 409 none."""
        answer = _json(body)
        if status not in (200, 202, 409) or (status == 409 and not isinstance(answer, dict)):
            raise self._refusal(status, sending=True)
        done: dict[str, int] = {}
        if isinstance(answer, dict):
            for tag, reason, otherwise in (("00081199", "00081196", 0), ("00081198", "00081197", 0x0110)):
                for item in _items(answer, tag):
                    code = _whole(_value(item, reason))
                    done[str(_value(item, "00081155") or "")] = otherwise if code is None else code
        if not any(one.sop_instance in done for one in objects):
            raise PacsError(
                "WET-PACS-ANSWER",
                f"{self.archive.host} took the objects ({status}) and did not say what it stored.",
                f"Look there for the report. {AGAIN}",
                sending=True,
            )
        missing = Sent(name="", outcome="failed", reason="the archive says nothing of it")
        return SendResult(
            to=self.archive.host,
            objects=tuple(
                outcome_of(one.name, done[one.sop_instance])
                if one.sop_instance in done
                else missing.model_copy(update={"name": one.name})
                for one in objects
            ),
        )

    # one GET, until there is an answer

    async def _get(
        self,
        path: str,
        accept: str,
        take: Callable[[httpx.Response], Awaitable[T]],
        *,
        timeout_s: float | None = None,
    ) -> T:
        for attempt in range(1, self._attempts + 1):
            status = 0
            try:
                async with self._wire.open(
                    "GET",
                    self.archive.base + path,
                    headers={"accept": accept},
                    timeout_s=timeout_s,
                    silence_s=SILENCE_S,
                ) as answer:
                    status = answer.status_code
                    if status in (200, 204, 206):
                        return await take(answer)
                error = self._refusal(status)
            except Malformed as malformed:
                raise self._not_dicomweb(str(malformed)) from None
            except Broken as broken:
                status, error = 0, self._unreached(broken)
            if attempt == self._attempts or (status and status not in RETRYABLE):
                raise error
            await self._sleep(self._wire.wait(attempt))
        raise AssertionError("unreachable")

    async def _search_answer(self, answer: httpx.Response) -> list[Any]:
        if answer.status_code == 204:
            return []
        found = _json(await _whole_body(answer))
        if not isinstance(found, list) or not all(isinstance(item, dict) for item in found):
            raise self._not_dicomweb("a search was answered with something else than DICOM JSON")
        return found

    def _not_dicomweb(self, what: str) -> PacsError:
        return PacsError(
            "WET-PACS-ANSWER",
            f"{self.archive.host} does not answer as DICOMweb does: {what}.",
            "Check that the address is that of its DICOMweb services, such as https://HOST/dicom-web.",
        )

    def _unreached(self, broken: Broken, *, sending: bool = False) -> PacsError:
        hint = AGAIN if sending else "Check the address, the network and the archive; nothing was changed. Try again."
        return PacsError(
            "WET-PACS-CONNECT", f"{self.archive.host} cannot be reached: {broken.what}.", hint, sending=sending
        )

    def _refusal(self, status: int, *, sending: bool = False) -> PacsError:
        host = self.archive.host
        if status in (401, 403):
            hint = (
                "Check WETREAD_DICOMWEB_USER and _PASSWORD, or _TOKEN, and what that user may do."
                if self._let_in
                else "No credentials were sent: set WETREAD_DICOMWEB_USER and _PASSWORD, or _TOKEN, for this host."
            )
            return PacsError("WET-PACS-AUTH", f"{host} does not let this in ({status}).", hint, sending=sending)
        if status == 404 and not sending:
            return PacsError(
                "WET-PACS-NOSTUDY",
                f"{host} has no such study, or no DICOMweb services at this address (404).",
                "Check the Study Instance UID and the address, such as https://HOST/dicom-web.",
            )
        if status in (404, 405, 410) or 300 <= status < 400:
            return PacsError(
                "WET-PACS-URL",
                f"{host} has no DICOMweb services at this address ({status}).",
                "Give their address itself; redirects are not followed.",
                sending=sending,
            )
        if status in RETRYABLE:
            hint = AGAIN if sending else "Try later; nothing was changed."
            return PacsError("WET-PACS-SERVER", f"{host} failed ({status}).", hint, sending=sending)
        hint = "It may store no such objects." if sending else "Its administrator can tell why from its log."
        return PacsError("WET-PACS-REFUSED", f"{host} refused the request ({status}).", hint, sending=sending)


class _Download:
    """A multipart answer on its way into files."""

    def __init__(self, host: str, folder: Path, room: int) -> None:
        self.files: list[Path] = []
        self._host = host
        self._folder = folder
        self._room = room
        self._open: BinaryIO | None = None

    async def take(self, answer: httpx.Response) -> None:
        content_type = answer.headers.get("content-type", "")
        boundary = boundary_of(content_type)
        reader = PartReader(boundary) if boundary is not None else None
        if answer.status_code == 204:
            return
        if reader is None and not content_type.startswith(_DICOM):
            raise Malformed("images were asked for, and something else came")
        try:
            if reader is None:  # one instance alone, from an archive that does not wrap it
                self._begin()
            async for data in answer.aiter_bytes():
                if reader is None:
                    self._write(data)
                    continue
                for piece in reader.feed(data):
                    match piece.kind:
                        case "begin":
                            self._begin()
                        case "data":
                            self._write(piece.data)
                        case "end":
                            self._end()
            if reader is not None and not reader.ended:
                raise Malformed("the answer ends in the middle")
            self._end()
        except OSError as error:
            raise PacsError(
                "WET-PACS-SPACE", f"The study cannot be kept while it is read ({error.strerror}).", "Make room for it."
            ) from None
        finally:
            if self._open is not None:
                self._open.close()
        for file in self.files:
            with file.open("rb") as opened:
                if opened.read(132)[128:] != b"DICM":
                    raise Malformed("what came is no DICOM file")

    def remove(self) -> None:
        for file in self.files:
            with contextlib.suppress(OSError):
                file.unlink()

    def _begin(self) -> None:
        there = sum(1 for _ in self._folder.iterdir())
        if there >= MAX_FILES:
            raise _too_large(self._host, f"more than {MAX_FILES} images")
        self.files.append(self._folder / f"{there + 1:05d}.dcm")
        self._open = self.files[-1].open("xb")

    def _write(self, data: bytes) -> None:
        self._room -= len(data)
        if self._room < 0:
            raise _too_large(self._host, f"more than {MAX_STUDY_BYTES // 1_000_000} MB")
        assert self._open is not None
        self._open.write(data)

    def _end(self) -> None:
        if self._open is not None:
            self._open.close()
            self._open = None


def _too_large(host: str, what: str) -> PacsError:
    return PacsError("WET-PACS-LARGE", f"The study at {host} has {what}.", "Name the series that matter: &series=UID.")


async def _whole_body(answer: httpx.Response) -> bytes:
    body = bytearray()
    async for part in answer.aiter_bytes():
        body += part
        if len(body) > MAX_ANSWER_BYTES:
            break
    return bytes(body)


def _json(body: bytes) -> Any:
    try:
        return orjson.loads(body)
    except ValueError:
        return None


def _items(data: dict[str, Any], tag: str) -> list[dict[str, Any]]:
    """The items of a sequence in the DICOM JSON model (PS3.18 F)."""
    element = data.get(tag)
    found = element.get("Value") if isinstance(element, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _value(data: dict[str, Any], tag: str) -> Any:
    """The first value of an element in the DICOM JSON model; None where there is none."""
    element = data.get(tag)
    found = element.get("Value") if isinstance(element, dict) else None
    return found[0] if isinstance(found, list) and found else None


def _whole(value: Any) -> int | None:
    try:
        return int(value)
    except (TypeError, ValueError):
        return None
