"""PNG and JPEG pictures without what they say beside their pixels: Exif, text, thumbnails, what follows the end.

Pixels stay byte for byte as they are encoded. Only how the picture is turned is kept, in an Exif block of its own.
"""

from __future__ import annotations

import struct
import zlib

from wetread.errors import InputError

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_KEPT = frozenset(
    {b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"sBIT", b"bKGD", b"pHYs"}
)
_ADOBE = b"Adobe"


def stripped(data: bytes) -> bytes | None:
    """A PNG or JPEG file without its metadata; None for another kind of file.

    Raises:
        InputError: `WET-INPUT-PICTURE`, it is damaged.
    """
    try:
        if data.startswith(_PNG):
            return _png(data)
        if data.startswith(b"\xff\xd8\xff"):
            return _jpeg(data)
    except (struct.error, IndexError, ValueError):
        raise InputError("WET-INPUT-PICTURE", "The picture is damaged.", "Export it again.") from None
    return None


def _orientation(data: bytes) -> int:
    from io import BytesIO

    from PIL import Image

    try:
        with Image.open(BytesIO(data), formats=("PNG", "JPEG")) as picture:
            picture.load()
            turned = int(picture.getexif().get(0x0112, 1))
    except Exception as error:  # Pillow raises what it likes for damaged files
        raise ValueError("damaged") from error
    return turned if 2 <= turned <= 8 else 1


def _exif(turned: int) -> bytes:
    """A TIFF header with one entry, Orientation (Exif 2.3, 4.6.4)."""
    return b"MM\0*\0\0\0\x08" + struct.pack(">HHHIHHI", 1, 0x0112, 3, 1, turned, 0, 0)


def _png(data: bytes) -> bytes:
    turned = _orientation(data)
    kept = [_PNG]
    at = len(_PNG)
    while True:
        (length,) = struct.unpack_from(">I", data, at)
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise ValueError("cut off")
        if kind in _PNG_KEPT:
            kept.append(data[at:end])
        if kind == b"IHDR" and turned != 1:
            body = b"eXIf" + _exif(turned)
            kept.append(struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body)))
        if kind == b"IEND":
            return b"".join(kept)
        at = end


def _jpeg(data: bytes) -> bytes:
    turned = _orientation(data)
    kept = [b"\xff\xd8"]
    if turned != 1:
        body = b"Exif\0\0" + _exif(turned)
        kept.append(b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body)
    at = 2
    while True:
        if data[at] != 0xFF:
            raise ValueError("no marker")
        while data[at + 1] == 0xFF:
            at += 1
        marker = data[at + 1]
        if marker == 0xD9:
            return b"".join([*kept, b"\xff\xd9"])
        (length,) = struct.unpack_from(">H", data, at + 2)
        end = at + 2 + length
        body = data[at + 4 : end]
        if marker == 0xE0 and body.startswith(b"JFIF\0"):
            # its own thumbnail goes: 0 by 0
            kept.append(b"\xff\xe0\0\x10" + body[:12] + b"\0\0")
        elif marker == 0xEE and body.startswith(_ADOBE):
            kept.append(b"\xff\xee\0\x0e" + body[:12])
        elif not (0xE0 <= marker <= 0xEF or marker == 0xFE):
            kept.append(data[at:end])
        at = end
        if marker == 0xDA:
            # coded data run to the next marker that is neither a stuffed byte nor a restart
            while data[at] != 0xFF or data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7:
                at = data.index(b"\xff", at + 1)
            kept.append(data[end:at])
