"""Which images may have text burned into their pixels, judged by the header alone.

No rule is applied to the pixels: a heuristic that misses a name is worse than none, since somebody would rely on it.
So an image that is not named here may have burned-in text all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

UNKNOWN: Final = "a picture without header"

_MODALITIES = {
    "US": "ultrasound", "IVUS": "ultrasound", "ES": "endoscopy", "XC": "photograph", "GM": "microscopy",
    "XA": "angiography", "RF": "fluoroscopy", "OT": "modality other", "SC": "secondary capture", "DOC": "document",
    "OP": "ophthalmic photography", "ECG": "curves", "HD": "curves",
}  # fmt: skip
_CLASS_WORDS = {
    "Secondary Capture": "secondary capture",
    "Ultrasound": "ultrasound",
    "X-Ray Angiographic": "angiography",
    "X-Ray Radiofluoroscopic": "fluoroscopy",
    "VL ": "photograph",
    "Video": "video",
}
_CONVERSIONS = {
    "DF": "digitized film", "SD": "scanned document", "SI": "scanned image", "DV": "digitized video",
    "DI": "digital interface", "DRW": "drawing", "SYN": "synthetic image", "WSD": "workstation",
}  # fmt: skip
_IMAGE_TYPES = ("SCREEN SAVE", "SCREENSAVE", "DOSE_INFO", "DOSE REPORT", "CAPTURE", "SAVE")


def burned_in(dataset: Dataset) -> tuple[str, ...]:
    """Why text may stand in an image's pixels; empty where nothing in the header says so, which is no proof.

    Burned In Annotation NO does not clear an image of a kind that often has it.
    """
    from pydicom.uid import UID

    reasons: dict[str, None] = {}
    if str(dataset.get("BurnedInAnnotation") or "").strip().upper() == "YES":
        reasons["the header says that text is burned in"] = None
    modality = _MODALITIES.get(str(dataset.get("Modality") or "").strip().upper())
    named = UID(str(dataset.get("SOPClassUID") or "")).name
    conversion = _CONVERSIONS.get(str(dataset.get("ConversionType") or "").strip().upper())
    kinds = [modality, conversion, *(kind for word, kind in _CLASS_WORDS.items() if word in named)]
    image_type = dataset.get("ImageType") or ()
    stated = [image_type] if isinstance(image_type, str) else [str(value) for value in image_type]
    if any(word in value.upper() for value in stated for word in _IMAGE_TYPES):
        kinds.append("screen capture")
    reasons.update((f"{kind} often has burned-in text", None) for kind in kinds if kind)
    return tuple(reasons)
