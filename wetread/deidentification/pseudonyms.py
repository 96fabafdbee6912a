"""What stands in the place of identifiers: UIDs, patients and days, made from a secret, the same each time."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import b32encode
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from wetread.deidentification.profile import STANDARD_UID
from wetread.errors import DeidentifyError

MIN_KEY_BYTES = 16
MAX_SHIFT_DAYS = 3650
"""Dates go back by up to ten years."""


@dataclass
class Pseudonyms:
    """Makes pseudonyms, and remembers them for a mapping file.

    The same secret gives the same pseudonyms; without it nothing leads back. Never printed.

    Attributes:
        secret: Key of the HMAC-SHA256 from which all is made; random where none is given.
        uids, patients: Old to new, as far as made.
    """

    secret: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    uids: dict[str, str] = field(default_factory=dict, repr=False)
    patients: dict[str, str] = field(default_factory=dict, repr=False)

    @classmethod
    def of_file(cls, path: Path) -> Pseudonyms:
        """With the secret in a file: its bytes, without white space around them.

        Raises:
            DeidentifyError: `WET-DEID-KEY`, it cannot be read or is too short.
        """
        hint = "Make one of 32 random bytes: head -c 32 /dev/urandom | base64 > key.txt; keep it safe."
        try:
            secret = path.read_bytes().strip()
        except (OSError, ValueError):
            raise DeidentifyError("WET-DEID-KEY", "The key file cannot be read.", hint) from None
        if len(secret) < MIN_KEY_BYTES:
            raise DeidentifyError("WET-DEID-KEY", f"The key has fewer than {MIN_KEY_BYTES} bytes.", hint)
        return cls(secret)

    def uid(self, original: str) -> str:
        """The UID in the place of another, under 2.25 (PS3.5 B.2); one that DICOM defines stays."""
        original = original.strip("\0 ")
        if not original or original.startswith(STANDARD_UID):
            return original
        made = self.uids.get(original)
        if made is None:
            number = bytearray(self._derived("uid", original)[:16])
            number[6], number[8] = number[6] & 0x0F | 0x40, number[8] & 0x3F | 0x80  # a UUID's version and variant
            made = self.uids[original] = f"2.25.{int.from_bytes(number, 'big')}"
        return made

    def patient(self, original: str) -> str:
        """What a patient is called, as Patient ID and as name."""
        made = self.patients.get(original)
        if made is None:
            letters = b32encode(self._derived("patient", original))[:12].decode()
            made = self.patients[original] = f"WR-{letters}"
        return made

    def days(self, patient: str) -> timedelta:
        """By how much a patient's dates are moved, into the past."""
        number = int.from_bytes(self._derived("days", patient)[:8], "big")
        return timedelta(days=-(1 + number % MAX_SHIFT_DAYS))

    def _derived(self, kind: str, text: str) -> bytes:
        return hmac.digest(self.secret, f"{kind}\0{text}".encode("utf-8", "replace"), hashlib.sha256)


def shifted(text: str, days: timedelta) -> str:
    """A DICOM date or date-time (DA, DT) moved by days; the time stays. Empty for what is no whole date.

    A DT that ends at the year or the month cannot be moved by days, and goes.
    """
    digits = text.strip().replace(".", "", 2) if len(text) == 10 and text[4:5] == "." else text.strip()
    try:
        moved = date(int(digits[:4]), int(digits[4:6]), int(digits[6:8])) + days
    except (ValueError, OverflowError):
        return ""
    return moved.strftime("%Y%m%d").zfill(8) + digits[8:]
