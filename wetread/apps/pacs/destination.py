"""Where results go: an archive by STOW-RS, or a DICOM node by C-STORE."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wetread.apps.pacs.place import PREFIX, DicomWebPlace, archive_at, authorization, node_at, title
from wetread.apps.pacs.results import Outgoing, SendResult
from wetread.config import DicomWebSettings
from wetread.errors import InputError

CALLING = "WETREAD"
"""Our application entity title where no other is given."""


@dataclass(frozen=True, slots=True)
class WebDestination:
    """DICOMweb services."""

    archive: DicomWebPlace

    def send(self, objects: Sequence[Outgoing], settings: DicomWebSettings) -> SendResult:
        """Store objects; returns and raises as `DicomWeb.store`."""
        return asyncio.run(self._send(objects, settings))

    async def _send(self, objects: Sequence[Outgoing], settings: DicomWebSettings) -> SendResult:
        from wetread.apps.pacs.dicomweb import DicomWeb
        from wetread.tools.endpoints.client import new_http_client

        async with new_http_client() as client:
            archive = DicomWeb(self.archive, client, authorization=authorization(self.archive, settings))
            return await archive.store(objects)


@dataclass(frozen=True, slots=True)
class NodeDestination:
    """A DICOM node."""

    host: str
    port: int
    called: str
    calling: str = CALLING

    def send(self, objects: Sequence[Outgoing], settings: DicomWebSettings) -> SendResult:
        """Store objects; returns and raises as `dimse.send`."""
        from wetread.apps.pacs import dimse

        return dimse.send(
            objects, self.host, self.port, called=self.called, calling=self.calling, answer_s=dimse.ANSWER_S
        )


Destination = WebDestination | NodeDestination


def destination(
    protocol: Literal["dicomweb", "dicom"],
    address: str,
    *,
    called: str | None = None,
    calling: str | None = None,
    allow_http: bool = False,
) -> Destination:
    """Where an address leads.

    Raises:
        InputError: `WET-INPUT-PACS`, it cannot be used, or says too little or too much.
    """
    if protocol == "dicomweb":
        if called is not None or calling is not None:
            raise InputError("WET-INPUT-PACS", "--aet and --calling are for dicom.", "Leave them out.")
        return WebDestination(archive_at(address, allow_http=allow_http))
    host, port = node_at(address)
    if called is None:
        raise InputError("WET-INPUT-PACS", "A DICOM node has a title, and none is given.", "Give it with --aet.")
    return NodeDestination(host, port, title(called, "--aet"), title(calling or CALLING, "--calling"))


def send_to(text: str, *, calling: str, allow_http: bool = False) -> Destination:
    """Where `--send-to` leads: `dicomweb+https://HOST/PATH`, or `TITLE@HOST:PORT`.

    Raises:
        InputError: `WET-INPUT-PACS`.
    """
    if text.startswith(PREFIX):
        return WebDestination(archive_at(text, allow_http=allow_http))
    called, at, node = text.rpartition("@")
    if not at or "://" in text:
        raise InputError(
            "WET-INPUT-PACS", "--send-to names no archive.", "Write dicomweb+https://HOST/PATH, or TITLE@HOST:PORT."
        )
    host, port = node_at(node)
    return NodeDestination(host, port, title(called, "The title before the @"), calling)
