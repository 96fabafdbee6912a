"""What is sent of a report into an archive, and what became of each object.

The same report and study give the same objects under the same UIDs, so that sending again stores nothing twice.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from wetread.errors import ExportError, PacsError
from wetread.reports.export import Source, export_from
from wetread.reports.model import Report
from wetread.values import Value

FORMATS = ("dicom-sr", "dicom-seg", "dicom-gsps", "dicom-pdf")
"""What is sent where nothing else is asked for."""

AGAIN = "Send it again: the same report has the same UIDs, so nothing is stored twice."
_NOTHING_IN_IT = frozenset({"WET-EXPORT-NOTHING", "WET-EXPORT-MASK"})

_REASONS = {
    0x0105: "no such attribute",
    0x0106: "an invalid attribute value",
    0x0110: "a processing failure",
    0x0111: "it is there already",
    0x0117: "an invalid SOP instance",
    0x0122: "its SOP class is not supported",
    0x0124: "it may not be stored by this sender",
    0x0211: "the operation is not known",
    0x0212: "a mistyped argument",
    0xB000: "it was stored with elements changed",
    0xB006: "it was stored without some elements",
    0xB007: "it was stored, and does not match its SOP class",
    0xC122: "its transfer syntax is not supported",
}
_FAMILIES = {0xA7: "out of resources", 0xA8: "its SOP class is not supported", 0xA9: "it does not match its SOP class"}
DUPLICATE = 0x0111


@dataclass(frozen=True, slots=True)
class Outgoing:
    """One DICOM object to send: a whole file (PS3.10), and what it is. Its UIDs are identifiers."""

    name: str
    data: bytes = field(repr=False)
    sop_class: str
    sop_instance: str = field(repr=False)
    transfer_syntax: str
    format: str = ""


class Sent(Value):
    """What became of one object.

    Attributes:
        name: File name that an export gives it.
        outcome: `stored`; `warning` is stored too, see `reason`; `failed` was refused; `unsent` never went out.
        reason: Why, in words, with the status.
    """

    name: str
    outcome: Literal["stored", "warning", "failed", "unsent"]
    reason: str = ""


class SendResult(Value):
    """What an archive did with the objects of a report."""

    to: str
    """Host and port."""
    objects: tuple[Sent, ...]

    @property
    def stored(self) -> int:
        """How many are there now."""
        return sum(one.outcome in ("stored", "warning") for one in self.objects)

    def check(self) -> None:
        """Nothing where all are there.

        Raises:
            PacsError: `WET-PACS-PARTIAL`, some are not; names them.
        """
        missing = [one for one in self.objects if one.outcome in ("failed", "unsent")]
        if missing:
            named = "; ".join(f"{one.name}: {one.reason or one.outcome}" for one in missing)
            raise PacsError(
                "WET-PACS-PARTIAL",
                f"{self.to} has {self.stored} of {len(self.objects)} objects. Not there: {named}.",
                AGAIN,
                sending=True,
            )


def objects_of(report: Report, source: Source, formats: Sequence[str] = FORMATS) -> tuple[list[Outgoing], list[str]]:
    """The objects of a report, and the formats in which it has nothing to send, each with why.

    All are made before any is sent.

    Raises:
        ExportError: a format cannot be made for another reason, or none has anything.
    """
    made: list[Outgoing] = []
    empty: list[str] = []
    for name in formats:
        try:
            files = export_from(source, report, name)
        except ExportError as error:
            if error.code not in _NOTHING_IN_IT:
                raise
            empty.append(f"{name}: {error.message} {error.hint}".strip())
            continue
        made += [outgoing(name, file.name, file.data) for file in files]
    if not made:
        raise ExportError("WET-EXPORT-NOTHING", "The report has nothing to send in these formats.", " ".join(empty))
    return made, empty


def stored_by_format(objects: Sequence[Outgoing], result: SendResult) -> dict[str, int]:
    """How many objects of each format an archive has now."""
    there = {one.name for one in result.objects if one.outcome in ("stored", "warning")}
    return dict(Counter(one.format for one in objects if one.name in there))


def outgoing(format: str, name: str, data: bytes) -> Outgoing:
    """An object as it is sent: what it is, its own file meta information says."""
    from pydicom import dcmread

    meta = dcmread(io.BytesIO(data), stop_before_pixels=True, specific_tags=["SOPInstanceUID"]).file_meta
    return Outgoing(
        name,
        data,
        sop_class=str(meta.MediaStorageSOPClassUID),
        sop_instance=str(meta.MediaStorageSOPInstanceUID),
        transfer_syntax=str(meta.TransferSyntaxUID),
        format=format,
    )


def outcome_of(name: str, status: int) -> Sent:
    """An object's outcome by its C-STORE status or Failure Reason (PS3.4 B.2.3, PS3.7 C, PS3.18 table I.2-2).

    A duplicate is there already: the same UID is the same object.
    """
    if status == 0:
        return Sent(name=name, outcome="stored")
    known = (
        _REASONS.get(status) or _FAMILIES.get(status >> 8) or ("it is not understood" if status >> 12 == 0xC else "")
    )
    reason = f"{known or 'a failure that is not known'} ({status:04X})"
    there = status == DUPLICATE or status >> 12 == 0xB
    return Sent(name=name, outcome="warning" if there else "failed", reason=reason)
