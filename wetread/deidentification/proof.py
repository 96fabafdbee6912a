"""Looks for identifiers in what is about to be written: the last word before a file leaves."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator
from io import BytesIO
from typing import TYPE_CHECKING

from wetread.deidentification.objects import MARKED
from wetread.deidentify import Identifiers

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_TEXTS = frozenset({"AE", "AS", "CS", "LO", "LT", "PN", "SH", "ST", "UC", "UR", "UT"})
_IN_HEADER, _AS_DIGITS, _IN_PIXELS = 6, 8, 9
"""Letters and digits that a spelling must have to be searched in bytes; shorter ones stand there by chance."""
_UID = re.compile(rb"[0-9]+(?:\.[0-9]+){2,}")
_ENCODINGS = ("utf-8", "latin-1", "utf-16-le")


def remains(
    data: bytes, identifiers: Identifiers, uids: Collection[str], encodings: Iterable[str] = (), *, uids_stay: bool
) -> str | None:
    """Where an identifier still stands in a DICOM file, as a phrase without the identifier; None for nowhere.

    Every text is searched as words; the whole file by the bytes of names, values and UIDs, in several encodings; and
    the comments inside compressed pixel data.

    Args:
        data: The file as it would be written.
        identifiers: What the original headers named.
        uids: The UIDs of the original headers.
        encodings: Python's names of further encodings, such as those of the header.
        uids_stay: Whether the UIDs were retained; else they must be gone.
    """
    from pydicom import dcmread

    dataset = dcmread(BytesIO(data))
    for keyword, text in _texts(dataset):
        if identifiers.found_in(text):
            return f"in {keyword}"
    pixels = bytes(dataset.PixelData) if "PixelData" in dataset else b""
    start = data.rfind(pixels) if pixels else len(data)
    # a deflated data set is searched as it was read
    header = _plain(dataset) if start < 0 or not pixels else data[:start] + data[start + len(pixels) :]
    spellings = {s for s in identifiers.spellings(_IN_HEADER) if len(s) >= _AS_DIGITS or not s.isdecimal()}
    gone = {uid.encode("ascii", "replace") for uid in uids} if not uids_stay else set()
    # a header names UIDs by the hundred: they are looked up, not searched for one by one
    spellings -= set(uids)
    if _stands(header, spellings, encodings) or not gone.isdisjoint(_UID.findall(header)):
        return "in the bytes of the header"
    telling = [one for one in spellings if len(one) >= _IN_PIXELS and len(set(one)) > 3]
    if _stands(pixels, telling, encodings) or not gone.isdisjoint(_UID.findall(pixels)):
        return "in the bytes of the pixel data"
    if dataset.file_meta.TransferSyntaxUID.is_encapsulated:
        for comment in _comments(pixels):
            if identifiers.found_in(comment):
                return "in a comment inside the compressed pixel data"
    return None


def _texts(dataset: Dataset, nested: bool = False) -> Iterator[tuple[str, str]]:
    for element in dataset:
        if element.VR == "SQ":
            if nested or element.keyword not in MARKED:
                for item in element.value:
                    yield from _texts(item, nested=True)
        elif element.VR in _TEXTS and element.value and (nested or element.keyword not in MARKED):
            value = element.value
            several = not isinstance(value, str) and hasattr(value, "__iter__") and not hasattr(value, "components")
            yield element.keyword or "an unknown element", " ".join(map(str, value)) if several else str(value)


def _plain(dataset: Dataset) -> bytes:
    """A data set's texts and UIDs as bytes, for a file whose own bytes say nothing."""
    return "\n".join(
        str(element.value) for element in dataset.iterall() if element.VR == "UI" or element.VR in _TEXTS
    ).encode("utf-8", "replace")


def _stands(data: bytes, spellings: Iterable[str], encodings: Iterable[str]) -> bool:
    wanted: set[bytes] = set()
    for spelling in spellings:
        for encoding in {*_ENCODINGS, *encodings}:
            try:
                wanted.add(spelling.encode(encoding))
            except (UnicodeEncodeError, LookupError):
                continue
    return any(_as_word(data, one) for one in wanted)


def _as_word(data: bytes, wanted: bytes) -> bool:
    """Whether bytes stand in others, and not as part of a longer word or number."""
    at = data.find(wanted)
    while at >= 0:
        around = data[at - 1 : at] + data[at + len(wanted) : at + len(wanted) + 1]
        if not any(48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 for byte in around):
            return True
        at = data.find(wanted, at + 1)
    return False


def _comments(pixels: bytes) -> Iterator[str]:
    """Texts in the marker segments of JPEG, JPEG-LS and JPEG 2000 streams: APPn and COM (ISO 10918-1, 15444-1)."""
    for found in re.finditer(rb"\xff(?:\xd8|\x4f)\xff", pixels):
        at = found.end() - 1
        while at + 4 <= len(pixels) and pixels[at] == 0xFF:
            marker, length = pixels[at + 1], int.from_bytes(pixels[at + 2 : at + 4], "big")
            if marker in (0xDA, 0x90, 0x93) or length < 2:  # SOS, SOT, SOD: data follow
                break
            if 0xE0 <= marker <= 0xEF or marker in (0xFE, 0x64):
                yield pixels[at + 4 : at + 2 + length].decode("latin-1")
            at += 2 + length
