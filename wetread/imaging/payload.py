"""An image as an endpoint gets it: an 8-bit PNG, its base64 made once, and the way back to the image's own pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wetread.imaging.geometry import Frame


@dataclass(frozen=True, slots=True)
class Payload:
    """One image in one preparation, encoded once and shared by every request that sends it.

    `pixel_sha256` is over the prepared pixels and their shape, not the file: another encoder gives the same hash.
    `frame` maps between the pixels sent and the image's own.
    """

    png: bytes
    base64: bytes
    pixel_sha256: str
    rows: int
    columns: int
    frame: Frame
