"""De-identifies one DICOM object in place: its data set, nested items and file meta information."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from wetread import __version__
from wetread.deidentification.profile import EDITION, STANDARD_UID, Action, Options, action_for
from wetread.deidentification.pseudonyms import Pseudonyms, shifted
from wetread.deidentify import Identifiers

if TYPE_CHECKING:
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset, FileDataset

OLDEST = 89
"""Years; who is older is 90 in what is retained, as HIPAA's Safe Harbor asks (45 CFR 164.514(b))."""

MARKED = frozenset(
    {
        "PatientIdentityRemoved",
        "DeidentificationMethod",
        "DeidentificationMethodCodeSequence",
        "LongitudinalTemporalInformationModified",
        "PatientID",
        "PatientName",
    }
)
"""Elements that are written by `Deidentifier` itself."""

_PIXELS = frozenset({0x7FE00008, 0x7FE00009, 0x7FE00010})
_LONGEST = {"SH": 16, "LO": 64, "ST": 1024, "LT": 10240}
_DUMMIES: dict[str, Any] = {
    "AS": "000Y", "DA": "19000101", "DS": "0", "DT": "19000101000000", "FD": 0.0, "FL": 0.0, "IS": "0",
    "PN": "Removed", "SL": 0, "SS": 0, "SV": 0, "TM": "000000", "UL": 0, "US": 0, "UV": 0,
    "OB": b"\0\0", "OW": b"\0\0", "OD": b"", "OF": b"", "OL": b"", "OV": b"",
}  # fmt: skip


@dataclass
class Deidentifier:
    """De-identifies the objects of one patient.

    Args:
        options: What is retained or cleaned.
        pseudonyms: Where UIDs and the patient's pseudonym come from.
        identifiers: All that the headers of this patient name.
        patient: What tells the patient from others, for the pseudonym; None for nobody known.
        days: By how much dates are moved, where they are.
        counts: Elements by action, added to.
    """

    options: Options
    pseudonyms: Pseudonyms
    identifiers: Identifiers
    patient: str | None
    days: timedelta
    counts: Counter[str] = field(default_factory=Counter)

    def apply(self, dataset: FileDataset) -> None:
        """Apply the profile to an object; its pixel data stay byte for byte."""
        enhanced = "SharedFunctionalGroupsSequence" in dataset
        had = {keyword for keyword in ("PatientID", "PatientName") if keyword in dataset}
        self._enter(dataset, enhanced)
        for keyword in had:
            setattr(dataset, keyword, self.pseudonyms.patient(self.patient) if self.patient else "")
        self._mark(dataset)
        self._meta(dataset)

    def _enter(self, dataset: Dataset, enhanced: bool) -> None:
        for tag in list(dataset.keys()):
            if int(tag) in _PIXELS:
                continue
            if tag.is_private:
                del dataset[tag]
                self.counts["private removed"] += 1
                continue
            try:
                element = dataset[tag]
                vr = str(element.VR)
                _ = element.value
            except Exception:  # pydicom raises what it likes; what cannot be read cannot be judged
                del dataset[tag]
                self.counts[Action.REMOVE] += 1
                continue
            action = action_for(int(tag), vr, self.options, enhanced=enhanced)
            if action is Action.KEEP and element.keyword == "PatientAge":
                element.value = _capped(str(element.value or ""))
            elif action is Action.REMOVE:
                del dataset[tag]
            elif action is Action.EMPTY:
                element.value = [] if vr == "SQ" else None
            elif action is Action.ENTER:
                self._items(element, enhanced)
            elif action is Action.REMAP:
                element.value = _each(element.value, self.pseudonyms.uid)
            elif action is Action.SHIFT:
                element.value = _each(element.value, lambda text: shifted(text, self.days))
            elif action is Action.CLEAN:
                if not self._clean(element, vr):
                    continue
            elif action is Action.DUMMY and not self._replace(element, vr, enhanced):
                del dataset[tag]
            if action not in (Action.KEEP, Action.ENTER):
                self.counts[action] += 1

    def _items(self, element: DataElement, enhanced: bool) -> None:
        for item in element.value or ():
            self._enter(item, enhanced)

    def _replace(self, element: DataElement, vr: str, enhanced: bool) -> bool:
        """Put a dummy in the place of a value; False where there is none for its representation."""
        if vr == "SQ":
            if any("CodeValue" in item or "LongCodeValue" in item for item in element.value):
                element.value = [_dummy_code()]
            else:
                self._items(element, enhanced)
            return True
        if vr not in _DUMMIES and vr not in ("AE", "CS", "LO", "LT", "SH", "ST", "UC", "UT"):
            return False
        element.value = _DUMMIES.get(vr, "REMOVED")
        return True

    def _clean(self, element: DataElement, vr: str) -> bool:
        """Take identifiers out of a text; whether there were any."""
        if isinstance(element.value, bytes):
            return False
        before = _each(element.value, str)
        # a code string has no room for a mark
        after = _each(before, lambda text: self._cleaned(text, vr))
        if after == before:
            return False
        element.value = after
        return True

    def _cleaned(self, text: str, vr: str) -> str:
        cleaned = self.identifiers.scrub(text)
        if cleaned == text:
            return text
        return "" if vr == "CS" else cleaned[: _LONGEST.get(vr)].strip()

    def _mark(self, dataset: Dataset) -> None:
        """Say in the object what was done: PS3.15 E.2 and E.3, PS3.3 C.7.1.1 and C.12.1."""
        from pydicom.dataset import Dataset
        from pydicom.sequence import Sequence

        dataset.PatientIdentityRemoved = "YES"
        dataset.DeidentificationMethod = [f"wetread {__version__}", f"PS3.15 E.1-1 {EDITION}"]
        items = []
        for value, meaning in self.options.codes():
            item = Dataset()
            item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, "DCM", meaning
            items.append(item)
        dataset.DeidentificationMethodCodeSequence = Sequence(items)
        dataset.LongitudinalTemporalInformationModified = "MODIFIED" if self.options.shift_dates else "REMOVED"

    def _meta(self, dataset: FileDataset) -> None:
        """New file meta information and preamble: PS3.10 7.1. The old ones name applications, or hold a TIFF header."""
        from pydicom.dataset import FileMetaDataset

        from wetread.imaging.pixels import transfer_syntax

        syntax = transfer_syntax(dataset)
        meta = FileMetaDataset()
        meta.MediaStorageSOPClassUID = dataset.SOPClassUID
        meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
        meta.TransferSyntaxUID = syntax
        dataset.file_meta = meta
        dataset.preamble = bytes(128)


def _each(value: Any, change: Any) -> Any:
    """A value with each of its parts changed."""
    if value is None or value == "":
        return value
    if isinstance(value, str) or not hasattr(value, "__iter__") or hasattr(value, "components"):
        return change(str(value))
    return [change(str(one)) for one in value]


def _capped(age: str) -> str:
    old = len(age) == 4 and age[3] == "Y" and age[:3].isdecimal() and int(age[:3]) > OLDEST
    return f"{OLDEST + 1:03d}Y" if old else age


def _dummy_code() -> Dataset:
    from pydicom.dataset import Dataset

    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = "REMOVED", "99WETREAD", "Removed"
    return item


def instance_uids(dataset: Dataset) -> frozenset[str]:
    """Every UID in a header that names no class: those that must be gone."""
    found: set[str] = set()

    def look(inside: Dataset) -> None:
        for tag in list(inside.keys()):
            try:
                element = inside[tag]
                if element.VR == "SQ":
                    for item in element.value:
                        look(item)
                elif element.VR == "UI":
                    found.update(_each(element.value, str) if not isinstance(element.value, str) else [element.value])
            except Exception:  # as above: such an element is removed
                continue

    look(dataset)
    return frozenset(uid for uid in found if uid and not uid.startswith(STANDARD_UID))
